"""Who is wanted is listed whatever they do, room comes at its time, practice takes nobody's place, nobody is held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.matching.domain.case import Choosing
from services.matching.domain.decide import Heard, LookAgain
from services.matching.domain.loads import Load
from services.matching.domain.people import Peer
from services.matching.domain.ranking import place_of
from shared.availability import Window, text_of
from shared.events.intake import BarsChanged, CaseClosed, CaseWithdrawn, CrisisRaised, PeerChosen, RequestSubmitted
from shared.events.matching import (
    AssignmentEnded,
    NobodyFound,
    OfferMade,
    OfferRescinded,
    PeerAssigned,
    SearchStarted,
    ShortlistReady,
)
from shared.events.notify import ReplyReceived
from shared.types import CaseId, PersonId, Urgency
from tests.unit.matching.given import (
    ANA,
    BEN,
    CASE,
    CEM,
    COORDINATOR,
    DUTY,
    NOW,
    Desk,
    ask,
    coordinator,
    names,
    one,
    order,
    outcomes,
    peer,
    rank,
    told,
)

OTHERS = [peer(UUID(int=0x300 + number)) for number in range(8)]
AT_HOME = PersonId(UUID(int=0xE))
THURSDAY = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
SOON = NOW + timedelta(minutes=30)
LEAVE = text_of([Window(False, NOW - timedelta(days=1), SOON)])
WANTED: dict[str, tuple[Peer, Load]] = {
    "away": (peer(ANA, hours="Thu 08:00-16:00"), Load()),
    "lent": (peer(ANA, attributes=("other_agency",), bearer=AT_HOME), Load()),
    "resting": (peer(ANA), Load(rest_until=NOW + timedelta(days=2))),
    "full": (peer(ANA), Load(open=4)),
    "pausing": (peer(ANA), Load(paused_until=NOW + timedelta(hours=3))),
    "on leave": (peer(ANA, windows=LEAVE), Load()),
}


def raised(**asked: Any) -> CrisisRaised:
    return CrisisRaised(ask=ask(Urgency.EMERGENCY, **asked), jurisdiction="US-UT", rungs=())


@pytest.mark.parametrize("how", WANTED)
def test_scenario_02_who_is_wanted_is_on_the_list_and_can_be_waited_for_however_many_others_are_there(how: str) -> None:
    wanted, load = WANTED[how]
    desk = Desk([wanted, *OTHERS], loads={wanted.carrier: load})
    asked = ask(choose="shortlist", wanted=(ANA,))
    listed = one(desk.hear(RequestSubmitted(ask=asked)), ShortlistReady).candidates
    assert len(listed) == 5
    ana = next(each for each in listed if each.person == ANA)
    assert ana.available == (how in {"lent", "resting"})
    # Why somebody cannot be asked now, and until when, is their own affair.
    assert ana.there_from == (THURSDAY if how == "away" else None)
    # From the numbers alone the order is read again.
    assert list(listed) == sorted(listed, key=lambda each: place_of(each.factors))
    if not ana.available:
        assert told(desk.hear(PeerChosen(person=ANA, wait=True)), SearchStarted)
        assert not told(desk.facts, OfferMade)


@pytest.mark.parametrize("why", ["barred", "not designated", "unknown"])
def test_who_is_wanted_and_may_not_be_asked_is_on_no_list(why: str) -> None:
    ana = {"barred": [peer(ANA)], "not designated": [peer(ANA, designated_from=None)], "unknown": []}[why]
    asked = ask(choose="shortlist", wanted=(ANA,), bars=(ANA,) if why == "barred" else ())
    listed = one(Desk([*ana, *OTHERS]).hear(RequestSubmitted(ask=asked)), ShortlistReady).candidates
    assert ANA not in {each.person for each in listed}


def test_more_wanted_than_the_list_is_long_are_the_list() -> None:
    people = [peer(UUID(int=0x400 + number), hours="Thu 08:00-16:00") for number in range(7)]
    asked = ask(choose="shortlist", wanted=tuple(one.person for one in people))
    listed = one(Desk([*people, *OTHERS]).hear(RequestSubmitted(ask=asked)), ShortlistReady).candidates
    assert {each.person for each in listed} == {one.person for one in people[:5]}


def test_people_who_cannot_be_asked_do_not_take_all_places_from_one_who_can() -> None:
    away = [peer(UUID(int=0x10 + number), windows=LEAVE) for number in range(4)]
    free = peer(UUID(int=0x20))
    named = tuple(one.person for one in (*away, free))
    asked = ask(choose="shortlist", wanted=named, stamped={"shortlist": 3})
    listed = one(Desk([*away, free, peer(BEN)]).hear(RequestSubmitted(ask=asked)), ShortlistReady).candidates
    assert [each.person for each in listed if each.available] == [free.person]
    only_away = ask(choose="shortlist", wanted=named[:3], stamped={"shortlist": 3})
    listed = one(Desk([*away, peer(BEN)]).hear(RequestSubmitted(ask=only_away)), ShortlistReady).candidates
    assert (len(listed), [each.person for each in listed if each.available]) == (3, [BEN])


def test_a_list_of_people_who_can_only_be_waited_for_is_a_search_that_found_nobody() -> None:
    desk = Desk([peer(ANA, windows=LEAVE), coordinator()])
    facts = desk.hear(RequestSubmitted(ask=ask(choose="shortlist", wanted=(ANA,))))
    assert names(facts) == ["nobody_found", "shortlist_ready"]
    assert one(facts, NobodyFound).recipients == (COORDINATOR, DUTY)
    assert (desk.rooms, type(desk.state())) == ([SOON], Choosing)
    # Nobody hears of it twice, and somebody new is listed at once.
    assert desk.hear(LookAgain()) == []
    desk.people = (*desk.people, peer(BEN))
    assert {each.person for each in one(desk.hear(LookAgain()), ShortlistReady).candidates} == {ANA, BEN}


def test_to_pick_somebody_named_who_has_no_room_is_to_wait_for_them() -> None:
    desk = Desk([peer(ANA), peer(BEN)], loads={ANA: Load(open=4)})
    desk.hear(RequestSubmitted(ask=ask(choose="shortlist", wanted=(ANA,))))
    assert names(desk.hear(PeerChosen(person=ANA))) == ["search_started"]
    desk.loads[ANA] = Load(open=3)
    assert one(desk.hear(LookAgain()), OfferMade).person == ANA


@pytest.mark.parametrize("weight", [0, 5])
def test_the_search_widens_for_who_is_named_whatever_that_weighs(weight: int) -> None:
    lent, _ = WANTED["lent"]
    (ranked,) = rank([lent], ask(wanted=(ANA,), stamped={"weights": {"wanted": weight}}), {}, case_id=CASE, now=NOW)
    assert "tier" not in ranked.factors


def test_the_search_widens_at_once_for_a_lent_peer_who_is_asked_for_by_name() -> None:
    lent, _ = WANTED["lent"]
    assert order([lent, peer(BEN)], ask(wanted=(ANA,))) == [ANA, BEN]
    assert order([lent, peer(BEN)], ask()) == [BEN, ANA]


def test_when_a_leave_or_a_pause_ends_those_who_wait_are_looked_at() -> None:
    desk = Desk([peer(ANA, windows=LEAVE)])
    one(desk.hear(RequestSubmitted(ask=ask())), NobodyFound)
    assert desk.rooms == [SOON]
    pausing = Desk([peer(ANA), peer(BEN, windows=LEAVE)], loads={ANA: Load(paused_until=NOW + timedelta(minutes=10))})
    pausing.hear(RequestSubmitted(ask=ask()))
    assert pausing.rooms == [NOW + timedelta(minutes=10)]
    # Found by nobody again, the next end is the one that is waited for.
    pausing.later(minutes=10)
    pausing.loads[ANA] = Load(open=4)
    assert pausing.hear(LookAgain()) == []
    assert pausing.rooms[1:] == [SOON]


def test_nobody_waits_for_the_end_of_a_leave_of_one_who_may_not_be_asked() -> None:
    desk = Desk([peer(ANA, windows=LEAVE), peer(BEN, windows=LEAVE, designated_from=None), peer(CEM)])
    desk.hear(RequestSubmitted(ask=ask(bars=(ANA, CEM))))
    assert desk.rooms == []


def practice(desk: Desk, case: CaseId) -> OfferMade:
    return one(desk.hear(RequestSubmitted(ask=ask(practice=True)), case=case), OfferMade)


def test_practice_takes_the_place_of_nobody_who_needs_help() -> None:
    desk = Desk([peer(ANA)])
    drill = CaseId(UUID(int=0xD))
    offer = practice(desk, drill)
    assert (desk.carried(), desk.held) == (0, {})
    one(desk.hear(desk.answer(offer.offer, ANA, "accept"), case=drill), PeerAssigned)
    real = one(desk.hear(RequestSubmitted(ask=ask(stamped={"open_cases_per_peer": 1}))), OfferMade)
    assert (real.person, desk.carried()) == (ANA, 1)
    desk.hear(CaseClosed(), case=drill)
    assert desk.carried() == 1


def test_a_pause_that_is_practised_is_none() -> None:
    desk = Desk([peer(ANA)])
    drill = CaseId(UUID(int=0xD))
    offer = practice(desk, drill)
    reply = ReplyReceived(
        reply=UUID(int=0xE1), subject=offer.offer, person=ANA, verb="not_now", received_at=NOW, pause_s=86_400
    )
    assert outcomes(desk.hear(reply, case=drill)) == ["declined"]
    assert one(desk.hear(raised()), OfferMade).person == ANA


def test_a_late_yes_in_practice_counts_though_the_peer_is_full() -> None:
    desk = Desk([peer(ANA)])
    drill = CaseId(UUID(int=0xD))
    offer = practice(desk, drill)
    desk.later(hours=4, seconds=30)
    desk.due(drill)
    desk.loads[ANA] = Load(open=4)
    assert outcomes(desk.hear(desk.answer(offer.offer, ANA, "accept", at=offer.expires), case=drill)) == ["accepted"]
    assert desk.load(ANA) == Load(open=4)


def held_for_the_ok() -> tuple[Desk, PeerAssigned]:
    desk = Desk([peer(ANA), coordinator()])
    offer = one(desk.hear(RequestSubmitted(ask=ask(release="ask_me"))), OfferMade)
    return desk, one(desk.accept(offer), PeerAssigned)


def test_who_has_accepted_can_step_back_at_the_offer_before_the_requester_says_ok() -> None:
    desk, assigned = held_for_the_ok()
    facts = desk.hear(desk.answer(assigned.offer, ANA, "step_back", number=2))
    assert (outcomes(facts), one(facts, AssignmentEnded).how) == (["noted"], "stepped_back")
    assert desk.carried() == 0
    # And once more, or at an offer that was never accepted, it changes nothing.
    assert outcomes(desk.hear(desk.answer(assigned.offer, ANA, "step_back", number=3))) == ["ended"]


def test_nobody_is_held_for_a_requester_who_stays_silent_and_who_comes_back_may_have_the_same_peer() -> None:
    desk, assigned = held_for_the_ok()
    waited = 0
    while not (facts := desk.due()):
        desk.later(hours=1)
        waited += 1
        assert waited < 100
    assert waited == 24 + 24 + 24 + 24
    assert names(facts) == ["assignment_ended", "shortlist_ready"]
    assert (one(facts, AssignmentEnded).assignment, one(facts, AssignmentEnded).how) == (assigned.assignment, "lapsed")
    assert isinstance(desk.state(), Choosing)
    assert desk.carried() == 0
    assert one(desk.hear(PeerChosen(person=ANA)), OfferMade).person == ANA


@pytest.mark.parametrize("heard", [BarsChanged(bars=(ANA,)), raised(bars=(ANA,)), CaseWithdrawn()])
def test_an_offer_that_ends_because_of_a_bar_looks_like_any_other_that_ends(heard: Heard) -> None:
    desk = Desk([peer(ANA)])
    desk.hear(RequestSubmitted(ask=ask()))
    assert one(desk.hear(heard), OfferRescinded).why == "ended"


def test_who_is_named_and_away_stands_behind_all_who_are_there() -> None:
    away, _ = WANTED["away"]
    ranked = rank([away, *OTHERS], ask(wanted=(ANA,)), {}, case_id=CaseId(UUID(int=1)), now=NOW)
    assert ranked[-1].peer.person == ANA
