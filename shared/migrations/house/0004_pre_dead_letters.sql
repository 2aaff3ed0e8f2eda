-- What the operator is shown of a parked record, and does with it: never its content, its headers or its key.

-- Few records are ever parked: the table may be written anew. A type that is none of a contract is shown to nobody.
-- squawk-ignore adding-field-with-default
ALTER TABLE parked ADD COLUMN kept boolean GENERATED ALWAYS AS (record IS NOT NULL) STORED;
-- squawk-ignore adding-field-with-default
ALTER TABLE parked ADD COLUMN type text GENERATED ALWAYS AS (
    substring(jsonb_path_query_first(headers, 'strict $[*] ? (@[0] == "ce_type")[1]', '{}', true) #>> '{}'
              FROM '^[a-z]{1,20}\.[a-z][a-z_]{0,40}\.v[0-9]{1,3}$')) STORED;
GRANT SELECT (seq, topic, part, pos, type, attempts, event_id, size, kept) ON parked TO peerline_operator;

-- Replayed: it waits for its turn again. Discarded: it is gone, and the next one of its topic and key may go.
CREATE POLICY replay ON parked FOR UPDATE TO peerline_operator USING (true) WITH CHECK (state = 'waiting');
CREATE POLICY discard ON parked FOR DELETE TO peerline_operator USING (state = 'dead');
GRANT UPDATE (state, attempts, next_try, due_at), DELETE ON parked TO peerline_operator;

-- The id of what is discarded is taken: a copy that comes later has no effect either.
GRANT INSERT ON inbox TO peerline_operator;
CREATE POLICY dead_letters ON audit FOR INSERT TO peerline_operator
    WITH CHECK (act LIKE 'dead\_letter.%' AND agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT INSERT ON audit TO peerline_operator;
