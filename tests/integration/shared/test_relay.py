"""The relay on a real Kafka: order per key through a fail-over, nothing lost, a frozen holder loses its locks."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from shared import outbox
from shared.db import Database
from shared.events.envelope import INTAKE, MAX_PAYLOAD
from shared.events.intake import ContactReleased
from shared.relay import _GONE, BATCH
from shared.types import PersonId
from tests.harness import relays
from tests.harness.databases import Sql, TestDatabase
from tests.harness.outboxes import AGENCY, SERVICE, drained, left, published, read, write
from tests.harness.probe import a_case
from tests.harness.topics import Topics
from tests.harness.waiting import eventually


async def test_order_per_key_holds_over_30000_events_two_relays_and_a_kill(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    cases = [a_case() for _ in range(500)]
    async with (
        database.opened(SERVICE) as db,
        relays.process(database, topics, SERVICE) as first,
        relays.inside(database, topics, SERVICE) as second,
    ):
        # Four writers at once: ids of different cases interleave, and lower ids commit after higher ones.
        writing = asyncio.gather(*(write(db, cases[n::4], 60) for n in range(4)))
        await eventually(lambda: published(sql, 9_000), 60)
        assert not writing.done() or await left(sql)
        first.kill()
        await writing
        await eventually(lambda: drained(sql), 60)
        held = second.shards
    log = await read(topics, 30_000)
    assert held == frozenset(range(16))
    assert len(log.ids) == 30_000
    assert all(log.numbers[case] == list(range(60)) for case in cases)


async def test_a_frozen_relay_loses_its_locks_and_what_it_does_when_thawed_harms_nothing(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    cases = [a_case() for _ in range(50)]
    async with (
        database.opened(SERVICE) as db,
        relays.process(database, topics, SERVICE) as frozen,
        relays.inside(database, topics, SERVICE) as heir,
    ):
        writing = asyncio.create_task(write(db, cases, 60))
        await eventually(lambda: published(sql, 500), 30)
        relays.freeze(frozen)
        await writing
        await eventually(lambda: drained(sql), 30, what="the heir has the locks after 10 s")
        assert heir.shards == frozenset(range(16))
        relays.thaw(frozen)
        await write(db, cases[:1], 70)
        await eventually(lambda: drained(sql), 30)
    log = await read(topics, 3_070)
    assert all(log.numbers[case] == list(range(60)) for case in cases[1:])
    assert log.numbers[cases[0]] == [*range(60), *range(70)]


async def test_a_database_knows_how_far_each_partition_was_published_and_never_less_again(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    cases = [a_case() for _ in range(20)]
    marks = "SELECT part, next_offset FROM intake.published WHERE topic = $1"
    async with database.opened(SERVICE) as db:
        for _ in range(2):
            async with relays.inside(database, topics, SERVICE):
                await write(db, cases, 10)
                await eventually(lambda: drained(sql), 30)
            found = {row["part"]: row["next_offset"] for row in await sql.fetch(marks, INTAKE.name)}
            assert found == await ends_of(topics)
        # A relay that was frozen says late how far it had come.
        await sql.execute("SET search_path = intake")
        await sql.execute(_GONE, [], [INTAKE.name], [0], [1])
        assert {row["part"]: row["next_offset"] for row in await sql.fetch(marks, INTAKE.name)} == found


async def ends_of(topics: Topics) -> dict[int, int]:
    """Where each partition of intake's topic ends, of those that hold anything."""
    consumer = AIOKafkaConsumer(bootstrap_servers=topics.kafka)
    await consumer.start()
    try:
        places = [TopicPartition(topics.named(INTAKE.name), part) for part in range(topics.partitions)]
        return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}
    finally:
        await consumer.stop()


async def test_two_relays_never_hold_the_same_shard(database: TestDatabase, topics: Topics) -> None:
    async with (
        relays.inside(database, topics, SERVICE) as one,
        relays.inside(database, topics, SERVICE) as two,
    ):
        await eventually(lambda: len(one.shards | two.shards) == 16)
        assert not one.shards & two.shards


async def test_the_largest_event_goes_out_and_a_larger_one_is_refused_by_the_outbox(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    def of(size: int) -> ContactReleased:
        return ContactReleased(assignment=a_case(), recipient=PersonId(a_case()), sealed=b"x" * size)

    empty = len(of(0).model_dump_json())
    largest = (MAX_PAYLOAD - empty) // 4 * 3
    async with database.opened(SERVICE) as db, relays.inside(database, topics, SERVICE):
        async with db.transaction({AGENCY}) as tx:
            await outbox.emit(tx, [outbox.Draft(AGENCY, a_case(), of(largest)) for _ in range(8)])
        await eventually(lambda: drained(sql))
        with pytest.raises(Exception, match="outbox_payload_check"):
            await too_large(db, of(largest + 3))
    assert (await read(topics, 8)).records >= 8


async def too_large(db: Database, fact: ContactReleased) -> None:
    async with db.transaction({AGENCY}) as tx:
        await outbox.emit(tx, [outbox.Draft(AGENCY, a_case(), fact)])


async def test_a_partition_that_takes_nothing_hides_nothing_of_the_others(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    cases = [a_case() for _ in range(16)]
    there = {case: DefaultPartitioner()(str(case).encode(), [0, 1], [0, 1]) for case in cases}
    async with database.opened(SERVICE) as db:
        for case in sorted(cases, key=lambda one: there[one]):
            await write(db, [case], 600)
        stuck = 600 * list(there.values()).count(0)
        # More than one batch stands before what can go out.
        assert BATCH < stuck < 16 * 600
        async with relays.inside(database, topics, SERVICE, stuck={0}) as relay:
            await eventually(lambda: only_stuck(sql, stuck), 60)
            assert relay.stuck
        async with relays.inside(database, topics, SERVICE):
            await eventually(lambda: drained(sql), 60)
    assert (await read(topics, 16 * 600)).numbers == {case: list(range(600)) for case in cases}


async def only_stuck(sql: Sql, rows: int) -> bool:
    return await left(sql) == rows
