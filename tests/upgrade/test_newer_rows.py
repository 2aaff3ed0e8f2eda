"""Two releases share an outbox: the older one's relay publishes what the newer one wrote, as it stands."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import clock, outbox
from shared.events import from_headers
from shared.events.envelope import INTAKE
from shared.events.intake import CaseClosing
from shared.types import AgencyId
from tests.harness import relays
from tests.harness.databases import TestDatabase
from tests.harness.probe import a_case
from tests.harness.topics import Topics

pytestmark = pytest.mark.engines
AGENCY = AgencyId(clock.random_id())
NEWER = "intake.not_known_yet.v9"


async def test_a_relay_publishes_a_type_that_it_does_not_know(database: TestDatabase, topics: Topics) -> None:
    async with database.opened("intake") as db:
        async with db.transaction({AGENCY}) as tx:
            await outbox.emit(tx, [outbox.Draft(AGENCY, a_case(), CaseClosing())])
        sql = await database.superuser()
        await sql.execute("UPDATE intake.outbox SET type = $1", NEWER)
        await sql.close()
        async with relays.inside(database, topics, "intake"):
            assert await first_kind(topics) == NEWER


async def first_kind(topics: Topics) -> str:
    """The type of the first record of the topic."""
    places = [TopicPartition(topics.named(INTAKE.name), part) for part in range(topics.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=topics.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(places)
        # Emptied topics of the pool begin where their last records ended.
        await consumer.seek_to_beginning(*places)
        async with asyncio.timeout(30):
            return from_headers((await consumer.getone()).headers).type
    finally:
        await consumer.stop()
