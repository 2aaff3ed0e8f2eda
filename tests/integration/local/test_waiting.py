"""`peerline waiting` on a real region: what is open in all services, and what is overdue."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
import typer
from typer.testing import CliRunner

from deploy.cli import waiting
from shared import heartbeats, parking
from shared.checks import Finding
from shared.migrate import OPERATOR, SERVICES, app_of
from shared.parking import Raw, Ticket
from shared.types import AgencyId
from tests.harness.databases import TestDatabase

ROW = """
INSERT INTO cases(case_id, agency_id, state, owner, due_at)
VALUES ($1, $2, $3, $4, region.now() + $5::text::interval)
"""


async def beat(database: TestDatabase, service: str, *found: Finding) -> None:
    async with database.opened(service) as db, db.loop() as connection:
        await heartbeats.beat(connection, service, "0", found, told={})


@pytest_asyncio.fixture
async def well(database: TestDatabase) -> None:
    """All four auditors have just found everything in order."""
    for service in SERVICES:
        await beat(database, service)


@pytest.fixture
def run(database: TestDatabase, well: None, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    del well
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


async def checks_of(app: typer.Typer) -> tuple[int, dict[str, list[str]]]:
    answer = await asyncio.to_thread(CliRunner().invoke, app, ["waiting", "--json"])
    return answer.exit_code, {one["service"]: one["failed"] for one in json.loads(answer.output)["checks"]}


async def test_checks_that_fail_and_silent_services_are_named_and_set_the_exit_code(
    run: typer.Typer, database: TestDatabase
) -> None:
    assert await checks_of(run) == (0, {service: [] for service in SERVICES})
    await beat(database, "matching", Finding("timers_overdue", 3, 130), Finding("outbox_old", 1, 40))
    sql = await database.superuser()
    await sql.execute("DELETE FROM region.heartbeats WHERE service = 'notify'")
    await sql.close()
    code, told = await checks_of(run)
    assert (code, told["intake"]) == (waiting.OVERDUE, [])
    assert (told["matching"], told["notify"]) == (["outbox_old", "timers_overdue"], ["silent"])
    plain = await asyncio.to_thread(CliRunner().invoke, run, ["waiting"])
    assert "matching  outbox_old, timers_overdue" in plain.output
    assert "notify  silent  (clean never)" in plain.output


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


async def parked(database: TestDatabase, service: str, tickets: list[Ticket]) -> None:
    agencies = {ticket.agency_id for ticket in tickets if ticket.agency_id}
    async with database.opened(service) as db, db.transaction(agencies) as tx:
        await parking.park(tx, tickets, b"k" * 32)


def ticket(case: object, *, pos: int = 0, **more: Any) -> Ticket:
    raw = Raw("peerline.intake", 0, pos, str(case).encode(), (), b"{}")
    return Ticket(raw, more.pop("why", "Unprocessable"), agency_id=AgencyId(uuid4()), **more)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_dead_letter_is_the_operators_within_a_day(
    service: str, run: typer.Typer, database: TestDatabase
) -> None:
    case = uuid4()
    await parked(database, service, [ticket(case, dead=True)])
    code, (thing,) = await listed(run)
    assert (code, thing["service"], thing["state"], thing["owner"]) == (0, service, "dead_letter", "operator")
    assert (thing["case"], thing["overdue"]) == (str(case), False)
    due = datetime.fromisoformat(str(thing["due"])) - datetime.now(UTC)
    assert timedelta(hours=23) < due < timedelta(hours=25)


async def test_a_record_without_a_case_or_an_agency_is_listed_and_its_key_is_not_told(
    run: typer.Typer, database: TestDatabase
) -> None:
    raw = Raw("peerline.intake", 0, 1, b"canary\xff", (), b"?")
    await parked(database, "matching", [Ticket(raw, "Unprocessable", dead=True, keep=False)])
    _, (thing,) = await listed(run)
    assert (thing["state"], thing["owner"], thing["case"], thing["traces"]) == ("dead_letter", "operator", "", "")


async def test_what_is_parked_for_long_is_listed_and_what_stands_behind_it_is_not(
    run: typer.Typer, database: TestDatabase
) -> None:
    old, new = uuid4(), uuid4()
    tickets = [ticket(old), ticket(old, pos=1, why="Behind"), ticket(new, pos=2)]
    await parked(database, "referral", tickets)
    assert await listed(run) == (0, [])
    sql = await database.superuser()
    try:
        await sql.execute(
            "UPDATE referral.parked SET parked_at = clock_timestamp() - interval '2 hours' WHERE subject = $1", old
        )
    finally:
        await sql.close()
    code, (thing,) = await listed(run)
    assert (code, thing["case"], thing["state"], thing["owner"]) == (1, str(old), "parked", "operator")
