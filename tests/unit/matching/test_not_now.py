"""Waiting for somebody, and not being asked now: who is picked and away, on leave, in a quarter of an hour, pausing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.matching.domain.case import Assigned
from services.matching.domain.decide import LookAgain
from services.matching.domain.loads import Load
from shared.availability import Window, text_of
from shared.events.intake import BarsChanged, CrisisRaised, PeerChosen, RequestSubmitted
from shared.events.matching import (
    NobodyFound,
    OfferDeclined,
    OfferMade,
    PeerAssigned,
    SearchStarted,
    ShortlistReady,
)
from shared.events.notify import ReplyReceived
from shared.types import CaseId, Urgency
from tests.unit.matching.given import ANA, BEN, CASE, NOW, Desk, ask, coordinator, one, outcomes, peer, rank, told

AWAY = "Thu 08:00-16:00"
THURSDAY = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
"""Eight in the morning in Chicago."""


def test_scenario_02_a_picked_peer_who_is_away_for_days_is_waited_for_and_nobody_else_is_asked() -> None:
    desk = Desk([peer(ANA, hours=AWAY), peer(BEN)])
    listed = one(desk.hear(RequestSubmitted(ask=ask(choose="shortlist"))), ShortlistReady)
    assert {each.person: each.there_from for each in listed.candidates} == {ANA: THURSDAY, BEN: None}
    assert one(desk.hear(PeerChosen(person=ANA, wait=True)), SearchStarted).due == THURSDAY
    desk.now = THURSDAY - timedelta(minutes=1)
    assert not told(desk.due(), OfferMade)
    desk.now = THURSDAY
    assert one(desk.due(), OfferMade).person == ANA


def test_scenario_02_whoever_has_waited_enough_may_pick_the_next_one() -> None:
    desk = Desk([peer(ANA, hours=AWAY), peer(BEN)])
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    desk.hear(PeerChosen(person=ANA, wait=True))
    assert one(desk.hear(PeerChosen(person=BEN)), OfferMade).person == BEN


def test_who_is_waited_for_is_asked_as_soon_as_there_is_room() -> None:
    desk = Desk([peer(ANA), peer(BEN)], loads={ANA: Load(open=4)})
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    assert not told(desk.hear(PeerChosen(person=ANA, wait=True)), OfferMade)
    assert not told(desk.hear(LookAgain()), OfferMade)
    desk.loads[ANA] = Load(open=3)
    assert one(desk.hear(LookAgain()), OfferMade).person == ANA


@pytest.mark.parametrize("gone", ["barred", "left", "danger"])
def test_who_cannot_be_asked_any_more_is_waited_for_no_longer(gone: str) -> None:
    desk = Desk([peer(ANA, hours=AWAY), peer(BEN)])
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    desk.hear(PeerChosen(person=ANA, wait=True))
    match gone:
        case "barred":
            facts = desk.hear(BarsChanged(bars=(ANA,)))
            assert [each.person for each in one(facts, ShortlistReady).candidates] == [BEN]
        case "left":
            desk.people = [peer(BEN)]
            desk.now = THURSDAY
            assert [each.person for each in one(desk.due(), ShortlistReady).candidates] == [BEN]
        case _:
            facts = desk.hear(CrisisRaised(ask=ask(Urgency.EMERGENCY), jurisdiction="US-UT", rungs=()))
            assert {offer.person for offer in told(facts, OfferMade)} == {ANA, BEN}


def said(offer: OfferMade, number: int = 1, **more: int) -> ReplyReceived:
    return ReplyReceived(
        reply=UUID(int=0xE1000 + number),
        subject=offer.offer,
        person=offer.person,
        verb="not_now",
        received_at=NOW,
        again_in_s=more.get("again_in_s"),
        pause_s=more.get("pause_s"),
    )


def test_ask_me_in_a_quarter_of_an_hour_is_honoured_and_nobody_is_told_of_nobody_meanwhile() -> None:
    desk = Desk([peer(ANA)])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    facts = desk.hear(said(offer, again_in_s=900))
    assert not told(facts, NobodyFound)
    desk.later(minutes=14)
    assert not told(desk.due(), OfferMade)
    desk.later(minutes=1)
    assert one(desk.due(), OfferMade).person == ANA


def test_others_are_asked_while_somebody_has_asked_for_a_quarter_of_an_hour() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    other = one(desk.hear(said(offer, again_in_s=900)), OfferMade)
    assert {offer.person, other.person} == {ANA, BEN}


def test_in_an_emergency_nobody_waits_for_a_quarter_of_an_hour_in_silence() -> None:
    desk = Desk([peer(ANA), coordinator()])
    offer = one(desk.hear(CrisisRaised(ask=ask(Urgency.EMERGENCY), jurisdiction="US-UT", rungs=())), OfferMade)
    assert told(desk.hear(said(offer, again_in_s=900)), NobodyFound)


def test_who_pauses_is_asked_nothing_new_not_even_in_an_emergency_until_the_day_is_over() -> None:
    desk = Desk([peer(ANA)])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    desk.hear(said(offer, pause_s=86_400))
    other = CaseId(UUID(int=0xD))
    assert not told(desk.hear(RequestSubmitted(ask=ask()), case=other), OfferMade)
    danger = CaseId(UUID(int=0xE))
    raised = CrisisRaised(ask=ask(Urgency.EMERGENCY), jurisdiction="US-UT", rungs=())
    assert not told(desk.hear(raised, case=danger), OfferMade)
    # To a full hour: to the second it would tell of which case it was said.
    assert desk.load(ANA).paused_until == NOW + timedelta(days=1)
    desk.later(days=1)
    assert told(desk.hear(LookAgain(), case=danger), OfferMade)


def test_who_pauses_goes_on_with_whom_they_have() -> None:
    desk = Desk([peer(ANA)])
    assigned = one(desk.accept(one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)), PeerAssigned)
    reply = ReplyReceived(
        reply=UUID(int=0xE2000),
        subject=assigned.assignment,
        person=ANA,
        verb="accept",
        received_at=NOW,
        pause_s=86_400,
    )
    facts = desk.hear(reply)
    assert outcomes(facts) == ["noted"]
    assert isinstance(desk.state(), Assigned)
    assert desk.load(ANA).paused_until == NOW + timedelta(days=1)


LEAVE = text_of([Window(False, NOW - timedelta(days=1), NOW + timedelta(days=3))])


def test_who_is_on_leave_is_not_asked_at_all_and_is_again_when_it_is_over() -> None:
    people = [peer(ANA, windows=LEAVE), peer(BEN)]
    for urgency in Urgency:
        assert [each.peer.person for each in rank(people, ask(urgency), {}, case_id=CASE, now=NOW)] == [BEN]
    back = rank(people, ask(), {}, case_id=CASE, now=NOW + timedelta(days=3))
    assert {each.peer.person for each in back} == {ANA, BEN}


def test_a_shift_beside_the_hours_makes_somebody_there() -> None:
    shift = text_of([Window(True, NOW - timedelta(hours=1), NOW + timedelta(hours=1))])
    people = [peer(ANA, hours="Sat 10:00-11:00"), peer(BEN, hours="Sat 10:00-11:00", windows=shift)]
    assert [each.available for each in rank(people, ask(), {}, case_id=CASE, now=NOW)] == [True, False]


def test_who_is_on_call_only_in_a_rota_is_there_then_and_at_no_other_time() -> None:
    rota = text_of([Window(True, NOW + timedelta(hours=5), NOW + timedelta(hours=9))])
    desk = Desk([peer(ANA, windows=rota, alone=True)])
    assert one(desk.hear(RequestSubmitted(ask=ask())), SearchStarted).due == NOW + timedelta(hours=5)


def test_who_accepts_while_on_leave_has_it() -> None:
    desk = Desk([peer(ANA)])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    desk.people = [peer(ANA, windows=LEAVE)]
    assert told(desk.accept(offer), PeerAssigned)


def test_scenario_05_whoever_knows_of_a_conflict_says_no_without_a_reason_and_somebody_else_is_asked_at_once() -> None:
    desk = Desk([peer(ANA), peer(BEN)])
    offer = one(desk.hear(RequestSubmitted(ask=ask())), OfferMade)
    facts = desk.hear(desk.answer(offer.offer, offer.person, "decline"))
    # There is no place for a reason, neither in what the peer says nor in what is told of it.
    assert one(facts, OfferDeclined).model_dump(exclude={"type"}) == {"offer": offer.offer, "person": offer.person}
    assert one(facts, OfferMade).person == ({ANA, BEN} - {offer.person}).pop()
    desk.later(days=30)
    assert not told(desk.hear(LookAgain()), OfferMade)


def test_who_is_only_silent_is_not_waited_for_and_somebody_hears_of_it() -> None:
    """Whoever was silent may be asked again in a quarter of an hour here, and has promised nothing."""
    desk = Desk([peer(ANA), coordinator()])
    asked = ask(Urgency.URGENT, stamped={"contact_within_s": 900, "answer_within_s": 300, "offers_out": 1})
    offer = one(desk.hear(RequestSubmitted(ask=asked)), OfferMade)
    desk.now = offer.expires + timedelta(seconds=31)
    assert told(desk.due(), NobodyFound)


def test_somebody_hears_of_it_when_a_first_contact_is_late_whatever_has_been_promised() -> None:
    desk = Desk([peer(ANA), coordinator()])
    asked = ask(Urgency.URGENT, stamped={"contact_within_s": 3600, "answer_within_s": 900, "offers_out": 1})
    offer = one(desk.hear(RequestSubmitted(ask=asked)), OfferMade)
    for number in range(3):
        assert not told(desk.hear(said(offer, number, again_in_s=900)), NobodyFound)
        desk.later(minutes=15)
        offer = one(desk.due(), OfferMade)
    desk.later(minutes=15)
    assert told(desk.hear(said(offer, 9, again_in_s=900)), NobodyFound)


@pytest.mark.parametrize("why", ["leave", "full"])
def test_a_wait_has_an_end_and_then_the_requester_chooses_again(why: str) -> None:
    desk = Desk([peer(ANA, hours=AWAY), peer(BEN)])
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist")))
    desk.hear(PeerChosen(person=ANA, wait=True))
    if why == "full":
        desk.loads[ANA] = Load(open=4)
    else:
        leave = Window(on=False, start=NOW, end=NOW + timedelta(days=180))
        desk.people = [peer(ANA, hours=AWAY, windows=text_of([leave])), peer(BEN)]
    facts = []
    # A day after they should have been there, which is what a routine first contact may take.
    while desk.now < THURSDAY + timedelta(days=1, hours=2):
        desk.later(hours=1)
        facts += desk.due()
    listed = told(facts, ShortlistReady)
    assert [each.person for each in listed[0].candidates] == [BEN]
    assert not told(facts, OfferMade)
