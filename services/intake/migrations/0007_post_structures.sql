-- What an agency's structure is stands in `structures` alone; no code that reads the column runs any more.
-- squawk-ignore ban-drop-column
ALTER TABLE agencies DROP COLUMN structure;

ALTER TABLE people VALIDATE CONSTRAINT people_role;
