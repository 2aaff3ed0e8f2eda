"""Timers on a real database: leased, fenced, due by the region's clock, each lane on its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
import pytest

from shared import clock, timers
from shared.db import Database, Transaction
from shared.errors import LostClaim
from shared.timers import Action, Due, Fired, TimerLoop
from shared.types import AgencyId, Lane
from tests.harness.databases import Sql, TestDatabase
from tests.harness.waiting import eventually

AGENCY = AgencyId(clock.random_id())


def due(kind: str = "probe", *, at: datetime | None = None, lane: Lane = Lane.ORDINARY, version: int = 1) -> Due:
    case = clock.random_id()
    return Due(AGENCY, lane, kind, case, case, version, at or clock.now() - timedelta(seconds=1))


async def scheduled(db: Database, *wanted: Due) -> None:
    async with db.transaction({AGENCY}) as tx:
        await timers.schedule(tx, wanted)


async def note(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Writes down what fired; a kind `bad` fails the batch."""
    if any(timer.kind == "bad" for timer in fired):
        raise ZeroDivisionError
    await tx.connection.execute(
        "INSERT INTO effects(agency_id, case_id) SELECT a, c FROM unnest($1::uuid[], $2::uuid[]) t(a, c)",
        [timer.agency_id for timer in fired],
        [timer.key for timer in fired],
    )


async def count(sql: Sql, table: Literal["timers", "effects"]) -> int:
    both = await sql.fetchrow(
        "SELECT (SELECT count(*) FROM timers) AS timers, (SELECT count(*) FROM effects) AS effects"
    )
    assert both is not None
    return int(both[table])


async def test_a_claimed_timer_is_leased_and_nobody_else_gets_it(db: Database) -> None:
    await scheduled(db, due())
    first = await timers.claim(db, Lane.ORDINARY)
    assert [timer.attempts for timer in first] == [1]
    assert await timers.claim(db, Lane.ORDINARY) == []


async def test_claims_at_the_same_time_share_the_timers(db: Database) -> None:
    await scheduled(db, *(due() for _ in range(40)))
    claimed = await asyncio.gather(*(timers.claim(db, Lane.ORDINARY, 10) for _ in range(4)))
    ids = [timer.timer_id for batch in claimed for timer in batch]
    assert len(ids) == len(set(ids)) == 40


async def test_setting_the_same_timer_twice_sets_it_once(db: Database, sql: Sql) -> None:
    one = due()
    await scheduled(db, one, one)
    await scheduled(db, one)
    assert await count(sql, "timers") == 1


async def test_the_longest_overdue_fires_first(db: Database) -> None:
    now = clock.now()
    await scheduled(db, *(due(str(n), at=now - timedelta(minutes=n)) for n in (1, 3, 2)))
    assert [timer.kind for timer in await timers.claim(db, Lane.ORDINARY)] == ["3", "2", "1"]


async def test_a_moved_clock_makes_a_timer_due(db: Database, sql: Sql) -> None:
    await scheduled(db, due(at=clock.now() + timedelta(hours=3)))
    assert await timers.claim(db, Lane.ORDINARY) == []
    await sql.execute("UPDATE region.clock SET shift = interval '3 hours 1 second'")
    assert len(await timers.claim(db, Lane.ORDINARY)) == 1


async def test_each_lane_fires_its_own(db: Database) -> None:
    await scheduled(db, due("page", lane=Lane.CRISIS), due("offer"))
    assert [timer.kind for timer in await timers.claim(db, Lane.CRISIS)] == ["page"]
    assert [timer.kind for timer in await timers.claim(db, Lane.ORDINARY)] == ["offer"]


async def test_a_zombie_loses_its_claim_and_nothing_of_its_work_stays(db: Database, sql: Sql) -> None:
    await scheduled(db, due())
    zombies = await timers.claim(db, Lane.ORDINARY)
    await sql.execute("UPDATE timers SET leased_until = clock_timestamp() - interval '1 s'")
    heirs = await timers.claim(db, Lane.ORDINARY)
    with pytest.raises(LostClaim):
        await timers.in_one_transaction(db, note)(zombies)
    assert (await count(sql, "effects"), await count(sql, "timers")) == (0, 1)
    await timers.in_one_transaction(db, note)(heirs)
    assert (await count(sql, "effects"), await count(sql, "timers")) == (1, 0)
    assert (zombies[0].fence, heirs[0].fence) == (1, 2)


async def test_a_finished_timer_does_not_fire_again_for_a_zombie(db: Database, sql: Sql) -> None:
    await scheduled(db, due())
    fired = await timers.claim(db, Lane.ORDINARY)
    await timers.in_one_transaction(db, note)(fired)
    with pytest.raises(LostClaim):
        await timers.in_one_transaction(db, note)(fired)
    assert await count(sql, "effects") == 1


async def test_a_bad_timer_fails_alone(db: Database, sql: Sql) -> None:
    await scheduled(db, due(), due("bad"), due())
    await timers.in_one_transaction(db, note)(await timers.claim(db, Lane.ORDINARY))
    assert await count(sql, "effects") == 2
    assert await sql.fetchval("SELECT array_agg(kind) FROM timers") == ["bad"]


async def test_each_lease_is_longer_than_the_one_before(db: Database, sql: Sql) -> None:
    await scheduled(db, due("bad"))
    leases = []
    for _ in range(6):
        await timers.claim(db, Lane.ORDINARY)
        leases.append(await sql.fetchval("SELECT extract(epoch FROM leased_until - clock_timestamp()) FROM timers"))
        await sql.execute("UPDATE timers SET leased_until = clock_timestamp() - interval '1 s'")
    longest = [30, 60, 120, 240, 300, 300]
    # Some of it has passed when it is looked at.
    assert [lease for lease, most in zip(leases, longest, strict=True) if not most - 10 < lease <= most] == []


@asynccontextmanager
async def running(db: Database, lane: Lane, action: Action) -> AsyncIterator[None]:
    """A timer loop as a process runs it."""

    async def at_once() -> None:
        return

    task = asyncio.create_task(TimerLoop(db, lane, action, ready=at_once).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_two_loops_fire_every_timer_once(db: Database, sql: Sql) -> None:
    await scheduled(db, *(due() for _ in range(1200)))
    act = timers.in_one_transaction(db, note)
    async with running(db, Lane.ORDINARY, act), running(db, Lane.ORDINARY, act):
        await eventually(lambda: empty(sql))
    assert await count(sql, "effects") == 1200
    assert await sql.fetchval("SELECT count(DISTINCT case_id) FROM effects") == 1200


async def empty(sql: Sql) -> bool:
    return not await count(sql, "timers")


async def test_a_stuck_ordinary_lane_does_not_hold_up_the_crisis_lane(db: Database, sql: Sql) -> None:
    stuck = asyncio.Event()

    async def wait(_: Sequence[Fired]) -> None:
        stuck.set()
        await asyncio.Event().wait()

    await scheduled(db, due("offer"))
    act = timers.in_one_transaction(db, note)
    async with running(db, Lane.ORDINARY, wait), running(db, Lane.CRISIS, act):
        await stuck.wait()
        await scheduled(db, due("page", lane=Lane.CRISIS))
        await eventually(lambda: only_offers(sql))
    assert await count(sql, "effects") == 1


async def only_offers(sql: Sql) -> bool:
    return bool(await sql.fetchval("SELECT array_agg(kind) = '{offer}' FROM timers"))


async def test_a_loop_outlives_a_cut_connection(database: TestDatabase, db: Database, sql: Sql) -> None:
    cuts = iter([True, False])

    async def cut(tx: Transaction, fired: Sequence[Fired]) -> None:
        if next(cuts, False):
            # A connection of its own: the test asks on the other one meanwhile.
            own = await database.superuser()
            await own.execute(
                "SELECT pg_terminate_backend($1)", await tx.connection.fetchval("SELECT pg_backend_pid()")
            )
            await own.execute("UPDATE matching.timers SET leased_until = NULL")
            await own.close()
        await note(tx, fired)

    await scheduled(db, due())
    async with running(db, Lane.ORDINARY, timers.in_one_transaction(db, cut)):
        await eventually(lambda: empty(sql))
    assert await count(sql, "effects") == 1


async def test_a_timer_of_an_agency_not_in_view_cannot_be_set(db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction({AgencyId(clock.random_id())}) as tx:
            await timers.schedule(tx, [due()])


async def test_a_timer_may_be_given_a_pause_of_its_own(db: Database) -> None:
    await scheduled(db, due())
    (fired,) = await timers.claim(db, Lane.ORDINARY)
    async with db.transaction({AGENCY}) as tx:
        await timers.again(tx, [(fired, 0.0)])
    (next_one,) = await timers.claim(db, Lane.ORDINARY)
    assert (next_one.timer_id, next_one.attempts) == (fired.timer_id, 2)
    with pytest.raises(LostClaim):
        async with db.transaction({AGENCY}) as tx:
            await timers.again(tx, [(fired, 60.0)])


@pytest.mark.parametrize(("lane", "most"), [(Lane.CRISIS, timers.LEASE_S), (Lane.ORDINARY, 4 * timers.LEASE_S)])
async def test_only_off_the_crisis_lane_a_lease_grows(lane: Lane, most: float, db: Database, sql: Sql) -> None:
    await scheduled(db, due(lane=lane))
    for _ in range(3):
        await sql.execute("UPDATE timers SET leased_until = NULL")
        await timers.claim(db, lane)
    left = await sql.fetchval("SELECT extract(epoch FROM leased_until - clock_timestamp())::float8 FROM timers")
    assert most - 10 < left <= most


async def test_a_round_that_fails_is_followed_by_pauses_that_grow(
    db: Database, sql: Sql, caplog: pytest.LogCaptureFixture
) -> None:
    await sql.execute("REVOKE UPDATE ON timers FROM matching_loop")
    with caplog.at_level(logging.ERROR, "shared.timers"):
        async with running(db, Lane.ORDINARY, timers.in_one_transaction(db, note)):
            await eventually(lambda: len(caplog.records) >= 3)
    first, second, third = (record.created for record in caplog.records[:3])
    assert (second - first > 0.4, third - second > 0.9) == (True, True)
