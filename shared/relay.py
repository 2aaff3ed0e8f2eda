"""Only the relay publishes: it carries the outbox to Kafka in commit order per key, and deletes after the ack.

One session advisory lock per lane and shard, so that any number of replicas may run and each key has one publisher;
a frozen holder loses its session, and with it the locks, after ten seconds. What a thawed holder still sends, perhaps
after newer events of the same key, its heir has sent before them: every publisher sends a key's rows in order and from
the first that is left, so the first of each event's copies stand in order, and the inbox drops the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from shared import faults, telemetry
from shared.db import UNAVAILABLE, Login, Row, Signals, connect, outbox_wake
from shared.events import FACTS, TOPICS, Envelope, source_of, to_headers
from shared.publisher import Publisher
from shared.types import AgencyId, EventId, Lane

log = logging.getLogger(__name__)

SHARDS = 16
BATCH = 1000
PAGES = 20
"""Batches that a round looks through for what is not stuck: where Kafka takes nothing at all, the rest can wait."""
SWEEP_S = 0.5
IDLE_TIMEOUT_S = 10.0
LOCK_EVERY_S = 2.0
PATIENCE_S = 5.0
"""So long a round waits for acknowledgements; a batch without one stays in flight, and its partition waits for it."""
GIVE_UP_S = 15.0
"""When Kafka has taken nothing from here for so long, the locks are given up: another replica may reach it."""
ASIDE_S = 5.0
Place = tuple[str, int]
"""A topic and one of its partitions."""
_LOCK_SPACE = 0x70656572
"""The first half of the advisory lock's key; the second is schema, lane and shard."""

_NEXT = """
SELECT id, event_id, agency_id, topic, key, type, traceparent, payload, created_at,
       (SELECT max(id) FROM outbox) AS newest
  FROM outbox WHERE lane = $1 AND shard = ANY ($2::smallint[]) AND id > $4 AND id <= $5 ORDER BY id LIMIT $3
"""
_ANY = 2**63 - 1
_GONE = """
WITH gone AS (DELETE FROM outbox WHERE id = ANY ($1::bigint[]))
INSERT INTO published(topic, part, next_offset)
SELECT t, p, o FROM unnest($2::text[], $3::int[], $4::bigint[]) u(t, p, o) ORDER BY t, p
ON CONFLICT (topic, part) DO UPDATE SET next_offset = greatest(published.next_offset, excluded.next_offset)
"""
"""One statement: a database that is restored says of every record whether it had been published by then."""
_LOCK = """
SELECT shard FROM unnest($3::int[]) shard
 WHERE pg_try_advisory_lock($1, hashtext($2 || ':' || current_schema() || ':' || shard))
"""


class _TakesNothing(Exception):
    """Kafka takes nothing from this process."""


@dataclass(frozen=True)
class _InFlight:
    """A batch that a round had no patience for: of which producer, its answer to come, and its rows."""

    generation: int
    sent: asyncio.Future[Any]
    ids: list[int]


class Relay:
    """Publishes one lane of one service's outbox."""

    def __init__(self, login: Login, lane: Lane, publisher: Publisher, signals: Signals, *, prefix: str) -> None:
        """`prefix` stands before topic names."""
        self._login, self._lane, self._publisher, self._signals, self._prefix = login, lane, publisher, signals, prefix
        self._partition_of = DefaultPartitioner()
        self._shards: set[int] = set()
        self._ends: dict[Place, int] = {}
        self._locked_at = float("-inf")
        self._moved_at = 0.0
        self._in_flight: dict[Place, _InFlight] = {}
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
            except _TakesNothing:
                log.error("relay of lane %s steps aside: Kafka takes nothing from here", self._lane.name)
                self._shards.clear()
                if await self._publisher.renew():
                    self._in_flight.clear()
                await asyncio.sleep(ASIDE_S)

    async def _hold(self) -> None:
        connection = await connect(self._login, idle_timeout_s=IDLE_TIMEOUT_S)
        self._shards.clear()
        self._locked_at = float("-inf")
        loop = asyncio.get_running_loop()
        self._moved_at = loop.time()
        try:
            # sql-in-loop: a background loop
            while True:
                busy = await self.once(connection)
                if not self.stuck:
                    self._moved_at = loop.time()
                elif loop.time() - self._moved_at > GIVE_UP_S:
                    if not await self._publisher.reachable():
                        raise _TakesNothing
                    # Kafka is there, and some partition is not: what the others need goes on from here meanwhile.
                    self._publisher.renew_soon()
                    self._moved_at = loop.time()
                if not busy:
                    await self._signals.wait(outbox_wake(self._lane), SWEEP_S)
        finally:
            connection.terminate()

    async def once(self, connection: asyncpg.Connection[Any]) -> bool:
        """Take the locks that are free and publish one round; False when there is nothing to do. Raises its errors.

        The locks belong to the session of `connection`, which is the relay's own.
        """
        await self._take_locks(connection)
        return await self._round(connection)

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
            await self._look_whether_stuck()
            return False
        await self._delete(connection, self._settled())
        last, newest, held = 0, _ANY, set(self._in_flight)
        # sql-in-loop: batch by batch, while a stuck partition fills them
        for _ in range(PAGES):
            rows = await connection.fetch(_NEXT, self._lane.value, sorted(self._shards), BATCH, last, newest)
            if not rows:
                break
            # What is younger than the first page may follow, in its case, what was not committed yet and is passed by.
            newest = min(newest, rows[0]["newest"])
            acked = await self._published(connection, rows, held)
            self.stuck = bool(held) or len(acked) < len(rows)
            if len(rows) < BATCH or not (acked or held):
                break
            if not self.stuck:
                return True
            last = rows[-1]["id"]
        if not last and not rows:
            await self._look_whether_stuck()
        return False

    async def _look_whether_stuck(self) -> None:
        """With nothing to send, what was stuck shows only by asking Kafka."""
        self.stuck = self.stuck and not await self._publisher.reachable()

    def _settled(self) -> list[int]:
        """The rows of batches that a round had no patience for and that were acknowledged since."""
        acked: list[int] = []
        for place, one in list(self._in_flight.items()):
            if one.sent.done():
                del self._in_flight[place]
                taken = not one.sent.cancelled() and one.sent.exception() is None
                acked += one.ids if taken and self._placed(place, one.sent.result().offset, len(one.ids)) else []
            elif one.generation != self._publisher.generation:
                # A producer that was retired may never say what became of it: it is sent again.
                del self._in_flight[place]
        return acked

    def _placed(self, place: Place, offset: int, count: int) -> bool:
        """Note where so many acknowledged records end that begin there; False where Kafka has lost their place.

        Published once more they have one again.
        """
        if offset < 0:
            return False
        self._ends[place] = offset + count
        return True

    async def _delete(self, connection: asyncpg.Connection[Any], acked: Sequence[int]) -> None:
        if acked:
            self._moved_at = asyncio.get_running_loop().time()
            ends, self._ends = self._ends, {}
            topics = [topic.removeprefix(self._prefix) for topic, _ in ends]
            await connection.execute(_GONE, acked, topics, [part for _, part in ends], list(ends.values()))

    async def _published(
        self, connection: asyncpg.Connection[Any], rows: Sequence[Row], held: set[Place]
    ) -> Sequence[int]:
        named = {row["topic"] for row in rows}
        faults.reached("before-publish", *named)
        self._ends.clear()
        # Kafka may take longer than the server keeps a silent session: the session stays awake beside it.
        async with _Awake(connection):
            acked = await self._publish(rows, held)
        faults.reached("after-publish", *named)
        await self._delete(connection, acked)
        return acked

    async def _publish(self, rows: Sequence[Row], held: set[Place]) -> list[int]:
        """Send every partition's rows in order, one batch in flight per partition; returns the ids that were acked.

        Nothing is sent to the partitions in `held`; one that does not take everything is held from then on.
        """
        by_partition: dict[Place, list[Row]] = defaultdict(list)
        try:
            async with asyncio.timeout(PATIENCE_S):
                for row in rows:
                    topic = self._prefix + row["topic"]
                    by_partition[topic, await self._partition(topic, str(row["key"]).encode())].append(row)
        except (KafkaError, TimeoutError) as error:
            log.warning("relay of lane %s waits for Kafka: %s", self._lane.name, type(error).__name__)
            await asyncio.sleep(SWEEP_S)
            return []
        acked: dict[Place, list[int]] = {place: [] for place in by_partition if place not in held}
        await self._send_all({place: by_partition[place] for place in acked}, acked)
        held.update(place for place, ids in acked.items() if len(ids) < len(by_partition[place]))
        return [id_ for ids in acked.values() for id_ in ids]

    async def _send_all(self, queues: dict[Place, list[Row]], acked: dict[Place, list[int]]) -> None:
        """Send for as long as patience lasts; a batch that is not acknowledged then stays in flight."""
        sending = [asyncio.create_task(self._send(place, queue, acked[place])) for place, queue in queues.items()]
        if not sending:
            return
        try:
            done, _ = await asyncio.wait(sending, timeout=PATIENCE_S)
            for task in done:
                task.result()
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def _partition(self, topic: str, key: bytes) -> int:
        # One metadata look-up answers for a topic as long as the client keeps it.
        partitions = sorted(await self._publisher.partitions_for(topic))
        chosen: int = self._partition_of(key, partitions, partitions)
        return chosen

    async def _send(self, place: Place, queue: Sequence[Row], acked: list[int]) -> None:
        """One partition's rows. The first failed batch stops the partition, so that nothing overtakes it."""
        waiting = list(queue)
        while waiting:
            batch, taken = self._publisher.create_batch(), 0
            for row in waiting:
                if batch.append(**_record(row)) is None:
                    break
                taken += 1
            if not taken:
                log.error("an event of type %s is larger than a batch", waiting[0]["type"])
                return
            batch.close()
            ids = [row["id"] for row in waiting[:taken]]
            # Of before: the producer may be replaced while it takes the batch.
            generation = self._publisher.generation
            try:
                sent = await self._publisher.send_batch(batch, place[0], partition=place[1])
                self._in_flight[place] = _InFlight(generation, sent, ids)
                # Whoever loses patience leaves it in flight.
                told = await asyncio.shield(sent)
            except (KafkaError, TimeoutError) as error:
                log.warning("relay could not publish to %s: %s", place[0], type(error).__name__)
                self._in_flight.pop(place, None)
                return
            self._in_flight.pop(place, None)
            if not self._placed(place, told.offset, taken):
                return
            acked += ids
            waiting = waiting[taken:]


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
