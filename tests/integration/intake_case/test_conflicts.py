"""Conflicts of interest that an agency states: obeyed by requests old and new, and told to nobody."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from shared.events.intake import BarsChanged, RequestSubmitted
from shared.types import CaseId, PersonId
from tests.harness.waiting import eventually
from tests.integration.intake_case.front import Front
from tests.integration.intake_case.test_submit import person


async def listed(front: Front, *conflicts: dict[str, Any], status: int = 200) -> Any:
    """The agency's list, replaced whole."""
    about = await front.json("GET", "/v1/agency", code=front.key)
    tag = about.json["conflicts_tag"]
    answer = await front.json(
        "PUT",
        "/v1/agency/conflicts",
        {"conflicts": conflicts},
        code=front.key,
        **({"If_Match": tag} if tag else {"If_None_Match": "*"}),
    )
    assert answer.status == status, answer.body
    return answer.json


async def asked(front: Front, **about_me: Any) -> tuple[CaseId, set[PersonId]]:
    _, case = await front.begun(about_me=about_me or None)
    fact = next(one for one in await front.facts(case) if isinstance(one, RequestSubmitted))
    return case, set(fact.ask.bars)


async def changed(front: Front, case: CaseId) -> list[set[PersonId]]:
    return [set(fact.bars) for fact in await front.facts(case) if isinstance(fact, BarsChanged)]


async def test_scenario_06_witnesses_of_the_same_incident_are_barred_whoever_asks_for_them(front: Front) -> None:
    ids = await front.upload(person("p1", badge="7"), person("p2"), person("p3"), person("m1", "member"))
    told = await listed(front, {"kind": "incident", "reference": "26-1042", "people": ["p1", "p2", "m1"]})
    assert told == {"conflicts": 1, "people": 3}
    assert (await asked(front, incident=" 26-1042 "))[1] == {ids["p1"], ids["p2"]}
    assert (await asked(front, me="Person m1"))[1] == {ids["p1"], ids["p2"]}
    assert (await asked(front, incident="another"))[1] == set()
    _, case = await front.begun(about_me={"incident": "26-1042"}, wanted_people=["7"])
    fact = next(one for one in await front.facts(case) if isinstance(one, RequestSubmitted))
    # Wished for and barred: matching asks nobody who is barred, whatever is wished.
    assert ids["p1"] in fact.ask.bars


async def test_scenario_07_an_inquiry_in_mid_case_bars_without_a_cause(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2"), person("m1", "member"))
    case, bars = await asked(front, me="Person m1")
    await front.rounds()
    assert (bars, await changed(front, case)) == (set(), [])
    await listed(front, {"kind": "investigation", "people": ["m1", "p1"]})
    assert await front.rounds() == ["names"]
    (fact,) = [one for one in await front.facts(case) if isinstance(one, BarsChanged)]
    assert fact.model_dump(include={"bars"}) == {"bars": (ids["p1"],)}
    assert "investigation" not in fact.model_dump_json()


async def test_whoever_evaluates_is_barred_from_every_request_those_that_name_nobody_too(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2"), person("c1", "coordinator"))
    case, bars = await asked(front)
    assert bars == set()
    await listed(front, {"kind": "evaluator", "people": ["p1", "c1"]})
    await front.rounds()
    assert await changed(front, case) == [{ids["p1"], ids["c1"]}]
    assert (await asked(front))[1] == {ids["p1"], ids["c1"]}


async def test_a_request_that_was_being_taken_when_the_first_list_came_obeys_it_too(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2"))
    await front.rounds()
    async with front.sql.transaction():
        await front.sql.execute("LOCK TABLE requests IN SHARE MODE")
        taking = asyncio.create_task(asked(front))
        await eventually(partial(front.sql.fetchval, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await listed(front, {"kind": "evaluator", "people": ["p1"]})
        assert await front.rounds() == ["names"]
    case, bars = await taking
    assert (bars, await front.rounds(), await changed(front, case)) == (set(), [], [])
    await front.move_clock(timedelta(minutes=2))
    assert await front.rounds() == ["names"]
    assert await changed(front, case) == [{ids["p1"]}]


async def test_relatives_are_barred_from_each_other_and_an_old_conflict_counts_no_more(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2"), person("m1", "member"))
    await listed(
        front,
        {"kind": "relatives", "people": ["m1", "p1"]},
        {"kind": "investigation", "people": ["m1", "p2"], "until": "2020-01-01"},
    )
    assert (await asked(front, me="Person m1"))[1] == {ids["p1"]}
    await listed(front)
    assert (await asked(front, me="Person m1"))[1] == set()


async def test_scenario_04_last_months_sergeant_is_barred_as_long_as_the_policy_looks_back(front: Front) -> None:
    mine = {"about_me": {"me": "Person m1"}}
    first = await front.upload(person("old"), person("new"), person("m1", "member", supervisor_ref="old"))
    await front.upload(person("old"), person("new"), person("m1", "member", supervisor_ref="new"))
    assert (await asked(front, **mine["about_me"]))[1] == {first["old"], first["new"]}
    await front.sql.execute("UPDATE people_before SET counts_until = current_date - 2")
    assert (await asked(front, **mine["about_me"]))[1] == {first["new"]}


async def test_with_no_look_back_only_who_commands_now_is_barred(front: Front) -> None:
    await front.sql.execute("UPDATE agencies SET policy = '{\"look_back_days\": 0}' WHERE slug = 'riverton'")
    ids = await front.upload(person("old"), person("new"), person("m1", "member", supervisor_ref="old"))
    await front.upload(person("old"), person("new"), person("m1", "member", supervisor_ref="new"))
    # To the end of today both count: nobody knows at which hour it changed.
    assert (await asked(front, me="Person m1"))[1] == {ids["old"], ids["new"]}
    await front.sql.execute("UPDATE region.clock SET shift = '25 hours'")
    assert (await asked(front, me="Person m1"))[1] == {ids["new"]}


@pytest.mark.parametrize(
    ("conflict", "pointer"),
    [
        ({"kind": "evaluator", "people": ["p1", "nobody"]}, "/conflicts/0/people/1"),
        ({"kind": "incident", "people": ["p1"]}, "/conflicts/0"),
        ({"kind": "relatives", "people": ["p1"], "reference": "x"}, "/conflicts/0"),
        ({"kind": "feud", "people": ["p1"]}, "/conflicts/0/kind"),
        ({"kind": "relatives", "people": []}, "/conflicts/0/people"),
    ],
)
async def test_what_cannot_be_kept_is_named_by_its_place(front: Front, conflict: Any, pointer: str) -> None:
    await front.upload(person("p1"))
    told = await listed(front, conflict, status=422)
    assert [one["pointer"] for one in told["errors"]] == [pointer]


async def test_the_list_has_no_door_out(front: Front) -> None:
    await front.upload(person("p1"))
    await listed(front, {"kind": "evaluator", "people": ["p1"]})
    assert (await front.json("GET", "/v1/agency/conflicts", code=front.key)).status == 405
    assert "evaluator" not in str((await front.json("GET", "/v1/agency", code=front.key)).json)
    stale = await front.json("PUT", "/v1/agency/conflicts", {"conflicts": []}, code=front.key, If_Match='"9"')
    assert stale.status == 412
