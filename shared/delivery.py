"""Kafka records become one transaction: claim, act, emit, commit, and only then the offset.

A batch is one transaction with the agencies of its records in view, and those that a consumer names beside. When it
fails it is run again record by record: the bad one is parked alone and its neighbours go on. "Not now" (database gone,
contention) is retried here and never parks anything. Where too many are parked, nothing more is taken (`shared.brake`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace

from aiokafka.errors import KafkaError

from shared import brake, faults, inbox, parking, records, telemetry
from shared.brake import Limits, Outcome, Tally
from shared.db import AGAIN, UNAVAILABLE, Database, Transaction
from shared.errors import UnknownEvent, Unprocessable, places_of
from shared.parking import Parked, Raw, Ticket
from shared.records import Arrival, Received, raw_of
from shared.types import AgencyId, EventId

__all__ = ["Absorb", "Delivery", "Gone", "Positions", "Received", "Reread", "raw_of"]

log = logging.getLogger(__name__)

CONTENDED_TRIES = 5
LONGEST_PAUSE_S = 5.0
RETRY_EVERY_S = 0.5
SWEEP_EVERY_S = 3600.0

Positions = Mapping[tuple[str, int], int]

Absorb = Callable[[Transaction, Sequence[Received]], Awaitable[None]]
"""A service's handler: all effects of these events, in this order, inside the given transaction.

It raises `Unprocessable` for an event that a pure function refuses; the batch is then run record by record.
"""


Reread = Callable[[Raw], Awaitable[Raw | None]]
"""What the bus still has at a record's place, None when it has forgotten it. Raises `KafkaError` when it is away."""


class Gone(Unprocessable):
    """A record was not kept, and the bus does not have it any more."""


class _NotNow(Exception):
    """What was not kept cannot be read from the bus at this moment."""


class _OverLimit(Exception):
    """With the record at this index a limit is passed: it is not parked, nor is anything behind it looked at."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


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
        limits: Limits | None = None,
        halts: bool = True,
        reread: Reread | None = None,
    ) -> None:
        """`group` names the consumer group in spans; `fingerprint_key` hashes what cannot be decoded.

        The agencies in `beside` are in view with those of the records. Past `limits` nothing more is taken, or, where
        it never `halts`, that is only told. `reread` finds on the bus what was parked without its content.
        """
        self._beside = frozenset(beside)
        self._db, self._absorb, self._group, self._topics = db, absorb, group, topics
        self._fingerprint_key, self._reread = fingerprint_key, reread
        self._limits, self._halts, self._tally = limits, halts, Tally()
        self.stopped = False
        """True when so many records were parked that nothing more is taken, nor retried, until the process restarts."""

    @property
    def over_limit(self) -> bool:
        """Whether it has stopped, or goes on where it should stop if this were not a lane that never does."""
        return self.stopped or (self._limits is not None and brake.over(self._tally, self._limits))

    async def take(self, raws: Sequence[Raw]) -> Positions:
        """Bring records to their effect, or park them; returns the next offset of each (topic, partition).

        Nothing is told of the records that were left because a limit was passed: `stopped` is True then.
        """
        faults.reached("after-consume", *{raw.topic for raw in raws})
        raws = [parking.bounded(raw) for raw in raws]
        if self.stopped:
            return {}
        try:
            return _positions(await self._within_limits(raws))
        except Exception as error:
            log.warning("a batch of %d records failed with %s; each is run alone", len(raws), type(error).__name__)
        # sql-in-loop: record by record, after the batch has failed
        for index, raw in enumerate(raws):
            if not await self._alone(raw):
                return _positions(raws[:index])
        return _positions(raws)

    async def _alone(self, raw: Raw) -> bool:
        """False when it was left because of the limits."""
        try:
            return bool(await self._within_limits([raw]))
        except Exception as error:
            failed = type(error).__name__
            log.error("a record of %s fails: %s at %s", raw.topic, failed, places_of(error))
        return bool(await self._within_limits([raw], park_as=failed))

    async def _within_limits(self, raws: Sequence[Raw], *, park_as: str = "") -> Sequence[Raw]:
        """Take those before the one with which a limit is passed; returns them."""
        # sql-in-loop: once more without the rest, when a limit is passed
        while raws:
            try:
                await self._persistently(raws, park_as)
            except _OverLimit as over:
                self._stop(raws[over.index])
                raws = raws[: over.index]
            else:
                break
        return raws

    def _stop(self, raw: Raw) -> None:
        if not self.stopped:
            log.critical(
                "%s STOPS before %s/%d/%d: too many records are parked; mend the cause and restart this process",
                *(self._group, raw.topic, raw.part, raw.pos),
            )
        self.stopped = True

    async def _persistently(self, raws: Sequence[Raw], park_as: str) -> None:
        """Run the transaction until the database takes it. What it raises is about the records, not the moment."""
        sorted_out = [records.sorted_out(raw, park_as) for raw in raws]
        pause, contended = 0.05, 0
        # sql-in-loop: the same batch again until the database takes it
        while True:
            try:
                await self._once(sorted_out)
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

    async def _once(self, sorted_out: Sequence[Arrival | Ticket]) -> None:
        raws = [one.raw for one in sorted_out]
        async with self._db.transaction(self._beside | records.agencies(sorted_out)) as tx:
            behind = await parking.held(tx, list({(raw.topic, raw.key) for raw in raws}))
            passing, parked, outcomes = records.apart(sorted_out, behind)
            tally = self._weighed(outcomes)
            parked += await self._apply(tx, passing)
            await parking.park(tx, parked, self._fingerprint_key)
            await inbox.save_positions(tx, _positions(raws))
        self._tally = tally
        faults.reached("after-commit", *{raw.topic for raw in raws})

    def _weighed(self, outcomes: Sequence[Outcome]) -> Tally:
        """The tally with these outcomes. Raises `_OverLimit` where it is time to stop."""
        if self._limits is None:
            return self._tally
        tally, passed = brake.counted(self._tally, outcomes, self._limits)
        if passed is not None and self._halts:
            raise _OverLimit(passed)
        if passed is not None and not self.over_limit:
            log.critical("%s parks too many records and goes on all the same: mend the cause", self._group)
        return tally

    async def _apply(self, tx: Transaction, arrivals: Sequence[Arrival]) -> list[Ticket]:
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
            records.ticket_of(a, "Forged", dead=True)
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
            # Nor does a consumer that has stopped use up the tries of what it has parked.
            try:
                tried = 0 if self.stopped else await self.retry_due()
            except UNAVAILABLE as error:
                log.warning("parked records wait: %s", type(error).__name__)
                tried = 0
            if not tried:
                await asyncio.sleep(RETRY_EVERY_S)

    async def retry_due(self) -> int:
        """Try those once whose time has come; returns how many there were. Raises what `UNAVAILABLE` lists."""
        async with self._db.loop() as connection:
            claimed = await parking.claim(connection, self._topics)
        # sql-in-loop: each parked record fails or passes alone
        for parked in claimed:
            await self._retry(parked)
        return len(claimed)

    async def _retry(self, parked: Parked) -> None:
        try:
            if not parked.kept:
                parked = await self._read_again(parked)
            await self._apply_parked(parked)
        except _NotNow as error:
            log.warning("parked, of %s: the bus does not answer: %s", parked.raw.topic, error)
            async with self._db.loop() as connection:
                await parking.give_back(connection, parked)
        except UNAVAILABLE:
            raise
        except AGAIN:
            return
        except Exception as error:
            log.error("parked, of %s: %s at %s", parked.raw.topic, type(error).__name__, places_of(error))
            dead = _dead_after(parked, error)
            async with self._db.loop() as connection:
                await parking.put_back(connection, parked, type(error).__name__, dead=dead)

    async def _read_again(self, parked: Parked) -> Parked:
        """With the content that the bus still has. It is kept from then on: whoever can decode it knows what it is."""
        try:
            raw = await self._reread(parked.raw) if self._reread is not None else None
        except (KafkaError, OSError, TimeoutError) as error:
            raise _NotNow(type(error).__name__) from None
        if raw is None or parking.fingerprint(raw.value, self._fingerprint_key) != parked.fingerprint:
            raise Gone("record")
        arrival = records.understood(parking.bounded(raw), of_any_age=True)
        async with self._db.loop() as connection:
            await parking.keep(connection, parked, records.ticket_of(arrival, "Reread"))
        return replace(parked, raw=arrival.raw, kept=True)

    async def _apply_parked(self, parked: Parked) -> None:
        # Whatever its age: while it was parked it held back every other copy of it.
        arrival = records.understood(parked.raw, of_any_age=True)
        # What is in view decides what a handler finds: a record that had to wait sees no less than any other.
        async with self._db.transaction(self._beside | records.agencies([arrival])) as tx:
            if await self._apply(tx, [arrival]):
                raise inbox.Forged
            await parking.resolve(tx, parked)

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


def _positions(raws: Sequence[Raw]) -> Positions:
    return {(raw.topic, raw.part): raw.pos + 1 for raw in raws}


def _dead_after(parked: Parked, error: Exception) -> bool:
    """Whether no further try is made by itself: after the last one, or when none can help.

    None helps a repeat with another content, nor what was read again and cannot be read.
    """
    if isinstance(error, inbox.Forged):
        return True
    if isinstance(error, UnknownEvent):
        return parked.unknown_too_long
    if isinstance(error, Unprocessable) and not parked.kept:
        return True
    return parked.attempts >= len(parking.pauses_of(parked.raw.topic))
