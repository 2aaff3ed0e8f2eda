"""The harness itself: every test starts from nothing, whatever ran before it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.harness.databases import TestDatabase
from tests.harness.region import Region
from tests.harness.topics import Topics


@pytest.mark.parametrize("round_", range(3))
async def test_each_test_has_a_database_and_topics_of_its_own(
    round_: int, database: TestDatabase, topics: Topics
) -> None:
    topic = topics.named("peerline.directory" if round_ else "peerline.intake")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=topics.kafka, auto_offset_reset="earliest")
    await consumer.start()
    ends = await consumer.end_offsets(list(consumer.assignment()))
    begins = await consumer.beginning_offsets(list(consumer.assignment()))
    await consumer.stop()
    connection = await database.superuser()
    rows = await connection.fetchval("SELECT count(*) FROM intake.outbox")
    await connection.execute("INSERT INTO region.clock(single) VALUES (true) ON CONFLICT DO NOTHING")
    await connection.close()
    producer = AIOKafkaProducer(bootstrap_servers=topics.kafka)
    await producer.start()
    await producer.send_and_wait(topic, b"left by an earlier test", key=b"k")
    await producer.stop()
    assert (rows, ends) == (0, begins)


async def test_a_moved_clock_moves_business_time(region: Region) -> None:
    sql = await region.sql()
    await region.move_clock(timedelta(hours=3))
    ahead = await sql.fetchval("SELECT region.now() - now()")
    assert ahead == timedelta(hours=3)
