"""`peerline waiting` on a real region: what is open in all services, and what is overdue."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

import pytest
import typer
from typer.testing import CliRunner

from deploy.cli import waiting
from shared.migrate import OPERATOR, SERVICES, app_of
from tests.harness.databases import TestDatabase

ROW = """
INSERT INTO cases(case_id, agency_id, state, owner, due_at)
VALUES ($1, $2, $3, $4, region.now() + $5::text::interval)
"""


@pytest.fixture
def run(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    endpoints = database.cluster.endpoints
    monkeypatch.setenv("PEERLINE_DATABASE", database.name)
    monkeypatch.setenv("PEERLINE_DATABASE_HOST", endpoints.postgres_host)
    monkeypatch.setenv("PEERLINE_DATABASE_PORT", str(endpoints.postgres_port))
    monkeypatch.setenv("PEERLINE_OPERATOR_PASSWORD", database.cluster.passwords[OPERATOR])
    monkeypatch.setenv("PEERLINE_TRACES_URL", "http://127.0.0.1:19411")
    app = typer.Typer()
    waiting.register(app)
    return app


async def opened(database: TestDatabase, service: str, *, state: str, owner: str, due: str) -> str:
    case, agency = uuid4(), uuid4()
    connection = await database.connect(app_of(service), search_path=service)
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL peerline.agencies = '{{{agency}}}'")
            await connection.execute(ROW, case, agency, state, owner, due)
    finally:
        await connection.close()
    return str(case)


async def listed(app: typer.Typer) -> tuple[int, list[dict[str, object]]]:
    answer = await asyncio.to_thread(CliRunner().invoke, app, ["waiting", "--json"])
    return answer.exit_code, json.loads(answer.output)["waiting"]


async def test_nothing_open_is_an_empty_list_and_fine(run: typer.Typer) -> None:
    assert await listed(run) == (0, [])


async def test_every_open_thing_of_all_services_is_listed_with_owner_due_time_and_traces(
    run: typer.Typer, database: TestDatabase
) -> None:
    cases = {name: await opened(database, name, state="open", owner=name, due="1 hour") for name in SERVICES}
    code, things = await listed(run)
    assert code == 0
    assert {str(one["service"]): one["case"] for one in things} == cases
    assert all(one["owner"] == one["service"] and not one["overdue"] for one in things)
    assert all(str(one["case"]) in str(one["traces"]) for one in things)


async def test_what_is_overdue_comes_first_and_sets_the_exit_code(run: typer.Typer, database: TestDatabase) -> None:
    await opened(database, "matching", state="searching", owner="matching", due="1 hour")
    late = await opened(database, "referral", state="silent", owner="operator", due="-1 minutes")
    code, things = await listed(run)
    assert code == waiting.OVERDUE
    assert (things[0]["case"], things[0]["overdue"], things[0]["owner"]) == (late, True, "operator")
    assert things[1]["overdue"] is False


async def test_nothing_of_an_agency_and_no_exact_time_is_told(run: typer.Typer, database: TestDatabase) -> None:
    await opened(database, "intake", state="open", owner="matching", due="1 hour")
    _, (thing,) = await listed(run)
    assert set(thing) == {"service", "state", "owner", "due", "overdue", "case", "traces"}
    assert str(thing["due"])[14:19] in {f"{minute:02}:00" for minute in range(0, 60, 5)}
