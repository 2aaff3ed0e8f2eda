"""How a case moves, transition by transition."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.intake.domain.acts import (
    Another,
    Choose,
    Close,
    Release,
    SetReach,
    TimeIsUp,
    Wait,
    Withdraw,
)
from services.intake.domain.case import (
    UNKNOWN,
    Accepted,
    Asked,
    Case,
    Choosing,
    Closed,
    Closing,
    InContact,
    Released,
    Searching,
    Unserved,
    Withdrawn,
    from_json,
    next_by,
    outcome_of,
    stands,
    support_of,
    to_json,
)
from services.intake.domain.course import REVIEW_AFTER, begun, heard
from services.intake.domain.course.peer import anew
from services.intake.domain.status import sentences
from shared.errors import Refused
from shared.events.intake import (
    AnotherPeerAsked,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ChoiceOverdue,
    ContactReleased,
    ContactReleasedInCrisis,
    CrisisRaised,
    PeerChosen,
    RequestSubmitted,
)
from shared.types import Urgency
from tests.unit.intake_case.given import (
    ACKNOWLEDGED,
    ANA,
    BEN,
    CEM,
    CONFIRMED,
    CONTACT,
    DUTY,
    FIRST,
    LADDER,
    LATER,
    NOBODY,
    NOW,
    OTHER_OFFER,
    OVERDUE,
    PAGED,
    SECOND,
    SOON,
    STARTED,
    ask,
    assigned,
    case,
    declined,
    emergency,
    ended,
    facts_of,
    folded,
    listed,
    offered,
    settled,
)

REACHED = b"sealed"


def test_a_request_begins_with_a_search_that_has_a_due_time() -> None:
    first = begun(ask(), NOW, jurisdiction="US-CA", rungs=())
    assert first.facts == (RequestSubmitted(ask=ask()),)
    assert first.case.stage == Searching(NOW + timedelta(hours=1))
    assert first.case.alarm is None


def test_an_emergency_says_everything_that_others_need() -> None:
    wanted = ask(urgency=Urgency.EMERGENCY)
    first = begun(wanted, NOW, jurisdiction="US-CA", rungs=((DUTY,),))
    assert first.facts == (CrisisRaised(ask=wanted, jurisdiction="US-CA", rungs=((DUTY,),)),)
    assert first.case.alarm is not None


def test_offers_are_shown_until_they_are_answered() -> None:
    asked = folded(case(), [STARTED, offered(), offered(OTHER_OFFER, BEN)])
    assert isinstance(asked.stage, Asked)
    one_left = folded(asked, [declined()])
    assert isinstance(one_left.stage, Asked)
    assert isinstance(folded(one_left, [declined(OTHER_OFFER, BEN)]).stage, Searching)


def test_an_accepted_offer_is_released_at_once() -> None:
    start = replace(case(), reach=REACHED)
    released = ContactReleased(assignment=FIRST, recipient=ANA, sealed=REACHED, advisers=("coordinator", "peer"))
    assert facts_of(folded(start, [offered()]), assigned()) == [released]
    assert isinstance(folded(start, [offered(), assigned()]).stage, Released)


def test_ask_me_waits_for_the_requesters_ok() -> None:
    waiting = folded(case(release="ask_me"), [offered(), assigned()])
    assert isinstance(waiting.stage, Accepted)
    step = heard(waiting, Release(), SOON)
    assert [type(fact) for fact in step.facts] == [ContactReleased]
    assert isinstance(step.case, Case)
    assert next_by(step.case) == SOON + timedelta(hours=2)


def test_in_an_emergency_nobody_waits_for_an_ok() -> None:
    urgent = case(release="ask_me", urgency=Urgency.EMERGENCY)
    assert isinstance(folded(urgent, [assigned()]).stage, Released)


def test_an_ok_twice_is_one_release() -> None:
    released = folded(case(release="ask_me"), [assigned(), Release()])
    assert facts_of(released, Release()) == []


def test_contact_makes_it_helped() -> None:
    after = folded(case(), [assigned(), CONFIRMED])
    assert isinstance(after.stage, InContact)
    assert (after.served, outcome_of(after)) == (True, "helped")


def test_a_silent_peer_is_overdue_and_a_second_one_takes_over() -> None:
    late = folded(case(), [assigned(), OVERDUE])
    assert isinstance(late.stage, Released)
    assert late.stage.overdue
    asked_beside = folded(late, [offered(OTHER_OFFER, BEN)])
    assert next_by(asked_beside) == SOON
    second = folded(asked_beside, [ended("lapsed"), assigned(BEN, SECOND)])
    other_order = folded(asked_beside, [assigned(BEN, SECOND), ended("lapsed")])
    assert second == other_order
    assert [found.person for found in [support_of(second)] if found] == [BEN]


def test_a_peer_who_steps_back_leaves_a_new_search() -> None:
    after = folded(case(), [assigned(), ended("stepped_back")])
    assert isinstance(after.stage, Searching)
    assert isinstance(folded(after, [assigned()]).stage, Searching), "it has ended already"


def test_the_peers_close_closes_the_case() -> None:
    start = folded(case(), [assigned(), CONFIRMED])
    assert facts_of(start, ended("closed")) == [CaseClosing()]
    step = heard(start, ended("closed"), NOW)
    assert step.timer is not None
    assert (step.timer.kind, step.timer.due) == ("grace", NOW + timedelta(seconds=600))


def test_nobody_found_is_told_with_the_next_try() -> None:
    after = folded(case(), [STARTED, NOBODY])
    assert after.stage == Unserved(LATER, told=True)
    assert isinstance(folded(after, [offered()]).stage, Asked)


def test_a_pick_from_the_shortlist_travels() -> None:
    start = folded(case(choose="shortlist"), [listed(ANA, BEN)])
    assert isinstance(start.stage, Choosing)
    assert facts_of(start, Choose(BEN)) == [PeerChosen(person=BEN)]
    assert facts_of(start, Choose(None)) == [PeerChosen(person=None)]


def test_nobody_outside_the_list_can_be_picked() -> None:
    with pytest.raises(Refused, match="invalid"):
        heard(folded(case(choose="shortlist"), [listed(ANA)]), Choose(CEM), NOW)


def test_another_pick_is_possible_until_somebody_accepts() -> None:
    picked = folded(case(choose="shortlist"), [listed(ANA, BEN), Choose(ANA), offered()])
    assert facts_of(picked, Choose(BEN)) == [PeerChosen(person=BEN)]
    with pytest.raises(Refused, match="nothing-to-choose"):
        heard(folded(picked, [assigned()]), Choose(BEN), NOW)


def test_after_anyone_there_is_nothing_left_to_choose() -> None:
    with pytest.raises(Refused, match="nothing-to-choose"):
        heard(folded(case(choose="shortlist"), [listed(ANA), Choose(None)]), Choose(ANA), NOW)


def test_more_time_moves_the_due_time_and_says_nothing() -> None:
    start = folded(case(choose="shortlist"), [listed(ANA)])
    step = heard(start, Wait(), LATER)
    assert (step.facts, step.case.stage) == ((), Choosing(LATER + timedelta(minutes=30)))  # type: ignore[union-attr]


def test_another_peer_excludes_the_first_without_telling_why() -> None:
    start = folded(case(), [assigned()])
    assert facts_of(start, Another()) == [AnotherPeerAsked(refused=ANA)]
    after = folded(start, [Another(), ended("replaced")])
    assert (after.refused, type(after.stage)) == ((ANA,), Searching)
    assert [one.person for one in folded(after, [listed(ANA, BEN)]).shortlist] == [BEN]


def test_scenario_28_who_has_stepped_back_stays_out_of_a_later_search_too() -> None:
    """They have recognised the requester: an offer says too little for them to know that it is the same person."""
    back = folded(case(), [assigned(), ended("stepped_back")])
    assert [one.person for one in folded(back, [listed(ANA, BEN)]).shortlist] == [BEN]
    assert anew(back).ask.bars == (ANA,)


def test_there_has_to_be_somebody_to_replace() -> None:
    for act in (Another(), Release()):
        with pytest.raises(Refused, match="nobody-accepted-yet"):
            heard(case(), act, NOW)


def test_a_new_reach_goes_to_whoever_had_the_old_one() -> None:
    assert facts_of(case(), SetReach(b"new")) == []
    assert facts_of(folded(case(release="ask_me"), [assigned()]), SetReach(b"new")) == []
    again = ContactReleased(assignment=FIRST, recipient=ANA, sealed=b"new", advisers=("coordinator", "peer"))
    assert facts_of(folded(case(), [assigned()]), SetReach(b"new")) == [again]


def test_the_requester_may_close_once_and_then_only_withdraw() -> None:
    closing = folded(case(), [Close()])
    assert isinstance(closing.stage, Closing)
    assert facts_of(closing, Close()) == []
    with pytest.raises(Refused, match="case-over"):
        heard(closing, Another(), NOW)
    assert facts_of(closing, Withdraw()) == [CaseWithdrawn(), CaseClosed()]


def test_a_withdrawal_ends_everything_at_once() -> None:
    step = heard(case(), Withdraw(), NOW)
    assert step.facts == (CaseWithdrawn(), CaseClosed())
    assert step.ending == "closed"
    assert isinstance(step.case, Case)
    assert outcome_of(step.case) == "withdrawn"


def test_a_legal_hold_keeps_a_withdrawn_case_until_it_is_lifted() -> None:
    step = heard(case(), Withdraw(held=True), NOW)
    assert (step.facts, step.ending) == ((CaseWithdrawn(),), None)
    assert isinstance(step.case, Case)
    still = heard(step.case, TimeIsUp("grace", step.case.turn, held=True), LATER)
    assert (still.ending, isinstance(still.case, Case) and isinstance(still.case.stage, Withdrawn)) == (None, True)
    assert isinstance(still.case, Case)
    over = heard(still.case, TimeIsUp("grace", still.case.turn), LATER)
    assert (over.facts, over.ending) == ((CaseClosed(),), "closed")


def test_the_grace_ends_with_the_purge() -> None:
    closing = folded(case(), [Close()])
    step = heard(closing, TimeIsUp("grace", closing.turn), LATER)
    assert (step.facts, step.ending) == ((CaseClosed(),), "closed")
    assert isinstance(step.case, Case)
    assert isinstance(step.case.stage, Closed)
    assert stands(step.case).owner is None


@pytest.mark.parametrize(
    ("kind", "start", "of"),
    [
        ("choose", folded(case(choose="shortlist", bars=(BEN,)), [listed(ANA)]), None),
        ("release", folded(case(release="ask_me", bars=(BEN,)), [assigned()]), assigned().assignment),
    ],
)
def test_who_does_not_answer_is_reminded_first_and_then_the_coordinators_hear_a_count_once(
    kind: str, start: Case, of: UUID | None
) -> None:
    assert stands(start).owner == "requester"
    due = LATER + timedelta(minutes=30)
    state, told = start, []
    for owner in ("requester", "coordinator", "coordinator"):
        step = heard(state, TimeIsUp(kind, state.turn, coordinators=(BEN, DUTY)), LATER)
        assert isinstance(step.case, Case)
        assert step.timer is not None
        assert (step.timer.turn, step.timer.due) == (state.turn + 1, due)
        assert stands(step.case).owner == owner
        state = step.case
        told.append(list(step.facts))
    assert told == [[], [ChoiceOverdue(recipients=(DUTY,), due=due, assignment=of)], []]


def test_a_list_that_is_made_afresh_gives_no_new_time_to_choose() -> None:
    start = folded(case(choose="shortlist"), [listed(ANA)])
    reminded = heard(start, TimeIsUp("choose", start.turn), LATER).case
    after = heard(reminded, listed(BEN), LATER)
    assert isinstance(after.case, Case)
    assert after.timer is None
    assert (after.case.turn, sentences(after.case)) == (start.turn + 1, ("choosing_reminded",))


def test_a_timer_that_was_overtaken_does_nothing() -> None:
    start = folded(case(choose="shortlist"), [listed(ANA)])
    after = folded(start, [Wait()])
    assert heard(after, TimeIsUp("choose", start.turn), LATER).case is after


def test_a_long_contact_is_looked_at_again() -> None:
    start = folded(case(), [assigned(), CONFIRMED])
    step = heard(start, TimeIsUp("review", start.turn), LATER)
    assert step.timer is not None
    assert step.timer.due == LATER + REVIEW_AFTER


def test_a_page_counts_as_sent_only_when_the_mail_server_took_it() -> None:
    start = folded(emergency(), [PAGED])
    assert start.alarm is not None
    assert start.alarm.accepted == 0
    sent = folded(start, [settled("failed"), settled("accepted")]).alarm
    assert sent is not None
    assert (sent.accepted, sent.failed) == (1, 1)


def test_whoever_takes_the_page_is_told_how_to_reach_at_once() -> None:
    start = replace(emergency(), reach=REACHED)
    released = ContactReleasedInCrisis(ladder=LADDER, recipient=DUTY, sealed=REACHED)
    assert facts_of(start, ACKNOWLEDGED) == [released]
    # Said again, it was given back in between.
    assert facts_of(folded(start, [ACKNOWLEDGED]), ACKNOWLEDGED) == [released]
    assert facts_of(folded(start, [Close()]), ACKNOWLEDGED) == []


def test_a_human_contact_counts_as_help() -> None:
    assert outcome_of(folded(emergency(), [CONTACT, Close()])) == "helped"


def test_what_is_heard_of_an_unknown_case_changes_nothing() -> None:
    for what in (STARTED, assigned(), PAGED, TimeIsUp("grace", 1)):
        assert heard(UNKNOWN, what, NOW).case is UNKNOWN
    with pytest.raises(Refused, match="not-found"):
        heard(UNKNOWN, Close(), NOW)


def test_a_case_is_kept_as_it_was() -> None:
    kept = replace(folded(emergency(), [listed(ANA), assigned(), OVERDUE, ACKNOWLEDGED]), reach=REACHED)
    assert from_json(to_json(kept), REACHED) == kept
    assert "sealed" not in to_json(kept)


def test_whoever_took_the_page_hears_of_a_number_left_later() -> None:
    start = folded(case(urgency=Urgency.EMERGENCY), [ACKNOWLEDGED])
    assert facts_of(start, SetReach(REACHED)) == [
        ContactReleasedInCrisis(ladder=LADDER, recipient=DUTY, sealed=REACHED)
    ]
