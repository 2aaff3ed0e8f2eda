"""The two floors below everything: a commit and nothing else, a Kafka record and nothing else."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.broker import TOPIC_SETTINGS
from tests.load import stand, stats
from tests.load.stand import Stand

CONNECTIONS = 16
HOPS_A_SECOND = 50
PARTITIONS = 12
TOPIC = "floor.hop"
BODY = b"\0" * 600
"""As large as an event of the region, headers included."""


@dataclass(frozen=True)
class Commits:
    """One row inserted and committed: latency alone, and commits a second on 16 connections of one process."""

    latency_ms: stats.Latency
    per_s: float
    connections: int


async def commits(ground: Stand, seconds: float) -> Commits:
    """Measure for about `seconds` each; `synchronous_commit` and `fsync` are on, and that is asserted."""
    connection = await stand.database(ground, "floor_commits")
    for name in ("fsync", "synchronous_commit"):
        if await connection.fetchval("SELECT current_setting($1)", name) != "on":
            raise RuntimeError(f"{name} is off: these are not the settings of make up")
    await connection.execute("CREATE TABLE rows(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)")
    alone = await _commit_until(connection, time.perf_counter() + seconds)
    await connection.close()
    others = await asyncio.gather(
        *(asyncpg.connect(**ground.superuser, database="floor_commits") for _ in range(CONNECTIONS))
    )
    begun = time.perf_counter()
    taken = await asyncio.gather(*(_commit_until(one, begun + seconds) for one in others))
    elapsed = time.perf_counter() - begun
    await asyncio.gather(*(one.close() for one in others))
    return Commits(stats.latency(alone), round(sum(map(len, taken)) / elapsed, 1), CONNECTIONS)


async def _commit_until(connection: asyncpg.Connection[Any], until: float) -> list[float]:
    insert = await connection.prepare("INSERT INTO rows(body) VALUES ($1)")
    await insert.fetch(BODY)
    taken: list[float] = []
    while (now := time.perf_counter()) < until:
        await insert.fetch(BODY)
        taken.append(time.perf_counter() - now)
    return taken


async def hop(ground: Stand, seconds: float) -> stats.Latency:
    """From before a record is sent to when a consumer has it, 50 a second, producer and consumer in one process."""
    await stand.topics(ground, [TOPIC], partitions=PARTITIONS, settings=TOPIC_SETTINGS)
    producer = AIOKafkaProducer(
        bootstrap_servers=ground.endpoints.kafka, acks="all", enable_idempotence=True, linger_ms=0
    )
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=ground.endpoints.kafka, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    try:
        await stand.warm(producer, [TOPIC], PARTITIONS)
        # The first second pays for a new consumer and a cold broker; it is thrown away.
        await _travelled(producer, consumer, HOPS_A_SECOND)
        taken = await _travelled(producer, consumer, round(seconds * HOPS_A_SECOND))
    finally:
        await consumer.stop()
        await producer.stop()
    return stats.latency(taken)


async def _travelled(producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, count: int) -> list[float]:
    heard = asyncio.create_task(_hear(consumer, count))
    sent = await _send(producer, count)
    async with asyncio.timeout(30):
        arrived = await heard
    return [arrived[number] - at for number, at in enumerate(sent)]


async def _send(producer: AIOKafkaProducer, count: int) -> list[float]:
    begun, sent, acks = time.perf_counter(), [], []
    for number in range(count):
        await asyncio.sleep(max(0, begun + number / HOPS_A_SECOND - time.perf_counter()))
        sent.append(time.perf_counter())
        acks.append(await producer.send(TOPIC, BODY, key=str(number).encode()))
    await asyncio.gather(*acks)
    return sent


async def _hear(consumer: AIOKafkaConsumer, count: int) -> dict[int, float]:
    heard: dict[int, float] = {}
    while len(heard) < count:
        records = await consumer.getmany(timeout_ms=1000)
        now = time.perf_counter()
        heard |= {int(one.key): now for batch in records.values() for one in batch if one.key is not None}
    return heard
