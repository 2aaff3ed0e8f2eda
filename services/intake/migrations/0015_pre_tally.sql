-- Contacts outside of the region's cases, counted by hand: a number a month and kind, and nothing of anybody.
CREATE TABLE tally(
    agency_id uuid NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    kind text NOT NULL CHECK (kind IN ('conversation', 'follow_up', 'resources', 'errand')),
    count integer NOT NULL CHECK (count BETWEEN 0 AND 9999),
    PRIMARY KEY (agency_id, month, kind)
);
ALTER TABLE tally ENABLE ROW LEVEL SECURITY;
ALTER TABLE tally FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON tally TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON tally TO {app};
