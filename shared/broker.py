"""The bus: FastStream carries raw batches into delivery, one producer serves the relays, topics are declared here.

Every setting that matters is set in this one place: manual acknowledgement, `acks=all`, idempotence, `earliest`, no
auto-commit, offsets committed explicitly after the database. Source: Apache Kafka 4 documentation; aiokafka 0.14.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.kafka.subscriber.usecase import LogicSubscriber

from shared import faults, inbox
from shared.db import UNAVAILABLE, Database
from shared.delivery import Delivery, Reread, raw_of
from shared.errors import places_of
from shared.events import TOPICS
from shared.parking import Raw
from shared.settings import Settings
from shared.types import Lane

log = logging.getLogger(__name__)

PARTITIONS = 12
"""Of every topic, never changed: a change breaks the order per key. Growth is a new topic."""
BATCH = 500
WAIT_MS = 1000
"""How long a consumer waits for records before it looks whether it is to stop."""
COMMIT_EVERY_S = 1.0
AGAIN_AFTER_S = 1.0
BUSY = 10
COMPANY_S = 0.05
"""After a batch of `BUSY` records more are on their way: so long they gather, for one commit costs as much as another.

In quiet hours batches are smaller and nothing waits; on a crisis lane nothing ever does.
"""
REREAD_WITHIN_S = 10.0
WEEK_MS = 7 * 24 * 3600 * 1000
TOPIC_SETTINGS: Mapping[str, str] = {
    "cleanup.policy": "delete",
    "retention.ms": str(WEEK_MS),
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
}
COMPACTED_SETTINGS: Mapping[str, str] = {
    "cleanup.policy": "compact",
    "max.message.bytes": "1048588",
    "message.timestamp.type": "CreateTime",
    "min.compaction.lag.ms": "0",
    "delete.retention.ms": str(WEEK_MS),
}


def producer(settings: Settings) -> AIOKafkaProducer:
    """The one producer of a process; only relays use it."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=524_288,
        max_request_size=1_048_576,
        request_timeout_ms=15_000,
        client_id=f"peerline-relay-{settings.replica}",
    )


class WaitingConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Waits for records, in the place of being asked again and again whether there are any."""

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        """As the client's own, within `WAIT_MS` and not what FastStream says.

        It sleeps as long again after an empty answer: the shorter that time, the more often it asks, and what comes
        while it sleeps is not seen.
        """
        del timeout_ms
        return await super().getmany(*partitions, timeout_ms=WAIT_MS, max_records=max_records)


class _Bus(KafkaBroker):
    """FastStream's broker with consumers that wait."""

    async def _connect(self) -> Any:
        made: Any = await super()._connect()
        self.config.broker_config.builder = partial(WaitingConsumer, **made.keywords)
        return self.config.broker_config.builder


def broker(settings: Settings) -> KafkaBroker:
    """FastStream's shell. It logs nothing (it would log contents) and decodes nothing."""
    return _Bus(settings.kafka, logger=None, apply_types=False, client_id=f"peerline-{settings.replica}")


async def _as_it_came(message: tuple[ConsumerRecord, ...] | ConsumerRecord) -> KafkaMessage:
    # The stock parser raises on a header that is not UTF-8, before anybody could park the record.
    records = message if isinstance(message, tuple) else (message,)
    return KafkaMessage(
        body=[record.value or b"" for record in records],
        headers={},
        reply_to="",
        message_id="",
        raw_message=message,
        path={},
        consumer=FAKE_CONSUMER,
    )


async def _body(message: KafkaMessage) -> object:
    return message.body


class Group(ConsumerRebalanceListener):  # type: ignore[misc]
    """One consumer group of one service: its subscriber, where it starts, and the commit of its offsets."""

    def __init__(
        self, bus: KafkaBroker, db: Database, delivery: Delivery, settings: Settings, *, company_s: float = COMPANY_S
    ) -> None:
        """`subscribe` comes next; nothing runs before the broker starts."""
        self._bus, self._db, self._delivery, self._settings = bus, db, delivery, settings
        self._company_s = company_s
        self._done: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._assigned = asyncio.Event()
        self._progress = asyncio.Event()
        self._gathers = False
        self._held: set[TopicPartition] = set()
        self._leaving: asyncio.Task[None] | None = None
        self.subscriber: LogicSubscriber[Any] | None = None

    def subscribe(self, name: str, topics: Sequence[str]) -> None:
        """Declare the group `name` over logical topics."""
        prefix = self._settings.topic_prefix
        self._gathers = all(TOPICS[topic].lane is not Lane.CRISIS for topic in topics)

        async def consume(body: object) -> None:
            del body
            message = self._bus.context.get_local("message")
            await self._consume(message.raw_message)

        self.subscriber = self._bus.subscriber(
            *(prefix + topic for topic in topics),
            batch=True,
            group_id=f"{prefix}{name}",
            group_instance_id=f"{prefix}{name}.{self._settings.replica}",
            max_records=BATCH,
            batch_timeout_ms=10,
            auto_offset_reset="earliest",
            session_timeout_ms=self._settings.session_timeout_ms,
            ack_policy=AckPolicy.MANUAL,
            parser=_as_it_came,
            decoder=_body,
            listener=self,
        )
        self.subscriber(consume)

    async def _consume(self, records: Sequence[Any]) -> None:
        """Bring one batch to its effect. Never raises: FastStream would go on with the next batch and skip this one."""
        if self._delivery.stopped:
            return
        busy = self._gathers and BUSY <= len(records) < BATCH
        if busy:
            self._hold()
        raws = [raw_of(record, self._settings.topic_prefix) for record in records]
        while True:
            try:
                positions = await self._delivery.take(raws)
            except Exception as error:
                log.error("a batch could not be taken: %s at %s", type(error).__name__, places_of(error))
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                break
        for (topic, part), offset in positions.items():
            self._done[TopicPartition(self._settings.topic_prefix + topic, part)] = offset
        self._progress.set()
        if self._delivery.stopped:
            await self._leave()
        elif busy:
            await asyncio.sleep(self._company_s)
            self._let_go()

    async def _leave(self) -> None:
        """Commit what was done and stop: when the session is over a replica that can take these records goes on."""
        await self.commit()
        if self.subscriber is not None:
            # It waits for the batch in hand, which is this one.
            self._leaving = asyncio.create_task(self.subscriber.stop())

    def _hold(self) -> None:
        """Fetch nothing for now: the client would come back with the first record, and then fetch nothing either."""
        if (consumer := self._consumer) is not None:
            self._held = set(consumer.assignment())
            consumer.pause(*self._held)

    def _let_go(self) -> None:
        """Fetch again, all that has gathered at once."""
        if (consumer := self._consumer) is not None:
            consumer.resume(*(self._held & consumer.assignment()))
        self._held = set()

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self.subscriber.consumer if self.subscriber is not None else None

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Commit what was done of these partitions, and forget them."""
        # Whoever is assigned them next looks up first where to start.
        self._held -= revoked
        await self.commit()
        for place in revoked:
            self._done.pop(place, None)
            self._committed.pop(place, None)
            self._ends.pop(place, None)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Start at the lower of stored and committed offset: that is how a restored database finds its place."""
        consumer = self._consumer
        if not assigned or consumer is None:
            self._assigned.set()
            return
        # The client fetches from the committed offset while it is still looked up where to start: later events of a
        # case would take effect before earlier ones.
        consumer.pause(*assigned)
        for place, start in (await self._starts(consumer, assigned)).items():
            consumer.seek(place, start)
            self._done[place] = start
        consumer.resume(*assigned)
        self._assigned.set()

    async def _starts(self, consumer: AIOKafkaConsumer, assigned: set[TopicPartition]) -> dict[TopicPartition, int]:
        prefix = self._settings.topic_prefix
        stored = await self._stored()
        # An error would be swallowed by the client, and the partitions stay paused.
        while True:
            try:
                ends = await consumer.end_offsets(list(assigned))
                begins = await consumer.beginning_offsets(list(assigned))
                committed = {place: await consumer.committed(place) or 0 for place in assigned}
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("offsets cannot be looked up yet: %s", type(error).__name__)
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                break
        self._ends.update(ends)
        lower = {p: min(stored.get((p.topic.removeprefix(prefix), p.partition), 0), committed[p]) for p in assigned}
        return {place: min(max(lower[place], begins[place]), ends[place]) for place in assigned}

    async def _stored(self) -> dict[tuple[str, int], int]:
        # sql-in-loop: waits for the database to come back
        while True:
            try:
                async with self._db.loop() as connection:
                    return await inbox.load_positions(connection)
            except UNAVAILABLE:
                await asyncio.sleep(AGAIN_AFTER_S)

    async def caught_up(self) -> None:
        """Return when everything that was there at the assignment has taken effect."""
        await self._assigned.wait()
        while any(self._done.get(place, 0) < end for place, end in self._ends.items()):
            self._progress.clear()
            await self._progress.wait()

    def committed(self) -> dict[tuple[str, int], int]:
        """What this process has committed, by logical topic and partition; of the partitions that it has."""
        own = self._consumer.assignment() if self._consumer is not None else frozenset()
        return {self._logical(place): at for place, at in self._committed.items() if place in own}

    async def bounds(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Where all partitions of its topics begin and end now; empty once it has left. Raises `KafkaError`."""
        consumer = self._consumer
        if consumer is None:
            return {}
        # Not those that it has: a group that has lost its partitions would look as if nothing were to be read.
        every = _partitions(consumer)
        begins, ends = await consumer.beginning_offsets(every), await consumer.end_offsets(every)
        return {self._logical(place): (begins[place], ends[place]) for place in every}

    def _logical(self, place: TopicPartition) -> tuple[str, int]:
        return place.topic.removeprefix(self._settings.topic_prefix), place.partition

    async def commit(self) -> None:
        """Commit the offsets of what has taken effect. A lost commit costs a replay, which the inbox absorbs."""
        consumer = self._consumer
        if consumer is None:
            return
        # A partition that was given away while its batch ran is another replica's to commit, and the client refuses the
        # whole of a commit that names it.
        own = consumer.assignment()
        due = {place: at for place, at in self._done.items() if place in own and self._committed.get(place) != at}
        if not due:
            return
        faults.reached("before-offset", *{place.topic.removeprefix(self._settings.topic_prefix) for place in due})
        try:
            await consumer.commit(due)
        except KafkaError as error:
            log.warning("offsets not committed: %s", type(error).__name__)
        else:
            self._committed.update(due)

    async def keep_committing(self) -> None:
        """Commit once a second, for ever."""
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            await self.commit()


def _partitions(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    found = []
    for topic in sorted(consumer.subscription()):
        parts = consumer.partitions_for_topic(topic)
        if not parts:
            raise UnknownTopicOrPartitionError(topic)
        found += [TopicPartition(topic, part) for part in sorted(parts)]
    return found


def reread(settings: Settings) -> Reread:
    """Finds a record on the bus again by its place, for what was parked without its content."""

    async def again(raw: Raw) -> Raw | None:
        place = TopicPartition(settings.topic_prefix + raw.topic, raw.part)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka, enable_auto_commit=False, auto_offset_reset="none"
        )
        try:
            await consumer.start()
            consumer.assign([place])
            begins, ends = await consumer.beginning_offsets([place]), await consumer.end_offsets([place])
            if not begins[place] <= raw.pos < ends[place]:
                return None
            consumer.seek(place, raw.pos)
            async with asyncio.timeout(REREAD_WITHIN_S):
                record = await consumer.getone()
        finally:
            await consumer.stop()
        # A compacted topic answers with the next one that is left.
        return raw_of(record, settings.topic_prefix) if record.offset == raw.pos else None

    return again


async def declare_topics(kafka: str, *, prefix: str = "", partitions: int = PARTITIONS, replication: int = 1) -> None:
    """Create the region's topics with explicit settings; those that exist are left as they are."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        wanted = [
            NewTopic(
                prefix + topic.name,
                partitions,
                replication,
                topic_configs=dict(COMPACTED_SETTINGS if topic.compacted else TOPIC_SETTINGS),
            )
            for topic in TOPICS.values()
        ]
        answer = await admin.create_topics(wanted)
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                message = f"topic {name} could not be created"
                raise error(message)
    finally:
        await admin.close()
