"""Danger in an open case: everything is released at once, everybody who can help is asked, nothing is overstated."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.domain.acts import Close, NamesFound, Release, SetReach, Withdraw
from services.intake.domain.case import UNKNOWN, Accepted, Asked, Case, InContact, Released, Searching
from services.intake.domain.course import heard
from services.intake.domain.status import sentences
from shared.errors import Refused
from shared.events import Fact
from shared.events.intake import ContactReleased, ContactReleasedInCrisis, CrisisRaised, RequestSubmitted, Wishes
from shared.events.referral import HumanContactConfirmed, LadderAcknowledged, LadderEnded, LadderGivenBack, RungPaged
from shared.types import PersonId, Urgency
from tests.unit.intake_case.given import (
    ACKNOWLEDGED,
    ANA,
    BEN,
    CONFIRMED,
    CONTACT,
    DANGER,
    DOC,
    DUTY,
    LADDER,
    LADDER_OVER,
    NOBODY,
    NOW,
    OTHER_PAGE,
    PAGED,
    PRESSED,
    SOON,
    SUPERVISOR,
    WITH_CLINICIAN,
    assigned,
    case,
    direct,
    emergency,
    ended,
    facts_of,
    folded,
    listed,
    offered,
    settled,
)

NEXT_LADDER = UUID(int=0x39)
SECOND_RUNG = RungPaged(ladder=LADDER, rung=1, pages=((OTHER_PAGE, BEN),), expires=SOON)
BEN_TAKES = LadderAcknowledged(ladder=LADDER, person=BEN)


def of_next(fact: RungPaged | LadderAcknowledged) -> Fact:
    return fact.model_copy(update={"ladder": NEXT_LADDER})


def test_danger_makes_an_emergency_of_the_case_and_tells_all_that_others_need() -> None:
    (fact, *_) = facts_of(folded(case(release="ask_me"), [offered()]), DANGER)
    assert isinstance(fact, CrisisRaised)
    assert (fact.rungs, fact.jurisdiction) == (((DOC,), (DUTY,)), "US-CA")
    assert (fact.ask.urgency, fact.ask.release, fact.ask.policy.answer_within_s) == (
        Urgency.EMERGENCY,
        "on_accept",
        180,
    )


@pytest.mark.parametrize("before", [[], [offered()], [NOBODY]])
def test_whatever_is_wished_of_a_peer_the_same_people_are_paged_at_once(before: list[object]) -> None:
    only = case(wishes=Wishes(require=("other_agency",), avoid=("veteran",)))
    found = [facts_of(folded(start, before), PRESSED)[0] for start in (only, case())]
    assert [one.rungs for one in found if isinstance(one, CrisisRaised)] == [((DOC,), (DUTY,))] * 2


def test_what_the_case_may_do_stays_as_it_was_stamped() -> None:
    after = folded(case(policy=WITH_CLINICIAN), [DANGER])
    assert after.ask.policy.capabilities == SUPERVISOR
    assert after.ask.policy.structure == WITH_CLINICIAN.structure


def test_who_waited_for_an_ok_is_shown_the_reach_at_once() -> None:
    waiting = replace(folded(case(release="ask_me"), [assigned()]), reach=b"sealed")
    assert isinstance(waiting.stage, Accepted)
    assert [type(one) for one in facts_of(waiting, DANGER)] == [CrisisRaised, ContactReleased]
    assert isinstance(folded(waiting, [DANGER]).stage, Released)


def test_where_no_peer_is_looked_for_peers_are_asked_too() -> None:
    raised, asked = facts_of(direct(), PRESSED)
    assert isinstance(raised, CrisisRaised)
    assert isinstance(asked, RequestSubmitted)
    assert asked.ask.urgency is Urgency.EMERGENCY
    assert isinstance(folded(direct(), [PRESSED]).stage, Searching)


@pytest.mark.parametrize(
    ("before", "stage"),
    [
        ([offered()], Asked),
        ([NOBODY], Searching),
        ([listed(ANA)], Searching),
        ([assigned()], Released),
        ([assigned(), CONFIRMED], InContact),
    ],
)
def test_whoever_helps_already_goes_on(before: list[object], stage: type) -> None:
    assert isinstance(folded(case(choose="shortlist"), [*before, DANGER]).stage, stage)


def test_a_case_that_is_over_refuses_at_the_door_and_ignores_the_bus() -> None:
    for end in (Close(), Withdraw(held=True)):
        over = folded(case(), [end])
        assert heard(over, DANGER, NOW).case == over
        with pytest.raises(Refused, match="case-over"):
            heard(over, PRESSED, NOW)
    with pytest.raises(Refused, match="not-found"):
        heard(UNKNOWN, PRESSED, NOW)


def test_nobody_who_has_come_to_be_barred_is_paged() -> None:
    (fact, *_) = facts_of(folded(case(), [NamesFound((DOC,))]), DANGER)
    assert isinstance(fact, CrisisRaised)
    assert fact.rungs == ((DUTY,),)


def test_a_second_taker_is_shown_the_reach_as_well_and_both_hear_of_a_new_one() -> None:
    late = folded(emergency(), [PAGED, ACKNOWLEDGED, SECOND_RUNG])
    assert sentences(late)[0] == "emergency_late"
    (told,) = facts_of(late, BEN_TAKES)
    assert isinstance(told, ContactReleasedInCrisis)
    assert told.recipient == BEN
    both = folded(late, [BEN_TAKES])
    assert sentences(both)[0] == "emergency_acknowledged_no_reach"
    assert [type(one) for one in facts_of(both, SetReach(b"x"))] == [ContactReleasedInCrisis] * 2


def test_the_next_rung_is_no_reason_to_say_that_somebody_was_reached() -> None:
    first = [PAGED, settled("failed")]
    assert sentences(folded(emergency(), first))[0] == "emergency_nobody"
    assert sentences(folded(emergency(), [*first, SECOND_RUNG]))[0] == "emergency_taken"
    assert (
        sentences(folded(emergency(), [*first, SECOND_RUNG, settled("accepted", OTHER_PAGE)]))[0] == "emergency_paged"
    )


def test_danger_again_after_the_contact_begins_anew_and_the_old_ladder_is_silent() -> None:
    again = folded(emergency(), [PAGED, ACKNOWLEDGED, CONTACT, DANGER])
    assert sentences(again)[0] == "emergency_taken"
    assert sentences(folded(again, [LADDER_OVER, settled("accepted")]))[0] == "emergency_taken"
    (told,) = facts_of(folded(again, [of_next(PAGED)]), of_next(ACKNOWLEDGED))
    assert isinstance(told, ContactReleasedInCrisis)
    assert told.ladder == NEXT_LADDER


def test_danger_reported_twice_while_somebody_is_being_paged_changes_nothing_that_is_said() -> None:
    paged = folded(emergency(), [PAGED, settled("accepted")])
    assert sentences(folded(paged, [DANGER])) == sentences(paged)


OLD = [PAGED, ACKNOWLEDGED, CONTACT, LadderEnded(ladder=LADDER, how="contact")]
NEW = [of_next(PAGED), of_next(ACKNOWLEDGED)]
PAGES = [settled("accepted"), settled("accepted").model_copy(update={"ladder": NEXT_LADDER})]


@given(st.permutations([0, 1, 2, 3, 4, 5, 6, 7]))
@settings(max_examples=200)
def test_two_ladders_and_their_pages_come_to_the_same_in_every_order(places: list[int]) -> None:
    ladders, pages = iter([*OLD, *NEW]), iter(PAGES)
    order = [next(pages) if place < 2 else next(ladders) for place in places]
    straight = folded(emergency(), [*OLD, *NEW, *PAGES])
    assert folded(emergency(), order).alarm == straight.alarm
    assert straight.alarm is not None
    assert (straight.alarm.ladder, straight.alarm.accepted) == (NEXT_LADDER, 1)


def test_a_contact_confirmed_by_whoever_is_help() -> None:
    by = HumanContactConfirmed(ladder=LADDER, person=PersonId(BEN))
    state = folded(emergency(), [PAGED, by])
    assert isinstance(state, Case)
    assert state.served


def test_whoever_comes_to_be_barred_is_shown_nothing_and_not_said_to_have_taken_it() -> None:
    barred = NamesFound((DUTY,))
    taken = folded(emergency(), [PAGED, settled("accepted"), ACKNOWLEDGED])
    after = folded(taken, [barred])
    assert sentences(after)[0] == "emergency_paged"
    assert facts_of(after, SetReach(b"x")) == []
    before = folded(emergency(), [PAGED, settled("accepted"), barred])
    assert facts_of(before, ACKNOWLEDGED) == []
    assert sentences(folded(before, [ACKNOWLEDGED]))[0] == "emergency_paged"
    assert sentences(folded(after, [SECOND_RUNG, BEN_TAKES]))[0] == "emergency_acknowledged_no_reach"


def test_a_peer_who_comes_to_be_barred_is_shown_nothing_more_and_waits_for_no_ok() -> None:
    for start in (case(), case(release="ask_me")):
        after = folded(start, [assigned(), NamesFound((ANA,))])
        assert isinstance(after.stage, Searching)
        assert [type(one) for one in facts_of(after, DANGER)] == [CrisisRaised]
        assert facts_of(after, SetReach(b"x")) == []
        with pytest.raises(Refused, match="nobody-accepted-yet"):
            heard(after, Release(), NOW)
        assert folded(after, [ended("replaced")]).stage == after.stage


def test_whoever_gives_it_back_is_shown_nothing_new_and_not_said_to_have_it() -> None:
    back = LadderGivenBack(ladder=LADDER, person=DUTY)
    after = folded(emergency(), [PAGED, settled("accepted"), ACKNOWLEDGED, back, SECOND_RUNG])
    assert sentences(after)[0] == "emergency_paged"
    assert facts_of(after, SetReach(b"x")) == []
    two = folded(emergency(), [PAGED, ACKNOWLEDGED, SECOND_RUNG, BEN_TAKES, back])
    assert sentences(two)[0] == "emergency_acknowledged_no_reach"


def test_with_nobody_left_who_can_the_requester_is_told_so_until_somebody_can() -> None:
    given_back = folded(emergency(), [PAGED, settled("accepted"), ACKNOWLEDGED, LADDER_OVER])
    assert sentences(given_back)[0] == "emergency_nobody"
    assert sentences(folded(given_back, [BEN_TAKES]))[0] == "emergency_acknowledged_no_reach"
    assert sentences(folded(given_back, [BEN_TAKES, SECOND_RUNG]))[0] == "emergency_late"
