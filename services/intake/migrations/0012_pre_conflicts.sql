-- Who has a conflict with whom, as the agency says: written and never read back. People and incidents are keyed hashes.
CREATE TABLE conflicts(
    agency_id uuid NOT NULL,
    -- all rows of one place have the conflict with each other
    place integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('incident', 'investigation', 'relatives', 'evaluator')),
    ref_index bytea NOT NULL,
    incident_index bytea,
    -- the last day on which it counts
    until date NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (agency_id, place, ref_index),
    CHECK ((kind = 'incident') = (incident_index IS NOT NULL))
);
CREATE INDEX conflicts_ref ON conflicts(ref_index);
CREATE INDEX conflicts_incident ON conflicts(incident_index) WHERE incident_index IS NOT NULL;
CREATE INDEX conflicts_evaluator ON conflicts(agency_id) WHERE kind = 'evaluator';
ALTER TABLE conflicts ENABLE ROW LEVEL SECURITY;
ALTER TABLE conflicts FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON conflicts TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON conflicts TO {app};

ALTER TABLE agencies ADD COLUMN conflicts_revision integer NOT NULL DEFAULT 0;
GRANT UPDATE (conflicts_revision) ON agencies TO {app};

-- Under whom somebody was: so long as the policy looks back, that counts as if it were now.
CREATE TABLE people_before(
    agency_id uuid NOT NULL,
    ref_index bytea NOT NULL,
    supervisor_ref_index bytea NOT NULL,
    counts_until date NOT NULL,
    PRIMARY KEY (ref_index, supervisor_ref_index, agency_id)
);
CREATE INDEX people_before_above ON people_before(supervisor_ref_index);
CREATE INDEX people_before_agency ON people_before(agency_id, counts_until);
ALTER TABLE people_before ENABLE ROW LEVEL SECURITY;
ALTER TABLE people_before FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON people_before TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON people_before TO {app};

-- People are some thousands per agency: the lock is over in a moment.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX people_above ON people(supervisor_ref_index) WHERE supervisor_ref_index IS NOT NULL;
