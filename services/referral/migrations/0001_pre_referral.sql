-- The crisis ladder of a case, and who was paged for it. Persons are opaque ids; both go with the case.
CREATE TABLE ladders(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    ladder_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('paging', 'silent', 'acknowledged', 'late', 'contact', 'ended', 'nobody')),
    -- every rung as a list of persons, those not yet paged too
    rungs jsonb NOT NULL CHECK (jsonb_typeof(rungs) = 'array'),
    rung integer NOT NULL CHECK (rung >= 0),
    turn integer NOT NULL CHECK (turn >= 0),
    rung_within interval NOT NULL,
    contact_within interval NOT NULL,
    -- paging: the rung answers by; acknowledged, late: contact by; else since when
    moment timestamptz NOT NULL,
    acknowledged_by uuid,
    PRIMARY KEY (case_id, agency_id),
    CHECK ((state IN ('acknowledged', 'late')) = (acknowledged_by IS NOT NULL))
);
ALTER TABLE ladders ENABLE ROW LEVEL SECURITY;
ALTER TABLE ladders FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON ladders TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON ladders TO {app};

CREATE TABLE pages(
    page_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    ladder_id uuid NOT NULL,
    -- in which order the ladder paged them
    place integer NOT NULL,
    person_id uuid NOT NULL,
    outcome text CHECK (outcome IN ('accepted', 'failed', 'unknown', 'expired')),
    cannot boolean NOT NULL,
    PRIMARY KEY (page_id, agency_id)
);
CREATE INDEX pages_case ON pages(case_id);
ALTER TABLE pages ENABLE ROW LEVEL SECURITY;
ALTER TABLE pages FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON pages TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON pages TO {app};
