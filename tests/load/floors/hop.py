"""One hop of the hand-written pipeline, a process of its own: `python -m tests.load.floors.hop <number>`.

It takes a batch from its topic, brings it to its effect with one statement that commits by itself (inbox, state and
outbox in one CTE), and its relay carries the outbox to the next topic, woken in the same process. Nothing else: no
agencies, no row security, no validation, no sealing, no timers, no parking.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from shared import clock
from tests.harness.waiting import eventually

BATCH = 500
WITHIN_S = 600.0
RELAY_BATCH = 1000
SWEEP_S = 0.5
HEADER = "id"

TABLES = """
CREATE SCHEMA hop{hop};
CREATE TABLE hop{hop}.inbox(event_id uuid PRIMARY KEY, seen_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE hop{hop}.state(
    case_id uuid PRIMARY KEY, version int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE hop{hop}.outbox(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL, key uuid NOT NULL,
    payload bytea NOT NULL)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
"""
_EFFECT = """
WITH seen AS (
    INSERT INTO inbox(event_id) SELECT e FROM unnest($1::uuid[]) e ON CONFLICT DO NOTHING RETURNING event_id),
fresh AS (
    SELECT e.* FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[]) WITH ORDINALITY
                    e(event_id, case_id, next_id, payload, n) JOIN seen USING (event_id)),
saved AS (
    INSERT INTO state(case_id, version) SELECT case_id, 1 FROM fresh
    ON CONFLICT (case_id) DO UPDATE SET version = state.version + 1)
INSERT INTO outbox(event_id, key, payload) SELECT next_id, case_id, payload FROM fresh ORDER BY n
"""
_NEXT = "SELECT id, event_id, key, payload FROM outbox ORDER BY id LIMIT $1"
_SENT = "DELETE FROM outbox WHERE id = ANY ($1::bigint[])"


@dataclass(frozen=True)
class Place:
    """Where a hop stands. `go` is a file: consuming begins when it exists."""

    kafka: str
    postgres: dict[str, Any]
    source: str
    target: str
    partitions: int
    go: str


class Hop:
    """A consumer, one statement, a relay."""

    def __init__(self, place: Place, number: int) -> None:
        """`number` is the hop's schema, 1 to 4."""
        self._place, self._schema = place, f"hop{number}"
        self._written = asyncio.Event()
        self._done: dict[TopicPartition, int] = {}
        self._producer = AIOKafkaProducer(
            bootstrap_servers=place.kafka,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=524_288,
        )
        self._consumer = AIOKafkaConsumer(
            place.source,
            bootstrap_servers=place.kafka,
            group_id=self._schema + place.source,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )

    async def run(self, ready: Path) -> None:
        """Until cancelled."""
        await self._producer.start()
        await self._consumer.start()
        await asyncio.to_thread(ready.touch)
        await eventually(Path(self._place.go).exists, WITHIN_S, every=0.01)
        try:
            await asyncio.gather(self._consume(), self._relay(), self._commit())
        finally:
            await self._consumer.stop()
            await self._producer.stop()

    async def _connect(self) -> asyncpg.Connection[Any]:
        settings = {"search_path": self._schema}
        connection: asyncpg.Connection[Any] = await asyncpg.connect(**self._place.postgres, server_settings=settings)
        return connection

    async def _consume(self) -> None:
        effect = await (await self._connect()).prepare(_EFFECT)
        while True:
            batches = await self._consumer.getmany(timeout_ms=1000, max_records=BATCH)
            records = [one for batch in batches.values() for one in batch if one.headers]
            if records:
                await effect.fetch(*_arguments(records))
                self._written.set()
            self._done |= {place: batch[-1].offset + 1 for place, batch in batches.items()}

    async def _relay(self) -> None:
        connection = await self._connect()
        following, sent = await connection.prepare(_NEXT), await connection.prepare(_SENT)
        while True:
            rows = await following.fetch(RELAY_BATCH)
            if rows:
                await self._publish(rows)
                await sent.fetch([row["id"] for row in rows])
            if len(rows) < RELAY_BATCH:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._written.wait(), SWEEP_S)
                self._written.clear()

    async def _publish(self, rows: list[asyncpg.Record]) -> None:
        """Every partition's rows in order, one batch in flight per partition."""
        queues: dict[int, list[asyncpg.Record]] = {}
        for row in rows:
            queues.setdefault(partition_of(row["key"], self._place.partitions), []).append(row)
        await asyncio.gather(*(self._send(number, queue) for number, queue in queues.items()))

    async def _send(self, number: int, queue: list[asyncpg.Record]) -> None:
        rest = iter(queue)
        row = next(rest, None)
        while row is not None:
            batch = self._producer.create_batch()
            while row is not None and batch.append(**record(row["event_id"], row["key"], row["payload"])) is not None:
                row = next(rest, None)
            batch.close()
            await (await self._producer.send_batch(batch, self._place.target, partition=number))

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(1)
            if self._done:
                await self._consumer.commit(dict(self._done))


def _arguments(records: list[ConsumerRecord]) -> tuple[list[Any], ...]:
    return (
        [UUID(bytes=dict(one.headers)[HEADER]) for one in records],
        [UUID(bytes=one.key) for one in records],
        [clock.ordered_id() for _ in records],
        [one.value for one in records],
    )


def partition_of(case: UUID, partitions: int) -> int:
    """Where a case travels; random ids spread evenly."""
    return case.int % partitions


def record(event: UUID, case: UUID, body: bytes) -> dict[str, Any]:
    """A record as hops hand it on."""
    return {"key": case.bytes, "value": body, "timestamp": None, "headers": [(HEADER, event.bytes)]}


async def _main(number: int) -> None:
    running = asyncio.current_task()
    if running is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    place = Place(**json.loads(os.environ[f"FLOOR_HOP_{number}"]))
    with suppress(asyncio.CancelledError):
        await Hop(place, number).run(Path(os.environ["PEERLINE_READY"]))


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
