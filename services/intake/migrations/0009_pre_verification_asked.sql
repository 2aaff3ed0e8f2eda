-- When somebody was last asked to verify a contact point again, a week back: that often and no more.
ALTER TABLE people ADD COLUMN verification_asked timestamptz[] NOT NULL DEFAULT '{}';
