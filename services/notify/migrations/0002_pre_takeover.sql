-- A PIN that was replaced opens nothing of a case that its person had been told of before.
ALTER TABLE pins ADD COLUMN replaced_at timestamptz;
ALTER TABLE matters ADD COLUMN made_at timestamptz;
ALTER TABLE matters ALTER COLUMN made_at SET DEFAULT region.now();
