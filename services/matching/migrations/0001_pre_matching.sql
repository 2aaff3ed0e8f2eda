-- matching: who could be asked, what is being looked for, who was asked, who has accepted, and how much each carries.

-- The read model of the directory, joined with what notify says about verification. Either may come first.
CREATE TABLE peers(
    person_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    -- of the directory; 0 while only a verification has been heard of
    revision bigint NOT NULL DEFAULT 0,
    active boolean NOT NULL DEFAULT false,
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('peer', 'coordinator', 'member', 'duty')),
    attributes text[] NOT NULL DEFAULT '{}',
    offers text[] NOT NULL DEFAULT '{}',
    designated_from date,
    designated_to date,
    trained_until date,
    hours text NOT NULL DEFAULT '',
    time_zone text NOT NULL DEFAULT 'UTC',
    language text NOT NULL DEFAULT 'en',
    verified boolean NOT NULL DEFAULT false,
    verified_revision bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (person_id, agency_id)
);
CREATE INDEX peers_useful ON peers(agency_id) WHERE active AND verified AND role IN ('peer', 'coordinator');
ALTER TABLE peers ENABLE ROW LEVEL SECURITY;
ALTER TABLE peers FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON peers TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON peers TO {app};

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

-- What a peer carries over all agencies: no agency and no case here. A pending offer reserves load, an accepted one
-- keeps it until the assignment ends. `asked` counts offers and is halved every thirty days (`season`).
CREATE TABLE peer_load(
    peer_id uuid PRIMARY KEY,
    open integer NOT NULL DEFAULT 0 CHECK (open >= 0),
    crisis integer NOT NULL DEFAULT 0 CHECK (crisis >= 0),
    asked integer NOT NULL DEFAULT 0 CHECK (asked >= 0),
    season integer NOT NULL DEFAULT 0,
    rest_until timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
GRANT SELECT, INSERT, UPDATE ON peer_load TO {app};

-- One row per case that is open here. `hungry`: it would take more people than it has found.
CREATE TABLE searches(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    ask jsonb NOT NULL,
    phase text NOT NULL CHECK (phase IN ('searching', 'choosing', 'unserved', 'assigned', 'in_contact')),
    chooses boolean NOT NULL,
    hungry boolean NOT NULL,
    turn integer NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (case_id, agency_id)
);
CREATE INDEX searches_hungry ON searches(agency_id, until) WHERE hungry;
ALTER TABLE searches ENABLE ROW LEVEL SECURITY;
ALTER TABLE searches FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON searches TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON searches TO {app};

CREATE TABLE offers(
    offer_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    person_id uuid NOT NULL,
    -- `ended`: it was accepted, and that assignment is over
    state text NOT NULL CHECK (state IN ('pending', 'accepted', 'declined', 'expired', 'rescinded', 'ended')),
    expires_at timestamptz NOT NULL,
    crisis boolean NOT NULL,
    factors jsonb NOT NULL,
    version integer NOT NULL DEFAULT 0,
    PRIMARY KEY (offer_id, agency_id)
);
CREATE INDEX offers_case ON offers(case_id);
-- The promise of this service: at most one accepted peer per case.
CREATE UNIQUE INDEX one_accepted ON offers(case_id, agency_id) WHERE state = 'accepted';
ALTER TABLE offers ENABLE ROW LEVEL SECURITY;
ALTER TABLE offers FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON offers TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON offers TO {app};

CREATE TABLE assignments(
    assignment_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    offer_id uuid NOT NULL,
    person_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'overdue', 'in_contact', 'ended')),
    contact_by timestamptz NOT NULL,
    released boolean NOT NULL,
    crisis boolean NOT NULL,
    version integer NOT NULL DEFAULT 0,
    PRIMARY KEY (assignment_id, agency_id)
);
CREATE INDEX assignments_case ON assignments(case_id);
CREATE UNIQUE INDEX one_standing ON assignments(case_id, agency_id) WHERE state <> 'ended';
ALTER TABLE assignments ENABLE ROW LEVEL SECURITY;
ALTER TABLE assignments FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON assignments TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON assignments TO {app};

-- Who is not asked for this case: for good, or until a time (silent, or "not now"). The reason is not kept.
CREATE TABLE refusals(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    person_id uuid NOT NULL,
    until timestamptz,
    PRIMARY KEY (case_id, person_id, agency_id)
);
ALTER TABLE refusals ENABLE ROW LEVEL SECURITY;
ALTER TABLE refusals FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON refusals TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON refusals TO {app};
