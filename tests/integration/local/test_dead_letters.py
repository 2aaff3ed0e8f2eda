"""`peerline dead-letters` on a real region, as the operator has it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from deploy.cli import dead_letters
from deploy.cli.operator import REFUSED, UNREACHABLE, USAGE
from shared import parking
from shared.migrate import OPERATOR, SERVICES
from shared.parking import Raw, Ticket
from shared.types import AgencyId
from tests.harness.databases import TestDatabase


@pytest.fixture(autouse=True)
def _settings(database: TestDatabase, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    endpoints = database.cluster.endpoints
    monkeypatch.setenv("PEERLINE_DATABASE", database.name)
    monkeypatch.setenv("PEERLINE_DATABASE_HOST", endpoints.postgres_host)
    monkeypatch.setenv("PEERLINE_DATABASE_PORT", str(endpoints.postgres_port))
    monkeypatch.setenv("PEERLINE_OPERATOR_PASSWORD", database.cluster.passwords[OPERATOR])
    # Nothing here needs the region's keys.
    monkeypatch.setenv("PEERLINE_KEYRING", str(tmp_path / "none.json"))


async def peerline(*args: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, dead_letters.app, list(args))


async def told(*args: str) -> dict[str, Any]:
    answer = await peerline(*args, "--json")
    assert answer.exit_code == 0, answer.output
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


async def parked(database: TestDatabase, service: str, *tickets: Ticket) -> None:
    agencies = {ticket.agency_id for ticket in tickets if ticket.agency_id}
    async with database.opened(service) as db, db.transaction(agencies) as tx:
        await parking.park(tx, tickets, b"k" * 32)


def ticket(case: object, *, pos: int = 0, why: str = "Unprocessable", dead: bool = True, keep: bool = True) -> Ticket:
    headers = (("ce_type", b"intake.case_closing.v1"), ("x-canary", b"CANARY"))
    raw = Raw("peerline.intake", 3, pos, str(case).encode(), headers, b'{"canary":"CANARY"}')
    agency = AgencyId(uuid4()) if keep else None
    return Ticket(raw, why, uuid4() if keep else None, agency, dead=dead, keep=keep)


async def test_nothing_dead_is_an_empty_list() -> None:
    assert await told("list") == {"dead_letters": []}
    assert "None yet." in (await peerline("list")).stdout


@pytest.mark.parametrize("service", SERVICES)
async def test_a_dead_letter_is_listed_shown_replayed_and_then_not_dead(service: str, database: TestDatabase) -> None:
    case = uuid4()
    await parked(database, service, ticket(case), ticket(case, pos=1, why="Behind", dead=False))
    (letter,) = (await told("list"))["dead_letters"]
    assert letter == await told("show", letter["id"])
    assert (letter["case"], letter["owner"], letter["type"]) == (str(case), "operator", "intake.case_closing.v1")
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("peerline.intake", 3, 0)
    assert (letter["state"], letter["behind"], letter["replayable"], letter["overdue"]) == ("dead", 1, True, False)
    assert await told("replay", letter["id"]) == {"replayed": [letter["id"]]}
    assert await told("list") == {"dead_letters": []}
    states = [one["state"] for one in (await told("list", "--waiting"))["dead_letters"]]
    assert states == ["waiting", "waiting"]


async def test_nothing_of_the_content_of_the_headers_or_of_an_exact_time_is_told(database: TestDatabase) -> None:
    await parked(database, "intake", ticket("CANARY", keep=False), ticket(uuid4(), pos=1))
    letters = (await told("list"))["dead_letters"]
    shown = [(await peerline("show", one["id"])).output for one in letters]
    assert len(letters) == 2
    assert "CANARY" not in json.dumps(letters) + "".join(shown) + (await peerline("list")).output
    assert {str(one[name])[16:] for one in letters for name in ("due", "parked")} == {":00+00:00"}


async def test_all_that_can_be_had_again_are_replayed_at_once(database: TestDatabase) -> None:
    await parked(database, "intake", ticket(uuid4()), ticket(uuid4(), pos=1, keep=False))
    await parked(database, "notify", ticket(uuid4()))
    sql = await database.superuser()
    await sql.execute("UPDATE intake.parked SET parked_at = parked_at - interval '8 days' WHERE NOT kept")
    await sql.close()
    assert len((await told("replay", "--all"))["replayed"]) == 2
    (left,) = (await told("list"))["dead_letters"]
    assert (left["kept"], left["replayable"]) == (False, False)
    refused = await peerline("replay", left["id"])
    assert (refused.exit_code, "can only be discarded" in refused.output) == (REFUSED, True)


async def test_a_letter_is_discarded_once_with_a_reason(database: TestDatabase) -> None:
    await parked(database, "referral", ticket(uuid4()))
    (letter,) = (await told("list"))["dead_letters"]
    assert (await peerline("discard", letter["id"], "--reason", "J. Doe said so")).exit_code == USAGE
    assert await told("discard", letter["id"], "--reason", "forged") == {"discarded": letter["id"], "reason": "forged"}
    for again in (["discard", letter["id"], "--reason", "forged"], ["replay", letter["id"]], ["show", letter["id"]]):
        refused = await peerline(*again)
        assert (refused.exit_code, "discarded already" in refused.output) == (REFUSED, True)
    sql = await database.superuser()
    assert await sql.fetchval("SELECT array_agg(act) FROM referral.audit") == ["dead_letter.discarded.forged"]
    await sql.close()


@pytest.mark.parametrize("letter", ["17", "matching/x", "other/17", "matching/", f"matching/{'9' * 19}"])
async def test_what_names_no_letter_is_wrong_usage(letter: str) -> None:
    assert (await peerline("show", letter)).exit_code == USAGE


async def test_a_database_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERLINE_DATABASE_PORT", "9")
    answer = await peerline("list")
    assert (answer.exit_code, "Traceback" in answer.output) == (UNREACHABLE, False)
