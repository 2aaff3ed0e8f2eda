-- The house's open things, and the messages that belong to no case.
CREATE OR REPLACE VIEW open_things WITH (security_invoker = true) AS
    SELECT case_id AS id, agency_id, state, owner, due_at FROM cases WHERE NOT terminal
    UNION ALL
    SELECT intent_id, agency_id, state, 'notify', expires_at FROM intents
     WHERE case_id IS NULL AND state IN ('planned', 'sending')
    UNION ALL
    SELECT subject, agency_id, CASE state WHEN 'dead' THEN 'dead_letter' ELSE 'parked' END, 'operator',
           region.now() + (coalesce(due_at, parked_at + interval '1 hour') - clock_timestamp())
      FROM parked
     WHERE state = 'dead' OR (parked_at < clock_timestamp() - interval '10 minutes' AND error_class <> 'Behind');
