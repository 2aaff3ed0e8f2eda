-- Which program structure an agency has from which moment on, with the contract of its clinician.
-- An agency without a row has Team Coordinator, as every agency had before this table.
CREATE TABLE structures(
    agency_id uuid NOT NULL,
    effective_from timestamptz NOT NULL,
    -- of all that is planned: it only grows, and the newest row holds the newest
    revision integer NOT NULL,
    structure text NOT NULL CHECK (structure IN ('team-coordinator', 'clinical-advisor', 'clinical-supervisor')),
    contract_from date,
    -- the last day
    contract_to date,
    on_call boolean NOT NULL,
    direct_retiree boolean NOT NULL,
    PRIMARY KEY (agency_id, effective_from),
    CHECK ((structure = 'team-coordinator') = (contract_from IS NULL)),
    CHECK (contract_to IS NULL OR contract_to >= contract_from),
    CHECK (structure <> 'team-coordinator' OR NOT on_call),
    CHECK (structure = 'clinical-supervisor' OR NOT direct_retiree)
);
ALTER TABLE structures ENABLE ROW LEVEL SECURITY;
ALTER TABLE structures FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON structures TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY watch ON structures FOR SELECT TO peerline_operator USING (true);
CREATE POLICY operator_adds ON structures FOR INSERT TO peerline_operator
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY operator_replans ON structures FOR DELETE TO peerline_operator
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON structures TO {app}, peerline_operator;

-- A structure that begins later, or ends with its contract, is told when it does: a timer of the agency itself.
GRANT UPDATE (revision) ON agencies TO peerline_operator;

-- What the code that now runs writes there is what an agency without a row has; 0007 drops it.
ALTER TABLE agencies ALTER COLUMN structure SET DEFAULT 'team-coordinator';

-- Clinicians are people of the program. The wider rule takes the place of the narrower one; 0007 validates it.
ALTER TABLE people ADD CONSTRAINT people_role
    CHECK (role IN ('peer', 'coordinator', 'clinician', 'member', 'duty')) NOT VALID;
-- squawk-ignore ban-drop-constraint
ALTER TABLE people DROP CONSTRAINT people_role_check;
