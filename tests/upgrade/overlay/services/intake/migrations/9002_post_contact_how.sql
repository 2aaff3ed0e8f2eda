-- Requests of before 9001 say nothing of it.
-- The owner is under row security too; the lock on the table lasts until it is forced again.
ALTER TABLE requests NO FORCE ROW LEVEL SECURITY;
UPDATE requests SET contact_how = 'before' WHERE contact_how IS NULL;
ALTER TABLE requests FORCE ROW LEVEL SECURITY;
-- squawk-ignore adding-not-nullable-field
ALTER TABLE requests ALTER COLUMN contact_how SET NOT NULL;
