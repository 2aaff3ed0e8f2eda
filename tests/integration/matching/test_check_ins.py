"""After something hard: the peer is asked how they are, once, at some full hour, and nothing of it leads to a case."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.matching import actions
from shared import timers
from shared.events import Fact
from shared.events.intake import CaseClosed, CaseWithdrawn, CrisisRaised, RequestSubmitted
from shared.events.matching import CheckInDue, OfferMade, PeerAssigned
from shared.events.notify import ContactStopped
from shared.types import AgencyId, CaseId, Lane, PersonId, Urgency
from tests.harness.bench import Said, cases
from tests.integration.matching.bench import Bench, person_set, persons
from tests.integration.matching.test_walk_on_postgres import answer
from tests.unit.matching.given import ask, one, told

DAY = 24 * 3600


async def fired(bench: Bench) -> list[Fact]:
    """The timers that are due, as the process runs them."""

    def done_by(work: timers.Transactional) -> timers.Action:
        return timers.in_one_transaction(bench.db, work)

    kinds = {timers.APART: done_by(actions.part), actions.CHECK_IN: done_by(actions.check_in)}
    kinds |= dict.fromkeys(actions.OF_CASES, done_by(actions.fire))
    for lane in (Lane.ORDINARY, Lane.BULK):
        await timers.by_kind(kinds)(await timers.claim(bench.db, lane))
    return [fact for fact in await bench.out() if isinstance(fact, CheckInDue)]


async def through(
    bench: Bench, case: CaseId, person: PersonId, *, urgency: Urgency = Urgency.EMERGENCY, **stamped: Any
) -> None:
    """This peer takes the case, reaches the requester, and closes it."""
    asked = ask(urgency, stamped={"crisis_cases_per_peer": 5, "crisis_cooldown_s": 0} | stamped)
    crisis = urgency is Urgency.EMERGENCY
    begins = CrisisRaised(ask=asked, jurisdiction="US-UT", rungs=()) if crisis else RequestSubmitted(ask=asked)
    group = "crisis" if crisis else "ordinary"
    offer = one(await bench.hear(case, begins, group=group), OfferMade)
    assigned = one(await bench.hear(case, answer(offer.offer, person, "accept")), PeerAssigned)
    await bench.hear(case, answer(assigned.assignment, person, "contacted"))
    await bench.hear(case, answer(assigned.assignment, person, "close"))
    await bench.hear(case, CaseClosed(), group="crisis")


async def noted(bench: Bench) -> list[datetime]:
    return [row["due_at"] for row in await bench.sql.fetch("SELECT due_at FROM check_ins ORDER BY due_at")]


async def written_apart(bench: Bench) -> None:
    await bench.move_clock(seconds=15)
    await fired(bench)


async def test_a_day_after_an_emergency_the_peer_is_asked_once_at_a_full_hour(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    await through(bench, case, person)
    now = await bench.sql.fetchval("SELECT region.now()")
    (due,) = await noted(bench)
    assert due == due.replace(minute=0, second=0, microsecond=0)
    assert timedelta(days=1) <= due - now <= timedelta(days=1, hours=6)
    await written_apart(bench)
    assert await fired(bench) == []
    await bench.move_clock(hours=31)
    assert [fact.people for fact in await fired(bench) if isinstance(fact, CheckInDue)] == [(person,)]
    await bench.move_clock(days=3)
    assert (await fired(bench), await noted(bench)) == ([], [])


async def test_it_stands_in_no_transaction_of_the_case_and_its_timer_names_none(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    await through(bench, case, person)
    with_case = await bench.sql.fetchval("SELECT xmin::text FROM check_ins")
    assert await bench.sql.fetchval("SELECT count(*) FROM timers WHERE kind = 'check_in'") == 0
    await written_apart(bench)
    row = await bench.sql.fetchrow("SELECT * FROM timers WHERE kind = 'check_in'")
    assert row is not None
    assert not {case, person} & set(dict(row).values())
    assert row["key"] == row["subject_id"] == bench.agency
    # What it does not know on the slow lane the version before this one does away with, here it leaves it.
    assert row["lane"] == Lane.ORDINARY
    assert await bench.sql.fetchval("SELECT xmin::text FROM check_ins") != with_case


async def test_from_the_next_full_hour_on_no_timer_tells_when_it_was_set_for_whom(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    await through(bench, case, person)
    await written_apart(bench)
    first = await bench.sql.fetchrow("SELECT timer_id, due_at, region.now() AS now FROM timers WHERE kind = 'check_in'")
    assert first is not None
    assert timedelta(0) < first["due_at"] - first["now"] <= timedelta(hours=1)
    await bench.move_clock(hours=1)
    assert await fired(bench) == []
    (later,) = await bench.sql.fetch("SELECT timer_id, due_at FROM timers WHERE kind = 'check_in'")
    assert later["timer_id"] != first["timer_id"]
    assert [later["due_at"]] == await noted(bench)
    await bench.move_clock(hours=31)
    assert len(await fired(bench)) == 1
    assert await bench.sql.fetchval("SELECT count(*) FROM timers WHERE kind = 'check_in'") == 0


async def test_two_hard_cases_are_one_question(bench: Bench) -> None:
    both, (person,) = cases(2), persons(1)
    await bench.staff(person)
    for case in both:
        await through(bench, case, person)
        await written_apart(bench)
    assert len(await noted(bench)) == 1
    await bench.move_clock(hours=31)
    assert len(await fired(bench)) == 1


@pytest.mark.parametrize(
    "how",
    [
        {"urgency": Urgency.URGENT},
        {"check_in_s": 0},
    ],
)
async def test_nobody_is_asked_after_what_was_not_hard_or_where_the_agency_does_not_want_it(
    bench: Bench, how: dict[str, Any]
) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    await through(bench, case, person, **how)
    assert await noted(bench) == []


async def test_who_was_never_in_contact_is_not_asked(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    begins = CrisisRaised(ask=ask(Urgency.EMERGENCY), jurisdiction="US-UT", rungs=())
    offer = one(await bench.hear(case, begins, group="crisis"), OfferMade)
    await bench.hear(case, answer(offer.offer, person, "accept"))
    await bench.hear(case, CaseWithdrawn(), group="crisis")
    assert await noted(bench) == []


@pytest.mark.parametrize("gone", [person_set(revision=2, active=False), ContactStopped(revision=2)])
async def test_who_has_left_meanwhile_is_not_asked(bench: Bench, gone: Fact) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    await through(bench, case, person)
    await written_apart(bench)
    await bench.take(
        Said(bench.agency, person, gone), group="ordinary" if isinstance(gone, ContactStopped) else "directory"
    )
    await bench.move_clock(hours=31)
    assert (await fired(bench), await noted(bench)) == ([], [])


async def test_a_lent_peer_is_asked_by_the_agency_where_it_was(bench: Bench) -> None:
    (case,), (at_home, listing) = cases(1), persons(2)
    await bench.staff(at_home, agency=AgencyId(uuid4()))
    await bench.staff(listing)
    await bench.take(Said(bench.agency, listing, person_set(revision=2, bearer=at_home)), group="directory")
    await through(bench, case, listing)
    (row,) = await bench.sql.fetch("SELECT agency_id, person_id FROM check_ins")
    assert tuple(row) == (bench.agency, listing)


async def test_what_grew_into_danger_in_ones_hands_was_hard_too(bench: Bench) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    assigned = one(await bench.hear(case, answer(offer.offer, person, "accept")), PeerAssigned)
    await bench.hear(case, answer(assigned.assignment, person, "contacted"))
    danger = CrisisRaised(ask=ask(Urgency.EMERGENCY), jurisdiction="US-UT", rungs=())
    await bench.hear(case, danger, group="crisis")
    assert not told(await bench.hear(case, answer(assigned.assignment, person, "step_back")), CheckInDue)
    assert len(await noted(bench)) == 1
