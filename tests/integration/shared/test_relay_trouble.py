"""Relays in trouble, on a real Kafka: frozen for half a minute, cut off, with a producer that is of no use any more."""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

from aiokafka import TopicPartition

from shared.broker import producer
from shared.db import Database
from shared.delivery import Delivery
from shared.events.envelope import INTAKE
from shared.parking import Raw
from shared.publisher import Publisher
from tests.harness import probe, relays
from tests.harness.databases import Sql, TestDatabase
from tests.harness.outboxes import SERVICE, Log, drained, left, published, read, write
from tests.harness.probe import Probe, a_case
from tests.harness.proxy import LOOPBACK, Proxy, between
from tests.harness.region import Region
from tests.harness.topics import Topics
from tests.harness.waiting import eventually

FROZEN_S = 30.0


@asynccontextmanager
async def wire_to_kafka(topics: Topics) -> AsyncIterator[Proxy]:
    async with between(int(topics.kafka.rpartition(":")[2]), flowing=True, posing=True) as wire:
        yield wire


def through(wire: Proxy) -> str:
    return f"{LOOPBACK}:{wire.port}"


async def test_what_a_relay_sends_that_was_frozen_for_half_a_minute_comes_after_newer_events_and_has_no_effect(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    await probe.make_table(database)
    cases = [a_case() for _ in range(50)]
    async with (
        database.opened(SERVICE) as db,
        relays.process(database, topics, SERVICE, freeze_at=6) as frozen,
        relays.inside(database, topics, SERVICE) as heir,
    ):
        writing = asyncio.create_task(write(db, cases, 60))
        await eventually(lambda: relays.frozen(frozen), 30)
        since = asyncio.get_running_loop().time()
        await writing
        await eventually(lambda: drained(sql), 30, what="the heir has the locks after 10 s")
        await asyncio.sleep(since + FROZEN_S - asyncio.get_running_loop().time())
        relays.thaw(frozen)
        log = await eventually(lambda: with_late_copies(topics), 30)
        assert heir.shards == frozenset(range(16))
    assert all(log.numbers[case] == list(range(60)) for case in cases)
    async with database.opened(probe.SERVICE) as consumer:
        await taken(consumer, log.raws)
    assert await effects(sql) == {case: list(range(60)) for case in cases}


async def with_late_copies(topics: Topics) -> Log | None:
    log = await read(topics, 3_000)
    return log if log.late_copies() else None


async def taken(db: Database, raws: Sequence[Raw]) -> None:
    """What a consumer makes of a topic, in batches as they come."""
    delivery = Delivery(db, Probe().absorb, group="-", topics=[INTAKE.name], fingerprint_key=b"k" * 32)
    for first in range(0, len(raws), 500):
        await delivery.take(raws[first : first + 500])


async def effects(sql: Sql) -> dict[UUID, list[int]]:
    found: dict[UUID, list[int]] = defaultdict(list)
    for row in await sql.fetch("SELECT case_id, n FROM effects ORDER BY seq"):
        found[row["case_id"]].append(row["n"])
    return dict(found)


async def test_a_relay_that_is_cut_off_from_kafka_leaves_its_locks_to_one_that_is_not(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    cases = [a_case() for _ in range(20)]
    async with (
        database.opened(SERVICE) as db,
        wire_to_kafka(topics) as wire,
        relays.inside(database, topics, SERVICE, kafka=through(wire)) as cut_off,
    ):
        await write(db, cases, 10)
        await eventually(lambda: drained(sql), 30)
        assert len(cut_off.shards) == 16
        async with relays.inside(database, topics, SERVICE) as other:
            wire.silence()
            await write(db, cases, 60, first=10)
            await eventually(lambda: cut_off.stuck, 10)
            await eventually(lambda: drained(sql), 60)
            assert (len(other.shards), cut_off.stuck) == (16, True)
            wire.flow()
            await eventually(lambda: not cut_off.stuck, 60)
    log = await read(topics, 1_200)
    assert all(log.numbers[case] == list(range(60)) for case in cases)


async def test_a_kafka_that_is_silent_for_long_makes_the_relay_unready_and_everything_goes_out_when_it_answers(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    cases = [a_case() for _ in range(20)]
    async with (
        database.opened(SERVICE) as db,
        wire_to_kafka(topics) as wire,
        relays.inside(database, topics, SERVICE, kafka=through(wire)) as relay,
    ):
        await write(db, cases, 30)
        await eventually(lambda: published(sql, 100), 30)
        wire.silence()
        await write(db, cases, 60, first=30)
        await eventually(lambda: relay.stuck, 10)
        # Longer than it holds on to its locks, and than the client waits for an answer.
        await asyncio.sleep(20)
        assert (relay.stuck, await left(sql) > 0) == (True, True)
        wire.flow()
        await eventually(lambda: drained(sql), 60)
        await eventually(lambda: not relay.stuck, 10)
    log = await read(topics, 1_200)
    assert all(log.numbers[case] == list(range(60)) for case in cases)


async def test_a_producer_whose_numbers_the_broker_refuses_is_replaced_and_nothing_is_lost(
    database: TestDatabase, topics: Topics, sql: Sql
) -> None:
    cases = [a_case() for _ in range(20)]
    async with (
        database.opened(SERVICE) as db,
        relays.published_by(database, topics, SERVICE) as (relay, publisher),
    ):
        await write(db, cases, 10)
        await eventually(lambda: drained(sql), 30)
        spoiled = publisher._producer  # noqa: SLF001 - a hole in the numbers cannot be had otherwise
        numbers = spoiled._txn_manager  # noqa: SLF001 - as above
        for part in range(topics.partitions):
            numbers.increment_sequence_number(TopicPartition(topics.named(INTAKE.name), part), 7)
        await write(db, cases, 60, first=10)
        await eventually(lambda: drained(sql), 60)
        await eventually(lambda: not relay.stuck, 10)
        assert publisher._producer is not spoiled  # noqa: SLF001 - as above
    log = await read(topics, 1_200)
    assert all(log.numbers[case] == list(range(60)) for case in cases)


async def missing(region: Region) -> list[str]:
    async with region.http.get(f"{region.url('referral')}/health/ready") as answer:
        found: list[str] = (await answer.json())["missing"]
    return found


async def test_a_service_whose_producer_is_stuck_is_not_ready_until_it_is_not(region: Region) -> None:
    async with wire_to_kafka(region.topics) as wire:
        await region.start("referral", env={"PEERLINE_KAFKA": through(wire)})
        wire.silence()
        sql = await region.sql()
        await sql.execute(
            """INSERT INTO referral.outbox(event_id, agency_id, lane, topic, key, route, type, payload)
               SELECT gen_random_uuid(), $1, 1, 'peerline.referral', $1, $1, 'referral.no_clinical_path.v1', '{}'""",
            a_case(),
        )
        await eventually(lambda: missing_relay(region), 20)
        wire.flow()
        await eventually(lambda: ready(region), 60)
        assert await sql.fetchval("SELECT count(*) FROM referral.outbox") == 0


async def missing_relay(region: Region) -> bool:
    return "relay" in await missing(region)


async def ready(region: Region) -> bool:
    return not await missing(region)


async def test_a_new_producer_that_gets_no_answer_leaves_no_connection_open(
    database: TestDatabase, topics: Topics
) -> None:
    async with wire_to_kafka(topics) as wire:
        publisher = Publisher(partial(producer, relays.settings_of(database, topics, SERVICE, kafka=through(wire))))
        wire.silence_after(1)
        assert not await publisher.renew()
        assert wire.taken == 1
        wire.flow()
        await publisher.stop()
        gc.collect()
