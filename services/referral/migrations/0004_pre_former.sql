-- The peers whose part in a case has ended are never asked about its requester; treatment that goes on is looked at again
-- when its clinician leaves.
ALTER TABLE pathways ADD COLUMN former uuid[] NOT NULL DEFAULT '{}';

-- squawk-ignore require-concurrent-index-deletion
DROP INDEX referrals_clinician;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX referrals_clinician ON referrals(clinician_id)
    WHERE stage IN ('requested', 'accepted', 'on_hold', 'in_progress');
