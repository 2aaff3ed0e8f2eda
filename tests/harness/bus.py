"""What a region's other services would say, said by a test on the real bus."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer

from shared.events import Fact
from shared.types import AgencyId
from tests.harness.probe import Sender
from tests.harness.region import Region


class Bus:
    """Publishes facts of one agency, a new one unless it is named, as the relays of their services do."""

    def __init__(self, producer: AIOKafkaProducer, region: Region, agency: AgencyId | None = None) -> None:
        self.region, self.agency = region, agency or AgencyId(uuid4())
        self._producer, self._sender = producer, Sender(self.agency)

    async def say(self, key: UUID, fact: Fact, *, event_id: UUID | None = None) -> None:
        """Publish a fact about a case or a person, and wait for the broker."""
        raw = self._sender.raw(fact, key, event_id=event_id)
        await self._producer.send_and_wait(
            self.region.topics.named(raw.topic), raw.value, key=raw.key, headers=list(raw.headers)
        )


@asynccontextmanager
async def bus_of(region: Region) -> AsyncIterator[Bus]:
    """A bus for one agency."""
    producer = AIOKafkaProducer(bootstrap_servers=region.topics.kafka, acks="all")
    await producer.start()
    try:
        yield Bus(producer, region)
    finally:
        await producer.stop()
