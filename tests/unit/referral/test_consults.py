"""Consults: one adviser after the other, a reminder, an honest expiry; the peer keeps the case."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.referral.domain.case import Case, standing
from services.referral.domain.consults import MOST_ADVISERS
from services.referral.domain.effects import Step
from shared.events.intake import Adviser, CaseClosing, Wishes
from shared.events.matching import AssignmentEnded
from shared.events.notify import ConsultAsked
from shared.events.referral import ConsultAnswered, ConsultExpired, ConsultOpened, ConsultReassigned, ConsultReminded
from shared.types import PersonId, Role
from tests.unit.referral.given import (
    ASSIGNMENT,
    CA,
    CARL,
    CLEO,
    CLEO_,
    COLE,
    COLE_,
    CORA,
    CORA_,
    CS,
    NONE,
    NOW,
    PAUL,
    PETRA,
    PETRA_,
    TC,
    advised,
    consult,
    hear,
    kinds,
    one,
    outcomes,
    person,
    ring,
    supported,
    world,
)


def opened(asked: ConsultAsked | None = None, case: Case | None = None) -> tuple[Step[Case], ConsultAsked]:
    asked = asked or consult()
    return hear(case or supported(CA), asked), asked


def test_a_question_goes_to_the_adviser_on_call_with_codes_and_the_sealed_text_and_nothing_else() -> None:
    step, asked = opened()
    fact = one(step, ConsultOpened)
    assert (fact.consult, fact.adviser, fact.role, fact.kind) == (asked.consult, CLEO, "clinician", "advice")
    assert (fact.topics, fact.sealed, fact.due) == (("alcohol",), b"question", NOW + timedelta(days=1))
    assert outcomes(step) == ["noted"]
    stands = standing(step.state)
    assert (stands.name, stands.owner, stands.due_at) == ("consult_open", "adviser", fact.due)


@pytest.mark.parametrize("to", ["coordinator", "peer"])
def test_scenario_32_nobody_of_the_agency_is_asked_for_advice_where_nobody_of_it_is_wanted(to: Adviser) -> None:
    wishes = Wishes(require=("other_agency",))
    step, _ = opened(consult(to), supported(TC, wishes=wishes))
    assert kinds(step) == ["consult_expired", "answer_settled"]
    # A clinician who is contracted is none of the agency's own.
    advised_by, _ = opened(consult(), supported(CA, wishes=wishes))
    assert one(advised_by, ConsultOpened).adviser == CLEO


def test_after_half_of_the_time_the_adviser_is_reminded_and_after_all_of_it_the_next_one_is_asked() -> None:
    step, _ = opened()
    half = ring(step)
    assert one(half, ConsultReminded).adviser == CLEO
    assert step.alarms[-1].at == NOW + timedelta(hours=12)
    passed = ring(half)
    assert one(passed, ConsultReassigned).before == CLEO
    assert one(passed, ConsultOpened).adviser == CARL
    assert ring(Step(passed.state, alarms=half.alarms)).facts == ()


def test_when_no_clinician_is_left_a_coordinator_is_asked_then_a_second_peer_then_it_expires() -> None:
    step, asked = opened()
    turns = [CLEO]
    while "consult_expired" not in kinds(step):
        step = hear(step.state, advised(asked, turns[-1], None))
        turns += [fact.adviser for fact in step.facts if isinstance(fact, ConsultOpened)]
    assert turns == [CLEO, CARL, CORA, COLE, PAUL]
    assert one(step, ConsultExpired).asked_by == PETRA
    assert standing(step.state).owner is None
    assert step.state.referral is None


def test_an_adviser_who_cannot_is_followed_at_once() -> None:
    step, asked = opened()
    after = hear(step.state, advised(asked, CLEO, None))
    assert kinds(after) == ["consult_reassigned", "consult_opened", "answer_settled"]
    assert one(after, ConsultOpened).adviser == CARL


def test_an_answer_goes_to_the_peer_who_asked_and_a_second_one_is_too_late() -> None:
    step, asked = opened()
    passed = ring(ring(step))
    after = hear(passed.state, advised(asked, CARL), advised(asked, CLEO))
    fact = one(after, ConsultAnswered)
    assert (fact.assignment, fact.asked_by, fact.adviser, fact.sealed) == (ASSIGNMENT, PETRA, CARL, b"answer")
    assert outcomes(after) == ["noted", "too_late"]
    assert standing(after.state).owner is None


def test_an_answer_that_comes_after_the_time_but_before_any_other_counts() -> None:
    step, asked = opened()
    after = hear(ring(ring(step)).state, advised(asked, CLEO))
    assert one(after, ConsultAnswered).adviser == CLEO


def test_a_reply_by_somebody_who_was_not_asked_or_an_empty_answer_changes_nothing() -> None:
    step, asked = opened()
    empty = advised(asked, CLEO).model_copy(update={"sealed": None})
    for bad in (advised(asked, CARL), advised(asked, PETRA), advised(UUID(int=9), CLEO), empty):
        after = hear(step.state, bad)
        assert after.state is step.state
        assert (outcomes(after), after.acts) == (["refused"], ("consult reply refused",))


def test_neither_the_asker_nor_anybody_barred_is_asked() -> None:
    people = (PETRA_, person(PAUL, Role.PEER))
    step = hear(supported(TC, bars=(PAUL,)), consult("peer"), seen=world(*people))
    assert kinds(step) == ["consult_expired", "answer_settled"]


def test_no_more_than_six_are_asked_before_it_expires() -> None:
    peers = tuple(person(PersonId(UUID(int=1000 + number)), Role.PEER) for number in range(20))
    seen = world(PETRA_, *peers)
    step = hear(supported(TC), asked := consult("peer"), seen=seen)
    turns = 1
    while "consult_expired" not in kinds(step):
        current = step.state.consults[0].asked[-1]
        step = hear(step.state, advised(asked, current, None), seen=seen)
        turns += 1
    assert turns == MOST_ADVISERS + 1
    assert len(set(step.state.consults[0].asked)) == MOST_ADVISERS


def test_the_same_question_twice_is_asked_once() -> None:
    step, asked = opened()
    again = hear(step.state, asked.model_copy(update={"reply": UUID(int=5)}))
    assert (kinds(again), outcomes(again)) == (["answer_settled"], ["noted"])


def test_topics_that_are_no_codes_are_refused() -> None:
    bad = consult().model_copy(update={"topics": ("Officer Smith drinks",)})
    step = hear(supported(CA), bad)
    assert (step.state.consults, outcomes(step)) == ((), ["refused"])


@pytest.mark.parametrize("end", ["case", "assignment"])
def test_with_the_case_or_the_askers_support_a_consult_just_ends(end: str) -> None:
    step, asked = opened()
    over = AssignmentEnded(assignment=ASSIGNMENT, person=PETRA, how="closed") if end == "assignment" else CaseClosing()
    after = hear(step.state, over)
    assert after.facts == ()
    assert outcomes(hear(after.state, advised(asked, CLEO))) == ["ended"]
    assert ring(Step(after.state, alarms=step.alarms)).facts == ()


def test_scenario_09_a_coordinators_program_consults_coordinator_or_peer_and_never_a_clinician() -> None:
    case = supported(TC)
    assert one(hear(case, consult("coordinator")), ConsultOpened).adviser == CORA
    assert one(hear(case, consult("peer")), ConsultOpened).adviser == PAUL
    refused = hear(case, consult("clinician"))
    assert refused.state is case
    assert (outcomes(refused), refused.acts) == (["refused"], ("act refused",))


def test_scenario_10_an_advisor_is_consulted_without_identity_and_the_peer_keeps_the_case() -> None:
    step, asked = opened(case=supported(CA, topics=("loss_of_child",)))
    after = hear(step.state, advised(asked, CLEO))
    assert after.state.peer == step.state.peer
    assert after.state.referral is None
    assert one(step, ConsultOpened).due == NOW + timedelta(days=1)
    assert set(one(step, ConsultOpened).model_dump()) == {
        "type", "consult", "adviser", "role", "kind", "topics", "sealed", "due", "assignment",
    }  # fmt: skip


def test_a_deputy_is_asked_after_those_who_are_not() -> None:
    seen = world(PETRA_, COLE_, CORA_)
    step = hear(supported(TC), asked := consult("coordinator"), seen=seen)
    assert one(step, ConsultOpened).adviser == CORA
    assert one(hear(step.state, advised(asked, CORA, None), seen=seen), ConsultOpened).adviser == COLE


def test_when_the_contract_ends_no_further_clinician_is_asked_but_the_one_who_was_may_answer() -> None:
    step, asked = opened(case=supported(CS))
    ended = world(present=NONE)
    assert one(hear(step.state, advised(asked, CLEO), seen=ended), ConsultAnswered).adviser == CLEO
    assert one(hear(step.state, advised(asked, CLEO, None), seen=ended), ConsultOpened).adviser == CORA
    assert outcomes(hear(supported(CS), consult("clinician"), seen=ended)) == ["refused"]


def test_a_clinician_is_not_asked_for_advice_where_only_a_coordinator_was_wanted() -> None:
    step, asked = opened(consult("coordinator"))
    seen = world(PETRA_, CLEO_)
    assert kinds(hear(step.state, advised(asked, CORA, None), seen=seen))[1] == "consult_expired"
