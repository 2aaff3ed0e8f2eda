"""Timers in trouble: a holder frozen for half a minute, a clock that is moved, ten thousand that are due at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from shared import clock, timers
from shared.db import Database
from shared.timers import Due, Fired, TimerLoop
from shared.types import AgencyId, Lane
from tests.harness import timer_process
from tests.harness.databases import Sql, TestDatabase
from tests.harness.probe import note_fired
from tests.harness.relays import frozen, thaw
from tests.harness.waiting import eventually

AGENCY = AgencyId(clock.random_id())
MANY, URGENT = 10_000, 100
CRISIS_WITHIN_S = 30.0


def due(at: datetime, lane: Lane = Lane.ORDINARY, kind: str = "probe") -> Due:
    case = clock.random_id()
    return Due(AGENCY, lane, kind, case, case, 1, at)


async def scheduled(db: Database, wanted: Sequence[Due]) -> None:
    async with db.transaction({AGENCY}) as tx:
        await timers.schedule(tx, wanted)


@asynccontextmanager
async def replica(db: Database, *lanes: Lane, seen: list[Fired] | None = None) -> AsyncIterator[None]:
    """The timer loops of one replica, until the end. What they have fired is added to `seen`."""
    act = timers.in_one_transaction(db, note_fired)

    async def noting(fired: Sequence[Fired]) -> None:
        await act(fired)
        if seen is not None:
            seen.extend(fired)

    async def at_once() -> None:
        return

    loops = [asyncio.create_task(TimerLoop(db, lane, noting, ready=at_once).run()) for lane in lanes]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def fired_once(sql: Sql, count: int) -> bool:
    """Whether so many have fired, no more are there, and none has fired twice."""
    row = await sql.fetchrow(
        "SELECT count(*) AS effects, count(DISTINCT case_id) AS cases, (SELECT count(*) FROM timers) AS left"
        "  FROM effects"
    )
    assert row is not None
    assert row["effects"] == row["cases"]
    return (row["cases"], row["left"]) == (count, 0)


async def test_timers_of_frozen_holders_fire_elsewhere_and_what_the_thawed_ones_do_does_not_stay(
    database: TestDatabase, db: Database, sql: Sql
) -> None:
    await scheduled(db, [due(clock.now()) for _ in range(2)])
    async with (
        timer_process.freezing(database, "claimed") as (claimed, told_by_claimed),
        timer_process.freezing(database, "at work") as (at_work, told_by_at_work),
    ):
        await eventually(lambda: frozen(claimed), 30)
        await eventually(lambda: frozen(at_work), 30)
        async with replica(db, Lane.ORDINARY):
            await eventually(lambda: fired_once(sql, 2), timers.LEASE_S + 15)
        thaw(claimed)
        thaw(at_work)
        outcomes = await told_by_claimed(), await told_by_at_work()
    assert outcomes[0] == "LostClaim"
    # The database has ended its session meanwhile: it was idle in a transaction.
    assert outcomes[1] not in {"done", "LostClaim"}
    assert await fired_once(sql, 2)


async def test_a_clock_that_is_moved_fires_what_it_has_passed_in_order_and_moved_back_nothing_twice(
    db: Database, sql: Sql
) -> None:
    now = clock.now()
    await scheduled(db, [due(now + timedelta(hours=hours), kind=str(hours)) for hours in (5, 1, 3)])
    seen: list[Fired] = []
    async with replica(db, Lane.ORDINARY, seen=seen), replica(db, Lane.ORDINARY, seen=seen):
        await sql.execute("UPDATE region.clock SET shift = interval '4 hours'")
        await eventually(lambda: len(seen) == 2)
        await sql.execute("UPDATE region.clock SET shift = interval '-4 hours'")
        await scheduled(db, [due(now - timedelta(hours=5), kind="past"), due(now - timedelta(hours=3), kind="future")])
        await eventually(lambda: len(seen) == 3)
    assert [timer.kind for timer in seen] == ["1", "3", "past"]
    assert await sql.fetchval("SELECT array_agg(kind ORDER BY kind) FROM timers") == ["5", "future"]


async def test_a_lease_is_no_shorter_for_a_clock_that_is_moved(db: Database, sql: Sql) -> None:
    await scheduled(db, [due(clock.now())])
    assert len(await timers.claim(db, Lane.ORDINARY)) == 1
    await sql.execute("UPDATE region.clock SET shift = interval '10 hours'")
    assert await timers.claim(db, Lane.ORDINARY) == []


@pytest.mark.parametrize("ordinary_first", [True, False])
async def test_of_ten_thousand_due_at_once_crisis_ones_come_first_and_none_is_lost_or_fires_twice(
    ordinary_first: bool, database: TestDatabase, db: Database, sql: Sql
) -> None:
    start = clock.now() + timedelta(hours=1)
    await scheduled(db, [due(start) for _ in range(MANY)])
    await scheduled(db, [due(start + timedelta(minutes=ordinary_first), Lane.CRISIS) for _ in range(URGENT)])
    crisis: list[Fired] = []
    async with (
        database.opened("matching") as other,
        replica(db, Lane.ORDINARY, Lane.BULK),
        replica(other, Lane.ORDINARY, Lane.BULK),
        replica(db, Lane.CRISIS, seen=crisis),
        replica(other, Lane.CRISIS, seen=crisis),
    ):
        await sql.execute("UPDATE region.clock SET shift = interval '2 hours'")
        await eventually(lambda: len(crisis) == URGENT, CRISIS_WITHIN_S)
        await eventually(lambda: fired_once(sql, MANY + URGENT), 60)
    last = "SELECT max(seq) FROM effects WHERE case_id = ANY ($1::uuid[])"
    assert await sql.fetchval(last, [timer.key for timer in crisis]) < MANY
