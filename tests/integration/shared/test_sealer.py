"""Audit entries are linked soon after their commit, whatever commits late and whoever seals, each exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from shared import audit, sealer
from shared.audit import Entry
from shared.chain import Walk
from shared.db import Connection, Database, connect
from shared.migrate import app_of, loop_of
from shared.sealer import Sealer
from shared.types import AgencyId
from tests.harness.databases import Sql, TestDatabase
from tests.harness.probe import SERVICE
from tests.harness.waiting import eventually

ONE, TWO = AgencyId(UUID(int=1)), AgencyId(UUID(int=2))


@pytest_asyncio.fixture
async def loop(database: TestDatabase) -> AsyncIterator[Connection]:
    connection = await connect(database.login(loop_of(SERVICE), SERVICE), idle_timeout_s=60)
    yield connection
    await connection.close()


@pytest.fixture
def one(database: TestDatabase) -> Sealer:
    return Sealer(database.login(loop_of(SERVICE), SERVICE), batch=100)


async def write(db: Database, acts: int, agencies: Collection[AgencyId] = (ONE,)) -> None:
    async with db.transaction(agencies) as tx:
        entries = [Entry(agency, "act", subject=uuid4(), cause=uuid4()) for agency in agencies for _ in range(acts)]
        await audit.record(tx, entries)


async def whole(connection: Connection) -> int:
    """How many links there are; nothing of any chain is bad."""
    walk = Walk(SERVICE)
    async for page in sealer.pages(connection):
        assert [*walk.page(page)] == []
    return walk.links


async def test_entries_are_linked_in_batches_each_agencys_by_themselves(
    db: Database, loop: Connection, one: Sealer
) -> None:
    await write(db, 120, (ONE, TWO))
    assert [await one.sealed(loop) for _ in range(4)] == [100, 100, 40, 0]
    assert await whole(loop) == 240
    assert {agency: head.seq for agency, head in (await sealer.heads(loop)).items()} == {ONE: 120, TWO: 120}


async def test_a_batch_of_a_thousand_takes_a_few_statements(
    db: Database, loop: Connection, database: TestDatabase
) -> None:
    await write(db, 1000)
    said: list[str] = []
    with loop.query_logger(lambda record: said.append(record.query)):
        assert await Sealer(database.login(loop_of(SERVICE), SERVICE)).sealed(loop) == 1000
    assert len([query for query in said if "typeinfo" not in query]) <= 9


@asynccontextmanager
async def under_way(database: TestDatabase) -> AsyncIterator[Sql]:
    """A transaction that has written an entry and does not end."""
    connection = await database.connect(app_of(SERVICE), search_path=SERVICE)
    await connection.execute(f"BEGIN; SELECT set_config('peerline.agencies', '{{{ONE}}}', true)")
    await connection.execute("INSERT INTO audit(agency_id, act) VALUES ($1, 'late')", ONE)
    yield connection
    await connection.close()


async def test_an_entry_that_commits_after_later_ones_is_linked_behind_them_and_the_floor_waits_for_it(
    db: Database, loop: Connection, one: Sealer, database: TestDatabase, sql: Sql
) -> None:
    async with under_way(database) as late:
        await write(db, 2)
        for _ in range(3):
            await one.sealed(loop)
        assert (await whole(loop), await sql.fetchval("SELECT floor FROM audit_floor")) == (2, 0)
        await late.execute("COMMIT")
    for _ in range(3):
        await one.sealed(loop)
    order = [row["audit_id"] for row in await sql.fetch("SELECT audit_id FROM audit_chain ORDER BY seq")]
    assert (await whole(loop), order) == (3, [2, 3, 1])
    assert await sql.fetchval("SELECT floor FROM audit_floor") == 3


async def begun(database: TestDatabase) -> Sql:
    """A transaction that has its number and has written nothing yet."""
    connection = await database.connect(app_of(SERVICE), search_path=SERVICE)
    await connection.execute(f"BEGIN; SELECT set_config('peerline.agencies', '{{{ONE}}}', true)")
    await connection.execute("SELECT pg_current_xact_id()")
    return connection


async def test_the_floor_waits_for_an_entry_whose_transaction_has_the_highest_number_there_is(
    loop: Connection, one: Sealer, database: TestDatabase, sql: Sql
) -> None:
    # A snapshot's upper end is no higher than the number of the late one: what is over is all that it counts.
    early, late = await begun(database), await begun(database)
    for connection in (late, early):
        await connection.execute("INSERT INTO audit(agency_id, act) VALUES ($1, 'act')", ONE)
    await early.execute("COMMIT")
    for _ in range(3):
        await one.sealed(loop)
    assert (await whole(loop), await sql.fetchval("SELECT floor FROM audit_floor")) == (1, 0)
    await late.execute("COMMIT")
    for _ in range(3):
        await one.sealed(loop)
    assert (await whole(loop), await sql.fetchval("SELECT floor FROM audit_floor")) == (2, 2)
    await early.close()
    await late.close()


async def said_by(one: Sealer, connection: Connection) -> list[str]:
    """The statements of one round."""
    said: list[str] = []
    with connection.query_logger(lambda record: said.append(record.query)):
        await one.sealed(connection)
        # They are logged a turn of the loop later.
        await asyncio.sleep(0)
    return said


async def test_a_sealer_with_nothing_to_link_says_little_and_takes_no_number(
    db: Database, loop: Connection, one: Sealer, database: TestDatabase
) -> None:
    async with under_way(database) as late:
        await write(db, 1)
        first = await said_by(one, loop)
        waits = await said_by(one, loop)
        assert [sealer.OWN in said for said in (first, waits)] == [True, False]
        assert len(waits) == 4
        await late.execute("COMMIT")
    for _ in range(3):
        await one.sealed(loop)
    assert len(await said_by(one, loop)) == 1


async def test_whatever_is_below_the_floor_is_not_looked_at_again(
    db: Database, loop: Connection, one: Sealer, sql: Sql
) -> None:
    await write(db, 5)
    for _ in range(3):
        await one.sealed(loop)
    floor = await sql.fetchval("SELECT floor FROM audit_floor")
    plan = "\n".join(
        row[0] for row in await sql.fetch("EXPLAIN SELECT id FROM audit WHERE id > 5 ORDER BY id LIMIT 100")
    )
    assert (floor, "Index Scan" in plan or "Index Only Scan" in plan) == (5, True)


async def test_entries_of_a_database_restored_into_another_cluster_are_linked_whatever_their_numbers_say(
    loop: Connection, one: Sealer, sql: Sql
) -> None:
    for xid in ("3", "9999999999999"):
        await sql.execute("INSERT INTO audit(xid, agency_id, act) VALUES ($1::text::xid8, $2, 'restored')", xid, ONE)
    for _ in range(3):
        await one.sealed(loop)
    assert await whole(loop) == 2


async def test_only_one_seals_and_the_other_takes_over_when_it_is_gone(
    db: Database, loop: Connection, database: TestDatabase
) -> None:
    login = database.login(loop_of(SERVICE), SERVICE)
    first, second = await connect(login, idle_timeout_s=60), await connect(login, idle_timeout_s=60)
    assert (await sealer.locked(first), await sealer.locked(second)) == (True, False)
    running = asyncio.create_task(Sealer(login).run())
    try:
        await write(db, 3)
        assert await whole(loop) == 0
        await first.close()

        async def linked() -> bool:
            return await whole(loop) == 3

        await eventually(linked, 15)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await second.close()


async def test_nobody_may_change_an_entry_or_a_link(database: TestDatabase, loop: Connection) -> None:
    app = await database.connect(app_of(SERVICE), search_path=SERVICE)
    tried = [
        (loop, "UPDATE audit SET act = 'x'"),
        (loop, "DELETE FROM audit"),
        (loop, "UPDATE audit_chain SET seq = 1"),
        (loop, "DELETE FROM audit_chain"),
        (app, "SELECT act FROM audit"),
        (app, "SELECT seq FROM audit_chain"),
    ]
    for connection, statement in tried:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await app.close()
