-- A load changes in the transaction of a case, and is written once more in one of its own: PostgreSQL shows which
-- transaction has written a row, and what is kept of the case stands in the first one.
ALTER TABLE peer_load ADD COLUMN apart boolean NOT NULL DEFAULT false;
