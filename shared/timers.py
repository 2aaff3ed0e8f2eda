"""Timers are rows: leased, fenced, due by the region's clock. A restart loses none, a zombie's work does not stay.

A timer carries the version of the thing it was set for; its action does nothing when the thing has moved on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from shared import clock, faults, telemetry
from shared.db import AGAIN, UNAVAILABLE, Database, Transaction, timers_wake
from shared.errors import LostClaim, places_of
from shared.types import AgencyId, Lane

log = logging.getLogger(__name__)

LEASE_S = 30
BATCH = 500
SWEEP_S = 0.5
FAILED_MAX_S = 5.0
"""The longest pause after a round that failed for no known reason."""
LONGEST_BACKOFF_S = 300
"""On the crisis lane no lease grows: nobody waits minutes there for a process that died."""
BURST_S = 30.0


@dataclass(frozen=True)
class Due:
    """A timer to set: `kind` says what to do, `key` is the case or the subject, `version` what it was set for."""

    agency_id: AgencyId
    lane: Lane
    kind: str
    key: UUID
    subject_id: UUID
    version: int
    due_at: datetime


@dataclass(frozen=True)
class Fired:
    """A timer that is due and leased to this process until its fence moves."""

    timer_id: UUID
    agency_id: AgencyId
    lane: Lane
    kind: str
    key: UUID
    subject_id: UUID
    version: int
    due_at: datetime
    attempts: int
    fence: int
    traceparent: str | None
    waited_s: float = 0.0
    """Seconds between setting and claiming it, by the real clock."""


Action = Callable[[Sequence[Fired]], Awaitable[None]]
"""Does the work of fired timers and ends with `finish` in its last transaction."""

Transactional = Callable[[Transaction, Sequence[Fired]], Awaitable[None]]

Beside = Callable[[Sequence[Fired]], Awaitable[Collection[AgencyId]]]
"""Which agencies fired timers concern, beside their own."""

# Without a target: what a target compares would have to be readable, and the operator may only write here.
_SCHEDULE = """
INSERT INTO timers(timer_id, agency_id, lane, kind, key, subject_id, subject_version, due_at, traceparent)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::uuid[], $6::uuid[], $7::int[],
                     $8::timestamptz[], $9::text[])
ON CONFLICT DO NOTHING
"""


async def schedule(tx: Transaction, timers: Sequence[Due]) -> None:
    """Set timers. Setting the same one again (subject, kind, version) changes nothing."""
    if not timers:
        return
    await tx.connection.execute(
        _SCHEDULE,
        [clock.ordered_id() for _ in timers],
        [t.agency_id for t in timers],
        [t.lane.value for t in timers],
        [t.kind for t in timers],
        [t.key for t in timers],
        [t.subject_id for t in timers],
        [t.version for t in timers],
        [t.due_at for t in timers],
        [tx.traces.get(t.key) for t in timers],
    )
    tx.wakes.update(timers_wake(t.lane) for t in timers if tx.may_be_due(t.due_at))


APART = "apart"
"""The timer that writes once more, apart from any case, what outlives the cases it was written with."""
APART_S = 5


def apart(agency_id: AgencyId, now: datetime) -> Due:
    """The timer for rows that a case has just touched and that outlive it, at most one in five seconds and agency.

    PostgreSQL shows which transaction has written a row. A row that is written again by a transaction of its own joins
    nothing any more. The delay lets transactions end that began together with this one.
    """
    window = int(now.timestamp()) // APART_S
    due = datetime.fromtimestamp((window + 2) * APART_S, UTC)
    return Due(agency_id, Lane.BULK, APART, agency_id, agency_id, window, due)


# The lease doubles with every attempt: it is the back-off as well.
_CLAIM = """
UPDATE timers t SET fence = fence + 1, attempts = attempts + 1,
       leased_until = clock_timestamp() + make_interval(secs => least($2 * 2 ^ least(t.attempts, 8), $4))
  FROM (SELECT timer_id FROM timers WHERE lane = $1 AND due_at <= (SELECT region.now())
           AND (leased_until IS NULL OR leased_until < clock_timestamp())
         ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED) d
 WHERE t.timer_id = d.timer_id
RETURNING t.timer_id, t.agency_id, t.lane, t.kind, t.key, t.subject_id, t.subject_version, t.due_at, t.attempts,
          t.fence, t.traceparent, extract(epoch FROM clock_timestamp() - t.set_at)::float8 AS waited_s
"""


async def claim(db: Database, lane: Lane, limit: int = BATCH) -> list[Fired]:
    """Lease due timers of a lane, the longest overdue first."""
    async with db.loop() as connection:
        longest = LEASE_S if lane is Lane.CRISIS else LONGEST_BACKOFF_S
        rows = await connection.fetch(_CLAIM, lane.value, LEASE_S, limit, longest)
    fired = [
        Fired(
            timer_id=row["timer_id"],
            agency_id=AgencyId(row["agency_id"]),
            lane=lane,
            kind=row["kind"],
            key=row["key"],
            subject_id=row["subject_id"],
            version=row["subject_version"],
            due_at=row["due_at"],
            attempts=row["attempts"],
            fence=row["fence"],
            traceparent=row["traceparent"],
            waited_s=row["waited_s"],
        )
        for row in rows
    ]
    return sorted(fired, key=lambda timer: (timer.due_at, timer.timer_id))


_FINISH = """
DELETE FROM timers t USING unnest($1::uuid[], $2::bigint[]) u(timer_id, fence)
 WHERE t.timer_id = u.timer_id AND t.fence = u.fence
"""


async def finish(tx: Transaction, fired: Sequence[Fired]) -> None:
    """The last statement of a timer's work. Raises `LostClaim` when somebody else has leased one of them meanwhile.

    A timer whose work has purged its own case is gone with it, and that is as good.
    """
    left = [timer for timer in fired if (timer.timer_id, timer.fence) not in tx.purged_timers]
    status = await tx.connection.execute(_FINISH, [f.timer_id for f in left], [f.fence for f in left])
    if status != f"DELETE {len(left)}":
        raise LostClaim


_AGAIN = """
UPDATE timers t SET leased_until = clock_timestamp() + make_interval(secs => u.pause)
  FROM unnest($1::uuid[], $2::bigint[], $3::float8[]) u(timer_id, fence, pause)
 WHERE t.timer_id = u.timer_id AND t.fence = u.fence
"""


async def again(tx: Transaction, paused: Sequence[tuple[Fired, float]]) -> None:
    """Let each of these timers fire again after so many seconds, whatever is left of its lease.

    Raises `LostClaim` when somebody else has leased one of them meanwhile.
    """
    if not paused:
        return
    ids, fences = [fired.timer_id for fired, _ in paused], [fired.fence for fired, _ in paused]
    status = await tx.connection.execute(_AGAIN, ids, fences, [pause for _, pause in paused])
    if status != f"UPDATE {len(paused)}":
        raise LostClaim


@contextmanager
def traced(fired: Sequence[Fired]) -> Iterator[dict[UUID, str]]:
    """A span per key. A timer due at once goes on with the burst that set it; a later one begins a linked trace."""
    works: dict[UUID, telemetry.Work] = {}
    for timer in fired:
        if timer.key not in works:
            # What an agency waits for as a whole has its own id as key, and that is no case.
            case = None if timer.key == timer.agency_id else timer.key
            works[timer.key] = telemetry.timer_work(
                timer.kind, case=case, traceparent=timer.traceparent, link=timer.waited_s > BURST_S
            )
    error = None
    try:
        yield {key: work.traceparent for key, work in works.items()}
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        for work in works.values():
            work.end(error=error)


def in_one_transaction(
    db: Database, work: Transactional, *, beside: Collection[AgencyId] = (), also: Beside | None = None
) -> Action:
    """An action whose whole work is one transaction; when a batch fails, each timer is run alone.

    The agencies of the timers are in view, those in `beside`, and those that `also` finds for the timers.
    """

    async def run(fired: Sequence[Fired]) -> None:
        found = await also(fired) if also else ()
        async with db.transaction({*beside, *found, *(timer.agency_id for timer in fired)}) as tx:
            with traced(fired) as traces:
                tx.traces.update(traces)
                await work(tx, fired)
                await finish(tx, fired)

    async def act(fired: Sequence[Fired]) -> None:
        try:
            await run(fired)
        except UNAVAILABLE:
            raise
        except Exception:
            if len(fired) == 1:
                raise
            log.warning("a batch of %d timers failed; each is run alone", len(fired))
            # sql-in-loop: timer by timer, after the batch has failed
            for timer in fired:
                await _alone(run, timer)

    return act


def one_by_one(action: Action) -> Action:
    """The same action, timer by timer: what one of them takes long over, or fails with, is no other's."""

    async def act(fired: Sequence[Fired]) -> None:
        # sql-in-loop: each timer is a page of work of its own
        for timer in fired:
            await _alone(action, timer)

    return act


def by_kind(actions: Mapping[str, Action]) -> Action:
    """An action that leaves each timer to the action of its kind: kinds with different ones share no transaction."""

    async def act(fired: Sequence[Fired]) -> None:
        for action in dict.fromkeys(actions.values()):
            own = [timer for timer in fired if actions.get(timer.kind) is action]
            if own:
                await action(own)

    return act


async def _alone(run: Action, timer: Fired) -> None:
    try:
        await run([timer])
    except UNAVAILABLE:
        raise
    except Exception as error:
        # Its lease is its back-off: it is tried again then, and shows in the waiting list until it works.
        log.error("timer %s failed: %s at %s", timer.kind, type(error).__name__, places_of(error))


class TimerLoop:
    """Runs the due timers of one lane, for ever. `ready` is awaited once, before the first round."""

    def __init__(
        self, db: Database, lane: Lane, action: Action, *, ready: Callable[[], Awaitable[None]], batch: int = BATCH
    ) -> None:
        """`action` gets up to `batch` fired timers of the lane; those left unfinished are leased again later."""
        self._db, self._lane, self._action, self._ready, self._batch = db, lane, action, ready, batch
        self._failed = 0

    async def run(self) -> None:
        """Until cancelled."""
        await self._ready()
        # sql-in-loop: a background loop
        while True:
            if not await self._round():
                await self._db.signals.wait(timers_wake(self._lane), SWEEP_S)

    async def _round(self) -> bool:
        try:
            fired = await claim(self._db, self._lane, self._batch)
            if fired:
                kinds = {timer.kind for timer in fired}
                faults.reached("after-consume", *kinds)
                await self._action(fired)
                faults.reached("after-commit", *kinds)
        except UNAVAILABLE as error:
            log.warning("timers of lane %s wait for the database: %s", self._lane.name, type(error).__name__)
            await asyncio.sleep(SWEEP_S)
            return False
        except AGAIN:
            return True
        except Exception as error:
            log.error("timers of lane %s failed: %s at %s", self._lane.name, type(error).__name__, places_of(error))
            await asyncio.sleep(min(SWEEP_S * 2**self._failed, FAILED_MAX_S))
            self._failed = min(self._failed + 1, 10)
            return True
        self._failed = 0
        return len(fired) == self._batch
