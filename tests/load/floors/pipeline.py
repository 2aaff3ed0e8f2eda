"""The floor that the region is compared with: four durable hops, hand-written, in four processes.

Four processes, because the region's way crosses as many: what a hop costs in wake-ups and context switches belongs to
both. The event loop is uvloop, records are 600 bytes, and a case ends with the statement of its fourth hop.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer

from shared import clock
from shared.broker import TOPIC_SETTINGS
from tests.harness.waiting import eventually
from tests.load import cpu, stand, stats
from tests.load.floors.bare import BODY
from tests.load.floors.hop import TABLES, Place, partition_of, record
from tests.load.stand import Stand

HOPS = 4
PARTITIONS = 12
WARMING_S = 5.0
CHUNK = 1000
WITHIN_S = 300.0
_ENDED = "SELECT case_id, extract(epoch FROM at)::float8 AS at FROM hop4.state"


@dataclass
class Pipeline:
    """A pipeline that stands: its first topic's producer and a connection that sees where cases have got to."""

    producer: AIOKafkaProducer
    connection: asyncpg.Connection[Any]
    source: str
    pids: dict[str, int] = field(default_factory=dict)

    async def ended(self, count: int) -> dict[UUID, float]:
        """Wait until `count` cases have passed the last hop; when each did, in seconds of the machine's clock."""

        async def all_ended() -> bool:
            return bool(await self.connection.fetchval("SELECT count(*) >= $1 FROM hop4.state", count))

        await eventually(all_ended, WITHIN_S, every=0.25, what=f"{count} cases at the end of the pipeline")
        return {row["case_id"]: row["at"] for row in await self.connection.fetch(_ENDED)}


@asynccontextmanager
async def _running(ground: Stand, label: str, backlog: int = 0) -> AsyncIterator[Pipeline]:
    """Four hops over topics of their own; with a backlog they begin when `go` exists, and it lies there before."""
    names = [f"floor.{label}.{number}" for number in range(HOPS + 1)]
    await stand.topics(ground, names, partitions=PARTITIONS, settings=TOPIC_SETTINGS)
    connection = await stand.database(ground, f"floor_{label}")
    await connection.execute("".join(TABLES.format(hop=number) for number in range(1, HOPS + 1)))
    producer = AIOKafkaProducer(
        bootstrap_servers=ground.endpoints.kafka, acks="all", enable_idempotence=True, linger_ms=0
    )
    await producer.start()
    commands = {f"hop{number}": stand.python("tests.load.floors.hop", str(number)) for number in range(1, HOPS + 1)}
    try:
        await stand.warm(producer, names, PARTITIONS)
        await _preload(producer, names[0], backlog)
        await stand.start_ready(ground, commands, _environment(ground, label, names))
        pids = {name: ground.supervisor.pid(name) for name in (*commands, "postgres", "kafka")}
        yield Pipeline(producer, connection, names[0], pids)
    finally:
        for name in commands:
            if (ground.folder / f"{name}.ready").exists():
                await ground.supervisor.halt(name)
        await producer.stop()
        await connection.close()


def _environment(ground: Stand, label: str, names: list[str]) -> dict[str, str]:
    postgres = {**ground.superuser, "database": f"floor_{label}"}
    places = {
        number: Place(
            kafka=ground.endpoints.kafka,
            postgres=postgres,
            source=names[number - 1],
            target=names[number],
            partitions=PARTITIONS,
            go=str(ground.folder / f"floor.{label}.go"),
        )
        for number in range(1, HOPS + 1)
    }
    return {f"FLOOR_HOP_{number}": json.dumps(asdict(place)) for number, place in places.items()}


async def _begin(producer: AIOKafkaProducer, topic: str, case: UUID) -> Any:
    one = record(clock.ordered_id(), case, BODY)
    return await producer.send(
        topic, one["value"], key=one["key"], headers=one["headers"], partition=partition_of(case, PARTITIONS)
    )


async def _preload(producer: AIOKafkaProducer, topic: str, count: int) -> None:
    for _ in range(0, count, CHUNK):
        acks = [await _begin(producer, topic, clock.random_id()) for _ in range(CHUNK)]
        await asyncio.gather(*acks)


async def light(ground: Stand, seconds: float, per_s: float) -> stats.Latency:
    """From before a case's record is sent to the first topic to its row of the fourth hop, at `per_s` cases a second.

    The first seconds pay for joining groups and for cold caches; they are thrown away.
    """
    async with _running(ground, "light") as pipeline:
        (ground.folder / "floor.light.go").touch()
        warming = await _steadily(pipeline, WARMING_S, per_s)
        await pipeline.ended(len(warming))
        sent = await _steadily(pipeline, seconds, per_s)
        ended = await pipeline.ended(len(warming) + len(sent))
        return stats.latency(ended[case] - at for case, at in sent.items())


async def _steadily(pipeline: Pipeline, seconds: float, per_s: float) -> dict[UUID, float]:
    """Send cases at an even pace, whatever becomes of them; when each was sent."""
    begun, sent, acks = time.time(), dict[UUID, float](), []
    for number in range(round(seconds * per_s)):
        await asyncio.sleep(max(0, begun + number / per_s - time.time()))
        case = clock.random_id()
        sent[case] = time.time()
        acks.append(await _begin(pipeline.producer, pipeline.source, case))
    await asyncio.gather(*acks)
    return sent


@dataclass(frozen=True)
class Drained:
    """A backlog worked off: cases a second, and CPU milliseconds a case by process."""

    cases: int
    per_s: float
    cpu_ms_per_case: dict[str, float]


async def drain(ground: Stand, cases: int) -> Drained:
    """The whole time from the start of all four hops to the last case's fourth row counts."""
    async with _running(ground, "drain", cases) as pipeline:
        before, begun = cpu.meter(pipeline.pids), time.time()
        (ground.folder / "floor.drain.go").touch()
        ended = await pipeline.ended(cases)
        spent = cpu.per_case(before, cpu.meter(pipeline.pids), cases)
        return Drained(cases, round(stats.drain_rate(begun, ended.values()), 1), spent)
