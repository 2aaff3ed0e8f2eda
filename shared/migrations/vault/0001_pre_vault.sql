-- Wrapped data keys: one per case, person and consult. Destroying one makes every live copy of its texts unreadable.
CREATE TABLE data_keys(
    agency_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('case', 'person', 'consult')),
    subject_id uuid NOT NULL,
    kek_generation integer NOT NULL,
    wrapped bytea,
    destroy_after timestamptz,
    held boolean NOT NULL DEFAULT false,
    destroyed_at timestamptz,
    PRIMARY KEY (subject_id, kind, agency_id),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK (NOT (held AND destroyed_at IS NOT NULL))
);
ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE data_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON data_keys TO intake_app, notify_app, peerline_operator
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));

GRANT USAGE ON SCHEMA vault TO intake_app, notify_app, peerline_operator;
GRANT SELECT, INSERT, UPDATE ON data_keys TO intake_app;
GRANT SELECT ON data_keys TO notify_app;
GRANT SELECT, INSERT ON data_keys TO peerline_operator;
