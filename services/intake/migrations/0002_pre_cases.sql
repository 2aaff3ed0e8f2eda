-- Requests while they live, and what stays of them: one statistic without a name, a time of day, or any link.
CREATE TABLE requests(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    reference text NOT NULL,
    -- stage, policy and opaque ids; no name, no contact, no free text
    state jsonb NOT NULL,
    reach bytea,
    avoid_people bytea,
    about_me bytea,
    -- somebody named in avoid_people or about_me is not in the directory yet
    unmatched boolean NOT NULL DEFAULT false,
    -- keyed digest of the body and what was answered, for a repeat of the same request
    digest bytea NOT NULL,
    answered_next_by timestamptz NOT NULL,
    jurisdiction text NOT NULL,
    -- NULL: an emergency was accepted before its notice
    notice_version text,
    notice_digest text,
    PRIMARY KEY (case_id, agency_id)
);
ALTER TABLE requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE requests FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON requests TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON requests TO {app};
GRANT UPDATE (state, reach) ON requests TO {app};

-- POSTs of requesters that have taken effect, so that a repeat does not; gone with the case.
CREATE TABLE idempotency(
    key_hash bytea NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (key_hash, agency_id)
);
CREATE INDEX idempotency_case ON idempotency(case_id);
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON idempotency TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON idempotency TO {app};

-- One row per case that has ended. Nothing here joins a case, and no time is finer than the month.
CREATE TABLE statistics(
    statistic_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    relation text NOT NULL,
    urgency text NOT NULL,
    help text[] NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('helped', 'not_reached', 'withdrawn')),
    PRIMARY KEY (statistic_id, agency_id)
);
ALTER TABLE statistics ENABLE ROW LEVEL SECURITY;
ALTER TABLE statistics FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON statistics TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT INSERT ON statistics TO {app};
