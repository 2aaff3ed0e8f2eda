"""The only door to PostgreSQL: what is in view, what is not, and which logins are refused."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import asyncpg
import pytest

from shared import clock, timers
from shared.db import Database, MovedClock, RolledBack, UnsafeLogin, open_pool, refuse_unsafe, timers_wake
from shared.migrate import OPERATOR, SERVICES, app_of, loop_of, owner_of
from shared.types import AgencyId, CaseId, Lane
from tests.harness.databases import SUPERUSER, Sql, TestDatabase
from tests.harness.probe import a_case

A, B = AgencyId(clock.random_id()), AgencyId(clock.random_id())
PLACE = "INSERT INTO cases(case_id, agency_id, state, owner, due_at) VALUES ($1, $2, 'open', 'intake', now())"


async def placed(db: Database, agency: AgencyId) -> CaseId:
    case = a_case()
    async with db.transaction({agency}) as tx:
        await tx.connection.execute(PLACE, case, agency)
    return case


async def test_a_transaction_sees_the_agencies_it_names_and_no_other(db: Database) -> None:
    cases = {agency: await placed(db, agency) for agency in (A, B)}
    async with db.transaction({A}) as tx:
        seen = {row["case_id"] for row in await tx.connection.fetch("SELECT case_id FROM cases")}
        changed = await tx.connection.execute("UPDATE cases SET state = 'x' WHERE case_id = $1", cases[B])
    assert (seen, changed) == ({cases[A]}, "UPDATE 0")


async def test_a_transaction_may_name_several_agencies(db: Database) -> None:
    cases = {await placed(db, agency) for agency in (A, B)}
    async with db.transaction({A, B}) as tx:
        seen = {row["case_id"] for row in await tx.connection.fetch("SELECT case_id FROM cases")}
    assert seen == cases


async def test_a_row_of_an_agency_not_in_view_cannot_be_written(db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction({A}) as tx:
            await tx.connection.execute(PLACE, a_case(), B)


async def test_with_no_agency_named_nothing_is_in_view(db: Database) -> None:
    await placed(db, A)
    async with db.transaction(set()) as tx:
        assert await tx.connection.fetch("SELECT * FROM cases") == []


async def test_without_a_transaction_every_table_raises_also_on_a_used_connection(database: TestDatabase) -> None:
    pool = await open_pool(database.login(app_of("matching"), "matching"), size=2)
    loop = await open_pool(database.login(loop_of("matching"), "matching"), size=2)
    db = Database(pool, loop, "matching")
    errors = []
    for _ in range(2):
        async with db.door() as connection:
            with pytest.raises(asyncpg.PostgresError) as raised:
                await connection.fetch("SELECT * FROM cases")
        errors.append(raised.type)
        await placed(db, A)
    await db.close()
    assert errors == [asyncpg.UndefinedObjectError, asyncpg.InvalidTextRepresentationError]


async def test_what_is_in_view_does_not_leak_to_the_next_transaction_of_a_connection(database: TestDatabase) -> None:
    async with database.opened("matching", size=1) as db:
        await placed(db, A)
        async with db.transaction({A}) as tx:
            first = await tx.connection.fetchval("SELECT pg_backend_pid()")
        async with db.transaction({B}) as tx:
            second = await tx.connection.fetchval("SELECT pg_backend_pid()")
            assert await tx.connection.fetch("SELECT * FROM cases") == []
    assert first == second


async def failing(db: Database) -> None:
    async with db.transaction({A}) as tx:
        await tx.connection.execute(PLACE, a_case(), A)
        with suppress(asyncpg.DivisionByZeroError):
            await tx.connection.execute("SELECT 1 / 0")


async def test_a_failed_transaction_does_not_pass_for_committed(db: Database, sql: Sql) -> None:
    with pytest.raises(RolledBack):
        await failing(db)
    assert await sql.fetchval("SELECT count(*) FROM cases") == 0


async def test_a_wake_is_given_by_the_commit_and_not_before(db: Database) -> None:
    due = timers.Due(A, Lane.CRISIS, "probe", a_case(), a_case(), 0, clock.now())
    woken = asyncio.create_task(db.signals.wait(timers_wake(Lane.CRISIS), 60))
    async with db.transaction({A}) as tx:
        await timers.schedule(tx, [due])
        # Many turns of the loop: whoever had been woken would have finished.
        await tx.connection.fetchval("SELECT pg_sleep(0.05)")
        assert not woken.done()
    async with asyncio.timeout(5):
        await woken


async def test_region_time_is_one_per_transaction_and_moves_with_the_clock(db: Database, sql: Sql) -> None:
    async with db.transaction({A}) as tx:
        before = await tx.now()
    await sql.execute("UPDATE region.clock SET shift = interval '2 days'")
    async with db.transaction({A}) as tx:
        after = await tx.now()
        assert await tx.now() == after
    assert 2 * 86_400 <= (after - before).total_seconds() < 2 * 86_400 + 60


async def test_production_refuses_a_clock_that_was_moved(sql: Sql, database: TestDatabase) -> None:
    production = replace(database.login(app_of("matching"), "matching"), steady_clock=True)
    pool = await open_pool(production, size=1)
    await pool.close()
    await sql.execute("UPDATE region.clock SET shift = interval '1 second'")
    with pytest.raises(MovedClock):
        _ = await open_pool(production, size=1)


@pytest.mark.parametrize("service", SERVICES)
async def test_the_logins_of_a_service_are_safe(service: str, database: TestDatabase) -> None:
    for login in (app_of(service), loop_of(service)):
        pool = await open_pool(database.login(login, service), size=1)
        await pool.close()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("ALTER ROLE {login} BYPASSRLS", "bypasses row security"),
        ("GRANT {owner} TO {login}", "owns"),
        ("ALTER TABLE matching.cases NO FORCE ROW LEVEL SECURITY", "table cases is without forced row security"),
        ("ALTER TABLE matching.timers DISABLE ROW LEVEL SECURITY", "table timers is without forced row security"),
        ("CREATE TABLE matching.new(agency_id uuid)", "table new is without forced row security"),
    ],
)
async def test_a_login_that_would_see_too_much_is_refused(spoil: str, why: str, database: TestDatabase) -> None:
    connection = await database.superuser()
    login = app_of("matching")
    # Roles are the cluster's: what is done to them here is undone with the transaction.
    change = connection.transaction()
    await change.start()
    await connection.execute(spoil.format(login=login, owner=owner_of("matching")))
    await connection.execute(f"SET SESSION AUTHORIZATION {login}")
    with pytest.raises(UnsafeLogin, match=why):
        await refuse_unsafe(connection, "matching")
    await change.rollback()
    await connection.close()


async def test_a_superuser_is_refused_a_pool(database: TestDatabase) -> None:
    with pytest.raises(UnsafeLogin, match="superuser"):
        _ = await open_pool(database.login(SUPERUSER, "matching"), size=1)


async def test_nobody_but_the_regions_logins_may_enter(database: TestDatabase) -> None:
    connection = await database.superuser()
    rows = await connection.fetch(
        "SELECT rolname FROM pg_roles"
        " WHERE rolcanlogin AND NOT rolsuper AND has_database_privilege(oid, $1, 'CONNECT')",
        database.name,
    )
    await connection.close()
    names = {row["rolname"] for row in rows}
    assert names == {OPERATOR, "peerline_migrator", *(of(s) for s in SERVICES for of in (app_of, loop_of))}
