-- The people of an agency are kept in memory for as long as its stamp stands. A stamp is drawn anew with every change, by
-- whomever, and never comes twice: what was read under one stays right, after a restore as well.
-- The owner is under row security too, and has to see everybody who is there already; the lock on the table lasts until
-- it is forced again.
ALTER TABLE peers NO FORCE ROW LEVEL SECURITY;
CREATE TABLE rosters(
    agency_id uuid PRIMARY KEY,
    stamp uuid NOT NULL
);
ALTER TABLE rosters ENABLE ROW LEVEL SECURITY;
CREATE POLICY agency ON rosters TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE ON rosters TO {app};

CREATE FUNCTION stamp_rosters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO {schema}.rosters(agency_id, stamp)
    SELECT agency_id, gen_random_uuid() FROM changed GROUP BY agency_id ORDER BY agency_id
    ON CONFLICT (agency_id) DO UPDATE SET stamp = excluded.stamp;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION stamp_rosters() FROM public;
CREATE TRIGGER stamped_inserts AFTER INSERT ON peers REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stamp_rosters();
CREATE TRIGGER stamped_updates AFTER UPDATE ON peers REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stamp_rosters();
CREATE TRIGGER stamped_deletes AFTER DELETE ON peers REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION stamp_rosters();
INSERT INTO rosters SELECT agency_id, gen_random_uuid() FROM peers GROUP BY agency_id;
ALTER TABLE rosters FORCE ROW LEVEL SECURITY;
ALTER TABLE peers FORCE ROW LEVEL SECURITY;
