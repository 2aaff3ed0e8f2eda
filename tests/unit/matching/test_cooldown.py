"""Whoever was in an emergency rests: last for anything, and for another emergency only when nobody else is left."""

from __future__ import annotations

from datetime import timedelta

from services.matching.domain.case import Searching
from services.matching.domain.loads import Load
from shared.events.intake import CrisisRaised, RequestSubmitted, Wishes
from shared.events.matching import OfferMade
from shared.types import PersonId, Urgency
from tests.unit.matching.given import ANA, BEN, CASE, CEM, DEE, NOW, Desk, ask, coordinator, one, peer, rank, told

TIRED = Load(rest_until=NOW + timedelta(hours=72))
EMERGENCY = CrisisRaised(ask=ask(Urgency.EMERGENCY), jurisdiction="", rungs=())
NIGHT = "Mon-Sun 20:00-23:00"


def desk_of(*rested: PersonId, tired: tuple[PersonId, ...], hours: str = "") -> Desk:
    desk = Desk([*(peer(person, hours=hours) for person in rested), *(peer(person) for person in tired), coordinator()])
    desk.loads |= dict.fromkeys(tired, TIRED)
    return desk


def test_whoever_rests_comes_after_everybody_else_and_it_is_said() -> None:
    people = [peer(ANA, attributes=("veteran",)), peer(BEN, hours=NIGHT)]
    for urgency in Urgency:
        asked = ask(urgency, wishes=Wishes(prefer=("veteran",)))
        ordered = rank(people, asked, {ANA: TIRED}, case_id=CASE, now=NOW)
        assert [found.peer.person for found in ordered] == [BEN, ANA]
        assert (ordered[1].factors["resting"], "resting" in ordered[0].factors) == (-1.0, False)


def test_an_emergency_is_offered_to_fewer_rather_than_to_one_who_rests() -> None:
    desk = desk_of(ANA, BEN, tired=(CEM, DEE))
    assert {offer.person for offer in told(desk.hear(EMERGENCY), OfferMade)} == {ANA, BEN}


def test_nobody_who_rests_is_asked_while_another_has_yet_to_answer() -> None:
    desk = desk_of(ANA, BEN, tired=(CEM,))
    first, second = told(desk.hear(EMERGENCY), OfferMade)
    assert told(desk.hear(desk.answer(first.offer, first.person, "decline")), OfferMade) == []
    last = desk.hear(desk.answer(second.offer, second.person, "decline", number=2))
    assert one(last, OfferMade).person == CEM


def test_when_only_tired_people_are_there_they_are_asked_at_once() -> None:
    desk = desk_of(tired=(ANA, BEN))
    assert {offer.person for offer in told(desk.hear(EMERGENCY), OfferMade)} == {ANA, BEN}


def test_one_whose_hours_have_not_begun_is_asked_in_an_emergency_before_one_who_rests() -> None:
    desk = desk_of(ANA, tired=(BEN,), hours=NIGHT)
    assert one(desk.hear(EMERGENCY), OfferMade).person == ANA


def test_a_routine_request_waits_for_hours_that_begin_in_time_rather_than_for_one_who_rests() -> None:
    desk = desk_of(ANA, tired=(BEN,), hours=NIGHT)
    assert told(desk.hear(RequestSubmitted(ask=ask())), OfferMade) == []
    state = desk.state()
    assert isinstance(state, Searching)
    assert state.until > NOW


def test_the_rest_ends_by_itself() -> None:
    desk = desk_of(ANA, tired=(BEN,))
    desk.later(hours=72)
    assert {offer.person for offer in told(desk.hear(EMERGENCY), OfferMade)} == {ANA, BEN}
