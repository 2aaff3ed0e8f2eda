"""An agency that is not active any more: nobody of it is asked anew, and whoever has a case keeps it."""

from __future__ import annotations

from shared.events.intake import PeerChosen, RequestSubmitted
from shared.events.matching import NobodyFound, OfferMade, PeerAssigned
from shared.types import AgencyId, Role, Structure
from tests.harness.bench import Said, cases
from tests.integration.matching.bench import Bench, person_set, persons
from tests.integration.matching.test_walk_on_postgres import answer
from tests.unit.matching.given import CAPABILITIES, ask, names, one, outcomes


async def active(bench: Bench, *, yes: bool) -> None:
    await bench.may(CAPABILITIES, Structure.TEAM_COORDINATOR, active=yes)


async def test_a_new_search_finds_nobody_of_it_and_the_region_alone_is_told(bench: Bench) -> None:
    (case,), (peer, coordinator, duty) = cases(1), persons(3)
    await bench.staff(peer)
    await bench.staff(coordinator, role=Role.COORDINATOR)
    await bench.on_duty(duty)
    await active(bench, yes=False)
    told = one(await bench.hear(case, RequestSubmitted(ask=ask())), NobodyFound)
    assert told.recipients == (duty,)


async def test_what_was_offered_before_is_not_given_and_who_was_chosen_is_not_asked(bench: Bench) -> None:
    (offered, listed), (peer, other) = cases(2), persons(2)
    await bench.staff(peer, other)
    offer = one(await bench.hear(offered, RequestSubmitted(ask=ask())), OfferMade)
    await bench.hear(listed, RequestSubmitted(ask=ask(choose="shortlist")))
    await active(bench, yes=False)
    facts = await bench.hear(offered, answer(offer.offer, offer.person, "accept"))
    assert (outcomes(facts), names(facts)[1:]) == (["ended"], ["offer_rescinded", "nobody_found"])
    assert "offer_made" not in names(await bench.hear(listed, PeerChosen(person=other)))
    assert await bench.loads() == {}


async def test_whoever_has_the_case_keeps_it(bench: Bench) -> None:
    (case,), (peer,) = cases(1), persons(1)
    await bench.staff(peer)
    offer = one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade)
    one(await bench.hear(case, answer(offer.offer, peer, "accept")), PeerAssigned)
    await active(bench, yes=False)
    assert await bench.out() == []
    assert await bench.loads() == {peer: (1, 0)}


async def test_an_open_search_looks_again_when_it_is_active_again_and_an_older_word_changes_nothing(
    bench: Bench,
) -> None:
    (case,), (peer,) = cases(1), persons(1)
    await active(bench, yes=False)
    await bench.staff(peer)
    assert names(await bench.hear(case, RequestSubmitted(ask=ask()))) == ["nobody_found"]
    bench.revision = 0
    await active(bench, yes=True)
    await bench.take(Said(bench.agency, peer, person_set(revision=2)), group="directory")
    assert await bench.out() == []
    await active(bench, yes=True)
    assert one(await bench.out(), OfferMade).person == peer


async def test_another_agency_goes_on(bench: Bench) -> None:
    (case,), (peer,) = cases(1), persons(1)
    await active(bench, yes=False)
    (other,) = cases(1)
    bench.agency = AgencyId(other)
    await bench.staff(peer)
    assert one(await bench.hear(case, RequestSubmitted(ask=ask())), OfferMade).person == peer
