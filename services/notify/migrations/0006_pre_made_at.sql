-- Matters from before 0002 have no time. They were there when their first message was planned; one without any message
-- came before every PIN that was replaced, since those are only counted from 0002 on. Without a time a later matter of
-- the same case would speak for it, and a replaced PIN would open what came before.
-- The owner is under row security too; the lock on the tables lasts until it is forced again.
ALTER TABLE matters NO FORCE ROW LEVEL SECURITY;
ALTER TABLE intents NO FORCE ROW LEVEL SECURITY;
UPDATE matters m
   SET made_at = coalesce((SELECT min(i.planned_at) FROM intents i
                            WHERE i.subject_id = m.matter_id AND i.agency_id = m.agency_id), 'epoch')
 WHERE m.made_at IS NULL;
ALTER TABLE matters FORCE ROW LEVEL SECURITY;
ALTER TABLE intents FORCE ROW LEVEL SECURITY;
