"""The search as a pure fold: who is offered what, what moves it on, and what is told when nobody is left."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from services.matching.domain.case import Assigned, Choosing, Ended, HeardOf, InContact, Searching, Unserved, stands
from services.matching.domain.decide import LookAgain, TimeIsUp
from shared.events.intake import (
    AnotherPeerAsked,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ContactReleased,
    CrisisRaised,
    PeerChosen,
    RequestSubmitted,
)
from shared.events.matching import (
    AssignmentEnded,
    ContactOverdue,
    NobodyFound,
    OfferExpired,
    OfferMade,
    OfferRescinded,
    PeerAssigned,
    SearchStarted,
    ShortlistReady,
)
from shared.events.notify import IntentSettled
from shared.types import Urgency
from tests.unit.matching.given import (
    ANA,
    BEN,
    CEM,
    COORDINATOR,
    DUTY,
    EVA,
    NOW,
    Desk,
    ask,
    coordinator,
    names,
    one,
    peer,
    told,
)

THREE = (peer(ANA), peer(BEN), peer(CEM), coordinator())
EMERGENCY = ask(Urgency.EMERGENCY)


def crisis() -> CrisisRaised:
    return CrisisRaised(ask=EMERGENCY, jurisdiction="US-MT", rungs=())


def assigned(desk: Desk, **changed: object) -> PeerAssigned:
    desk.hear(RequestSubmitted(ask=ask(**changed)))  # type: ignore[arg-type]
    return one(desk.accept(told(desk.facts, OfferMade)[-1]), PeerAssigned)


def test_a_request_is_offered_to_one_peer_and_told_as_a_search() -> None:
    desk = Desk(THREE)
    facts = desk.hear(RequestSubmitted(ask=ask()))
    assert names(facts) == ["search_started", "offer_made"]
    offer = one(facts, OfferMade)
    assert offer.expires == NOW + timedelta(hours=4)
    assert one(facts, SearchStarted).due == offer.expires + timedelta(seconds=30)
    assert stands(desk.state()).owner == "matching"
    assert desk.load(offer.person).open == 1


def test_the_same_request_heard_twice_is_one_search() -> None:
    desk = Desk(THREE)
    desk.hear(RequestSubmitted(ask=ask()))
    assert desk.hear(RequestSubmitted(ask=ask())) == []


def test_an_urgent_request_asks_two_at_once_and_an_emergency_three() -> None:
    urgent, emergency = Desk(THREE), Desk(THREE)
    assert len(told(urgent.hear(RequestSubmitted(ask=ask(Urgency.URGENT))), OfferMade)) == 2
    facts = emergency.hear(crisis())
    assert len({offer.person for offer in told(facts, OfferMade)}) == 3
    assert all(alarm.crisis for alarm in emergency.alarms)
    assert [emergency.load(person) for person in (ANA, BEN, CEM)] == [emergency.load(ANA)] * 3
    assert (emergency.load(ANA).open, emergency.load(ANA).crisis) == (0, 1)


def test_silence_moves_on_thirty_seconds_after_the_time_out() -> None:
    desk = Desk(THREE)
    first = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    desk.later(hours=4, seconds=29)
    assert desk.due() == []
    desk.later(seconds=1)
    facts = desk.due()
    assert one(facts, OfferExpired).offer == first.offer
    assert one(facts, OfferMade).person != first.person
    assert desk.load(first.person).open == 0


def test_declines_go_round_until_the_coordinator_and_the_region_hear_a_count() -> None:
    desk = Desk(THREE)
    desk.hear(RequestSubmitted(ask=ask()))
    facts = []
    for _ in range(3):
        offer = told(desk.facts, OfferMade)[-1]
        facts = desk.hear(desk.answer(offer.offer, offer.person, "decline"))
    nobody = one(facts, NobodyFound)
    assert {offer.person for offer in told(desk.facts, OfferMade)} == {ANA, BEN, CEM}
    assert nobody.recipients == (COORDINATOR, DUTY)
    assert nobody.next_try == NOW + timedelta(days=1)
    assert stands(desk.state()).owner == "coordinator"
    assert desk.carried() == 0


def test_barred_persons_are_neither_offered_nor_told() -> None:
    desk = Desk(THREE)
    facts = desk.hear(RequestSubmitted(ask=ask(bars=(ANA, BEN, CEM, COORDINATOR))))
    assert names(facts) == ["nobody_found"]
    assert one(facts, NobodyFound).recipients == (DUTY,)


def test_an_emergency_that_found_nobody_tries_again_after_five_minutes() -> None:
    desk = Desk((coordinator(),))
    assert one(desk.hear(crisis()), NobodyFound).next_try == NOW + timedelta(minutes=5)
    desk.later(minutes=5)
    assert names(desk.due()) == ["nobody_found"]
    desk.people = THREE
    desk.later(minutes=5)
    assert names(desk.due()) == ["search_started", "offer_made", "offer_made", "offer_made"]


def test_whoever_was_silent_is_asked_again_only_after_a_while() -> None:
    desk = Desk((peer(ANA),))
    desk.hear(crisis())
    desk.later(minutes=3, seconds=30)
    assert names(desk.due()) == ["offer_expired", "nobody_found"]
    desk.later(minutes=5)
    assert names(desk.due()) == ["nobody_found"]
    desk.later(minutes=5)
    assert one(desk.due(), OfferMade).person == ANA


def test_an_open_search_looks_again_when_somebody_new_appears_and_is_silent_when_nobody_does() -> None:
    desk = Desk((coordinator(),))
    desk.hear(RequestSubmitted(ask=ask()))
    before = desk.state()
    assert desk.hear(LookAgain()) == []
    assert desk.state() is before
    desk.people = (peer(EVA),)
    assert names(desk.hear(LookAgain())) == ["search_started", "offer_made"]
    desk.later(days=1)
    assert "nobody_found" in names(desk.due())


def test_a_message_that_could_not_be_sent_is_not_waited_for() -> None:
    desk = Desk(THREE)
    first = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    settled = IntentSettled(intent=uuid4(), subject=first.offer, person=first.person, channel="mail", outcome="failed")
    assert names(desk.hear(settled)) == ["offer_expired", "offer_made"]
    assert desk.hear(settled.model_copy(update={"outcome": "unknown"})) == []


def test_a_shortlist_asks_nobody_until_the_requester_has_chosen() -> None:
    desk = Desk(THREE)
    facts = desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    listed = one(facts, ShortlistReady)
    assert names(facts) == ["shortlist_ready"]
    assert desk.carried() == 0
    assert stands(desk.state()).owner == "requester"
    picked = listed.candidates[1].person
    assert one(desk.hear(PeerChosen(person=picked)), OfferMade).person == picked


def test_whoever_says_anyone_gets_the_best() -> None:
    desk = Desk(THREE)
    listed = one(desk.hear(RequestSubmitted(ask=ask(choose="shortlist"))), ShortlistReady)
    assert one(desk.hear(PeerChosen()), OfferMade).person == listed.candidates[0].person


def test_when_the_chosen_one_declines_the_requester_chooses_again() -> None:
    desk = Desk(THREE)
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    offer = one(desk.hear(PeerChosen(person=BEN)), OfferMade)
    facts = desk.hear(desk.answer(offer.offer, BEN, "decline"))
    assert BEN not in {candidate.person for candidate in one(facts, ShortlistReady).candidates}
    assert isinstance(desk.state(), Choosing)


def test_whoever_cannot_be_asked_any_more_is_not_asked_because_of_a_choice() -> None:
    desk = Desk(THREE)
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist", bars=(CEM,))))
    desk.people = (peer(ANA), peer(BEN, verified=False), peer(CEM))
    assert names(desk.hear(PeerChosen(person=BEN))) == ["shortlist_ready"]
    assert names(desk.hear(PeerChosen(person=CEM))) == ["shortlist_ready"]
    assert desk.carried() == 0


def test_nobody_is_picked_silently_when_the_time_to_choose_is_over() -> None:
    desk = Desk(THREE)
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    desk.later(days=1)
    assert names(desk.due()) == ["shortlist_ready"]
    assert isinstance(desk.state(), Choosing)


def test_off_hours_a_routine_request_waits_for_the_morning_and_an_urgent_one_does_not() -> None:
    day = tuple(peer(person, hours="Mon-Fri 08:00-18:00") for person in (ANA, BEN))
    routine, urgent = Desk(day), Desk(day)
    routine.later(hours=12)
    urgent.later(hours=12)
    assert names(routine.hear(RequestSubmitted(ask=ask()))) == ["search_started"]
    assert isinstance(routine.state(), Searching)
    assert len(told(urgent.hear(RequestSubmitted(ask=ask(Urgency.URGENT))), OfferMade)) == 2
    routine.later(hours=11)
    assert names(routine.due()) == ["offer_made"]


def test_hours_that_begin_too_late_are_not_waited_for() -> None:
    desk = Desk((peer(ANA, hours="Sat 10:00-12:00"),))
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    assert offer.factors["available"] == 0.0


def test_silence_after_acceptance_is_told_and_somebody_else_asked_beside() -> None:
    desk = Desk(THREE)
    first = assigned(desk)
    desk.later(days=1)
    facts = desk.due()
    assert names(facts) == ["contact_overdue", "offer_made"]
    second = one(facts, OfferMade)
    assert second.person != first.person
    after = desk.accept(second)
    assert names(after) == ["reply_settled", "assignment_ended", "peer_assigned"]
    assert one(after, AssignmentEnded).how == "lapsed"
    assert desk.load(first.person).open == 0


def test_a_late_contact_that_comes_after_all_takes_the_other_offer_back() -> None:
    desk = Desk(THREE)
    first = assigned(desk)
    desk.later(days=1)
    desk.due()
    facts = desk.hear(desk.answer(first.assignment, first.person, "contacted"))
    assert names(facts) == ["reply_settled", "contact_confirmed", "offer_rescinded"]
    assert isinstance(desk.state(), InContact)
    assert desk.carried() == 1


def test_a_late_contact_with_nobody_else_is_told_to_the_coordinator() -> None:
    desk = Desk((peer(ANA), coordinator()))
    assigned(desk)
    desk.later(days=1)
    assert names(desk.due()) == ["contact_overdue", "nobody_found"]
    assert isinstance(desk.state(), Assigned)
    desk.people = (*desk.people, peer(BEN))
    assert one(desk.hear(LookAgain()), OfferMade).person == BEN


def test_before_the_requester_says_ok_a_peer_cannot_be_late() -> None:
    desk = Desk(THREE)
    first = assigned(desk, release="ask_me")
    assert stands(desk.state()).owner == "requester"
    desk.later(days=2)
    assert desk.due() == []
    desk.hear(ContactReleased(assignment=first.assignment, recipient=first.person))
    desk.later(days=1)
    assert one(desk.due(), ContactOverdue).assignment == first.assignment


def test_a_step_back_searches_anew_without_that_peer() -> None:
    desk = Desk(THREE)
    first = assigned(desk)
    facts = desk.hear(desk.answer(first.assignment, first.person, "step_back"))
    assert names(facts) == ["reply_settled", "assignment_ended", "search_started", "offer_made"]
    assert one(facts, AssignmentEnded).how == "stepped_back"
    assert one(facts, OfferMade).person != first.person


def test_another_peer_replaces_the_one_who_never_learns_why() -> None:
    desk = Desk((peer(ANA), peer(BEN), coordinator()))
    first = assigned(desk)
    facts = desk.hear(AnotherPeerAsked(refused=first.person))
    assert one(facts, AssignmentEnded).how == "replaced"
    second = one(facts, OfferMade)
    facts = desk.hear(desk.answer(second.offer, second.person, "decline"))
    assert names(facts) == ["offer_declined", "reply_settled", "nobody_found"]


def test_refusing_a_coordinator_keeps_the_count_from_her() -> None:
    desk = Desk((peer(ANA), coordinator()))
    desk.hear(RequestSubmitted(ask=ask()), AnotherPeerAsked(refused=COORDINATOR))
    offer = told(desk.facts, OfferMade)[0]
    nobody = one(desk.hear(desk.answer(offer.offer, ANA, "decline")), NobodyFound)
    assert nobody.recipients == (DUTY,)


def test_a_peer_closes_and_everything_is_over_here() -> None:
    desk = Desk(THREE)
    first = assigned(desk)
    desk.hear(desk.answer(first.assignment, first.person, "contacted"))
    facts = desk.hear(desk.answer(first.assignment, first.person, "close"))
    assert names(facts) == ["reply_settled", "assignment_ended"]
    assert isinstance(desk.state(), Ended)
    assert desk.carried() == 0


def test_after_an_emergency_a_peer_rests_and_is_asked_for_the_next_one_only_when_nobody_else_is_left() -> None:
    desk = Desk((peer(ANA), peer(BEN)))
    desk.hear(crisis())
    first = one(desk.accept(told(desk.facts, OfferMade)[0]), PeerAssigned)
    desk.hear(desk.answer(first.assignment, first.person, "contacted"))
    desk.hear(desk.answer(first.assignment, first.person, "close"))
    assert desk.load(first.person).rest_until == NOW + timedelta(hours=72)
    desk.states.clear()
    other = one(desk.hear(crisis()), OfferMade)
    assert other.person != first.person
    assert one(desk.hear(desk.answer(other.offer, other.person, "decline")), OfferMade).person == first.person


def test_the_end_of_a_rest_is_a_full_hour_and_does_not_tell_when_the_emergency_was_over() -> None:
    desk = Desk((peer(ANA), peer(BEN)))
    desk.hear(crisis())
    first = one(desk.accept(told(desk.facts, OfferMade)[0]), PeerAssigned)
    desk.hear(desk.answer(first.assignment, first.person, "contacted"))
    desk.now = NOW + timedelta(minutes=7)
    desk.hear(desk.answer(first.assignment, first.person, "close"))
    assert desk.load(first.person).rest_until == NOW + timedelta(hours=73)


def test_closing_ends_what_is_open() -> None:
    desk = Desk(THREE)
    desk.hear(RequestSubmitted(ask=ask()))
    facts = desk.hear(CaseClosing())
    assert one(facts, OfferRescinded).why == "ended"
    assert isinstance(desk.state(), Ended)
    assert desk.carried() == 0


def test_a_withdrawal_ends_the_assignment() -> None:
    desk = Desk(THREE)
    assigned(desk)
    facts = desk.hear(CaseWithdrawn())
    assert one(facts, AssignmentEnded).how == "withdrawn"
    assert desk.carried() == 0


def test_a_closed_case_frees_its_loads_and_tells_nobody() -> None:
    desk = Desk(THREE)
    desk.hear(RequestSubmitted(ask=ask(Urgency.URGENT)))
    assert desk.hear(CaseClosed()) == []
    assert desk.carried() == 0


def test_an_end_that_is_heard_first_stays_an_end() -> None:
    for end in (CaseClosing(), CaseWithdrawn(), CaseClosed()):
        desk = Desk(THREE)
        assert desk.hear(end, RequestSubmitted(ask=ask()), crisis(), LookAgain()) == []
        assert isinstance(desk.state(), Ended)


def test_what_is_about_an_unknown_case_changes_nothing() -> None:
    desk = Desk(THREE)
    heard = (PeerChosen(), AnotherPeerAsked(refused=ANA), LookAgain(), TimeIsUp("look", uuid4(), 1))
    assert desk.hear(*heard, ContactReleased(assignment=uuid4(), recipient=ANA)) == []
    assert isinstance(desk.state(), HeardOf)


def test_a_request_that_becomes_an_emergency_asks_more_people_beside_the_first() -> None:
    desk = Desk(THREE)
    first = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    facts = desk.hear(crisis())
    assert {offer.person for offer in told(facts, OfferMade)} == {ANA, BEN, CEM} - {first.person}
    assert desk.hear(crisis()) == []
    assert names(desk.accept(first)) == ["reply_settled", "peer_assigned", "offer_rescinded", "offer_rescinded"]
    assert desk.carried() == 1


def test_an_emergency_heard_before_its_request_is_the_case() -> None:
    desk = Desk(THREE)
    desk.hear(crisis())
    assert desk.hear(RequestSubmitted(ask=ask(Urgency.EMERGENCY))) == []


def test_who_has_a_case_that_becomes_an_emergency_has_less_time() -> None:
    desk = Desk(THREE)
    first = assigned(desk, release="ask_me")
    desk.hear(crisis())
    desk.later(minutes=10)
    facts = desk.due()
    assert one(facts, ContactOverdue).assignment == first.assignment
    assert one(facts, OfferMade).urgency is Urgency.EMERGENCY


def test_a_stale_timer_does_nothing() -> None:
    desk = Desk((coordinator(),))
    desk.hear(RequestSubmitted(ask=ask()))
    stale = desk.alarms[0]
    desk.later(days=1)
    desk.due()
    assert desk.hear(TimeIsUp(stale.of, stale.subject, stale.version)) == []
    assert isinstance(desk.state(), Unserved)


def test_a_long_support_shows_up_for_a_look_every_thirty_days() -> None:
    desk = Desk(THREE)
    first = assigned(desk)
    desk.hear(desk.answer(first.assignment, first.person, "contacted"))
    desk.later(days=30)
    assert desk.due() == []
    assert stands(desk.state()).due_at == desk.now + timedelta(days=30)
