-- What is parked for long, and what is dead, has the operator as its owner and stands among the open things.

-- The case or subject of the record, where its key is one: anything else that stood in a key is shown to nobody.
-- Few records are ever parked: the table may be written anew.
-- squawk-ignore adding-field-with-default
ALTER TABLE parked ADD COLUMN subject uuid GENERATED ALWAYS AS (
    CASE WHEN encode(key, 'escape') ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
         THEN encode(key, 'escape')::uuid END) STORED;
CREATE POLICY watch ON parked FOR SELECT TO peerline_operator USING (true);
GRANT SELECT (subject, agency_id, state, error_class, parked_at, due_at) ON parked TO peerline_operator;

-- Those that only stand behind another one of their topic and key go with it. Their times are real ones, those of the
-- list the region's.
CREATE OR REPLACE VIEW open_things WITH (security_invoker = true) AS
    SELECT case_id AS id, agency_id, state, owner, due_at FROM cases WHERE NOT terminal
    UNION ALL
    SELECT subject, agency_id, CASE state WHEN 'dead' THEN 'dead_letter' ELSE 'parked' END, 'operator',
           region.now() + (coalesce(due_at, parked_at + interval '1 hour') - clock_timestamp())
      FROM parked
     WHERE state = 'dead' OR (parked_at < clock_timestamp() - interval '10 minutes' AND error_class <> 'Behind');
