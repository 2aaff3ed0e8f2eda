"""Names that nobody had when a request came in, and that a directory comes to know."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from shared.events.intake import BarsChanged, ContactReleased, CrisisRaised, RequestSubmitted
from shared.events.matching import AssignmentEnded, Candidate, ShortlistReady
from shared.types import CaseId, PersonId
from tests.harness.waiting import eventually
from tests.integration.intake_case.front import Front
from tests.integration.intake_case.test_case import accepted
from tests.integration.intake_case.test_submit import person


async def changed(front: Front, case: CaseId) -> list[set[PersonId]]:
    return [set(fact.bars) for fact in await front.facts(case) if isinstance(fact, BarsChanged)]


async def asked(front: Front, **about: Any) -> CaseId:
    """A request that names somebody, after its own second look."""
    _, case = await front.begun(**about)
    assert "named" in await front.rounds()
    return case


@pytest.mark.parametrize(
    "about", [{"avoid_people": ["Mo Late"]}, {"about_me": {"supervisor": "Mo Late"}}, {"about_me": {"unit": "K9"}}]
)
async def test_a_name_that_a_directory_comes_to_know_is_barred(front: Front, about: dict[str, Any]) -> None:
    await front.upload(person("p1"))
    case = await asked(front, **about)
    assert await changed(front, case) == []
    ids = await front.upload(person("p1"), person("p2", name="Mo Late", unit="K9"))
    assert await front.rounds() == ["names"]
    assert await changed(front, case) == [{ids["p2"]}]
    assert await front.rounds() == []


@pytest.mark.parametrize("about", [{"avoid_people": ["Mo Gone"]}, {"about_me": {"supervisor": "Mo Gone"}}])
async def test_whoever_has_just_left_the_directory_is_barred(front: Front, about: dict[str, Any]) -> None:
    # The region may not have heard of it yet, and would still ask them.
    ids = await front.upload(person("p1"), person("p2", name="Mo Gone"))
    await front.upload(person("p1"))
    _, case = await front.begun(**about)
    asked = [set(fact.ask.bars) for fact in await front.facts(case) if isinstance(fact, RequestSubmitted)]
    assert asked == [{ids["p2"]}]


async def test_a_second_one_of_the_name_is_barred_too_and_the_first_stays_so(front: Front) -> None:
    ids = await front.upload(person("p1", name="Jo Smith"))
    case = await asked(front, avoid_people=["Jo Smith"])
    later = await front.upload(person("p2", name="Jo Smith"))
    await front.rounds()
    assert await changed(front, case) == [{ids["p1"], later["p2"]}]


async def test_a_new_chief_stands_above_whoever_was_named(front: Front) -> None:
    await front.upload(person("sergeant", "member"))
    case = await asked(front, about_me={"supervisor": "Person sergeant"})
    ids = await front.upload(person("sergeant", "member", supervisor_ref="chief"), person("chief", "coordinator"))
    await front.rounds()
    assert await changed(front, case) == [{ids["chief"]}]


async def test_a_new_duty_coordinator_is_looked_for_in_every_agency(front: Front) -> None:
    case = await asked(front, urgency="emergency", avoid_people=["Dee Duty"])
    duty = await front.duty("Dee Duty", "dee@home.test")
    assert await front.rounds() == ["names"]
    assert isinstance((await front.facts(case))[0], CrisisRaised)
    assert await changed(front, case) == [{duty}]


async def test_a_round_goes_through_all_cases_page_by_page(front: Front) -> None:
    cases = [(await front.begun(avoid_people=["Mo Late"]))[1] for _ in range(5)]
    await front.rounds()
    ids = await front.upload(person("p2", name="Mo Late"))
    pages = [await front.rounds(page=2) for _ in range(3)]
    assert (pages, await front.rounds(page=2)) == ([["names"]] * 3, [])
    assert [await changed(front, case) for case in cases] == [[{ids["p2"]}]] * 5


async def test_a_directory_that_changes_while_a_request_is_taken_is_not_missed(front: Front) -> None:
    await front.upload(person("p1"))
    await front.rounds()
    async with front.db.transaction([front.agency.agency_id]) as tx:
        # The request has read the directory and is not committed while the round of the change goes by.
        await tx.connection.execute("LOCK TABLE requests IN SHARE MODE")
        taking = asyncio.create_task(front.begun(avoid_people=["Mo Late"]))
        await eventually(partial(front.sql.fetchval, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        ids = await front.upload(person("p1"), person("p2", name="Mo Late"))
        assert await front.rounds() == ["names"]
    _, case = await taking
    assert await changed(front, case) == []
    assert await front.rounds() == ["named"]
    assert await changed(front, case) == [{ids["p2"]}]


async def test_whoever_was_assigned_and_is_barred_is_replaced_by_a_search(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2"))
    code, case = await front.begun(avoid_people=["Mo Late"])
    made = await accepted(front, case, ids["p1"])
    await front.upload(person("p1", name="Mo Late"), person("p2"))
    await front.rounds()
    assert await changed(front, case) == [{ids["p1"]}]
    await front.hear(case, AssignmentEnded(assignment=made.assignment, person=made.person, how="replaced"))
    status = await front.status(code)
    assert (status["state"], status["who"]) == ("searching", None)


async def test_nothing_is_released_to_one_who_was_barred_in_the_same_moment(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2"))
    code, case = await front.begun(avoid_people=["Mo Late"], choose="shortlist")
    await front.upload(person("p1", name="Mo Late"), person("p2"))
    await front.rounds()
    listed = [Candidate(person=ids[one], available=True, factors={}) for one in ("p1", "p2")]
    made = await accepted(front, case, ids["p1"])
    await front.hear(case, ShortlistReady(candidates=tuple(listed), due=made.contact_by))
    assert not any(isinstance(fact, ContactReleased) for fact in await front.facts(case))
    assert [one["person"] for one in (await front.json("GET", "/v1/case/peers", code=code)).json["peers"]] == [
        str(ids["p2"])
    ]


async def test_nobody_is_barred_in_a_case_that_is_over(front: Front) -> None:
    code, case = await front.begun(avoid_people=["Mo Late"])
    await front.post(code, "close")
    await front.upload(person("p2", name="Mo Late"))
    await front.rounds()
    assert await changed(front, case) == []


async def test_one_request_whose_names_do_not_open_keeps_no_other_waiting(front: Front) -> None:
    broken, case = [(await front.begun(avoid_people=["Mo Late"]))[1] for _ in range(2)]
    await front.sql.execute("UPDATE requests SET avoid_people = '\\x01' WHERE case_id = $1", broken)
    ids = await front.upload(person("p2", name="Mo Late"))
    await front.rounds()
    assert await changed(front, case) == [{ids["p2"]}]
    assert [type(fact) for fact in await front.facts(broken)] == [RequestSubmitted]
