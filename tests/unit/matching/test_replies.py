"""Every reply is settled, and at most one acceptance counts, however they race."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from services.matching.domain.case import Searching
from services.matching.domain.decide import TimeIsUp
from services.matching.domain.loads import Load
from shared.events.intake import CaseClosing, RequestSubmitted
from shared.events.matching import OfferMade, OfferRescinded, PeerAssigned, ReplySettled
from shared.types import Urgency
from tests.unit.matching.given import ANA, BEN, CEM, NOW, Desk, ask, names, one, outcomes, peer, told

THREE = (peer(ANA), peer(BEN), peer(CEM))


def searching(urgency: Urgency = Urgency.ROUTINE, **changed: object) -> tuple[Desk, list[OfferMade]]:
    desk = Desk(THREE)
    return desk, told(desk.hear(RequestSubmitted(ask=ask(urgency, **changed))), OfferMade)  # type: ignore[arg-type]


def test_an_acceptance_assigns_and_takes_the_other_offers_back() -> None:
    desk, (first, second) = searching(Urgency.URGENT)
    facts = desk.accept(first)
    assert names(facts) == ["reply_settled", "peer_assigned", "offer_rescinded"]
    assert one(facts, PeerAssigned).contact_by == NOW + timedelta(hours=1)
    assert (one(facts, OfferRescinded).offer, one(facts, OfferRescinded).why) == (second.offer, "covered")
    assert (desk.load(first.person).open, desk.load(second.person).open) == (1, 0)


def test_of_two_acceptances_in_one_batch_the_first_wins_and_the_other_is_covered() -> None:
    desk, offers = searching(Urgency.URGENT)
    facts = desk.hear(*(desk.answer(offer.offer, offer.person, "accept", number=n) for n, offer in enumerate(offers)))
    assert outcomes(facts) == ["accepted", "covered"]
    assert len(told(facts, PeerAssigned)) == 1


def test_an_acceptance_said_twice_is_accepted_twice_and_assigned_once() -> None:
    desk, (offer,) = searching()
    desk.accept(offer)
    assert outcomes(desk.accept(offer)) == ["accepted"]
    assert len(told(desk.facts, PeerAssigned)) == 1


def test_an_answer_in_the_grace_after_the_time_out_is_too_late() -> None:
    desk, (offer,) = searching()
    late = offer.expires + timedelta(seconds=1)
    assert outcomes(desk.hear(desk.answer(offer.offer, offer.person, "accept", at=late))) == ["too_late"]
    assert isinstance(desk.state(), Searching)


def test_an_answer_given_in_time_counts_although_the_time_out_was_acted_on() -> None:
    desk, (offer,) = searching()
    desk.later(hours=4, seconds=30)
    next_offer = one(desk.due(), OfferMade)
    facts = desk.hear(desk.answer(offer.offer, offer.person, "accept", at=offer.expires))
    assert outcomes(facts) == ["accepted"]
    assert one(facts, OfferRescinded).offer == next_offer.offer
    assert (desk.load(offer.person).open, desk.load(next_offer.person).open) == (1, 0)


def test_an_answer_given_in_time_does_not_overload_who_is_full_by_now() -> None:
    desk, (offer,) = searching(stamped={"open_cases_per_peer": 1})
    desk.later(hours=4, seconds=30)
    desk.due()
    desk.loads[offer.person] = Load(open=1)
    facts = desk.hear(desk.answer(offer.offer, offer.person, "accept", at=offer.expires))
    assert outcomes(facts) == ["too_late"]


def test_who_may_not_be_asked_any_more_cannot_accept_and_the_next_one_is_asked() -> None:
    desk, (offer,) = searching()
    desk.people = tuple(one for one in THREE if one.person != offer.person)
    facts = desk.accept(offer)
    assert names(facts) == ["reply_settled", "offer_rescinded", "offer_made"]
    assert outcomes(facts) == ["ended"]
    assert one(facts, OfferRescinded).why == "ended"


def test_a_designation_that_has_ended_overnight_ends_the_offer() -> None:
    desk, (offer,) = searching()
    desk.people = tuple(one._replace(designated_to=NOW.date() - timedelta(days=1)) for one in THREE)
    assert outcomes(desk.accept(offer)) == ["ended"]


def test_not_now_and_no_are_both_settled_as_declined() -> None:
    for verb in ("decline", "not_now"):
        desk, (offer,) = searching()
        facts = desk.hear(desk.answer(offer.offer, offer.person, verb))
        assert names(facts) == ["offer_declined", "reply_settled", "offer_made"]
        assert outcomes(facts) == ["declined"]


def test_not_now_may_be_asked_again_and_no_may_not() -> None:
    for verb, again in (("decline", 0), ("not_now", 1)):
        desk = Desk((peer(ANA),))
        offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
        desk.hear(desk.answer(offer.offer, ANA, verb))  # type: ignore[arg-type]
        desk.later(days=1)
        assert len(told(desk.due(), OfferMade)) == again


def test_no_after_yes_is_a_step_back() -> None:
    desk, (offer,) = searching()
    desk.accept(offer)
    facts = desk.hear(desk.answer(offer.offer, offer.person, "decline"))
    assert names(facts) == ["reply_settled", "assignment_ended", "search_started", "offer_made"]


def test_yes_after_no_does_not_count() -> None:
    desk, (offer,) = searching()
    desk.hear(desk.answer(offer.offer, offer.person, "decline"))
    assert outcomes(desk.accept(offer)) == ["ended"]


def test_a_reply_about_something_unknown_is_ended() -> None:
    desk, (offer,) = searching()
    unknown = desk.answer(uuid4(), ANA, "accept")
    foreign = desk.answer(offer.offer, next(one for one in (ANA, BEN) if one != offer.person), "accept")
    assert outcomes(desk.hear(unknown, foreign)) == ["ended", "ended"]
    assert outcomes(Desk(THREE).hear(unknown)) == ["ended"]


def test_a_reply_after_the_end_is_ended() -> None:
    desk, (offer,) = searching()
    desk.hear(CaseClosing())
    assert outcomes(desk.accept(offer)) == ["ended"]


def test_every_reply_of_an_assignment_is_noted_while_it_stands() -> None:
    desk, (offer,) = searching()
    made = one(desk.accept(offer), PeerAssigned)
    contacted = desk.answer(made.assignment, made.person, "contacted")
    assert outcomes(desk.hear(contacted, contacted)) == ["noted", "noted"]
    assert outcomes(desk.hear(desk.answer(made.assignment, made.person, "step_back"))) == ["noted"]
    assert outcomes(desk.hear(contacted)) == ["ended"]


def test_of_an_accept_and_a_time_out_in_one_batch_the_answer_in_time_wins() -> None:
    desk, (offer,) = searching()
    desk.later(hours=4, seconds=30)
    answer = desk.answer(offer.offer, offer.person, "accept", at=offer.expires - timedelta(seconds=1))
    facts = desk.hear(TimeIsUp("offer", offer.offer, 0), answer)
    assert one(facts, ReplySettled).outcome == "accepted"
    assert one(facts, PeerAssigned).person == offer.person
    assert desk.carried() == 1
