-- Until when a clinician may read how to reach the requester: a consent runs out. NULL: no consent is behind it.
ALTER TABLE matters ADD COLUMN released_until timestamptz;
