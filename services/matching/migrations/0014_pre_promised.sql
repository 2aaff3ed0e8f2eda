-- Whether somebody who is left alone for a while has said so, or was only silent; and until when a search waits for one
-- person at the latest.
ALTER TABLE refusals ADD COLUMN promised boolean NOT NULL DEFAULT false;
ALTER TABLE searches ADD COLUMN waits_until timestamptz;
