"""What a test writes to intake's outbox, and what its topic holds then."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared import anchors, clock, outbox
from shared.db import Database
from shared.delivery import raw_of
from shared.events import decode, from_headers
from shared.events.envelope import INTAKE
from shared.parking import Raw
from shared.types import AgencyId
from tests.harness.databases import Sql
from tests.harness.probe import number_of, numbered
from tests.harness.topics import Topics

SERVICE = "intake"
AGENCY = AgencyId(clock.random_id())


@dataclass
class Log:
    """What the topic holds: per key the numbers in their order, repeats of an event id left out."""

    numbers: dict[UUID, list[int | None]] = field(default_factory=lambda: defaultdict(list))
    ids: set[UUID] = field(default_factory=set)
    raws: list[Raw] = field(default_factory=list)

    @property
    def records(self) -> int:
        return len(self.raws)

    def late_copies(self) -> int:
        """Records that stand behind a newer event of their own key."""
        newest: dict[bytes, int] = {}
        late = 0
        for raw in self.raws:
            number = number_of(decode(from_headers(raw.headers).type, raw.value)) or 0
            late += number < newest.get(raw.key, 0)
            newest[raw.key] = max(number, newest.get(raw.key, 0))
        return late


async def read(topics: Topics, events: int) -> Log:
    """Read the topic until `events` different events were seen, and whatever repeats are there."""
    places = [TopicPartition(topics.named(INTAKE.name), part) for part in range(topics.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=topics.kafka, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    consumer.assign(places)
    # Emptied topics of the pool begin where their last records ended.
    await consumer.seek_to_beginning(*places)
    log = Log()
    async with asyncio.timeout(60):
        while len(log.ids) < events or any([await consumer.position(p) < e for p, e in (await ends(consumer)).items()]):
            for records in (await consumer.getmany(timeout_ms=500, max_records=5000)).values():
                for record in records:
                    keep(log, raw_of(record, topics.prefix))
    await consumer.stop()
    return log


async def ends(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    found: dict[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
    return found


def keep(log: Log, raw: Raw) -> None:
    """Note a record."""
    envelope = from_headers(raw.headers)
    log.raws.append(raw)
    if envelope.event_id not in log.ids:
        log.ids.add(envelope.event_id)
        log.numbers[envelope.subject].append(number_of(decode(envelope.type, raw.value)))


async def write(db: Database, cases: Sequence[UUID], upto: int, *, first: int = 0, batch: int = 500) -> None:
    """Events with the numbers from `first` for every case, in transactions that lock these cases."""
    for start in range(0, len(cases), batch // 10):
        some = cases[start : start + batch // 10]
        for ten in range(first, upto, 10):
            async with db.transaction({AGENCY}) as tx:
                await anchors.lock(tx, dict.fromkeys(some, AGENCY))  # type: ignore[arg-type]
                numbers = range(ten, min(ten + 10, upto))
                await outbox.emit(tx, [outbox.Draft(AGENCY, case, numbered(n)) for n in numbers for case in some])


async def left(sql: Sql) -> int:
    return int(await sql.fetchval("SELECT count(*) FROM intake.outbox"))


async def published(sql: Sql, events: int) -> bool:
    # Identity values count what was written; what is no longer in the table has gone out.
    written = await sql.fetchval(
        "SELECT coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'intake'"
        " AND sequencename = 'outbox_id_seq'"
    )
    return (written or 0) - await left(sql) >= events


async def drained(sql: Sql) -> bool:
    return await left(sql) == 0
