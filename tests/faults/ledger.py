"""What Kafka really holds, and how far each consumer group has said that it is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment as MemberAssignment

from shared.events import TOPICS, Fact, decode, from_headers
from tests.harness.topics import Topics
from tests.harness.waiting import eventually

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Entry:
    """One record: where it lies, the event's id, what it is about, and what it says."""

    topic: str
    part: int
    offset: int
    event_id: UUID
    subject: UUID
    fact: Fact


@dataclass
class Ledger:
    """Every record of every topic since the topics were emptied."""

    topics: Topics
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    entries: list[Entry] = field(default_factory=list)

    def take(self, record: Any) -> None:
        envelope = from_headers(record.headers)
        self.entries.append(
            Entry(
                record.topic.removeprefix(self.topics.prefix),
                record.partition,
                record.offset,
                envelope.event_id,
                envelope.subject,
                decode(envelope.type, record.value),
            )
        )

    async def ends(self) -> dict[tuple[str, int], int]:
        """The next offset of each (topic, partition); when this returns, everything before it has been read."""
        ends = await self.consumer.end_offsets(sorted(self.consumer.assignment()))

        async def read() -> bool:
            return all([await self.consumer.position(place) >= end for place, end in ends.items()])

        await eventually(read, what="the ledger at the end of every topic")
        return {(place.topic.removeprefix(self.topics.prefix), place.partition): end for place, end in ends.items()}

    async def committed(self, group: str) -> dict[tuple[str, int], int]:
        """The offsets that a group (`<service>.<lane>`) has committed."""
        found: dict[TopicPartition, Any] = await self.admin.list_consumer_group_offsets(self.topics.prefix + group)
        prefix = self.topics.prefix
        return {(at.topic.removeprefix(prefix), at.partition): one.offset for at, one in found.items()}

    async def subscribed(self) -> dict[str, set[str]]:
        """The topics that the members of each consumer group of this prefix are assigned, by the broker's account."""
        listed = await self.admin.list_consumer_groups()
        groups = [name for name, *_ in listed if name.startswith(self.topics.prefix)]
        found: dict[str, set[str]] = {}
        for group in groups:
            # One by one: the client cannot read an answer about several groups.
            [answer] = await self.admin.describe_consumer_groups([group])
            for _, name, _, _, _, members, *_ in answer.groups:
                assigned = [MemberAssignment.decode(member[4]).partitions() for member in members if member[4]]
                # Groups of earlier tests are still known, without a member.
                if members:
                    found[name] = {place.topic for places in assigned for place in places}
        return found

    def of(self, case: UUID, topic: str = "") -> list[Entry]:
        """What was read about a case so far, of one topic if given."""
        return [one for one in self.entries if one.subject == case and topic in {"", one.topic}]

    def facts(self, case: UUID, kind: type[F]) -> list[F]:
        """The facts of a kind about a case, each event once, however often it was published."""
        found = {one.event_id: one.fact for one in self.of(case) if isinstance(one.fact, kind)}
        return list(found.values())

    async def said(self, case: UUID, kind: type[F], within: float = 30.0, **values: object) -> F:
        """The latest fact of a kind about a case that holds these values; waits for one."""

        def found() -> F | None:
            fitting = [
                one
                for one in self.facts(case, kind)
                if all(getattr(one, name) == value for name, value in values.items())
            ]
            return fitting[-1] if fitting else None

        return await eventually(found, within, what=f"{kind.__name__} {values or ''}")


@asynccontextmanager
async def kept(topics: Topics) -> AsyncIterator[Ledger]:
    """A ledger that reads along, in no consumer group."""
    consumer = AIOKafkaConsumer(
        *(topics.named(name) for name in TOPICS),
        bootstrap_servers=topics.kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.kafka)
    await asyncio.gather(consumer.start(), admin.start())
    ledger = Ledger(topics, consumer, admin)

    async def read() -> None:
        async for record in consumer:
            ledger.take(record)

    reading = asyncio.create_task(read())
    try:
        yield ledger
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await asyncio.gather(consumer.stop(), admin.close())
