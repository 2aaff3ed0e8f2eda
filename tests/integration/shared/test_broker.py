"""Consumer groups on a real Kafka: where they start, when offsets are committed, and every setting that matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import OffsetAndMetadata

from shared import broker
from shared.db import Database, Transaction
from shared.delivery import Delivery
from shared.events import TOPICS, Fact
from shared.events.envelope import INTAKE, INTAKE_CRISIS
from shared.events.intake import CaseWithdrawn
from tests.harness.databases import Sql, TestDatabase
from tests.harness.probe import SERVICE, Probe, Sender, a_case, numbered
from tests.harness.relays import settings_of
from tests.harness.topics import Topics
from tests.harness.waiting import eventually

NAME = f"{SERVICE}.ordinary"


@dataclass
class Bus:
    """What a test needs of the bus: publish, read offsets, run a group."""

    database: TestDatabase
    db: Database
    topics: Topics

    @property
    def place(self) -> TopicPartition:
        return TopicPartition(self.topics.named(INTAKE.name), 0)

    async def publish(self, numbers: Sequence[int]) -> None:
        """Numbered events, all to the first partition."""
        await self.tell([numbered(n) for n in numbers])

    async def tell(self, facts: Sequence[Fact]) -> None:
        """Facts of one topic, each of a case of its own, all to the first partition."""
        producer = AIOKafkaProducer(bootstrap_servers=self.topics.kafka)
        await producer.start()
        sender = Sender()
        for fact in facts:
            raw, topic = sender.raw(fact, a_case()), self.topics.named(fact.TOPIC.name)
            await producer.send_and_wait(topic, raw.value, raw.key, partition=0, headers=list(raw.headers))
        await producer.stop()

    @asynccontextmanager
    async def group(
        self, probe: Probe, topic: str = INTAKE.name, *, company_s: float = broker.COMPANY_S, replica: str = "0"
    ) -> AsyncIterator[broker.Group]:
        """A running consumer group of one topic, as a process runs it."""
        settings = settings_of(self.database, self.topics, SERVICE, replica=replica)
        bus = broker.broker(settings)
        delivery = Delivery(self.db, probe.absorb, group=NAME, topics=[topic], fingerprint_key=b"k" * 32)
        group = broker.Group(bus, self.db, delivery, settings, company_s=company_s)
        group.subscribe(NAME, [topic])
        await bus.start()
        try:
            yield group
        finally:
            await bus.stop()

    @asynccontextmanager
    async def outsider(self) -> AsyncIterator[AIOKafkaConsumer]:
        """A client of the same group id that belongs to nobody: it reads and writes the group's offsets."""
        group_id = f"{self.topics.prefix}{NAME}"
        consumer = AIOKafkaConsumer(bootstrap_servers=self.topics.kafka, group_id=group_id, enable_auto_commit=False)
        await consumer.start()
        consumer.assign([self.place])
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def committed(self) -> int:
        """The committed offset of the first partition, counted from its beginning."""
        async with self.outsider() as consumer:
            offset: int = await consumer.committed(self.place) or 0
        return max(0, offset - await self.begin())

    async def begin(self) -> int:
        """The first offset that is there."""
        async with self.outsider() as consumer:
            return int((await consumer.beginning_offsets([self.place]))[self.place])

    async def commit_at(self, offset: int) -> None:
        """Set the group's committed offset, as long as it has no members."""

        async def done() -> bool:
            with suppress(Exception):
                async with self.outsider() as consumer:
                    await consumer.commit({self.place: OffsetAndMetadata(offset, "")})
                return True
            return False

        await eventually(done, 30)


@pytest.fixture
def bus(database: TestDatabase, db: Database, topics: Topics) -> Bus:
    topics.tired = True
    return Bus(database, db, topics)


async def numbers(sql: Sql) -> list[int]:
    return [row["n"] for row in await sql.fetch("SELECT n FROM effects ORDER BY seq")]


async def test_a_group_takes_everything_from_the_beginning_once(bus: Bus, sql: Sql) -> None:
    await bus.publish(range(20))
    async with bus.group(Probe()) as group, asyncio.timeout(30):
        await group.caught_up()
        await group.commit()
        assert await numbers(sql) == list(range(20))
    assert await bus.committed() == 20


@pytest.mark.parametrize(("stored", "committed", "start"), [(3, 8, 3), (8, 3, 3), (None, 8, 0), (8, 20, 8)])
async def test_a_group_starts_at_the_lower_of_stored_and_committed(
    stored: int | None, committed: int, start: int, bus: Bus, sql: Sql
) -> None:
    await bus.publish(range(10))
    first = await bus.begin()
    await bus.commit_at(first + committed)
    if stored is not None:
        await sql.execute("INSERT INTO positions VALUES ($1, 0, $2)", INTAKE.name, first + stored)
    async with bus.group(Probe()) as group, asyncio.timeout(30):
        await group.caught_up()
    assert await numbers(sql) == list(range(start, 10))


async def test_a_group_whose_place_was_deleted_starts_at_what_is_left(bus: Bus, sql: Sql) -> None:
    await bus.publish(range(10))
    first = await bus.begin()
    await sql.execute("INSERT INTO positions VALUES ($1, 0, $2)", INTAKE.name, first + 2)
    admin = AIOKafkaAdminClient(bootstrap_servers=bus.topics.kafka)
    await admin.start()
    await admin.delete_records({bus.place: RecordsToDelete(before_offset=first + 6)})
    await admin.close()
    async with bus.group(Probe()) as group, asyncio.timeout(30):
        await group.caught_up()
    assert await numbers(sql) == [6, 7, 8, 9]


async def test_an_offset_is_committed_only_after_the_database(bus: Bus, sql: Sql) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def hold(_: Transaction) -> None:
        reached.set()
        await go.wait()

    await bus.publish(range(5))
    async with bus.group(Probe(before=hold)) as group, asyncio.timeout(30):
        await reached.wait()
        await group.commit()
        before = await bus.committed(), await numbers(sql)
        go.set()
        await group.caught_up()
        await group.commit()
    assert before == (0, [])
    assert (await bus.committed(), await numbers(sql)) == (5, [0, 1, 2, 3, 4])


async def test_after_a_full_hand_of_records_the_next_ones_gather(bus: Bus) -> None:
    probe = Probe()
    await bus.publish(range(broker.BUSY))
    async with bus.group(probe, company_s=3.0) as group:
        await asyncio.wait_for(group.caught_up(), 30)
        await bus.publish([100])
        await bus.publish([101, 102])
        await eventually(lambda: sum(probe.batches) == broker.BUSY + 3, 30)
    assert probe.batches == [broker.BUSY, 3]


async def test_on_a_crisis_lane_nothing_waits_for_company(bus: Bus) -> None:
    probe = Probe()
    await bus.tell([CaseWithdrawn()] * broker.BUSY)
    async with bus.group(probe, INTAKE_CRISIS.name, company_s=3600.0) as group:
        await asyncio.wait_for(group.caught_up(), 30)
        await bus.tell([CaseWithdrawn()])
        await eventually(lambda: sum(probe.batches) == broker.BUSY + 1, 30)


async def test_a_group_goes_on_where_it_stopped(bus: Bus, sql: Sql) -> None:
    probe = Probe()
    for first in (0, 5):
        await bus.publish(range(first, first + 5))
        async with bus.group(probe) as group, asyncio.timeout(30):
            await group.caught_up()
            await group.commit()
    assert await numbers(sql) == list(range(10))
    # Nothing was even looked at twice: seen events would have come again and been dropped.
    assert await sql.fetchval("SELECT count(*) FROM inbox") == 10


async def test_a_record_that_is_no_event_does_not_stop_its_partition(bus: Bus, sql: Sql) -> None:
    await bus.publish([1])
    producer = AIOKafkaProducer(bootstrap_servers=bus.topics.kafka)
    await producer.start()
    bad: list[tuple[bytes | None, list[tuple[str, bytes]]]] = [
        (None, []),
        (b"", [("ce_type", b"\xff\xfe")]),
        (b"\x00" * 900_000, [("content-type", b"\xff")]),
    ]
    for value, headers in bad:
        await producer.send_and_wait(bus.place.topic, value, b"\xff\x00", partition=0, headers=headers)
    await producer.send_and_wait(bus.place.topic, b"{}", None, partition=0)
    await producer.stop()
    await bus.publish([2])
    async with bus.group(Probe()) as group, asyncio.timeout(30):
        await group.caught_up()
    assert await numbers(sql) == [1, 2]
    assert await sql.fetchval("SELECT count(*) FROM parked WHERE state = 'dead' AND record IS NULL") == 4


async def test_the_producer_waits_for_all_replicas_and_sends_nothing_twice(bus: Bus) -> None:
    producer = broker.producer(settings_of(bus.database, bus.topics, SERVICE))
    acks, idempotent = producer._sender._acks, producer._txn_manager is not None  # noqa: SLF001
    linger = producer._message_accumulator._linger_time  # noqa: SLF001
    await producer.stop()
    assert (acks, idempotent, linger) == (-1, True, 0)


async def test_every_subscriber_acknowledges_by_hand_and_begins_at_the_earliest(bus: Bus) -> None:
    async with bus.group(Probe()) as group:
        assert group.subscriber is not None
        consumer = group.subscriber.consumer
        await asyncio.wait_for(group.caught_up(), 30)
        assert consumer is not None
        assert (consumer._enable_auto_commit, consumer._auto_offset_reset) == (False, "earliest")  # noqa: SLF001
        assert consumer._group_instance_id == f"{bus.topics.prefix}{NAME}.0"  # noqa: SLF001
        assert group.subscriber.ack_policy.name == "MANUAL"


async def test_topics_are_declared_with_12_partitions_and_explicit_settings(topics: Topics) -> None:
    prefix = f"d{UUID(int=id(topics)).hex[-8:]}."
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.kafka)
    await admin.start()
    names = [prefix + name for name in TOPICS]
    try:
        await broker.declare_topics(topics.kafka, prefix=prefix)
        await broker.declare_topics(topics.kafka, prefix=prefix)
        partitions = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics(names)}
        settings = await explicit(admin, names)
    finally:
        await admin.delete_topics(names)
        await admin.close()
    assert partitions == dict.fromkeys(names, 12)
    for topic in TOPICS.values():
        wanted = broker.COMPACTED_SETTINGS if topic.compacted else broker.TOPIC_SETTINGS
        assert settings[prefix + topic.name] == dict(wanted)


async def explicit(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The settings of topics that were set on the topic itself."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    on_topic = 1
    return {
        name: {entry[0]: entry[1] for entry in entries if entry[3] == on_topic}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }


async def test_offsets_are_committed_after_a_partition_went_away_while_its_batch_ran(bus: Bus) -> None:
    bus.topics.tired = True
    await bus.publish(range(3))
    slow, reached, go_on = Probe(), asyncio.Event(), asyncio.Event()

    async def wait(_: Transaction) -> None:
        reached.set()
        await go_on.wait()

    slow.before = wait
    async with bus.group(slow, replica="2") as first:
        await asyncio.wait_for(reached.wait(), 20)
        # Topics of the pool begin where their last records ended.
        end = first._done[bus.place] + 3  # noqa: SLF001 - what is done is known nowhere else
        async with bus.group(Probe(), replica="0") as second:
            await eventually(lambda: len(places(first)) == len(places(second)) == 1, 30)
            go_on.set()
            await eventually(lambda: end in first._done.values(), 20)  # noqa: SLF001 - as above
            await first.commit()
            async with bus.outsider() as outsider:
                committed = [await outsider.committed(place) for place in places(first)]
            assert None not in committed


async def test_every_replica_tells_where_all_partitions_end_and_not_its_own_alone(bus: Bus) -> None:
    bus.topics.tired = True
    await bus.publish(range(3))
    both = {(INTAKE.name, part) for part in range(bus.topics.partitions)}
    async with bus.group(Probe(), replica="2") as first, bus.group(Probe(), replica="0") as second:
        await eventually(lambda: len(places(first)) == len(places(second)) == 1, 30)
        bounds = await first.bounds()
        assert set(bounds) == both
        assert await second.bounds() == bounds
        begin, end = bounds[INTAKE.name, 0]
        assert end - begin == 3


def places(group: broker.Group) -> set[TopicPartition]:
    consumer = group.subscriber.consumer if group.subscriber else None
    return set(consumer.assignment()) if consumer else set()


async def test_a_consumer_with_nothing_to_do_is_not_asked_again_and_again(bus: Bus) -> None:
    probe = Probe()
    async with bus.group(probe) as group:
        assert group.subscriber is not None
        consumer = group.subscriber.consumer
        assert isinstance(consumer, broker.WaitingConsumer)
        begun = asyncio.get_running_loop().time()
        assert await consumer.getmany(timeout_ms=1) == {}
        assert asyncio.get_running_loop().time() - begun > broker.WAIT_MS / 2000
