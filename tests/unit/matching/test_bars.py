"""Somebody who may be asked is barred in the middle of a case."""

from __future__ import annotations

from shared.events.intake import BarsChanged, CaseClosed, CrisisRaised, RequestSubmitted
from shared.events.matching import AssignmentEnded, NobodyFound, OfferMade, OfferRescinded, PeerAssigned, ShortlistReady
from shared.types import PersonId, Urgency
from tests.unit.matching.given import ANA, BEN, CEM, COORDINATOR, DUTY, Desk, ask, coordinator, names, one, peer, told


def barred(*people: PersonId) -> BarsChanged:
    return BarsChanged(bars=people)


def test_an_open_offer_to_one_who_is_barred_is_rescinded_and_the_next_is_asked() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    facts = desk.hear(barred(offer.person))
    gone = one(facts, OfferRescinded)
    assert (gone.offer, gone.why) == (offer.offer, "ended")
    assert {one(facts, OfferMade).person} == {ANA, BEN} - {offer.person}
    assert desk.load(offer.person).open == 0


def test_whoever_is_barred_is_never_asked_again() -> None:
    desk = Desk([peer(ANA), coordinator()])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    facts = desk.hear(barred(ANA, COORDINATOR))
    assert names(facts) == ["offer_rescinded", "nobody_found"]
    assert one(facts, NobodyFound).recipients == (DUTY,)
    assert names(desk.accept(offer)) == ["reply_settled"]
    desk.later(days=2)
    assert told(desk.due(), OfferMade) == []


def test_a_peer_who_has_the_case_and_is_barred_is_replaced() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    made = one(desk.accept(one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)), PeerAssigned)
    facts = desk.hear(barred(made.person))
    over = one(facts, AssignmentEnded)
    assert (over.assignment, over.how) == (made.assignment, "replaced")
    assert one(facts, OfferMade).person != made.person
    assert desk.load(made.person).open == 0


def test_a_support_in_contact_ends_too() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    made = one(desk.accept(one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)), PeerAssigned)
    desk.hear(desk.answer(made.assignment, made.person, "contacted"))
    assert names(desk.hear(barred(made.person))) == ["assignment_ended", "search_started", "offer_made"]


def test_bars_that_touch_nobody_who_is_asked_change_nothing_that_is_told() -> None:
    desk = Desk([peer(ANA), peer(BEN), peer(CEM)])
    offer = one(desk.hear(RequestSubmitted(ask=ask(bars=(CEM,)))), OfferMade)
    other = ({ANA, BEN} - {offer.person}).pop()
    assert desk.hear(barred(CEM, other), barred(CEM, other), barred(CEM)) == []
    assert names(desk.hear(desk.answer(offer.offer, offer.person, "decline"))) == [
        "offer_declined",
        "reply_settled",
        "nobody_found",
    ]


def test_a_shortlist_is_made_afresh_without_them() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    listed = one(desk.hear(barred(ANA)), ShortlistReady)
    assert [candidate.person for candidate in listed.candidates] == [BEN]


def test_bars_heard_before_the_emergency_they_belong_to_hold() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    assert desk.hear(barred(ANA)) == []
    facts = desk.hear(CrisisRaised(ask=ask(Urgency.EMERGENCY), jurisdiction="", rungs=()))
    assert [offer.person for offer in told(facts, OfferMade)] == [BEN]


def test_bars_of_a_case_that_is_over_come_to_nothing() -> None:
    desk = Desk([peer(ANA)])
    desk.hear(RequestSubmitted(ask=ask()), CaseClosed())
    assert desk.hear(barred(ANA)) == []
