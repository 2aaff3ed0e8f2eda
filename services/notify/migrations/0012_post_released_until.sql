-- Releases of before 0011 do not say when their consent runs out: no later than thirty days from now.
-- The owner is under row security too; the lock on the table lasts until it is forced again.
ALTER TABLE matters NO FORCE ROW LEVEL SECURITY;
UPDATE matters SET released_until = region.now() + interval '30 days'
 WHERE kind = 'referral' AND released AND released_until IS NULL;
ALTER TABLE matters FORCE ROW LEVEL SECURITY;
