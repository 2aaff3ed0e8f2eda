"""The directory changes while a case is open: whoever can be asked is, and whoever no longer can be does not get it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest

from shared.events import Fact
from shared.events.intake import PeerChosen, RequestSubmitted
from shared.events.matching import AssignmentEnded, NobodyFound, OfferMade, PeerAssigned, ShortlistReady
from shared.events.notify import ContactStopped, ContactVerified
from shared.types import AgencyId, PersonId, Role, Urgency
from tests.harness.bench import Said, cases
from tests.harness.waiting import eventually
from tests.integration.matching.bench import Bench, person_set, persons
from tests.integration.matching.test_walk_on_postgres import answer
from tests.unit.matching.given import ask, names, one, outcomes

YESTERDAY = (datetime.now(UTC) - timedelta(days=2)).date()
GONE: dict[str, Fact] = {
    "removed": person_set(revision=2, active=False),
    "designation over": person_set(revision=2, designated_to=YESTERDAY),
    "a member only": person_set(Role.MEMBER, revision=2, active=False),
    "coordinator now": person_set(Role.COORDINATOR, revision=2),
    "not reachable": ContactStopped(revision=2),
}


async def told(bench: Bench, person: PersonId, fact: Fact, *, agency: AgencyId | None = None) -> list[Fact]:
    """One fact about a person, over the consumer group that hears it."""
    group = "ordinary" if isinstance(fact, ContactVerified | ContactStopped) else "directory"
    await bench.take(Said(agency or bench.agency, person, fact), group=group)
    return await bench.out()


@pytest.mark.parametrize("what", sorted(GONE))
async def test_whoever_may_no_longer_be_asked_does_not_get_what_was_offered(bench: Bench, what: str) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    assert await told(bench, offer.person, GONE[what]) == []
    facts = await bench.hear(case, answer(offer.offer, offer.person, "accept"))
    assert (outcomes(facts), names(facts)[1:]) == (["ended"], ["offer_rescinded", "offer_made"])
    assert one(facts, OfferMade).person != offer.person
    assert await bench.loads() == {one(facts, OfferMade).person: (1, 0)}


@pytest.mark.parametrize("what", sorted(GONE))
async def test_whoever_may_no_longer_be_asked_is_not_asked_even_when_picked(bench: Bench, what: str) -> None:
    (case,), (person, other) = cases(1), persons(2)
    await bench.staff(person, other)
    await bench.hear(case, RequestSubmitted(ask=ask(choose="shortlist")))
    await told(bench, person, GONE[what])
    listed = one(await bench.hear(case, PeerChosen(person=person)), ShortlistReady)
    assert [candidate.person for candidate in listed.candidates] == [other]


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (person_set(revision=2, active=False), person_set(revision=3)),
        (person_set(revision=2, designated_from=None), person_set(revision=3)),
        (person_set(Role.COORDINATOR, revision=2), person_set(revision=3)),
        (ContactStopped(revision=2), ContactVerified(revision=3)),
    ],
)
async def test_an_open_search_asks_whoever_can_be_asked_from_now_on(bench: Bench, before: Fact, change: Fact) -> None:
    (case,), (person,) = cases(1), persons(1)
    await bench.staff(person)
    await told(bench, person, before)
    assert names(await bench.hear(case, RequestSubmitted(ask=ask()))) == ["nobody_found"]
    assert one(await told(bench, person, change), OfferMade).person == person


async def test_what_is_known_already_makes_no_search_look_again(bench: Bench) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    await bench.hear(case, RequestSubmitted(ask=ask(Urgency.EMERGENCY)))
    before = await bench.row(case)
    for person in people:
        assert await told(bench, person, person_set()) == []
    assert await bench.row(case) == before


async def test_a_search_of_another_agency_does_not_look(bench: Bench) -> None:
    (case,), (person,), (other,) = cases(1), persons(1), cases(1)
    assert names(await bench.hear(case, RequestSubmitted(ask=ask()))) == ["nobody_found"]
    await bench.staff(person, agency=AgencyId(other))
    assert await bench.out() == []


async def test_whoever_has_the_case_keeps_it_when_the_directory_changes(bench: Bench) -> None:
    (case,), people = cases(1), persons(1)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    one(await bench.hear(case, answer(offer.offer, offer.person, "accept")), PeerAssigned)
    for fact in (person_set(revision=2, active=False), ContactStopped(revision=2)):
        assert await told(bench, offer.person, fact) == []
    assert not any(isinstance(fact, NobodyFound) for fact in await bench.out())


@pytest.mark.parametrize("what", ["coordinator now", "a member only"])
async def test_a_peer_who_becomes_something_else_in_mid_case_gives_it_back_without_a_cause_and_somebody_else_is_asked(
    bench: Bench, what: str
) -> None:
    (case, other_case), people = cases(2), persons(2)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    one(await bench.hear(case, answer(offer.offer, offer.person, "accept")), PeerAssigned)
    facts = await told(bench, offer.person, GONE[what])
    assert one(facts, AssignmentEnded).how == "replaced"
    other = one(facts, OfferMade)
    assert other.person != offer.person
    assert await bench.loads() == {other.person: (1, 0)}
    # Told again, nothing happens again; nor is any other case touched.
    assert await told(bench, offer.person, GONE[what]) == []
    assert await bench.row(other_case) is None


@pytest.mark.parametrize("back", [False, True])
async def test_what_was_accepted_while_a_promotion_was_being_learnt_is_given_back_too(bench: Bench, back: bool) -> None:
    (case,), people = cases(1), persons(2)
    await bench.staff(*people)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    accepted = Said(bench.agency, case, answer(offer.offer, offer.person, "accept"))
    async with bench.sql.transaction():
        await bench.sql.execute("LOCK TABLE assignments IN SHARE MODE")
        accepting = asyncio.create_task(bench.take(accepted))
        await eventually(partial(bench.sql.fetchval, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await bench.take(Said(bench.agency, offer.person, GONE["coordinator now"]), group="directory")
    await accepting
    assert one(await bench.out(), PeerAssigned).person == offer.person
    if back:
        await told(bench, offer.person, person_set(revision=3))
    assert await bench.fire() == []
    await bench.move_clock(minutes=2)
    facts = await bench.fire()
    assert [fact.how for fact in facts if isinstance(fact, AssignmentEnded)] == ([] if back else ["replaced"])


async def test_only_who_was_a_peer_is_looked_at_once_more(bench: Bench) -> None:
    person, *others = persons(3)
    await bench.staff(person)
    for other, role in zip(others, (Role.COORDINATOR, Role.MEMBER), strict=True):
        await bench.staff(other, role=role)
        await told(bench, other, person_set(role, revision=2))
    set_for = partial(bench.sql.fetch, "SELECT subject_id FROM timers WHERE kind = 'moved'")
    assert await set_for() == []
    await told(bench, person, person_set(Role.COORDINATOR, revision=2))
    await told(bench, person, person_set(Role.MEMBER, revision=3))
    assert [row["subject_id"] for row in await set_for()] == [person]


async def test_a_peer_who_is_promoted_at_home_keeps_what_they_have_for_another_agency(bench: Bench) -> None:
    """Each listing is a peer of its own."""
    (case,), (at_home, listing) = cases(1), persons(2)
    home = AgencyId(uuid4())
    await bench.staff(at_home, agency=home)
    await bench.take(Said(bench.agency, listing, person_set(bearer=at_home)), group="directory")
    await bench.take(Said(bench.agency, listing, ContactVerified(revision=1)))
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    one(await bench.hear(case, answer(offer.offer, listing, "accept")), PeerAssigned)
    assert await bench.loads() == {at_home: (1, 0)}
    assert await told(bench, at_home, GONE["coordinator now"], agency=home) == []
    # No longer lent: asked nothing new, and what they have they keep.
    assert await told(bench, listing, person_set(revision=2, active=False, bearer=at_home)) == []
    assert await bench.loads() == {at_home: (1, 0)}
