"""A consumer that parks too much stops loudly, loses nothing, and goes on from there when the cause is mended."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.local.ports import free_ports
from shared import broker
from shared.brake import Limits
from shared.db import Database
from shared.delivery import Delivery
from shared.events.envelope import INTAKE, INTAKE_CRISIS
from shared.events.intake import CaseWithdrawn
from shared.parking import Raw
from tests.harness.databases import Sql, TestDatabase
from tests.harness.probe import SERVICE, Probe, Sender, a_case, numbered
from tests.harness.region import Region
from tests.harness.relays import settings_of
from tests.harness.topics import Topics
from tests.harness.waiting import eventually

CASES, EACH = 60, 3
NAME = f"{SERVICE}.ordinary"
BAD_FIRSTS = {10 * case for case in range(0, CASES, 2)}
"""Every second case begins with an event that the bad deploy refuses."""


@dataclass
class Stream:
    """Sixty cases with three events each: all first events, then all second ones, then the last ones."""

    sender: Sender = field(default_factory=Sender)
    cases: list[UUID] = field(default_factory=lambda: [a_case() for _ in range(CASES)])

    def raws(self) -> list[Raw]:
        told = [(case, 10 * number + n) for n in range(EACH) for number, case in enumerate(self.cases)]
        return [self.sender.raw(numbered(n), case) for case, n in told]

    def whole(self) -> dict[UUID, list[int]]:
        return {case: [10 * number + n for n in range(EACH)] for number, case in enumerate(self.cases)}


async def publish(topics: Topics, raws: Sequence[Raw]) -> None:
    """To the first partition of their topic, in this order."""
    producer = AIOKafkaProducer(bootstrap_servers=topics.kafka, acks="all")
    await producer.start()
    for raw in raws:
        topic = topics.named(raw.topic)
        await producer.send_and_wait(topic, raw.value, raw.key, partition=0, headers=list(raw.headers))
    await producer.stop()


@asynccontextmanager
async def deployed(
    database: TestDatabase, db: Database, topics: Topics, probe: Probe, *, replica: str = "0"
) -> AsyncIterator[tuple[broker.Group, Delivery]]:
    """One replica of a consumer, as a process runs it."""
    settings = settings_of(database, topics, SERVICE, replica=replica)
    bus, again = broker.broker(settings), broker.reread(settings)
    delivery = Delivery(
        db,
        probe.absorb,
        group=NAME,
        topics=[INTAKE.name],
        fingerprint_key=b"k" * 32,
        limits=Limits(),
        reread=again,
    )
    group = broker.Group(bus, db, delivery, settings)
    group.subscribe(NAME, [INTAKE.name])
    await bus.start()
    loops = [asyncio.create_task(group.keep_committing()), asyncio.create_task(delivery.retry_parked())]
    try:
        yield group, delivery
    finally:
        await group.commit()
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await bus.stop()


async def numbers(sql: Sql) -> dict[UUID, list[int]]:
    found: dict[UUID, list[int]] = defaultdict(list)
    for row in await sql.fetch("SELECT case_id, n FROM effects ORDER BY seq"):
        found[row["case_id"]].append(row["n"])
    return dict(found)


async def all_in_order(sql: Sql, stream: Stream) -> bool:
    return await numbers(sql) == stream.whole()


async def stored(sql: Sql) -> int:
    return await sql.fetchval("SELECT next_offset FROM positions WHERE topic = $1 AND part = 0", INTAKE.name) or 0


async def committed(group: broker.Group, topics: Topics) -> int:
    return group._committed[TopicPartition(topics.named(INTAKE.name), 0)]  # noqa: SLF001 - it has left its group


async def test_after_a_bad_deploy_a_consumer_stops_and_a_mended_one_takes_everything_in_order_once(
    database: TestDatabase, db: Database, topics: Topics, sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    topics.tired = True
    stream = Stream()
    await publish(topics, stream.raws())
    with caplog.at_level(logging.CRITICAL, "shared.delivery"):
        async with deployed(database, db, topics, Probe(bad=BAD_FIRSTS)) as (group, delivery):
            await eventually(lambda: delivery.stopped, 30)
            await eventually(lambda: group.subscriber is not None and group.subscriber.consumer is None, 30)
            stopped_at, taken = await stored(sql), len(await numbers(sql))
            assert await committed(group, topics) == stopped_at
            assert await sql.fetchval("SELECT count(*) FROM parked WHERE state = 'waiting'") == 19
            assert taken == 19
    assert [record.getMessage().split()[1] for record in caplog.records] == ["STOPS"]
    assert not set(await numbers(sql)) & set(stream.cases[40:])
    async with deployed(database, db, topics, Probe()):
        await eventually(lambda: all_in_order(sql, stream), 60)
    assert await stored(sql) == stopped_at + CASES * EACH - 38
    assert await sql.fetchval("SELECT count(*) FROM parked") == 0


async def test_what_a_bad_replica_leaves_is_taken_by_a_good_one(
    database: TestDatabase, db: Database, topics: Topics, sql: Sql
) -> None:
    topics.tired = True
    stream = Stream()
    await publish(topics, stream.raws())
    async with deployed(database, db, topics, Probe(bad=BAD_FIRSTS)) as (_, bad):
        await eventually(lambda: bad.stopped, 30)
        async with deployed(database, db, topics, Probe(), replica="1") as (_, good):
            await eventually(lambda: all_in_order(sql, stream), 60)
            assert (bad.stopped, good.stopped) == (True, False)


async def test_a_stopped_consumer_uses_up_no_tries_of_what_it_has_parked(
    database: TestDatabase, db: Database, topics: Topics, sql: Sql
) -> None:
    await publish(topics, Stream().raws())
    async with deployed(database, db, topics, Probe(bad=BAD_FIRSTS)) as (_, delivery):
        await eventually(lambda: delivery.stopped, 30)
        await sql.execute("UPDATE parked SET next_try = clock_timestamp() - interval '1 h', attempts = 0")
        # Two rounds of a loop that goes on would have claimed them.
        await asyncio.sleep(1.2)
        assert await sql.fetchval("SELECT max(attempts) FROM parked") == 0


def garbage(topic: str, count: int) -> list[Raw]:
    return [Raw(topic, 0, n, str(a_case()).encode(), (), b"?") for n in range(count)]


async def missing(region: Region) -> list[str]:
    async with region.http.get(f"{region.url(SERVICE)}/health/ready") as answer:
        found: list[str] = (await answer.json())["missing"]
    return found


async def failing(region: Region) -> bool:
    """Whether the dead man's switch knows of the consumer."""
    async with region.http.get(f"{region.url(SERVICE)}/health/deadman") as answer:
        return answer.status == 503 and "consumer_stopped" in await answer.text()


async def over_limit(port: int) -> dict[str, str]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = [line for line in (await answer.text()).splitlines() if line.startswith("peerline_consumers_over")]
    return {line.split('lane="')[1].split('"')[0]: line.split()[-1] for line in lines}


async def test_a_service_whose_consumer_has_stopped_is_not_ready_says_why_and_goes_on_after_a_restart(
    region: Region,
) -> None:
    port, sql = free_ports().zipkin, await region.sql()
    await region.start(SERVICE, env={"PEERLINE_METRICS_PORT": str(port)})
    await publish(region.topics, garbage(INTAKE.name, 30))
    assert await eventually(lambda: missing(region), 30) == ["consumers"]
    assert await over_limit(port) == {"ordinary": "1", "crisis": "0", "directory": "0"}
    await eventually(lambda: failing(region), 30)
    assert await sql.fetchval("SELECT count(*) FROM matching.parked") == 19
    await region.stop(SERVICE)
    await region.start(SERVICE)
    await eventually(lambda: parked(sql, 30), 30)
    assert await missing(region) == []


async def parked(sql: Sql, count: int) -> bool:
    return bool(await sql.fetchval("SELECT count(*) = $1 FROM matching.parked", count))


async def test_on_the_crisis_lane_a_consumer_says_so_and_never_stops(region: Region) -> None:
    port, sql, sender = free_ports().zipkin, await region.sql(), Sender()
    await region.start(SERVICE, env={"PEERLINE_METRICS_PORT": str(port)})
    await publish(region.topics, garbage(INTAKE_CRISIS.name, 60))
    await publish(region.topics, [sender.raw(CaseWithdrawn(), case := a_case())])
    await eventually(lambda: buried(sql, case), 30)
    assert await missing(region) == []
    assert (await over_limit(port))["crisis"] == "1"


async def buried(sql: Sql, case: UUID) -> bool:
    return bool(await sql.fetchval("SELECT count(*) FROM matching.tombstones WHERE case_id = $1", case))


async def test_what_was_parked_unread_is_found_on_the_bus_by_its_place(database: TestDatabase, topics: Topics) -> None:
    again = broker.reread(settings_of(database, topics, SERVICE))
    await publish(topics, raws := Stream().raws()[:3])
    begin = await first_of(topics)
    found = [await again(Raw(INTAKE.name, 0, begin + n, b"", (), b"")) for n in range(4)]
    assert [one and (one.key, one.value) for one in found] == [*((raw.key, raw.value) for raw in raws), None]


async def first_of(topics: Topics) -> int:
    """The first offset that is there: emptied topics of the pool begin where their last records ended."""
    consumer = AIOKafkaConsumer(bootstrap_servers=topics.kafka)
    await consumer.start()
    place = TopicPartition(topics.named(INTAKE.name), 0)
    found = await consumer.beginning_offsets([place])
    await consumer.stop()
    return int(found[place])
