-- Consults and referrals: what is known of each in a case, and the part that one person has in it (a matter).

-- The wider rules take the place of the narrower ones; 0004 validates them.
ALTER TABLE matters ADD CONSTRAINT matters_kind
    CHECK (kind IN ('offer', 'assignment', 'page', 'consult', 'referral', 'outreach')) NOT VALID;
-- squawk-ignore ban-drop-constraint
ALTER TABLE matters DROP CONSTRAINT matters_kind_check;
-- the consult or referral in which this person has a part
ALTER TABLE matters ADD COLUMN part_of uuid;
ALTER TABLE matters ADD COLUMN about text NOT NULL DEFAULT 'self';
-- codes, with a space between them
ALTER TABLE matters ADD COLUMN advisers text NOT NULL DEFAULT '';
ALTER TABLE matters ADD COLUMN clinical text NOT NULL DEFAULT 'none';
-- of an outreach: where its page leads; its address is in `sealed`, and only until the one message has gone out
ALTER TABLE matters ADD COLUMN slug text NOT NULL DEFAULT '';
ALTER TABLE matters ADD COLUMN language text NOT NULL DEFAULT '';

ALTER TABLE links ADD CONSTRAINT links_purpose
    CHECK (purpose IN ('verify', 'offer', 'case', 'page', 'consult', 'referral', 'outreach')) NOT VALID;
-- squawk-ignore ban-drop-constraint
ALTER TABLE links DROP CONSTRAINT links_purpose_check;

ALTER TABLE replies ADD COLUMN codes text NOT NULL DEFAULT '';
-- These can be said again: the lock on the case and the state of the thing keep a second press from counting.
-- A table of answers is small and its rows live as long as their case: it may be locked for a moment.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX replies_once;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX replies_once ON replies(subject_id, verb, agency_id)
    WHERE verb NOT IN ('hold', 'resume', 'handoff', 'advice', 'clinician', 'resources', 'danger');

-- Question and answer are sealed under the consult's own key, which is destroyed when these rows are purged.
CREATE TABLE consults(
    consult_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('advice', 'outside_help')),
    state text NOT NULL CHECK (state IN ('asked', 'open', 'answered', 'expired', 'ended')),
    topics text NOT NULL,
    assignment_id uuid,
    asked_by uuid,
    question bytea,
    answer bytea,
    made_at timestamptz NOT NULL DEFAULT region.now(),
    PRIMARY KEY (consult_id, agency_id)
);
CREATE INDEX consults_case ON consults(case_id);
ALTER TABLE consults ENABLE ROW LEVEL SECURITY;
ALTER TABLE consults FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON consults TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON consults TO {app};

CREATE TABLE referrals(
    referral_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    case_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('consent_asked', 'requested', 'accepted', 'on_hold', 'in_progress',
                                         'completed', 'failed', 'cancelled')),
    clinician_id uuid,
    direct boolean NOT NULL,
    confirmed text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT region.now(),
    PRIMARY KEY (referral_id, agency_id)
);
CREATE INDEX referrals_case ON referrals(case_id);
ALTER TABLE referrals ENABLE ROW LEVEL SECURITY;
ALTER TABLE referrals FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON referrals TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON referrals TO {app};
