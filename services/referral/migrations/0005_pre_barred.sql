-- who was said to be barred before any ask of the case was heard
ALTER TABLE pathways ADD COLUMN barred uuid[] NOT NULL DEFAULT '{}';
