-- Designation and training go by days of the agency, hours by the zone of the person. '' until the agency is told again.
ALTER TABLE agencies ADD COLUMN time_zone text NOT NULL DEFAULT '';
