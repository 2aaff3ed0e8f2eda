"""Kafka records become one transaction: claim, act, emit, commit, and only then the offset.

A batch is one transaction with the agencies of its records in view, and those that a consumer names beside. When it
fails it is run again record by record: the bad one is parked alone and its neighbours go on. "Not now" (database gone,
contention) is retried here and never parks anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiokafka import ConsumerRecord

from shared import clock, faults, inbox, parking, telemetry
from shared.db import AGAIN, UNAVAILABLE, Database, Transaction
from shared.errors import UnknownEvent, Unprocessable, places_of
from shared.events import TOPICS, Envelope, Fact, decode, from_headers, source_of
from shared.parking import Parked, Raw, Ticket
from shared.types import AgencyId, CaseId, EventId

log = logging.getLogger(__name__)

CONTENDED_TRIES = 5
LONGEST_PAUSE_S = 5.0
RETRY_EVERY_S = 0.5
SWEEP_EVERY_S = 3600.0

Positions = Mapping[tuple[str, int], int]


@dataclass(frozen=True)
class Received:
    """An event that takes effect now, for the first time."""

    envelope: Envelope
    fact: Fact
    topic: str

    @property
    def case_id(self) -> CaseId:
        """The record's key, for topics whose key is the case."""
        return CaseId(self.envelope.subject)

    @property
    def place(self) -> tuple[CaseId, AgencyId]:
        """The case together with the agency that it is said to be of."""
        return self.case_id, self.envelope.agency_id


Absorb = Callable[[Transaction, Sequence[Received]], Awaitable[None]]
"""A service's handler: all effects of these events, in this order, inside the given transaction.

It raises `Unprocessable` for an event that a pure function refuses; the batch is then run record by record.
"""


@dataclass(frozen=True)
class _Arrival:
    raw: Raw
    received: Received
    digest: bytes

    @property
    def place(self) -> tuple[str, bytes]:
        return self.raw.topic, self.raw.key


class Delivery:
    """Takes the records of one consumer group of one service."""

    def __init__(
        self,
        db: Database,
        absorb: Absorb,
        *,
        group: str,
        topics: Sequence[str],
        fingerprint_key: bytes,
        beside: Collection[AgencyId] = (),
    ) -> None:
        """`group` names the consumer group in spans; `fingerprint_key` hashes what cannot be decoded.

        The agencies in `beside` are in view with those of the records.
        """
        self._beside = frozenset(beside)
        self._db, self._absorb, self._group, self._topics = db, absorb, group, topics
        self._fingerprint_key = fingerprint_key

    async def take(self, raws: Sequence[Raw]) -> Positions:
        """Bring records to their effect, or park them; returns the next offset of each (topic, partition)."""
        faults.reached("after-consume", *{raw.topic for raw in raws})
        raws = [parking.bounded(raw) for raw in raws]
        positions: dict[tuple[str, int], int] = {}
        for raw in raws:
            positions[raw.topic, raw.part] = raw.pos + 1
        try:
            await self._persistently(raws, positions)
        except Exception as error:
            log.warning("a batch of %d records failed with %s; each is run alone", len(raws), type(error).__name__)
            # sql-in-loop: record by record, after the batch has failed
            for raw in raws:
                await self._alone(raw)
        return positions

    async def _alone(self, raw: Raw) -> None:
        positions = {(raw.topic, raw.part): raw.pos + 1}
        try:
            await self._persistently([raw], positions)
        except Exception as error:
            log.error("a record of %s is parked: %s at %s", raw.topic, type(error).__name__, places_of(error))
            await self._persistently([raw], positions, park_as=type(error).__name__)

    async def _persistently(self, raws: Sequence[Raw], positions: Positions, *, park_as: str = "") -> None:
        """Run the transaction until the database takes it. What it raises is about the records, not the moment."""
        pause, contended = 0.05, 0
        # sql-in-loop: the same batch again until the database takes it
        while True:
            try:
                await self._once(raws, positions, park_as)
            except AGAIN:
                contended += 1
                if contended == CONTENDED_TRIES and len(raws) > 1:
                    raise
                await asyncio.sleep(pause)
            except UNAVAILABLE as error:
                log.warning("%s waits for the database: %s", self._group, type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                return

    async def _once(self, raws: Sequence[Raw], positions: Positions, park_as: str) -> None:
        sorted_out = [_sorted_out(raw, park_as) for raw in raws]
        async with self._db.transaction(self._beside | _agencies(sorted_out)) as tx:
            behind = await parking.held(tx, list({(raw.topic, raw.key) for raw in raws}))
            passing, parked = _apart(sorted_out, behind)
            parked += await self._apply(tx, passing)
            await parking.park(tx, parked, self._fingerprint_key)
            await inbox.save_positions(tx, positions)
        faults.reached("after-commit", *{raw.topic for raw in raws})

    async def _apply(self, tx: Transaction, arrivals: Sequence[_Arrival]) -> list[Ticket]:
        """Claim, drop what was seen or is buried, and absorb the rest. Returns tickets for forged repeats."""
        # The first of an id counts: another content under it in the same batch is as forged as in a later one.
        claims = {a.received.envelope.event_id: a.digest for a in reversed(arrivals)}
        claimed = await inbox.claim(tx, claims, {a.received.place for a in arrivals})
        due: dict[EventId, Received] = {}
        for arrival in arrivals:
            received = arrival.received
            stopped = received.place in claimed.buried and not received.fact.STOP
            if received.envelope.event_id in claimed.fresh and not stopped:
                due.setdefault(received.envelope.event_id, received)
        await self._absorb_traced(tx, list(due.values()))
        return [
            _ticket(a, "Forged", dead=True)
            for a in arrivals
            if (event := a.received.envelope.event_id) in claimed.forged or a.digest != claims[event]
        ]

    async def _absorb_traced(self, tx: Transaction, received: Sequence[Received]) -> None:
        if not received:
            return
        works = {}
        for one in received:
            if one.case_id not in works:
                case = one.case_id if one.fact.KEYED_BY_CASE else None
                works[one.case_id] = telemetry.process_work(
                    one.topic, self._group, case=case, traceparent=one.envelope.traceparent
                )
        tx.traces.update({case: work.traceparent for case, work in works.items()})
        error = None
        try:
            await self._absorb(tx, received)
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            for work in works.values():
                work.end(error=error)

    async def retry_parked(self) -> None:
        """Try the parked records of this group's topics again when their time has come, for ever."""
        # sql-in-loop: a background loop
        while True:
            try:
                async with self._db.loop() as connection:
                    claimed = await parking.claim(connection, self._topics)
                # sql-in-loop: each parked record fails or passes alone
                for parked in claimed:
                    await self._retry(parked)
            except UNAVAILABLE as error:
                log.warning("parked records wait for the database: %s", type(error).__name__)
                claimed = []
            if not claimed:
                await asyncio.sleep(RETRY_EVERY_S)

    async def _retry(self, parked: Parked) -> None:
        try:
            await self._apply_parked(parked)
        except UNAVAILABLE:
            raise
        except AGAIN:
            return
        except Exception as error:
            unknown = isinstance(error, UnknownEvent)
            dead = parked.unknown_too_long if unknown else parked.attempts >= len(parking.PAUSES_S)
            log.error("parked, of %s: %s at %s", parked.raw.topic, type(error).__name__, places_of(error))
            async with self._db.loop() as connection:
                await parking.put_back(connection, parked, type(error).__name__, dead=dead)

    async def _apply_parked(self, parked: Parked) -> None:
        arrival = _understood(parked.raw)
        # What is in view decides what a handler finds: a record that had to wait sees no less than any other.
        async with self._db.transaction(self._beside | _agencies([arrival])) as tx:
            if await self._apply(tx, [arrival]):
                raise inbox.Forged
            await parking.resolve(tx, parked.seq)

    async def sweep(self) -> None:
        """Forget old claims and tombstones, for ever, by the real clock."""
        # sql-in-loop: a background loop
        while True:
            try:
                async with self._db.loop() as connection:
                    await inbox.sweep(connection)
            except UNAVAILABLE as error:
                log.warning("the inbox sweep waits for the database: %s", type(error).__name__)
            await asyncio.sleep(SWEEP_EVERY_S)


def _agencies(sorted_out: Sequence[_Arrival | Ticket]) -> set[AgencyId]:
    """Whose rows a batch touches: of what takes effect, and of what is parked and could be read that far."""
    named = (one.agency_id if isinstance(one, Ticket) else one.received.envelope.agency_id for one in sorted_out)
    return {agency for agency in named if agency is not None}


def _apart(
    sorted_out: Sequence[_Arrival | Ticket], behind: set[tuple[str, bytes]]
) -> tuple[list[_Arrival], list[Ticket]]:
    """What takes effect now, and what is parked: also whatever follows a parked record of its topic and key."""
    passing: list[_Arrival] = []
    parked: list[Ticket] = []
    for one in sorted_out:
        place = one.raw.topic, one.raw.key
        if isinstance(one, Ticket):
            parked.append(one)
            behind.add(place)
        elif place in behind and not one.received.fact.STOP:
            parked.append(_ticket(one, "Behind"))
        else:
            passing.append(one)
    return passing, parked


def _sorted_out(raw: Raw, park_as: str) -> _Arrival | Ticket:
    """The event in a record, or a ticket saying why it is parked; `park_as` parks what has just failed."""
    try:
        arrival = _understood(raw)
    except UnknownEvent:
        envelope = from_headers(raw.headers)
        return Ticket(raw, "UnknownEvent", envelope.event_id, envelope.agency_id)
    except Unprocessable as error:
        log.error("a record of %s cannot be processed: %s", raw.topic, error)
        return Ticket(raw, "Unprocessable", dead=True, keep=False)
    return _ticket(arrival, park_as) if park_as else arrival


def _understood(raw: Raw) -> _Arrival:
    topic = TOPICS[raw.topic]
    envelope = from_headers(raw.headers)
    if envelope.source != source_of(topic) or not envelope.type.startswith(f"{topic.writer}."):
        raise Unprocessable("header ce_source")
    if raw.key != str(envelope.subject).encode():
        raise Unprocessable("record key")
    # Compacted topics carry full state with a revision: any age is good there.
    if not topic.compacted and envelope.time < clock.now() - timedelta(days=inbox.KEPT_DAYS):
        raise Unprocessable("header ce_time")
    fact = decode(envelope.type, raw.value)
    if fact.TOPIC.name != raw.topic:
        raise Unprocessable("header ce_type")
    return _Arrival(raw, Received(envelope, fact, raw.topic), inbox.digest(envelope.type, raw.value))


def _ticket(arrival: _Arrival, error_class: str, *, dead: bool = False) -> Ticket:
    envelope = arrival.received.envelope
    return Ticket(arrival.raw, error_class, envelope.event_id, envelope.agency_id, dead=dead)


def raw_of(record: ConsumerRecord, prefix: str) -> Raw:
    """A Kafka consumer record as delivery takes it; `prefix` stands before the logical topic name."""
    return Raw(
        topic=record.topic.removeprefix(prefix),
        part=record.partition,
        pos=record.offset,
        key=record.key or b"",
        headers=tuple(record.headers),
        value=record.value or b"",
    )
