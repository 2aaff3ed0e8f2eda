-- When somebody is there or away beside their weekly hours: times alone, and what they come to for the next weeks.
ALTER TABLE people ADD COLUMN calendar jsonb NOT NULL DEFAULT '{}';
ALTER TABLE people ADD COLUMN windows text NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN hours_alone boolean NOT NULL DEFAULT false;
