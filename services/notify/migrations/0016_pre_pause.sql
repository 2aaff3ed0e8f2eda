-- Who supports somebody for a year may pause more than once in it: the last pause keeps a second press from counting. A
-- table of answers is small and its rows live as long as their case: it may be locked for a moment.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX replies_once;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX replies_once ON replies(subject_id, verb, agency_id)
    WHERE verb NOT IN ('hold', 'resume', 'handoff', 'advice', 'clinician', 'resources', 'danger', 'acknowledge',
                       'cannot', 'pause');
