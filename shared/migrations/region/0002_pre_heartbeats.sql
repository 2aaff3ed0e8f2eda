-- What each service's auditor has found last: names of checks and counts, never what was found.
-- A service is alive when one of its replicas is clean and none that still checks has found anything.
CREATE TABLE heartbeats(
    service text NOT NULL,
    replica text NOT NULL,
    checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- when everything was in order for the last time: this is what stops
    clean_at timestamptz,
    failed text[] NOT NULL,
    details jsonb NOT NULL,
    PRIMARY KEY (service, replica)
);
ALTER TABLE heartbeats ENABLE ROW LEVEL SECURITY;
ALTER TABLE heartbeats FORCE ROW LEVEL SECURITY;
CREATE POLICY watch ON heartbeats FOR SELECT TO peerline_services, peerline_operator USING (true);
-- A service's loop writes its own beats and no other's.
CREATE POLICY own ON heartbeats TO peerline_services
    USING (current_user = service || '_loop') WITH CHECK (current_user = service || '_loop');
GRANT SELECT ON heartbeats TO peerline_services, peerline_operator;
GRANT INSERT, UPDATE, DELETE ON heartbeats TO intake_loop, matching_loop, referral_loop, notify_loop;
