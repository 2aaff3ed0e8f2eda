-- What every service has: the anchor of each case, outbox, inbox, positions, parked records, timers, audit, doors.
-- Rendered once per service schema; {app} and {loop} are its two logins, {owner} owns it and cannot log in.
GRANT USAGE ON SCHEMA {schema} TO {app}, {loop}, peerline_operator;

CREATE TABLE cases(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    version integer NOT NULL DEFAULT 0,
    state text NOT NULL,
    terminal boolean NOT NULL DEFAULT false,
    owner text,
    due_at timestamptz,
    -- the random id first: with the agency first the planner reads every row of the agencies in view
    PRIMARY KEY (case_id, agency_id),
    CHECK (terminal OR (owner IS NOT NULL AND due_at IS NOT NULL))
);
ALTER TABLE cases ENABLE ROW LEVEL SECURITY;
ALTER TABLE cases FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON cases TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY watch ON cases FOR SELECT TO {loop}, peerline_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON cases TO {app};
GRANT SELECT ON cases TO {loop}, peerline_operator;

-- After a stop event: later events of this case are no-ops. Only the id remains, for 14 days.
CREATE TABLE tombstones(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    closed boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (case_id, agency_id)
);
ALTER TABLE tombstones ENABLE ROW LEVEL SECURITY;
ALTER TABLE tombstones FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON tombstones TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY sweep ON tombstones TO {loop} USING (true);
GRANT SELECT, INSERT, UPDATE ON tombstones TO {app};
GRANT SELECT, DELETE ON tombstones TO {loop};

CREATE TABLE outbox(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    lane smallint NOT NULL CHECK (lane IN (0, 1, 2)),
    topic text NOT NULL,
    key uuid NOT NULL,
    route uuid NOT NULL,
    shard smallint GENERATED ALWAYS AS ((get_byte(uuid_send(route), 15) & 15)::smallint) STORED,
    type text NOT NULL,
    traceparent text,
    payload bytea NOT NULL CHECK (octet_length(payload) <= 262144),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX outbox_next ON outbox(lane, shard, id);
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON outbox FOR INSERT TO {app}
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY relay ON outbox TO {loop} USING (true);
GRANT INSERT ON outbox TO {app};
GRANT SELECT, DELETE ON outbox TO {loop};

-- Kept 14 days; older events are refused. The same id with another digest is an alarm.
CREATE TABLE inbox(
    event_id uuid PRIMARY KEY,
    digest bytea NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX inbox_seen ON inbox USING brin(seen_at);
GRANT SELECT, INSERT, DELETE ON inbox TO {app};
GRANT SELECT, DELETE ON inbox TO {loop};

CREATE TABLE positions(
    topic text NOT NULL,
    part integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, part)
);
GRANT SELECT, INSERT, UPDATE ON positions TO {app};
GRANT SELECT ON positions TO {loop};

CREATE TABLE parked(
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    part integer NOT NULL,
    pos bigint NOT NULL,
    key bytea NOT NULL,
    event_id uuid,
    agency_id uuid,
    headers jsonb,
    record bytea,
    size integer NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    next_try timestamptz,
    due_at timestamptz,
    error_class text NOT NULL,
    fingerprint bytea NOT NULL,
    UNIQUE (topic, part, pos),
    CHECK ((state = 'waiting') = (next_try IS NOT NULL)),
    CHECK ((state = 'dead') = (due_at IS NOT NULL))
);
CREATE INDEX parked_lane ON parked(topic, key, seq);
CREATE INDEX parked_due ON parked(next_try) WHERE state = 'waiting';
ALTER TABLE parked ENABLE ROW LEVEL SECURITY;
ALTER TABLE parked FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON parked TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id IS NULL OR agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY retry ON parked TO {loop} USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON parked TO {app};
GRANT SELECT, UPDATE ON parked TO {loop};

-- What is held back behind a parked record, whatever agency an undecodable one belonged to. Keys alone, no content.
CREATE FUNCTION parked_keys(of_topics text[], of_keys bytea[]) RETURNS TABLE(topic text, key bytea)
    STABLE SECURITY DEFINER LANGUAGE sql SET search_path = {schema}, pg_catalog
    AS $$ SELECT DISTINCT p.topic, p.key FROM parked p
           JOIN unnest(of_topics, of_keys) AS asked(topic, key) ON asked.topic = p.topic AND asked.key = p.key $$;
CREATE POLICY held ON parked FOR SELECT TO {owner} USING (true);
REVOKE ALL ON FUNCTION parked_keys(text[], bytea[]) FROM public;
GRANT EXECUTE ON FUNCTION parked_keys(text[], bytea[]) TO {app};

CREATE TABLE timers(
    timer_id uuid PRIMARY KEY,
    agency_id uuid NOT NULL,
    lane smallint NOT NULL CHECK (lane IN (0, 1, 2)),
    kind text NOT NULL,
    key uuid NOT NULL,
    subject_id uuid NOT NULL,
    subject_version integer NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    traceparent text,
    set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (subject_id, kind, subject_version, agency_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX timers_due ON timers(lane, due_at);
CREATE INDEX timers_key ON timers(key);
ALTER TABLE timers ENABLE ROW LEVEL SECURITY;
ALTER TABLE timers FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON timers TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY claim ON timers TO {loop} USING (true);
GRANT SELECT, INSERT, DELETE ON timers TO {app};
GRANT SELECT, UPDATE ON timers TO {loop};

-- INSERT only, and no personal text; about a case no peer is named as actor.
CREATE TABLE audit(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    agency_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor uuid,
    act text NOT NULL,
    subject uuid,
    cause uuid
);
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON audit FOR INSERT TO {app}
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT INSERT ON audit TO {app};

-- How a code, a link, a key or a slug finds its agency when every table is forced: by its exact keyed hash alone.
CREATE TABLE doors(
    hash bytea PRIMARY KEY,
    agency_id uuid NOT NULL,
    kind text NOT NULL,
    subject uuid NOT NULL,
    key uuid NOT NULL,
    expires_at timestamptz
);
CREATE INDEX doors_key ON doors(key);
ALTER TABLE doors ENABLE ROW LEVEL SECURITY;
ALTER TABLE doors FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON doors TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY doorkeeper ON doors FOR SELECT TO {owner} USING (true);
GRANT SELECT, INSERT, DELETE ON doors TO {app};

CREATE FUNCTION door(wanted bytea) RETURNS TABLE(agency_id uuid, kind text, subject uuid, key uuid)
    STABLE SECURITY DEFINER LANGUAGE sql SET search_path = {schema}, pg_catalog
    AS $$ SELECT d.agency_id, d.kind, d.subject, d.key FROM doors d
           WHERE d.hash = wanted AND (d.expires_at IS NULL OR d.expires_at > region.now()) $$;
REVOKE ALL ON FUNCTION door(bytea) FROM public;
GRANT EXECUTE ON FUNCTION door(bytea) TO {app};

-- Every open thing, with owner and due time; the operator's waiting list and the auditor read it.
CREATE VIEW open_things WITH (security_invoker = true) AS
    SELECT case_id AS id, agency_id, state, owner, due_at FROM cases WHERE NOT terminal;
GRANT SELECT ON open_things TO {loop}, peerline_operator;
