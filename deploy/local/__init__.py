"""One machine without containers: Kafka, PostgreSQL, Zipkin and a mail server as plain child processes."""
