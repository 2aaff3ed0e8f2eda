"""Promises as statements: each names the rows that break it, and finds none.

`AT_REST` holds whenever everything that could happen has happened; `AT_END` when every case is over and purged.
"""

from __future__ import annotations

AT_REST = {
    "I9 not-published": """
SELECT 'intake', type FROM intake.outbox UNION ALL SELECT 'matching', type FROM matching.outbox
UNION ALL SELECT 'referral', type FROM referral.outbox UNION ALL SELECT 'notify', type FROM notify.outbox""",
    "parked": """
SELECT 'intake', error_class FROM intake.parked UNION ALL SELECT 'matching', error_class FROM matching.parked
UNION ALL SELECT 'referral', error_class FROM referral.parked UNION ALL SELECT 'notify', error_class FROM notify.parked
""",
    "I1 overdue": """
SELECT * FROM (
    SELECT 'intake', case_id, state, owner, due_at FROM intake.cases WHERE NOT terminal
    UNION ALL SELECT 'matching', case_id, state, owner, due_at FROM matching.cases WHERE NOT terminal
    UNION ALL SELECT 'referral', case_id, state, owner, due_at FROM referral.cases WHERE NOT terminal
    UNION ALL SELECT 'notify', case_id, state, owner, due_at FROM notify.cases WHERE NOT terminal) every
 WHERE due_at < (SELECT region.now()) - interval '60 seconds'
   AND owner IN ('intake', 'matching', 'referral', 'notify')""",
    # Whoever is waited for: when they let their time pass, some service has to notice it.
    "I1 nobody-will-look": """
SELECT case_id, state, owner, due_at FROM intake.cases c
 WHERE NOT terminal AND owner <> 'operator'
   AND NOT EXISTS (SELECT FROM intake.timers WHERE key = c.case_id)
   AND NOT EXISTS (SELECT FROM matching.timers WHERE key = c.case_id)
   AND NOT EXISTS (SELECT FROM referral.timers WHERE key = c.case_id)""",
    "I2 two-peers": """
SELECT case_id, count(*) FROM matching.assignments WHERE state <> 'ended' GROUP BY case_id HAVING count(*) > 1""",
    "I2 two-accepted": """
SELECT case_id, count(*) FROM matching.offers WHERE state = 'accepted' GROUP BY case_id HAVING count(*) > 1""",
    "I2 loads-do-not-add-up": """
SELECT peer_id, open, crisis, ordinary, urgent FROM matching.peer_load
  LEFT JOIN (SELECT carrier, count(*) FILTER (WHERE NOT crisis) AS ordinary, count(*) FILTER (WHERE crisis) AS urgent
               FROM (SELECT coalesce(bearer, person_id) AS carrier, crisis
                       FROM matching.offers WHERE state = 'pending' UNION ALL
                     SELECT coalesce(bearer, person_id), crisis FROM matching.assignments WHERE state <> 'ended') every
              GROUP BY carrier) held ON carrier = peer_id
 WHERE (open, crisis) <> (coalesce(ordinary, 0), coalesce(urgent, 0))""",
    # Whoever is lent is with the borrower what they are at home, and only as long as both sides want it.
    "I2 a-copy-is-not-its-original": """
SELECT c.agency_id, c.person_id FROM intake.people c
  LEFT JOIN (intake.lendings l
        JOIN intake.people o ON o.person_id = l.home_person AND o.agency_id = l.home_agency
         AND o.active AND 'regional' = ANY (o.attributes)
        JOIN intake.agencies h ON h.agency_id = l.home_agency AND h.policy @> '{"pool": true}'
        JOIN intake.agencies b ON b.agency_id = l.agency_id AND b.policy @> '{"pool": true}')
    ON l.agency_id = c.agency_id AND l.home_person = c.bearer
 WHERE c.bearer IS NOT NULL
   AND (c.active <> (o.person_id IS NOT NULL)
        OR o.person_id IS NOT NULL AND (o.windows, o.hours_alone, o.hours) <> (c.windows, c.hours_alone, c.hours))""",
    # What may be sent again after a lost answer is sent once more, and no further.
    "I3 sent-twice": """
SELECT intent_id, template, count(*) FROM notify.attempts a JOIN notify.intents USING (intent_id)
 WHERE outcome IN ('accepted', 'unknown') GROUP BY intent_id, template
HAVING count(*) > CASE WHEN template IN ('offer', 'changed', 'over', 'outreach') THEN 1 ELSE 2 END
    OR count(*) FILTER (WHERE outcome = 'accepted') > 1""",
    "I5 begun-too-late": """
SELECT a.attempt_id, started_at, expires_at FROM notify.attempts a JOIN notify.intents USING (intent_id)
 WHERE started_at >= expires_at""",
}

AT_END = {
    "I10 a-key-is-left": """
SELECT kind, subject_id FROM vault.data_keys WHERE kind <> 'person' AND wrapped IS NOT NULL""",
    "I2 a-load-is-left": "SELECT peer_id, open, crisis FROM matching.peer_load WHERE open <> 0 OR crisis <> 0",
    "a-timer-is-left": """
SELECT kind, key FROM (
    SELECT kind, key, agency_id FROM intake.timers UNION ALL SELECT kind, key, agency_id FROM matching.timers
    UNION ALL SELECT kind, key, agency_id FROM referral.timers
    UNION ALL SELECT kind, key, agency_id FROM notify.timers) every
 WHERE key <> agency_id AND kind <> 'send'""",
}

TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'case_id' AND NOT a.attisdropped
 WHERE c.relkind = 'r' AND n.nspname IN ('intake', 'matching', 'referral', 'notify') ORDER BY 1, 2
"""
