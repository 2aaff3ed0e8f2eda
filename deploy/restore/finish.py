"""`peerline restore finish`: one transaction between the restored backup and the first service that starts on it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from aiokafka import AIOKafkaConsumer

from deploy.restore import store, window
from deploy.restore.window import Known, Place, Seen
from services.intake.actions import destroyed
from shared import audit, inbox
from shared.audit import Entry
from shared.db import Connection, Transaction
from shared.delivery import raw_of
from shared.errors import Refused, Unprocessable
from shared.events import TOPICS, from_headers
from shared.parking import Raw
from shared.types import CaseId
from shared.vault import Subject

READ_WITHIN_S = 600.0


@dataclass(frozen=True)
class Lost:
    """A request that was accepted in the lost time: whoever asked has to be told by somebody that it is gone."""

    agency: str
    case: str
    at: str
    emergency: bool


@dataclass(frozen=True)
class Endangered:
    """A case that there is, of which danger was told in the lost time: intake and its page know nothing of it."""

    agency: str
    case: str
    at: str


@dataclass(frozen=True)
class Report:
    """What was found, and done. Times are ISO 8601 in UTC: of the first and the last thing said in the lost time."""

    since: str | None
    until: str | None
    records: int
    laid_aside: Mapping[str, int]
    """Events that a service had not taken and now never will."""
    destroyed_again: int
    ended_again: int
    gone_back: tuple[str, ...]
    """Cases that stand again where they stood at the backup."""
    lost: tuple[Lost, ...]
    endangered: tuple[Endangered, ...]
    held_again: tuple[str, ...]
    """Cases that were withdrawn under a legal hold: over, and the hold stands on their keys again."""
    forgotten: tuple[str, ...]
    """Partitions of which Kafka has dropped something of the lost time: what was said there is in no list."""

    @property
    def calls(self) -> bool:
        """Whether somebody has to be called before a service starts."""
        return bool(self.lost or self.endangered or self.forgotten)

    def document(self) -> dict[str, object]:
        """The same for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Manner:
    """How it is done: with `dry` nothing is kept, with `forced` even where Kafka has dropped what was said."""

    dry: bool = False
    forced: bool = False


async def finished(
    connection: Connection, kafka: str, listed: Collection[Subject], manner: Manner, *, prefix: str = ""
) -> Report:
    """Lay the lost time aside and destroy again what had been destroyed; dry, only say what would be done.

    Raises `Refused`: `services-running` while a service is connected, at the beginning or at the end; `kafka-forgot`
    where Kafka has dropped something of the lost time and this is neither dry nor forced. And what the engines raise.
    """
    await _alone(connection)
    known = await store.known(connection)
    kept = await read(kafka, prefix, await store.taken(connection))
    forgotten = window.forgotten(kept.begins, known)
    if forgotten and not (manner.dry or manner.forced):
        raise Refused("kafka-forgot", 409)
    transaction = connection.transaction()
    await transaction.start()
    try:
        report = await _laid_aside(connection, window.lost(kept.records, known), known, listed)
        await _alone(connection)
    except BaseException:
        await transaction.rollback()
        raise
    await (transaction.rollback() if manner.dry else transaction.commit())
    return replace(report, forgotten=tuple(f"{topic}/{part}" for topic, part in forgotten))


async def _alone(connection: Connection) -> None:
    if await store.at_work(connection):
        raise Refused("services-running", 409)


async def _laid_aside(
    connection: Connection, records: Sequence[Seen], known: Known, listed: Collection[Subject]
) -> Report:
    over = {CaseId(case): agency for case, agency in window.ended(records, known).items()}
    begun = window.begun(records, known)
    agencies = {*over.values(), *(one.agency_id for one in listed), *(one.agency for one in begun.values())}
    await store.in_view(connection, agencies)
    tx = Transaction(connection, frozenset(agencies))
    again = await destroyed.replay(tx, listed)
    # A case whose key is on the list was not held at the end, whatever was said before.
    gone = {one.subject_id for one in listed}
    held = [case for case in window.held(records, known) if case not in gone]
    await store.hold(connection, held)
    ended = await destroyed.end(tx, over)
    ended |= {CaseId(one.subject_id) for one in again if one.kind == "case" and one.subject_id in known.cases}
    aside = window.laid_aside(records, known)
    # sql-in-loop: once for each of the four services
    claimed = {service: len(await store.claim(connection, service, events)) for service, events in aside.items()}
    await audit.record(tx, [Entry(one.agency, "request.lost", subject=case) for case, one in begun.items()])
    danger = window.in_danger(records)
    return Report(
        since=_time(records[0].at) if records else None,
        until=_time(records[-1].at) if records else None,
        records=len(records),
        laid_aside=claimed,
        destroyed_again=len(again),
        ended_again=len(ended),
        gone_back=tuple(sorted(str(case) for case in window.gone_back(records, known) - ended)),
        lost=tuple(
            Lost(str(one.agency), str(case), _time(one.at), emergency=case in danger) for case, one in begun.items()
        ),
        endangered=tuple(
            Endangered(str(one.agency), str(case), _time(one.at))
            for case, one in danger.items()
            if case in known.cases - ended
        ),
        held_again=tuple(sorted(map(str, held))),
        forgotten=(),
    )


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


@dataclass(frozen=True)
class Kept:
    """What Kafka still has: records, and where each partition begins that is not compacted."""

    records: Sequence[Seen]
    begins: Mapping[Place, int]


async def read(kafka: str, prefix: str, taken: Mapping[Place, int]) -> Kept:
    """Every record that some service of the restored database has yet to take. What cannot be decoded is left out."""
    topics = [prefix + topic for topic in TOPICS]
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=kafka, group_id=None, enable_auto_commit=False)
    await consumer.start()
    try:
        async with asyncio.timeout(READ_WITHIN_S):
            return await _read(consumer, prefix, taken)
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, prefix: str, taken: Mapping[Place, int]) -> Kept:
    places = list(consumer.assignment())
    ends, begins = await consumer.end_offsets(places), await consumer.beginning_offsets(places)
    for place in places:
        wanted = taken.get((place.topic.removeprefix(prefix), place.partition), 0)
        consumer.seek(place, min(max(wanted, begins[place]), ends[place]))
    found: list[Seen] = []
    while any([await consumer.position(place) < ends[place] for place in places]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            found += [seen for record in records if (seen := _seen(raw_of(record, prefix))) is not None]
    named = {(place.topic.removeprefix(prefix), place.partition): first for place, first in begins.items()}
    return Kept(found, {place: first for place, first in named.items() if not TOPICS[place[0]].compacted})


def _seen(raw: Raw) -> Seen | None:
    try:
        envelope = from_headers(raw.headers)
    except Unprocessable:
        # A consumer finds it where it lies, and keeps it as what cannot be decoded.
        return None
    return Seen(
        place=(raw.topic, raw.part),
        offset=raw.pos,
        event=envelope.event_id,
        agency=envelope.agency_id,
        subject=envelope.subject,
        type=envelope.type,
        at=envelope.time,
        digest=inbox.digest(envelope.type, raw.value),
    )
