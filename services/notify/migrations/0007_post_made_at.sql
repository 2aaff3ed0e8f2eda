-- A matter without a time would be no answer to the question whether a PIN is older.
-- squawk-ignore adding-not-nullable-field
ALTER TABLE matters ALTER COLUMN made_at SET NOT NULL;
