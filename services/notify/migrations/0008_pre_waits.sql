-- What waits in a case for coordinators: the page behind a count. Rows of the case, purged with it.

-- One row for each person who was told of one thing; whoever is barred has none. A row that is over counts no more.
CREATE TABLE waits(
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('nobody_found', 'choice', 'handoff', 'referral_failed')),
    -- the referral, the assignment whose release is due, or the case itself
    subject_id uuid NOT NULL,
    person_id uuid NOT NULL,
    urgent boolean NOT NULL,
    over boolean NOT NULL,
    -- last: a PIN that has taken the place of another one shows nothing of before
    told_at timestamptz NOT NULL,
    PRIMARY KEY (case_id, kind, subject_id, person_id, agency_id)
);
CREATE INDEX waits_person ON waits(person_id) WHERE NOT over;
ALTER TABLE waits ENABLE ROW LEVEL SECURITY;
ALTER TABLE waits FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON waits TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON waits TO {app};

-- Cases that are closing: whatever is heard of them later, nobody's page counts them.
CREATE TABLE quiet(
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    PRIMARY KEY (case_id, agency_id)
);
ALTER TABLE quiet ENABLE ROW LEVEL SECURITY;
ALTER TABLE quiet FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON quiet TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON quiet TO {app};

-- The wider rule takes the place of the narrower one under its name: in a new database 0004 validates it, else 0009.
-- squawk-ignore ban-drop-constraint
ALTER TABLE links DROP CONSTRAINT links_purpose;
ALTER TABLE links ADD CONSTRAINT links_purpose
    CHECK (purpose IN ('verify', 'offer', 'case', 'page', 'consult', 'referral', 'outreach', 'team')) NOT VALID;
