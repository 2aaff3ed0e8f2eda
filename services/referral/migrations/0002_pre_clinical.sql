-- Advice, referrals and whom they go to. Persons are opaque ids, topics codes; whatever a person wrote is sealed.

ALTER TABLE ladders ADD COLUMN takers uuid[] NOT NULL DEFAULT '{}';

-- One row per case: what was stamped on it, who supports the requester, which acts wait for what they need.
CREATE TABLE pathways(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    ask jsonb,
    stamped boolean NOT NULL,
    assignment_id uuid,
    peer_id uuid,
    -- assignments that are over
    gone uuid[] NOT NULL,
    -- kinds of resources that were given
    given text[] NOT NULL,
    waiting jsonb NOT NULL CHECK (jsonb_typeof(waiting) = 'array'),
    ended boolean NOT NULL,
    PRIMARY KEY (case_id, agency_id),
    CHECK ((assignment_id IS NULL) = (peer_id IS NULL))
);
ALTER TABLE pathways ENABLE ROW LEVEL SECURITY;
ALTER TABLE pathways FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON pathways TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON pathways TO {app};

-- The case is in the key: a forged id of another case's consult reaches nothing of that case.
CREATE TABLE consults(
    case_id uuid NOT NULL,
    consult_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('advice', 'outside_help')),
    assignment_id uuid NOT NULL,
    asked_by uuid NOT NULL,
    wanted text NOT NULL CHECK (wanted IN ('clinician', 'coordinator', 'peer')),
    role text NOT NULL CHECK (role IN ('clinician', 'coordinator', 'peer')),
    topics text[] NOT NULL,
    -- under the consult's own key
    sealed bytea,
    stage text NOT NULL CHECK (stage IN ('open', 'answered', 'expired', 'ended')),
    due_at timestamptz NOT NULL,
    -- who was asked, in turn; the last one is waited for
    asked uuid[] NOT NULL,
    reminded boolean NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (case_id, consult_id, agency_id)
);
ALTER TABLE consults ENABLE ROW LEVEL SECURITY;
ALTER TABLE consults FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON consults TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON consults TO {app};

-- The present referral of a case, or its last one: at most one is open, at most one clinician has accepted it.
CREATE TABLE referrals(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    referral_id uuid NOT NULL,
    direct boolean NOT NULL,
    -- FHIR Task: draft, requested, accepted, on-hold, in-progress, completed, failed, cancelled
    stage text NOT NULL CHECK (stage IN ('consent', 'requested', 'accepted', 'on_hold', 'in_progress', 'completed',
                                         'failed', 'cancelled')),
    due_at timestamptz NOT NULL,
    consent_id uuid,
    consent_until timestamptz,
    clinician_id uuid,
    -- [person, what has come of asking], in turn
    asked jsonb NOT NULL CHECK (jsonb_typeof(asked) = 'array'),
    confirmed text[] NOT NULL,
    held_from text CHECK (held_from IN ('requested', 'accepted', 'in_progress')),
    told boolean NOT NULL,
    version integer NOT NULL,
    PRIMARY KEY (case_id, agency_id),
    CHECK ((consent_id IS NULL) = (consent_until IS NULL)),
    -- nobody is asked without a consent, and whoever has accepted is known
    CHECK (stage NOT IN ('requested', 'accepted', 'on_hold', 'in_progress')
           OR (consent_id IS NOT NULL AND clinician_id IS NOT NULL))
);
CREATE INDEX referrals_clinician ON referrals(clinician_id) WHERE stage IN ('requested', 'accepted', 'on_hold');
ALTER TABLE referrals ENABLE ROW LEVEL SECURITY;
ALTER TABLE referrals FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON referrals TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON referrals TO {app};

-- The read model of the directory, joined with what notify says about verification. Either may come first.
CREATE TABLE people(
    person_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    -- of the directory; 0 while only a verification has been heard of
    revision bigint NOT NULL DEFAULT 0,
    active boolean NOT NULL DEFAULT false,
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('peer', 'coordinator', 'clinician', 'member', 'duty')),
    attributes text[] NOT NULL DEFAULT '{}',
    language text NOT NULL DEFAULT 'en',
    verified boolean NOT NULL DEFAULT false,
    verified_revision bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (person_id, agency_id)
);
CREATE INDEX people_useful ON people(agency_id)
    WHERE active AND verified AND role IN ('peer', 'coordinator', 'clinician');
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
ALTER TABLE people FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON people TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON people TO {app};

-- What an agency's structure allows now.
CREATE TABLE agencies(
    agency_id uuid PRIMARY KEY,
    revision bigint NOT NULL,
    capabilities jsonb NOT NULL
);
ALTER TABLE agencies ENABLE ROW LEVEL SECURITY;
ALTER TABLE agencies FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON agencies TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON agencies TO {app};

-- Regional duty coordinators belong to no agency and to every one: a case of any agency may need to tell them, and a
-- transaction has only its cases' agencies in view. So this is a table of ids without an agency, nothing else.
CREATE TABLE duty(
    person_id uuid PRIMARY KEY,
    revision bigint NOT NULL DEFAULT 0,
    active boolean NOT NULL DEFAULT false,
    verified boolean NOT NULL DEFAULT false,
    verified_revision bigint NOT NULL DEFAULT 0
);
GRANT SELECT, INSERT, UPDATE ON duty TO {app};
