"""Runs the sending of one lane: commit the attempts, hand the mails over with a bound, record outcomes as they come.

A slow or hanging provider delays only what waits for it: outcomes of the others are committed together with whatever
else is ready then; at once, or within `COMPANY_S` while more mails wait for a slot. No database connection is held
while a provider is called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from services.notify.actions.book import SEND
from services.notify.actions.sending import Office, Outgoing, Sent, begin, settle
from services.notify.channels import Channel
from services.notify.domain.outcomes import Accepted, NotSent, Outcome
from shared import clock, faults, telemetry
from shared.db import CONTENDED, UNAVAILABLE, Database
from shared.errors import places_of
from shared.timers import BURST_S, LEASE_S, Fired
from shared.types import REGION

log = logging.getLogger(__name__)

MOST_WAITING = 500
"""While so many mails wait for the provider, no more are taken."""
SPARE_S = 3.0
"""Between the latest end of a call and the end of its timer's lease: the time to record the outcome."""
CONTENDED_TRIES = 5
COMPANY_S = 0.05
"""While mails wait for a slot, outcomes wait so long for each other: a commit costs as much for one as for many."""


class Sender:
    """An action for timers of kind `send`. Use `drained` before the process ends."""

    def __init__(
        self, db: Database, office: Office, channel: Channel, *, at_once: int, company_s: float = COMPANY_S
    ) -> None:
        """At most `at_once` mails are handed over at the same time. `company_s` of 0 lets no outcome wait."""
        self._company_s = company_s
        self._db, self._office, self._channel = db, office, channel
        self._at_once, self._slots = at_once, asyncio.Semaphore(at_once)
        self._start_within_s = LEASE_S - channel.within_s - SPARE_S
        self._under_way: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._done: list[Sent] = []
        self._settler: asyncio.Task[None] | None = None
        self._stopping = False

    async def act(self, fired: Sequence[Fired]) -> None:
        """Begin the attempts of these timers; returns when there is room for more."""
        claimed = clock.monotonic()
        # sql-in-loop: one task per mail; their outcomes are recorded together
        for one in await self._begun([timer for timer in fired if timer.kind == SEND]):
            task = asyncio.create_task(self._deliver(one, claimed))
            self._under_way.add(task)
            task.add_done_callback(self._end)
        # Not asyncio.wait: it would look at all of them again whenever one has ended.
        while len(self._under_way) >= MOST_WAITING:
            self._ended.clear()
            await self._ended.wait()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._ended.set()

    async def drained(self) -> None:
        """Hand nothing over any more, wait for what is with the provider, and record it."""
        self._stopping = True
        await self.settled()
        await self._channel.close()

    async def settled(self) -> None:
        """Return when the outcome of everything that was begun is recorded."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        if self._settler is not None:
            await self._settler

    async def _begun(self, fired: list[Fired]) -> list[Outgoing]:
        if not fired:
            return []
        try:
            outgoing = await self._begin(fired)
        except UNAVAILABLE:
            raise
        except Exception as error:  # noqa: BLE001 - its lease is its back-off: it is tried again then
            if len(fired) == 1:
                log.error("an attempt could not begin: %s at %s", type(error).__name__, places_of(error))
                return []
            log.warning(
                "%d attempts could not begin together (%s); each is begun alone", len(fired), type(error).__name__
            )
            outgoing = []
            # sql-in-loop: the batch has failed as a whole, one bad row must not stop the others
            for one in fired:
                outgoing += await self._begun([one])
        return outgoing

    async def _begin(self, fired: list[Fired]) -> list[Outgoing]:
        tries = 0
        # sql-in-loop: the same transaction again after a deadlock
        while True:
            try:
                async with self._db.transaction({timer.agency_id for timer in fired} | {REGION}) as tx:
                    tx.traces.update({timer.key: timer.traceparent for timer in fired if timer.traceparent})
                    outgoing = await begin(tx, fired, self._office)
            except CONTENDED:
                tries += 1
                if tries == CONTENDED_TRIES:
                    raise
            else:
                faults.reached("after-attempt", SEND)
                return outgoing

    async def _deliver(self, one: Outgoing, claimed: float) -> None:
        async with self._slots:
            waited = clock.monotonic() - claimed
            if self._stopping or waited > min(self._start_within_s, one.left_s):
                sent = Sent(one, NotSent("late"))
            else:
                sent = await self._handed_over(one)
        faults.reached("after-provider", SEND)
        self._done.append(sent)
        if self._settler is None or self._settler.done():
            self._settler = asyncio.create_task(self._record_all())

    async def _handed_over(self, one: Outgoing) -> Sent:
        parent = one.fired.traceparent
        if one.fired.waited_s > BURST_S:
            # Hours or retries lie between: a trace of its own that points at the one which planned it.
            with telemetry.timer_work(SEND, case=one.case_id, traceparent=parent, link=True) as later:
                parent = later.traceparent
        work = telemetry.client_work("send mail", case=one.case_id, traceparent=parent)
        outcome: Outcome | None = None
        try:
            outcome = await self._channel.send(one.message)
        finally:
            work.end(error=None if isinstance(outcome, Accepted) else type(outcome).__name__)
        return Sent(one, outcome, work.traceparent)

    async def _record_all(self) -> None:
        # sql-in-loop: each round records all that is ready
        while self._done:
            if self._company_s and len(self._under_way) > self._at_once and not self._stopping:
                await asyncio.sleep(self._company_s)
            ready, self._done = self._done, []
            await self._record(ready)

    async def _record(self, sent: list[Sent]) -> None:
        """Record outcomes until the database takes them, or until their lease is long over."""
        pause, give_up = 0.05, clock.monotonic() + LEASE_S
        # sql-in-loop: the same transaction again while the database is away
        while True:
            try:
                await self._settle(sent)
            except (*UNAVAILABLE, *CONTENDED) as error:
                if clock.monotonic() > give_up:
                    log.error("%d outcomes could not be recorded: %s", len(sent), type(error).__name__)
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            except Exception as error:  # noqa: BLE001 - what was sent must be recorded for all it concerns
                await self._record_alone(sent, error)
                return
            else:
                return

    async def _record_alone(self, sent: list[Sent], error: Exception) -> None:
        if len(sent) == 1:
            # Another process has taken it over, and knows that the outcome of this attempt is unknown.
            log.error("the outcome of an attempt could not be recorded: %s", type(error).__name__)
            return
        # sql-in-loop: the batch has failed as a whole, one lost claim must not cost the others
        for one in sent:
            await self._record([one])

    async def _settle(self, sent: list[Sent]) -> None:
        async with self._db.transaction({one.outgoing.fired.agency_id for one in sent} | {REGION}) as tx:
            await settle(tx, sent)
