"""Only the relay publishes: it carries the outbox to Kafka in commit order per key, and deletes after the ack.

One session advisory lock per lane and shard, so that any number of replicas may run and each key has one publisher;
a frozen holder loses its session, and with it the locks, after ten seconds. What a thawed holder still sends was
sent already: the inbox drops it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from shared import faults, telemetry
from shared.db import UNAVAILABLE, Login, Row, Signals, connect, outbox_wake
from shared.events import FACTS, TOPICS, Envelope, source_of, to_headers
from shared.types import AgencyId, EventId, Lane

log = logging.getLogger(__name__)

SHARDS = 16
BATCH = 1000
PAGES = 20
"""Batches that a round looks through for what is not stuck: where Kafka takes nothing at all, the rest can wait."""
SWEEP_S = 0.5
IDLE_TIMEOUT_S = 10.0
LOCK_EVERY_S = 2.0
Place = tuple[str, int]
"""A topic and one of its partitions."""
_LOCK_SPACE = 0x70656572
"""The first half of the advisory lock's key; the second is schema, lane and shard."""

_NEXT = """
SELECT id, event_id, agency_id, topic, key, type, traceparent, payload, created_at FROM outbox
 WHERE lane = $1 AND shard = ANY ($2::smallint[]) AND id > $4 ORDER BY id LIMIT $3
"""
_LOCK = """
SELECT shard FROM unnest($3::int[]) shard
 WHERE pg_try_advisory_lock($1, hashtext($2 || ':' || current_schema() || ':' || shard))
"""


class Relay:
    """Publishes one lane of one service's outbox."""

    def __init__(self, login: Login, lane: Lane, producer: AIOKafkaProducer, signals: Signals, *, prefix: str) -> None:
        """`producer` is idempotent with acks=all (`shared.broker.producer`); `prefix` stands before topic names."""
        self._login, self._lane, self._producer, self._signals, self._prefix = login, lane, producer, signals, prefix
        self._partition_of = DefaultPartitioner()
        self._shards: set[int] = set()
        self._locked_at = float("-inf")
        self.stuck = False
        """True while Kafka takes nothing: readiness fails then."""

    @property
    def shards(self) -> frozenset[int]:
        """The shards whose locks this relay holds now."""
        return frozenset(self._shards)

    async def run(self) -> None:
        """Until cancelled. A lost database session gives up all locks and begins again."""
        # sql-in-loop: a background loop
        while True:
            try:
                await self._hold()
            except UNAVAILABLE as error:
                log.warning("relay of lane %s lost the database: %s", self._lane.name, type(error).__name__)
                self._shards.clear()
                await asyncio.sleep(SWEEP_S)

    async def _hold(self) -> None:
        connection = await connect(self._login, idle_timeout_s=IDLE_TIMEOUT_S)
        self._shards.clear()
        try:
            # sql-in-loop: a background loop
            while True:
                await self._take_locks(connection)
                if not await self._round(connection):
                    await self._signals.wait(outbox_wake(self._lane), SWEEP_S)
        finally:
            connection.terminate()

    async def _take_locks(self, connection: asyncpg.Connection[Any]) -> None:
        now = asyncio.get_running_loop().time()
        wanted = [shard for shard in range(SHARDS) if shard not in self._shards]
        if not wanted or now - self._locked_at < LOCK_EVERY_S:
            return
        self._locked_at = now
        rows = await connection.fetch(_LOCK, _LOCK_SPACE, str(self._lane.value), wanted)
        self._shards.update(row["shard"] for row in rows)

    async def _round(self, connection: asyncpg.Connection[Any]) -> bool:
        """One batch; more of them beyond what a partition has that takes nothing. False when there is nothing more.

        Whatever is committed after the batch was read wakes the relay again.
        """
        if not self._shards:
            return False
        last, held = 0, set[Place]()
        # sql-in-loop: batch by batch, while a stuck partition fills them
        for _ in range(PAGES):
            rows = await connection.fetch(_NEXT, self._lane.value, sorted(self._shards), BATCH, last)
            if not rows:
                break
            acked = await self._published(connection, rows, held)
            self.stuck = bool(held) or len(acked) < len(rows)
            if len(rows) < BATCH or not (acked or held):
                break
            if not self.stuck:
                return True
            last = rows[-1]["id"]
        return False

    async def _published(
        self, connection: asyncpg.Connection[Any], rows: Sequence[Row], held: set[Place]
    ) -> Sequence[int]:
        topics = {row["topic"] for row in rows}
        faults.reached("before-publish", *topics)
        # Kafka may take longer than the server keeps a silent session: the session stays awake beside it.
        async with _Awake(connection):
            acked = await self._publish(rows, held)
        faults.reached("after-publish", *topics)
        if acked:
            await connection.execute("DELETE FROM outbox WHERE id = ANY ($1::bigint[])", acked)
        return acked

    async def _publish(self, rows: Sequence[Row], held: set[Place]) -> list[int]:
        """Send every partition's rows in order, one batch in flight per partition; returns the ids that were acked.

        Nothing is sent to the partitions in `held`; one that does not take everything is held from then on.
        """
        by_partition: dict[Place, list[Row]] = defaultdict(list)
        try:
            for row in rows:
                topic = self._prefix + row["topic"]
                by_partition[topic, await self._partition(topic, str(row["key"]).encode())].append(row)
        except KafkaError as error:
            log.warning("relay of lane %s waits for Kafka: %s", self._lane.name, type(error).__name__)
            await asyncio.sleep(SWEEP_S)
            return []
        free = {place: queue for place, queue in by_partition.items() if place not in held}
        sent = await asyncio.gather(*(self._send(place, queue) for place, queue in free.items()))
        held.update(place for (place, queue), ids in zip(free.items(), sent, strict=True) if len(ids) < len(queue))
        return [id_ for ids in sent for id_ in ids]

    async def _partition(self, topic: str, key: bytes) -> int:
        # One metadata look-up answers for a topic as long as the client keeps it.
        partitions = sorted(await self._producer.partitions_for(topic))
        chosen: int = self._partition_of(key, partitions, partitions)
        return chosen

    async def _send(self, place: Place, queue: Sequence[Row]) -> list[int]:
        """One partition's rows. The first failed batch stops the partition, so that nothing overtakes it."""
        acked: list[int] = []
        waiting = list(queue)
        while waiting:
            batch, taken = self._producer.create_batch(), 0
            for row in waiting:
                if batch.append(**_record(row)) is None:
                    break
                taken += 1
            if not taken:
                log.error("an event of type %s is larger than a batch", waiting[0]["type"])
                return acked
            batch.close()
            try:
                await (await self._producer.send_batch(batch, place[0], partition=place[1]))
            except (KafkaError, TimeoutError) as error:
                log.warning("relay could not publish to %s: %s", place[0], type(error).__name__)
                return acked
            acked += [row["id"] for row in waiting[:taken]]
            waiting = waiting[taken:]
        return acked


def _record(row: Row) -> dict[str, Any]:
    # A newer replica may have written what this one does not know: it is published as it stands.
    fact = FACTS.get(row["type"])
    case = row["key"] if fact is not None and fact.KEYED_BY_CASE else None
    work = telemetry.send_work(row["topic"], case=case, traceparent=row["traceparent"])
    work.end()
    envelope = Envelope(
        event_id=EventId(row["event_id"]),
        type=row["type"],
        source=source_of(TOPICS[row["topic"]]),
        time=row["created_at"],
        subject=row["key"],
        agency_id=AgencyId(row["agency_id"]),
        traceparent=work.traceparent,
    )
    return {
        "key": str(row["key"]).encode(),
        "value": row["payload"],
        "timestamp": None,
        "headers": to_headers(envelope),
    }


class _Awake:
    """Keeps a session from being dropped as idle while its owner waits for something else."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        # sql-in-loop: a background loop
        while True:
            await asyncio.sleep(IDLE_TIMEOUT_S / 4)
            await self._connection.execute("SELECT 1")

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
