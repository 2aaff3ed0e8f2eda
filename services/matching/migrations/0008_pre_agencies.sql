-- Whether an agency is there at all; one that was not heard of yet is. Of one that is not, nobody is asked.
CREATE TABLE agencies(
    agency_id uuid PRIMARY KEY,
    revision bigint NOT NULL,
    active boolean NOT NULL
);
ALTER TABLE agencies ENABLE ROW LEVEL SECURITY;
ALTER TABLE agencies FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON agencies TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON agencies TO {app};
