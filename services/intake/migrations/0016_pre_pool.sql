-- Which agencies take part in the region's pool of peers; each writes itself, all may read it.
CREATE TABLE pool_members(
    member uuid PRIMARY KEY
);
GRANT SELECT, INSERT, DELETE ON pool_members TO {app};

-- Whom an agency borrows, and for how long it has designated them. The agency they come from may read that: it keeps
-- the copies up to date.
CREATE TABLE lendings(
    agency_id uuid NOT NULL,
    home_agency uuid NOT NULL,
    home_person uuid NOT NULL,
    designated_from date,
    designated_to date,
    PRIMARY KEY (home_person, agency_id)
);
CREATE INDEX lendings_agency ON lendings(agency_id);
CREATE INDEX lendings_home ON lendings(home_agency);
ALTER TABLE lendings ENABLE ROW LEVEL SECURITY;
ALTER TABLE lendings FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON lendings TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY home ON lendings FOR SELECT TO {app}
    USING (home_agency = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON lendings TO {app};

-- A borrowed peer is a person of the borrower too, with contact points and verification of their own there; `bearer` is
-- who they are at home.
ALTER TABLE people ADD COLUMN bearer uuid;
ALTER TABLE agencies ADD COLUMN pool_revision integer NOT NULL DEFAULT 0;
GRANT UPDATE (pool_revision) ON agencies TO {app};
