-- When somebody is there or away beside the weekly hours, in the next weeks.
ALTER TABLE peers ADD COLUMN windows text NOT NULL DEFAULT '';
ALTER TABLE peers ADD COLUMN hours_alone boolean NOT NULL DEFAULT false;
