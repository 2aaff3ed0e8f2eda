-- Whoever is lent to another agency is listed there as well; `bearer` is who they are at home. What they take on anywhere
-- counts in one place.
ALTER TABLE peers ADD COLUMN bearer uuid;
ALTER TABLE offers ADD COLUMN bearer uuid;
ALTER TABLE assignments ADD COLUMN bearer uuid;

-- Who becomes something else than a peer gives back what they have.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX assignments_person ON assignments(person_id) WHERE state <> 'ended';
