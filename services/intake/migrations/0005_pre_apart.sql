-- A statistic is written in the transaction that ends its case, and once more in one of its own: PostgreSQL shows which
-- transaction has written a row, and audit and tombstone of the case stand in the first one.
ALTER TABLE statistics ADD COLUMN apart boolean NOT NULL DEFAULT false;
-- One row per ended case: the lock is over in a moment.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX statistics_not_apart ON statistics(agency_id) WHERE NOT apart;
GRANT SELECT (apart), UPDATE (apart, statistic_id) ON statistics TO {app};
