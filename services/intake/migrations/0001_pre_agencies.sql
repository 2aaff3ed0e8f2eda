-- Agencies, their keys, and the directory: who people are, sealed, found again by blind indexes alone.
CREATE TABLE agencies(
    agency_id uuid PRIMARY KEY,
    revision integer NOT NULL DEFAULT 1,
    active boolean NOT NULL DEFAULT true,
    name text NOT NULL,
    slug text,
    kind text NOT NULL CHECK (kind IN ('police', 'sheriff', 'fire', 'dispatch', 'corrections', 'region')),
    jurisdiction text NOT NULL,
    structure text NOT NULL,
    languages text[] NOT NULL,
    time_zone text NOT NULL,
    mail_domain text,
    lines jsonb NOT NULL DEFAULT '[]',
    policy jsonb NOT NULL DEFAULT '{}',
    policy_revision integer NOT NULL DEFAULT 1,
    -- 0: no directory was ever uploaded
    directory_revision integer NOT NULL DEFAULT 0,
    -- the reserved region holds the duty coordinators; nobody asks it for support, so it has no public name
    CHECK ((kind = 'region') = (slug IS NULL))
);
ALTER TABLE agencies ENABLE ROW LEVEL SECURITY;
ALTER TABLE agencies FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON agencies TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY watch ON agencies FOR SELECT TO peerline_operator USING (true);
CREATE POLICY take_on ON agencies FOR INSERT TO peerline_operator
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY take_lock ON agencies FOR UPDATE TO peerline_operator
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT ON agencies TO {app}, peerline_operator;
GRANT INSERT ON agencies TO peerline_operator;
GRANT UPDATE (revision, policy, policy_revision, directory_revision) ON agencies TO {app};
-- FOR UPDATE asks for the right to update; the operator changes nothing of an agency but its directory's revision
GRANT UPDATE (directory_revision) ON agencies TO peerline_operator;

-- Keys of agencies, without the keys: their hashes are doors of kind 'key'.
CREATE TABLE credentials(
    credential_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT region.now(),
    revoked_at timestamptz,
    -- of the POST that made it: keyed hashes of its Idempotency-Key and its body
    request_hash bytea,
    body_digest bytea,
    PRIMARY KEY (credential_id, agency_id)
);
CREATE INDEX credentials_agency ON credentials(agency_id);
ALTER TABLE credentials ENABLE ROW LEVEL SECURITY;
ALTER TABLE credentials FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON credentials TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY first_key ON credentials FOR INSERT TO peerline_operator
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT ON credentials TO {app};
GRANT UPDATE (revoked_at) ON credentials TO {app};
GRANT INSERT ON credentials TO peerline_operator;

-- Everybody an agency has named. Who they are is sealed under a key of their own; the indexes are keyed hashes.
CREATE TABLE people(
    person_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    revision integer NOT NULL,
    active boolean NOT NULL,
    role text NOT NULL CHECK (role IN ('peer', 'coordinator', 'member', 'duty')),
    -- keyed hash of the row as it was uploaded: an unchanged row is recognised without opening anything
    digest bytea NOT NULL,
    sealed bytea NOT NULL,
    ref_index bytea NOT NULL,
    name_index bytea NOT NULL,
    badge_index bytea,
    unit_index bytea,
    supervisor_ref_index bytea,
    attributes text[] NOT NULL DEFAULT '{}',
    offers text[] NOT NULL DEFAULT '{}',
    designated_from date,
    designated_to date,
    trained_until date,
    hours text NOT NULL DEFAULT '',
    time_zone text NOT NULL,
    language text NOT NULL,
    -- whether a contact point is verified, as notify says, and the revision at which the points changed last
    verified boolean NOT NULL DEFAULT false,
    contacts_revision integer NOT NULL DEFAULT 0,
    PRIMARY KEY (person_id, agency_id),
    UNIQUE (ref_index, agency_id)
);
CREATE INDEX people_name ON people(name_index);
CREATE INDEX people_badge ON people(badge_index) WHERE badge_index IS NOT NULL;
CREATE INDEX people_unit ON people(unit_index) WHERE unit_index IS NOT NULL;
CREATE INDEX people_program ON people(agency_id, role) WHERE active AND role <> 'member';
CREATE INDEX people_agency ON people(agency_id);
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
ALTER TABLE people FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON people TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
-- the operator sees the people of the region itself and of no agency
CREATE POLICY duty ON people TO peerline_operator
    USING (agency_id = '00000000-0000-4000-8000-000000000001'
           AND agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = '00000000-0000-4000-8000-000000000001'
                AND agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON people TO {app};
GRANT SELECT, INSERT, UPDATE ON people TO peerline_operator;

-- How people in the program are reached. A point keeps its id while its address is unchanged.
CREATE TABLE contact_points(
    point_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    person_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('mail')),
    place smallint NOT NULL,
    sealed bytea NOT NULL,
    address_index bytea NOT NULL,
    PRIMARY KEY (point_id, agency_id),
    UNIQUE (person_id, address_index, agency_id),
    FOREIGN KEY (person_id, agency_id) REFERENCES people(person_id, agency_id)
);
ALTER TABLE contact_points ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_points FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON contact_points TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY duty ON contact_points TO peerline_operator
    USING (agency_id = '00000000-0000-4000-8000-000000000001'
           AND agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = '00000000-0000-4000-8000-000000000001'
                AND agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON contact_points TO {app};
GRANT UPDATE (place) ON contact_points TO {app};
GRANT SELECT, INSERT ON contact_points TO peerline_operator;

-- What `peerline agency add` and `peerline region duty add` write beside their own rows.
CREATE POLICY operator_emits ON outbox FOR INSERT TO peerline_operator
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT INSERT ON outbox TO peerline_operator;
CREATE POLICY operator_records ON audit FOR INSERT TO peerline_operator
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT INSERT ON audit TO peerline_operator;
CREATE POLICY operator_opens ON doors FOR INSERT TO peerline_operator
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT INSERT ON doors TO peerline_operator;
GRANT EXECUTE ON FUNCTION door(bytea) TO peerline_operator;
