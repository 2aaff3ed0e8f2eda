-- Who must not be asked or told of a case, as intake says it; what names them may still come on another topic.
CREATE TABLE barred(
    case_id uuid NOT NULL,
    agency_id uuid NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (case_id, person_id, agency_id)
);
ALTER TABLE barred ENABLE ROW LEVEL SECURITY;
ALTER TABLE barred FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON barred TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON barred TO {app};

-- A page can be taken, given back and taken again: the lock on the case and the last answer keep a second press from
-- counting. A table of answers is small and its rows live as long as their case: it may be locked for a moment.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX replies_once;
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX replies_once ON replies(subject_id, verb, agency_id)
    WHERE verb NOT IN ('hold', 'resume', 'handoff', 'advice', 'clinician', 'resources', 'danger', 'acknowledge',
                       'cannot');
