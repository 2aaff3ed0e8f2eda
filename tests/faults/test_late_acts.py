"""A case is purged while somebody waits for its lock: the act finds nothing, leaves nothing, and fails nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from services.intake.actions import cases
from services.matching import actions
from shared import anchors
from shared.casework import Input
from shared.db import Transaction
from shared.events.intake import CaseClosed, ContactReleased, RequestSubmitted
from shared.types import REGION, CaseId
from tests.harness import bench as benches
from tests.harness.bench import Said
from tests.harness.databases import Sql, TestDatabase
from tests.harness.waiting import eventually
from tests.integration.intake_case import front as fronts
from tests.integration.intake_case.front import Front
from tests.integration.matching.bench import Bench, persons
from tests.unit.matching.given import ask
from tests.unit.shared.asgi import Answer

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def somebody_waits(sql: Sql) -> None:
    async def waiting() -> bool:
        return bool(await sql.fetchval(_WAITING))

    await eventually(waiting, what="somebody who waits for the lock")


async def left(sql: Sql, case: UUID) -> list[str]:
    """The tables of this schema that still name the case beside its tombstone, its audit and what has to go out."""
    tables = await sql.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
        " AND relname NOT IN ('tombstones', 'audit', 'outbox')"
    )
    found = [row["relname"] for row in tables]
    # The timer that writes down outside of the database that the key is destroyed is gone in a moment, where it runs.
    named = "SELECT true FROM {} t WHERE t::text LIKE $1 AND t::text NOT LIKE '%,forget_%' LIMIT 1"
    return [name for name in found if await sql.fetchval(named.format(name), f"%{case}%")]


@asynccontextmanager
async def locked(front: Front, case: CaseId) -> AsyncIterator[Transaction]:
    async with front.db.transaction([front.agency.agency_id, REGION]) as tx:
        await anchors.lock(tx, {case: front.agency.agency_id})
        yield tx


ACTS: dict[str, Callable[[Front, str], Awaitable[Answer]]] = {
    "close": lambda front, code: front.post(code, "close"),
    "withdraw": lambda front, code: front.json("DELETE", "/v1/case", code=code),
    "reach": lambda front, code: front.json("PUT", "/v1/case/reach", {"reach": None}, code=code),
}


@pytest.mark.parametrize("act", ACTS)
async def test_an_act_at_the_door_beside_a_withdrawal_finds_nothing(
    database: TestDatabase, tmp_path: Path, act: str
) -> None:
    async with fronts.opened(database, tmp_path) as front:
        code, case = await front.begun()
        async with locked(front, case) as tx:
            acting = asyncio.ensure_future(ACTS[act](front, code))
            await somebody_waits(front.sql)
            await cases.withdraw(tx, front.agency.agency_id, case)
        answer = await acting
        assert answer.status == 404
        assert "resources" in answer.json
        assert await left(front.sql, case) == []


async def test_an_event_that_waited_for_the_lock_of_a_closed_case_is_dropped(
    database: TestDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    async with benches.benched(Bench, database) as bench:
        (person,) = persons(1)
        await bench.staff(person)
        (case,) = benches.cases(1)
        await bench.take(Said(bench.agency, case, RequestSubmitted(ask=ask())))
        async with bench.db.transaction([bench.agency]) as tx:
            await anchors.lock(tx, {case: bench.agency})
            late = Said(bench.agency, case, ContactReleased(assignment=case, recipient=person))
            taking = asyncio.ensure_future(bench.take(late))
            await somebody_waits(bench.sql)
            await actions.take(tx, [Input(bench.agency, case, CaseClosed())])
        await taking
        assert await left(bench.sql, case) == []
        assert not [record.message for record in caplog.records]
