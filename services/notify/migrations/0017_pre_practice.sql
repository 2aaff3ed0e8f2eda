-- A coordinator lets the team practise: what is sent and shown about it says so.
ALTER TABLE matters ADD COLUMN practice boolean NOT NULL DEFAULT false;
