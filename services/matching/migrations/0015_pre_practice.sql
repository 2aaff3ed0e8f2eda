-- What is only practised is counted nowhere, and the loop that counts may read no ask.
-- squawk-ignore adding-field-with-default
ALTER TABLE searches ADD COLUMN practice boolean GENERATED ALWAYS AS (coalesce(ask @> '{"practice": true}', false)) VIRTUAL;
GRANT SELECT (practice) ON searches TO {loop};
