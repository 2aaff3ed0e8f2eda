"""The structure through its door and the operator's hand, and what the region hears when it begins and ends."""

import json
from datetime import timedelta
from typing import Any

import pytest

from services.intake.app import fire
from services.intake.domain.agency import Agency
from services.intake.store.agencies import load_agency
from shared import clock
from shared.events.intake import AgencySet
from shared.timers import claim, in_one_transaction
from shared.types import Lane, Structure
from tests.harness.databases import TestDatabase
from tests.integration.intake_agency.office import Office
from tests.integration.intake_agency.test_command import AGENCY, environment, peerline
from tests.unit.shared.asgi import Answer

STRUCTURE = "/v1/agency/structure"
SUPERVISED = {"structure": "clinical-supervisor", "contract": {"from": "2020-01-01", "to": None}}


async def put(office: Office, key: str, given: dict[str, Any], *, tag: str = "*") -> Answer:
    return await office.ask("PUT", STRUCTURE, key, body=json.dumps(given).encode(), If_Match=tag)


async def told(office: Office, agency: Agency) -> list[AgencySet]:
    return [fact for _, fact in await office.facts(agency) if isinstance(fact, AgencySet)]


async def fired(office: Office) -> int:
    due = await claim(office.db, Lane.ORDINARY)
    if due:
        await in_one_transaction(office.db, fire)(due)
    return len(due)


async def move_clock(office: Office, by: timedelta) -> None:
    await office.sql.execute("UPDATE region.clock SET shift = shift + $1", by)


async def test_a_structure_is_set_shown_and_told(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    answer = await put(office, key, SUPERVISED)
    shown = await office.ask("GET", STRUCTURE, key)
    assert (answer.status, answer.json) == (200, shown.json)
    assert (shown.json["structure"], shown.json["contract"]) == ("clinical-supervisor", SUPERVISED["contract"])
    assert {name for name, can in shown.json["capabilities"].items() if not can} == {"direct_retiree"}
    first, second = await told(office, agency)
    assert not any(first.capabilities.model_dump().values())
    assert (second.revision, second.structure) == (2, Structure.CLINICAL_SUPERVISOR)
    assert second.capabilities.model_dump() == shown.json["capabilities"]


async def test_who_has_not_read_what_stands_changes_nothing(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    tag = (await office.ask("GET", STRUCTURE, key)).headers["etag"]
    blind = await office.ask("PUT", STRUCTURE, key, body=json.dumps(SUPERVISED).encode())
    first = await put(office, key, SUPERVISED, tag=tag)
    stale = await put(office, key, {"structure": "team-coordinator"}, tag=tag)
    assert [blind.status, first.status, stale.status] == [428, 200, 412]
    assert first.headers["etag"] != tag
    assert len(await told(office, agency)) == 2


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"structure": "clinical-advisor"}, {("/contract", "missing")}),
        ({"structure": "canary-structure"}, {("/structure", "enum")}),
        ({"structure": "team-coordinator", "on_call": True}, {("/on_call", "not-in-structure")}),
        (SUPERVISED | {"effective_from": "2020-01-01T00:00:00Z"}, {("/effective_from", "in-the-past")}),
        (SUPERVISED | {"effective_from": "2040-01-01T00:00:00"}, {("/effective_from", "timezone_aware")}),
        (SUPERVISED | {"contract": {"from": "2020-01-01", "to": "2019-01-01"}}, {("/contract/to", "before-start")}),
        (SUPERVISED | {"contract": {"from": "0001-01-01", "to": None}}, {("/contract/from", "out_of_range")}),
        (SUPERVISED | {"contract": {"from": "9999-12-31", "to": None}}, {("/contract/from", "out_of_range")}),
        (SUPERVISED | {"contract": {"from": "2020-01-01", "to": "9999-12-31"}}, {("/contract/to", "out_of_range")}),
        (SUPERVISED | {"effective_from": "9999-12-31T23:59:59.999999Z"}, {("/effective_from", "out_of_range")}),
        (SUPERVISED | {"effective_from": "9999-12-31T23:59:59-12:00"}, {("/effective_from", "out_of_range")}),
    ],
)
async def test_what_cannot_be_is_refused_by_pointer(
    office: Office, given: dict[str, Any], found: set[tuple[str, str]]
) -> None:
    agency, key = await office.take_on("riverton")
    answer = await put(office, key, given)
    assert (answer.status, {(one["pointer"], one["code"]) for one in answer.json["errors"]}) == (422, found)
    assert b"canary" not in answer.body
    assert len(await told(office, agency)) == 1


async def test_a_planned_structure_is_told_when_it_begins(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    begins = (clock.now() + timedelta(days=7)).isoformat()
    planned = (await put(office, key, SUPERVISED | {"effective_from": begins})).json
    assert (planned["structure"], [one["structure"] for one in planned["planned"]]) == (
        "team-coordinator",
        ["clinical-supervisor"],
    )
    assert await fired(office) == 0
    await move_clock(office, timedelta(days=8))
    assert await fired(office) == 1
    *_, last = await told(office, agency)
    assert (last.structure, last.capabilities.accept_referral) == (Structure.CLINICAL_SUPERVISOR, True)
    assert (await office.ask("GET", STRUCTURE, key)).json["planned"] == []


async def test_capabilities_end_with_the_contract_and_that_is_told(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    last_day = clock.now().date() + timedelta(days=3)
    await put(office, key, SUPERVISED | {"contract": {"from": "2020-01-01", "to": last_day.isoformat()}})
    await move_clock(office, timedelta(days=5))
    assert await fired(office) == 1
    *_, last = await told(office, agency)
    assert last.structure is Structure.CLINICAL_SUPERVISOR
    assert not any(last.capabilities.model_dump().values())
    shown = (await office.ask("GET", "/v1/agency", key)).json
    assert not any(shown["capabilities"].values())


async def test_a_timer_of_an_older_plan_does_nothing(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    begins = (clock.now() + timedelta(days=7)).isoformat()
    await put(office, key, SUPERVISED | {"effective_from": begins})
    await put(office, key, {"structure": "team-coordinator"})
    before = await told(office, agency)
    await move_clock(office, timedelta(days=8))
    assert await fired(office) == 1
    assert await told(office, agency) == before
    assert (await office.ask("GET", STRUCTURE, key)).json["structure"] == "team-coordinator"


async def test_a_key_without_the_scope_neither_reads_nor_sets(office: Office) -> None:
    _, key = await office.take_on("riverton")
    body = json.dumps({"scopes": ["agency:read"]}).encode()
    narrow = (await office.ask("POST", "/v1/agency/keys", key, body=body, Idempotency_Key="a-key-of-mine")).json["key"]
    assert (await office.ask("GET", STRUCTURE, narrow)).status == 403
    assert (await put(office, narrow, SUPERVISED)).status == 403


async def test_one_agencys_structure_is_nobody_elses(office: Office) -> None:
    _, mine = await office.take_on("riverton")
    other, theirs = await office.take_on("lakeside")
    await put(office, mine, SUPERVISED)
    assert (await office.ask("GET", STRUCTURE, theirs)).json["structure"] == "team-coordinator"
    async with office.db.transaction([other.agency_id]) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM structures") == 1
        kept = await load_agency(tx, other.agency_id)
    assert kept is not None
    assert [one.structure for one in kept.programs] == [Structure.TEAM_COORDINATOR]


async def test_the_operator_takes_on_shows_and_sets_every_structure(
    office: Office, database: TestDatabase, tmp_path: Any
) -> None:
    env = environment(database, tmp_path)
    for slug, structure in (("lakeside", "clinical-advisor"), ("summit", "clinical-supervisor")):
        words = (*AGENCY, "--slug", slug, "--structure", structure, "--contract-from", "2020-01-01")
        assert (await peerline(env, *words))[0] == 0
    assert (await peerline(env, *AGENCY, "--structure", "clinical-advisor"))[0] == 3
    code, out = await peerline(env, "agency", "structure", "lakeside", "--json")
    assert (code, json.loads(out)["capabilities"]["consult"]) == (0, True)
    change = ("--set", "clinical-supervisor", "--contract-from", "2020-01-01", "--contract-to", "2090-01-01")
    code, out = await peerline(env, "agency", "structure", "lakeside", *change)
    assert (code, "accept_referral" in out) == (0, True)
    assert (await peerline(env, "agency", "structure", "lakeside", "--contract-to", "2090-01-01"))[0] == 2
    bad, out = await peerline(env, "agency", "structure", "lakeside", *change[:-1], "canary", "--json")
    assert (bad, json.loads(out)["errors"]) == (3, [{"pointer": "/contract/to", "code": "invalid"}])
    assert await office.sql.fetchval("SELECT count(*) FROM timers WHERE kind = 'structure'") == 1
