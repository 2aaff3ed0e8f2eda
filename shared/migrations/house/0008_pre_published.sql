-- How far the relay has come in each partition of its topics: written in the statement that takes the events out of the
-- outbox, so a restored database knows which records of Kafka are of its own past and which of a time that is lost.
CREATE TABLE published(
    topic text NOT NULL,
    part integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, part)
);
GRANT SELECT, INSERT, UPDATE ON published TO {loop};
