-- The support in which a clinician was wanted: no other peer is told of the referral.
ALTER TABLE referrals ADD COLUMN assignment_id uuid;
-- Those that are there already came of the last wish before them. The owner is under row security too; the lock on the
-- tables lasts until it is forced again.
ALTER TABLE referrals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE replies NO FORCE ROW LEVEL SECURITY;
UPDATE referrals f
   SET assignment_id = (SELECT r.subject_id FROM replies r
                         WHERE r.case_id = f.case_id AND r.agency_id = f.agency_id AND r.verb = 'clinician'
                           AND r.received_at <= f.made_at
                         ORDER BY r.received_at DESC LIMIT 1)
 WHERE NOT f.direct;
ALTER TABLE replies FORCE ROW LEVEL SECURITY;
ALTER TABLE referrals FORCE ROW LEVEL SECURITY;
