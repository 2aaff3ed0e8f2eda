-- Whom to ask, a day after something hard, how they are. Written with a case and once more apart from it, as a load is.
CREATE TABLE check_ins(
    agency_id uuid NOT NULL,
    person_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    apart boolean NOT NULL DEFAULT false,
    PRIMARY KEY (person_id, agency_id)
);
CREATE INDEX check_ins_agency ON check_ins(agency_id);
ALTER TABLE check_ins ENABLE ROW LEVEL SECURITY;
ALTER TABLE check_ins FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON check_ins TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON check_ins TO {app};
