-- One hash chain per agency over the audit trail. Entries go in unchained: a lock on the chain would serialise an
-- agency. The sealer of the service links them a second later (shared/sealer.py).
CREATE TABLE audit_chain(
    agency_id uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    audit_id bigint NOT NULL UNIQUE,
    prev bytea NOT NULL CHECK (octet_length(prev) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (agency_id, seq)
);
ALTER TABLE audit_chain ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_chain FORCE ROW LEVEL SECURITY;
CREATE POLICY seal ON audit_chain TO {loop} USING (true);
CREATE POLICY verify ON audit_chain FOR SELECT TO peerline_operator USING (true);
GRANT SELECT, INSERT ON audit_chain TO {loop};
GRANT SELECT ON audit_chain TO peerline_operator;

-- Up to here every entry is linked, whatever is still being written: the sealer looks at nothing before it.
CREATE TABLE audit_floor(
    floor bigint NOT NULL DEFAULT 0,
    single boolean PRIMARY KEY DEFAULT true CHECK (single)
);
INSERT INTO audit_floor DEFAULT VALUES;
GRANT SELECT, UPDATE ON audit_floor TO {loop};
GRANT SELECT ON audit_floor TO peerline_operator;

-- How many entries of each act are linked: what they are compared with has to add up.
CREATE TABLE audit_counts(
    act text PRIMARY KEY,
    entries bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON audit_counts TO {loop};
GRANT SELECT ON audit_counts TO peerline_operator;

CREATE POLICY seal ON audit FOR SELECT TO {loop} USING (true);
CREATE POLICY verify ON audit FOR SELECT TO peerline_operator USING (true);
GRANT SELECT ON audit TO {loop}, peerline_operator;

-- Every tombstone has an act: the operator's command compares them.
CREATE POLICY verify ON tombstones FOR SELECT TO peerline_operator USING (true);
GRANT SELECT ON tombstones TO peerline_operator;
