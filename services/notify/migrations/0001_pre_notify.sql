-- Who can be told things and where, what is planned and was tried, and the links, pages and replies behind a mail.

-- A person as the agency's directory last said; the rows of a person are locked through this one.
CREATE TABLE people(
    person_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    -- of the contact points; -1 before any was heard of
    revision bigint NOT NULL DEFAULT -1,
    active boolean NOT NULL DEFAULT false,
    role text NOT NULL DEFAULT '',
    language text NOT NULL DEFAULT 'en',
    -- of the directory, which may be heard before or after the contact points
    listed_revision bigint NOT NULL DEFAULT -1,
    listed boolean NOT NULL DEFAULT true,
    PRIMARY KEY (person_id, agency_id)
);
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
ALTER TABLE people FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON people TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON people TO {app};

CREATE TABLE contact_points(
    point_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    person_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('mail')),
    sealed bytea NOT NULL,
    position integer NOT NULL,
    verified_at timestamptz,
    retired_at timestamptz,
    PRIMARY KEY (point_id, agency_id)
);
CREATE INDEX contact_points_person ON contact_points(person_id);
ALTER TABLE contact_points ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_points FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON contact_points TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON contact_points TO {app};

-- A PIN as a salted, peppered scrypt hash, and the tries against it.
CREATE TABLE pins(
    person_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    salt bytea NOT NULL,
    hash bytea NOT NULL,
    wrong integer NOT NULL DEFAULT 0,
    locked_until timestamptz,
    blocked boolean NOT NULL DEFAULT false,
    PRIMARY KEY (person_id, agency_id)
);
ALTER TABLE pins ENABLE ROW LEVEL SECURITY;
ALTER TABLE pins FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON pins TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON pins TO {app};

-- What a person is asked or told about: an offer, an assignment, a crisis page. A link leads to one of these.
CREATE TABLE matters(
    matter_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    person_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('offer', 'assignment', 'page')),
    state text NOT NULL CHECK (state IN ('open', 'accepted', 'declined', 'covered', 'expired', 'ended')),
    expires_at timestamptz,
    urgency text,
    manner text,
    ladder_id uuid,
    -- how to reach the requester, under the case's key; a released one without it: the requester will call
    sealed bytea,
    released boolean NOT NULL DEFAULT false,
    PRIMARY KEY (matter_id, agency_id)
);
CREATE INDEX matters_case ON matters(case_id);
ALTER TABLE matters ENABLE ROW LEVEL SECURITY;
ALTER TABLE matters FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON matters TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON matters TO {app};

-- A planned message. Without a case: a verification, the word to an old address, or the neutral line after an end,
-- which must outlive the purge of its case and so must not name it.
CREATE TABLE intents(
    intent_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid,
    person_id uuid NOT NULL,
    -- only where one point and no other is meant; else the first verified one at the moment of sending
    point_id uuid,
    template text NOT NULL,
    class text NOT NULL CHECK (class IN ('ordinary', 'crisis', 'verify', 'count', 'rescind')),
    subject_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL
        CHECK (state IN ('planned', 'sending', 'accepted', 'failed', 'unknown', 'expired', 'cancelled')),
    version integer NOT NULL DEFAULT 0,
    attempt_id uuid,
    resent boolean NOT NULL DEFAULT false,
    planned_at timestamptz NOT NULL,
    PRIMARY KEY (intent_id, agency_id),
    CHECK (state <> 'sending' OR attempt_id IS NOT NULL)
);
CREATE INDEX intents_case ON intents(case_id) WHERE case_id IS NOT NULL;
CREATE INDEX intents_person ON intents(person_id) WHERE case_id IS NULL;
ALTER TABLE intents ENABLE ROW LEVEL SECURITY;
ALTER TABLE intents FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON intents TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY watch ON intents FOR SELECT TO {loop}, peerline_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON intents TO {app};
GRANT SELECT (intent_id, agency_id, case_id, state, expires_at) ON intents TO {loop}, peerline_operator;

-- One call to a provider. Without an outcome it is under way, or its process died: then the outcome is unknown.
CREATE TABLE attempts(
    attempt_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid,
    intent_id uuid NOT NULL,
    started_at timestamptz NOT NULL,
    outcome text CHECK (outcome IN ('accepted', 'failed', 'not_sent', 'unknown')),
    code text NOT NULL DEFAULT '',
    PRIMARY KEY (attempt_id, agency_id)
);
CREATE INDEX attempts_case ON attempts(case_id) WHERE case_id IS NOT NULL;
CREATE INDEX attempts_intent ON attempts(intent_id);
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON attempts TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON attempts TO {app};

-- Where the token of a mail leads; the token itself is kept nowhere, its keyed hash stands in doors.
CREATE TABLE links(
    link_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid,
    purpose text NOT NULL CHECK (purpose IN ('verify', 'offer', 'case', 'page')),
    person_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    expires_at timestamptz,
    used_at timestamptz,
    -- wrong PINs at a verification link: they never count against the PIN itself
    wrong integer NOT NULL DEFAULT 0,
    PRIMARY KEY (link_id, agency_id)
);
CREATE INDEX links_case ON links(case_id) WHERE case_id IS NOT NULL;
CREATE INDEX links_subject ON links(subject_id);
ALTER TABLE links ENABLE ROW LEVEL SECURITY;
ALTER TABLE links FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON links TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON links TO {app};

CREATE TABLE replies(
    reply_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    person_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    verb text NOT NULL,
    received_at timestamptz NOT NULL,
    outcome text,
    PRIMARY KEY (reply_id, agency_id)
);
CREATE INDEX replies_case ON replies(case_id);
-- The same answer to the same thing counts once, however often the button is pressed.
CREATE UNIQUE INDEX replies_once ON replies(subject_id, verb, agency_id);
ALTER TABLE replies ENABLE ROW LEVEL SECURITY;
ALTER TABLE replies FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON replies TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON replies TO {app};

-- Messages that belong to no case have no anchor: they stand in the list of open things by themselves.
CREATE OR REPLACE VIEW open_things WITH (security_invoker = true) AS
    SELECT case_id AS id, agency_id, state, owner, due_at FROM cases WHERE NOT terminal
    UNION ALL
    SELECT intent_id, agency_id, state, 'notify', expires_at FROM intents
     WHERE case_id IS NULL AND state IN ('planned', 'sending');
