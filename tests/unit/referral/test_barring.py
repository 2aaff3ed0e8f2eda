"""People who come to be barred while a case is open: nothing reaches them any more, and what they hold is passed on."""

from __future__ import annotations

from uuid import uuid4

import pytest

from services.referral.domain.case import Case, standing
from services.referral.domain.effects import Step
from services.referral.domain.ladder import Paging, Silent
from shared.events.intake import BarsChanged, CaseClosing, RequestSubmitted
from shared.events.notify import PageReplied, PageVerb
from shared.events.referral import (
    ConsentAsked,
    ConsultOpened,
    ConsultReassigned,
    LadderAcknowledged,
    LadderEnded,
    ReferralFailed,
    ReferralRejected,
    ReferralRequested,
    RungPaged,
)
from shared.types import PersonId, Urgency
from tests.unit.referral.given import (
    ANA,
    BEN,
    CARL,
    CEM,
    CLEO,
    COLE,
    CORA,
    CS,
    DORA,
    NOW,
    PAUL,
    TC,
    advised,
    answer,
    ask,
    assigned,
    consent,
    consult,
    crisis,
    hear,
    kinds,
    one,
    outcomes,
    ring,
    supported,
    told,
    wanted,
)


def bars(*people: PersonId) -> BarsChanged:
    return BarsChanged(bars=people)


def said(case: Case, person: PersonId, verb: PageVerb) -> PageReplied:
    assert case.ladder
    of = [page for page in case.ladder.ladder.pages if page.person == person][-1].page_id
    ladder = case.ladder.ladder.ladder_id
    return PageReplied(reply=uuid4(), page=of, ladder=ladder, person=person, verb=verb, received_at=NOW)


def paged(step: Step[Case]) -> list[tuple[PersonId, ...]]:
    return [tuple(person for _, person in fact.pages) for fact in told(step.facts, RungPaged)]


# --- the ladder


def test_a_barred_person_is_paged_on_no_later_rung() -> None:
    step = hear(Case(), crisis((ANA,), (BEN, CEM)))
    later = hear(step.state, bars(BEN))
    assert later.facts == ()
    assert paged(ring(Step(later.state, alarms=step.alarms))) == [(CEM,)]


def test_a_rung_whose_last_free_person_is_barred_is_left_at_once() -> None:
    step = hear(Case(), crisis((ANA,), (BEN,)), bars(ANA))
    assert paged(step) == [(ANA,), (BEN,)]
    assert isinstance(step.state.ladder, Paging)


@pytest.mark.parametrize("verb", ["acknowledge", "contact_confirmed", "cannot"])
def test_what_a_barred_person_answers_to_a_page_counts_for_nothing(verb: PageVerb) -> None:
    case = hear(Case(), crisis((ANA, BEN), (CEM,)), bars(ANA)).state
    step = hear(case, said(case, ANA, verb))
    assert (kinds(step), outcomes(step)) == (["reply_settled"], ["ended"])
    assert step.state is case


@pytest.mark.parametrize("late", [False, True])
def test_what_a_barred_person_has_taken_climbs_at_once(late: bool) -> None:
    case = hear(Case(), crisis((ANA,), (BEN,))).state
    taken = hear(case, said(case, ANA, "acknowledge"))
    if late:
        taken = ring(taken)
    step = hear(taken.state, bars(ANA))
    # Once it was late, the next rung has been paged already.
    assert paged(step) == ([] if late else [(BEN,)])
    assert isinstance(step.state.ladder, Silent if late else Paging)
    assert one(hear(step.state, said(step.state, BEN, "acknowledge")), LadderAcknowledged).person == BEN


def test_with_everybody_barred_the_requester_is_told_and_the_operator_has_it() -> None:
    step = hear(Case(), crisis((ANA,), (BEN,)), bars(ANA, BEN))
    assert one(step, LadderEnded).how == "nobody"
    assert standing(step.state).owner == "operator"


def test_bars_that_are_heard_before_the_emergency_count_in_it() -> None:
    emergency = crisis((ANA,), (BEN,), asked=ask(TC, urgency=Urgency.EMERGENCY, bars=(CEM,)))
    step = hear(Case(), bars(ANA), bars(ANA, DORA), emergency)
    assert paged(step) == [(BEN,)]
    assert step.state.ask is not None
    assert set(step.state.ask.bars) == {ANA, CEM, DORA}


# --- referrals


def requested() -> Step[Case]:
    """Cleo is asked to take the requester on."""
    step = hear(supported(CS), wanted())
    return hear(step.state, consent(one(step, ConsentAsked)))


def referral(step: Step[Case]) -> ReferralRequested:
    return told(step.facts, ReferralRequested)[-1]


def test_a_barred_clinician_is_not_asked() -> None:
    step = hear(supported(CS), bars(CLEO), wanted())
    assert referral(hear(step.state, consent(one(step, ConsentAsked)))).clinician == CARL


def test_a_clinician_who_is_asked_and_comes_to_be_barred_is_followed_by_the_next() -> None:
    step = hear(requested().state, bars(CLEO))
    assert (one(step, ReferralRejected).clinician, referral(step).clinician) == (CLEO, CARL)
    late = hear(step.state, answer(referral(step).referral, CLEO, "accept"))
    assert (kinds(late), outcomes(late)) == (["answer_settled"], ["ended"])


def test_one_who_was_silent_before_can_accept_no_more() -> None:
    beside = ring(requested())
    assert referral(beside).clinician == CARL
    step = hear(beside.state, bars(CLEO))
    assert kinds(step) == ["referral_rejected"]
    assert outcomes(hear(step.state, answer(referral(beside).referral, CLEO, "accept"))) == ["ended"]
    assert outcomes(hear(step.state, answer(referral(beside).referral, CARL, "accept"))) == ["accepted"]


@pytest.mark.parametrize("verbs", [("accept",), ("accept", "hold"), ("accept", "handoff")])
def test_a_clinician_who_has_accepted_and_comes_to_be_barred_has_it_no_more(verbs: tuple[str, ...]) -> None:
    first = requested()
    replies = [answer(referral(first).referral, CLEO, verb) for verb in verbs]  # type: ignore[arg-type]
    step = hear(hear(first.state, *replies).state, bars(CLEO))
    assert (one(step, ReferralRejected).clinician, referral(step).clinician) == (CLEO, CARL)


def test_with_no_other_clinician_it_fails_and_no_barred_coordinator_hears_a_count() -> None:
    step = hear(requested().state, bars(CLEO, CARL, CORA))
    assert one(step, ReferralFailed).recipients == tuple(sorted((COLE, DORA)))


def test_a_referral_that_is_over_stays_so() -> None:
    over = hear(requested().state, CaseClosing())
    assert hear(over.state, bars(CLEO)).facts == ()


# --- consults


def test_a_barred_adviser_is_followed_by_the_next_and_their_answer_does_not_count() -> None:
    question = consult("coordinator")
    first = hear(supported(TC), question)
    assert one(first, ConsultOpened).adviser == CORA
    step = hear(first.state, bars(CORA))
    assert (one(step, ConsultReassigned).before, one(step, ConsultOpened).adviser) == (CORA, COLE)
    assert outcomes(hear(step.state, advised(question, CORA))) == ["refused"]
    assert outcomes(hear(step.state, advised(question, COLE))) == ["noted"]


def test_a_barred_person_is_not_chosen_as_an_adviser_later() -> None:
    first = hear(supported(TC), consult("coordinator"))
    later = hear(first.state, bars(COLE))
    assert later.facts == ()
    assert one(hear(later.state, bars(COLE, CORA)), ConsultOpened).adviser == PAUL


# --- the case


def test_the_same_bars_again_change_nothing() -> None:
    case = hear(supported(CS), bars(CLEO)).state
    assert hear(case, bars(CLEO)).state is case
    placeholder = hear(Case(), bars(CLEO)).state
    assert hear(placeholder, bars(CLEO)).state is placeholder


def test_bars_heard_first_stand_when_the_request_comes() -> None:
    step = hear(Case(), bars(CLEO), RequestSubmitted(ask=ask(CS)), assigned(), wanted())
    assert referral(hear(step.state, consent(one(step, ConsentAsked)))).clinician == CARL
