-- The support in which a clinician was wanted: a peer who comes later has no part in the referral.
ALTER TABLE referrals ADD COLUMN assignment_id uuid;
-- Those that are there already are taken to be the present peer's. The owner is under row security too; the lock on the
-- tables lasts until it is forced again.
ALTER TABLE referrals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE pathways NO FORCE ROW LEVEL SECURITY;
UPDATE referrals r SET assignment_id = p.assignment_id FROM pathways p
 WHERE p.case_id = r.case_id AND p.agency_id = r.agency_id AND NOT r.direct;
ALTER TABLE pathways FORCE ROW LEVEL SECURITY;
ALTER TABLE referrals FORCE ROW LEVEL SECURITY;
