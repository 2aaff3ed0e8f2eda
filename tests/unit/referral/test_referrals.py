"""Referrals: consent first, one clinician after the other, a hand-off that both sides confirm; "sent" is not "done"."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.referral.domain.case import Case, standing
from services.referral.domain.effects import Step
from services.referral.domain.referrals import CONSENT_LAPSES, ON_HOLD, Stage
from services.referral.domain.world import ClinicianGone
from shared.events.intake import CaseClosing, CaseWithdrawn, ConsentWithdrawn, Wishes
from shared.events.matching import AssignmentEnded
from shared.events.notify import ReferralVerb
from shared.events.referral import (
    ConsentAsked,
    ConsentReminded,
    HandoffConfirmed,
    HandoffOverdue,
    NoClinicalPath,
    ReferralAccepted,
    ReferralCancelled,
    ReferralFailed,
    ReferralOnHold,
    ReferralRequested,
)
from shared.types import PersonId, Relation
from tests.unit.referral.given import (
    ASSIGNMENT,
    CA,
    CARL,
    CARL_,
    CLEO,
    CLEO_,
    COLE,
    CORA,
    CORA_,
    DORA,
    HOUR,
    NOW,
    PAUL,
    PETRA,
    PETRA_,
    TC,
    answer,
    assigned,
    consent,
    direct,
    hear,
    kinds,
    one,
    outcomes,
    ring,
    supported,
    told,
    wanted,
    world,
)


def asked(case: Case | None = None) -> tuple[Step[Case], UUID]:
    """Consent is asked; the step, and the referral."""
    step = hear(case or supported(), wanted())
    return step, one(step, ConsentAsked).referral


def requested() -> tuple[Step[Case], UUID]:
    """Cleo is being asked."""
    step, referral = asked()
    return hear(step.state, consent(referral)), referral


def accepted() -> tuple[Step[Case], UUID]:
    step, referral = requested()
    return hear(step.state, answer(referral, CLEO, "accept")), referral


def in_progress() -> tuple[Step[Case], UUID]:
    step, referral = accepted()
    return hear(step.state, answer(referral, PETRA, "handoff"), answer(referral, CLEO, "handoff")), referral


def stage(step: Step[Case]) -> Stage:
    assert step.state.referral
    return step.state.referral.stage


def test_a_clinician_wanted_under_a_supervisor_asks_the_requester_for_consent_and_nobody_else_for_anything() -> None:
    step, referral = asked()
    assert kinds(step) == ["consent_asked", "answer_settled"]
    assert outcomes(step) == ["consent_asked"]
    assert standing(step.state).owner == "requester"
    assert one(step, ConsentAsked).referral == referral


def test_a_second_wish_while_the_question_is_open_asks_no_second_time() -> None:
    step, _ = asked()
    again = hear(step.state, wanted())
    assert kinds(again) == ["answer_settled"]
    assert outcomes(again) == ["consent_asked"]
    assert outcomes(hear(requested()[0].state, wanted())) == ["noted"]


def test_consent_asks_the_first_clinician_with_a_due_time() -> None:
    step, referral = requested()
    fact = one(step, ReferralRequested)
    assert (fact.referral, fact.clinician, fact.direct) == (referral, CLEO, False)
    assert fact.due == NOW + timedelta(days=1)
    stands = standing(step.state)
    assert (stands.name, stands.owner, stands.due_at) == ("referral_requested", "clinician", fact.due)


def test_a_consent_for_another_referral_opens_nothing() -> None:
    step, _ = asked()
    after = hear(step.state, consent(uuid4()))
    assert after.state is step.state
    assert after.acts == ("consent refused",)


def test_a_consent_that_has_run_out_opens_nothing_and_is_asked_for_anew() -> None:
    step, referral = asked()
    after = hear(step.state, consent(referral, expires=NOW))
    assert (kinds(after), after.acts) == (["consent_asked"], ("consent refused", "consent asked"))
    running = hear(step.state, consent(referral))
    assert hear(running.state, consent(referral, expires=NOW)).facts == ()


def test_a_consent_where_none_was_asked_opens_nothing() -> None:
    step = hear(supported(), consent(uuid4()))
    assert (step.facts, step.acts) == ((), ("consent refused",))


def test_the_peer_is_reminded_of_an_open_question_once_and_then_nothing_nags() -> None:
    step, _ = asked()
    reminded = ring(step)
    assert one(reminded, ConsentReminded).person == PETRA
    assert standing(reminded.state).owner == "requester"
    lapsed = ring(reminded)
    assert reminded.alarms[-1].at - step.alarms[-1].at == CONSENT_LAPSES
    assert kinds(lapsed) == ["referral_cancelled"]


def test_scenario_19_a_refused_referral_keeps_the_peer_and_leaves_no_timer_that_nags() -> None:
    step, referral = asked()
    refused = hear(step.state, ConsentWithdrawn(recipient="clinician", referral=referral))
    assert kinds(refused) == ["referral_cancelled"]
    assert refused.alarms == ()
    assert refused.state.peer is not None
    assert ring(Step(refused.state, alarms=step.alarms)).facts == ()


def test_a_rejection_asks_the_next_clinician_and_keeps_no_reason() -> None:
    step, referral = requested()
    after = hear(step.state, answer(referral, CLEO, "reject"))
    assert kinds(after) == ["referral_rejected", "referral_requested", "answer_settled"]
    assert one(after, ReferralRequested).clinician == CARL
    assert kinds(hear(after.state, answer(referral, CARL, "accept")))[0] == "referral_accepted"


def test_nobody_left_to_ask_is_an_honest_failure_with_resources() -> None:
    step, referral = requested()
    after = hear(step.state, answer(referral, CLEO, "reject"), answer(referral, CARL, "reject"))
    assert one(after, ReferralFailed).recipients == tuple(sorted((CORA, COLE, DORA)))
    assert one(after, NoClinicalPath).why == "nobody_left"
    assert stage(after) is Stage.FAILED
    assert standing(after.state).owner is None


def test_scenario_32_nobody_of_the_agency_hears_of_a_failure_where_nobody_of_it_is_wanted() -> None:
    step, referral = asked(supported(bars=(CLEO, CARL), wishes=Wishes(require=("other_agency",))))
    assert one(hear(step.state, consent(referral)), ReferralFailed).recipients == (DORA,)


def test_a_barred_coordinator_hears_of_no_failure() -> None:
    step, referral = asked(supported(bars=(CORA, CLEO, CARL)))
    after = hear(step.state, consent(referral))
    assert one(after, ReferralFailed).recipients == tuple(sorted((COLE, DORA)))


def test_silence_asks_the_next_one_beside_and_the_first_acceptance_counts() -> None:
    step, referral = requested()
    silent = ring(step)
    assert kinds(silent) == ["referral_unanswered", "referral_requested"]
    late = hear(silent.state, answer(referral, CLEO, "accept"), answer(referral, CARL, "accept"))
    assert one(late, ReferralAccepted).clinician == CLEO
    assert outcomes(late) == ["accepted", "too_late"]


def test_accepting_twice_is_accepted_twice_and_takes_effect_once() -> None:
    step, referral = accepted()
    again = hear(step.state, answer(referral, CLEO, "accept"))
    assert (kinds(again), outcomes(again)) == (["answer_settled"], ["accepted"])


def test_whoever_said_no_cannot_accept_any_more() -> None:
    step, referral = requested()
    after = hear(step.state, answer(referral, CLEO, "reject"), answer(referral, CLEO, "accept"))
    assert outcomes(after) == ["noted", "too_late"]


@pytest.mark.parametrize("first", ["peer", "clinician"])
def test_both_sides_confirm_the_hand_off_before_it_is_in_progress(first: str) -> None:
    step, referral = accepted()
    sides = [PETRA, CLEO] if first == "peer" else [CLEO, PETRA]
    half = hear(step.state, answer(referral, sides[0], "handoff"))
    assert one(half, HandoffConfirmed).side == first
    assert stage(half) is Stage.ACCEPTED
    both = hear(half.state, answer(referral, sides[1], "handoff"))
    assert kinds(both) == ["handoff_confirmed", "referral_in_progress", "answer_settled"]


def test_when_the_peer_is_gone_the_clinician_alone_confirms() -> None:
    step, referral = accepted()
    half = hear(step.state, answer(referral, CLEO, "handoff"))
    gone = AssignmentEnded(assignment=ASSIGNMENT, person=PETRA, how="closed")
    assert kinds(hear(half.state, gone)) == ["referral_in_progress"]
    without = hear(step.state, gone, answer(referral, CLEO, "handoff"))
    assert "referral_in_progress" in kinds(without)


def test_another_peer_has_no_part_in_what_an_earlier_one_began() -> None:
    """They are not told of it, so that nothing may wait for their word."""
    step, referral = accepted()
    gone = AssignmentEnded(assignment=ASSIGNMENT, person=PETRA, how="replaced")
    for first, second in ((gone, assigned(PAUL, uuid4())), (assigned(PAUL, uuid4()), gone)):
        replaced = hear(step.state, first, second)
        assert outcomes(hear(replaced.state, answer(referral, PAUL, "handoff"))) == ["refused"]
        assert stage(hear(replaced.state, answer(referral, CLEO, "handoff"))) is Stage.IN_PROGRESS
    half = hear(step.state, answer(referral, CLEO, "handoff"), assigned(PAUL, uuid4()))
    assert stage(half) is Stage.ACCEPTED
    assert stage(hear(half.state, gone)) is Stage.IN_PROGRESS


def test_an_open_question_names_its_support_and_another_peer_is_not_reminded_of_it() -> None:
    step, _ = asked()
    assert one(step, ConsentAsked).assignment == ASSIGNMENT
    replaced = hear(step.state, assigned(PAUL, uuid4()))
    reminded = ring(replace(step, state=replaced.state))
    assert told(reminded.facts, ConsentReminded) == []
    assert reminded.alarms


def test_an_overdue_hand_off_is_told_to_coordinators_once_and_is_theirs() -> None:
    step, _ = accepted()
    late = ring(step)
    assert one(late, HandoffOverdue).recipients == tuple(sorted((CORA, COLE, DORA)))
    assert standing(late.state).owner == "coordinator"
    assert ring(Step(late.state, alarms=step.alarms)).facts == ()


def test_a_clinician_who_lets_the_hand_off_pass_twice_has_said_no_and_the_next_one_is_asked() -> None:
    step, _ = accepted()
    again = ring(ring(step))
    assert kinds(again) == ["referral_rejected", "referral_requested"]
    assert one(again, ReferralRequested).clinician == CARL


def test_a_clinician_who_has_confirmed_does_not_lose_it_to_a_silent_peer() -> None:
    step, referral = accepted()
    confirmed = hear(step.state, answer(referral, CLEO, "handoff"))
    late = ring(Step(confirmed.state, alarms=step.alarms))
    assert kinds(ring(late)) == ["referral_in_progress"]


def test_treatment_that_nobody_reports_the_end_of_is_over_after_a_year_and_sooner_without_its_clinician() -> None:
    step, _ = in_progress()
    year = step.alarms[-1].at - NOW
    assert year == timedelta(days=365)
    assert kinds(ring(step)) == ["referral_cancelled"]
    left = hear(step.state, ClinicianGone(CLEO, left=True))
    assert left.alarms[-1].at - NOW == timedelta(days=30)
    assert kinds(ring(left)) == ["referral_cancelled"]
    assert ring(Step(left.state, alarms=step.alarms)).facts == ()


def test_completion_needs_a_hand_off_and_only_the_status_flows_back() -> None:
    step, referral = accepted()
    assert outcomes(hear(step.state, answer(referral, CLEO, "complete"))) == ["refused"]
    running, same = in_progress()
    done = hear(running.state, answer(same, CLEO, "complete"))
    assert kinds(done) == ["referral_completed", "answer_settled"]
    assert standing(done.state).owner is None


def test_a_hold_lasts_72_hours_and_then_the_clinician_is_asked_again() -> None:
    step, referral = requested()
    held = hear(step.state, answer(referral, CLEO, "hold"))
    assert one(held, ReferralOnHold).until == NOW + ON_HOLD
    again = ring(held)
    assert one(again, ReferralRequested).clinician == CLEO


def test_a_hold_ends_with_the_next_one_when_the_clinician_is_not_there_any_more() -> None:
    step, referral = requested()
    held = hear(step.state, answer(referral, CLEO, "hold"))
    again = ring(held, seen=world(PETRA_, CARL_))
    assert one(again, ReferralRequested).clinician == CARL


@pytest.mark.parametrize(
    ("held", "again"), [("accepted", "referral_accepted"), ("in_progress", "referral_in_progress")]
)
def test_what_is_resumed_stands_where_it_was_held(held: str, again: str) -> None:
    step, referral = accepted() if held == "accepted" else in_progress()
    after = hear(step.state, answer(referral, CLEO, "hold"), answer(referral, CLEO, "resume"))
    assert kinds(after) == ["referral_on_hold", "answer_settled", again, "answer_settled"]
    assert stage(after).value == held


@pytest.mark.parametrize("running", [False, True])
def test_a_clinician_who_cannot_go_on_passes_it_to_the_next_one(*, running: bool) -> None:
    step, referral = in_progress() if running else accepted()
    after = hear(step.state, answer(referral, CLEO, "cannot_go_on"))
    assert kinds(after) == ["referral_rejected", "referral_requested", "answer_settled"]
    again = hear(after.state, answer(referral, CARL, "accept"), answer(referral, CARL, "handoff"))
    assert stage(again) is Stage.ACCEPTED
    assert stage(hear(again.state, answer(referral, PETRA, "handoff"))) is Stage.IN_PROGRESS


@pytest.mark.parametrize("end", [CaseClosing(), CaseWithdrawn()])
def test_the_end_of_the_case_cancels_and_a_late_acceptance_hears_so(end: CaseClosing | CaseWithdrawn) -> None:
    step, referral = requested()
    over = hear(step.state, end)
    assert one(over, ReferralCancelled).clinician == CLEO
    late = hear(over.state, answer(referral, CLEO, "accept"))
    assert (kinds(late), outcomes(late)) == (["answer_settled"], ["ended"])
    assert late.acts == ("referral reply refused",)
    assert late.state is over.state


def test_consent_taken_back_after_acceptance_cancels() -> None:
    step, referral = accepted()
    over = hear(step.state, ConsentWithdrawn(recipient="clinician", referral=referral))
    assert kinds(over) == ["referral_cancelled"]
    assert hear(step.state, ConsentWithdrawn(recipient="clinician", referral=uuid4())).state is step.state


@pytest.mark.parametrize("verb", ["accept", "reject", "hold", "resume", "handoff", "complete", "cannot_go_on"])
@pytest.mark.parametrize("who", [CARL, PETRA, CORA])
def test_a_reply_by_somebody_who_was_not_asked_changes_nothing(verb: ReferralVerb, who: PersonId) -> None:
    step, referral = requested()
    after = hear(step.state, answer(referral, who, verb))
    assert after.state is step.state
    assert (outcomes(after), after.acts) == (["refused"], ("referral reply refused",))


def test_a_consent_that_has_run_out_is_asked_for_again_before_anybody_else_is_asked() -> None:
    step, referral = asked()
    short = hear(step.state, consent(referral, expires=NOW + HOUR))
    late = hear(short.state, answer(referral, CLEO, "accept"), at=NOW + 2 * HOUR)
    assert kinds(late) == ["consent_asked", "answer_settled"]
    assert outcomes(late) == ["ended"]
    assert one(hear(late.state, consent(referral)), ReferralRequested).clinician == CLEO


def test_a_consent_given_anew_in_a_running_referral_keeps_it_going() -> None:
    step, referral = asked()
    short = hear(step.state, consent(referral, expires=NOW + HOUR))
    renewed = hear(short.state, again := consent(referral, expires=NOW + 9 * HOUR))
    assert renewed.facts == ()
    late = hear(renewed.state, answer(referral, CLEO, "accept"), at=NOW + 2 * HOUR)
    assert one(late, ReferralAccepted).consent == again.consent


def test_scenario_34_a_clinician_who_is_away_is_covered_by_the_deputy() -> None:
    step, referral = asked()
    covered = hear(step.state, consent(referral), seen=world(PETRA_, CORA_, CARL_))
    assert one(covered, ReferralRequested).clinician == CARL
    silent = ring(covered, seen=world(PETRA_, CORA_, CARL_))
    assert kinds(silent) == ["referral_unanswered", "referral_requested"]
    again = ring(silent, seen=world(PETRA_, CORA_, CARL_))
    assert kinds(again) == ["referral_unanswered", "referral_failed", "no_clinical_path"]
    assert again.state.peer is not None


def test_whoever_was_silent_is_asked_once_more_before_a_referral_fails() -> None:
    step, referral = requested()
    beside = ring(step)
    assert one(beside, ReferralRequested).clinician == CARL
    taken = hear(beside.state, answer(referral, CARL, "accept"))
    given_back = hear(taken.state, answer(referral, CARL, "cannot_go_on"))
    assert one(given_back, ReferralRequested).clinician == CLEO
    assert kinds(hear(given_back.state, answer(referral, CLEO, "accept")))[0] == "referral_accepted"
    assert kinds(ring(given_back)) == ["referral_unanswered", "referral_failed", "no_clinical_path"]


@pytest.mark.parametrize("left", [False, True])
def test_a_clinician_who_goes_while_being_asked_is_followed_by_the_next_one(*, left: bool) -> None:
    step, _ = requested()
    after = hear(step.state, ClinicianGone(CLEO, left=left), seen=world(PETRA_, CARL_))
    assert kinds(after) == ["referral_unanswered", "referral_requested"]
    assert hear(step.state, ClinicianGone(CARL, left=left)).state is step.state


def test_a_clinician_who_leaves_after_acceptance_is_followed_but_a_stopped_mail_address_takes_nothing() -> None:
    step, _ = accepted()
    assert hear(step.state, ClinicianGone(CLEO, left=False)).state is step.state
    left = hear(step.state, ClinicianGone(CLEO, left=True), seen=world(PETRA_, CARL_))
    assert kinds(left) == ["referral_rejected", "referral_requested"]
    assert hear(in_progress()[0].state, ClinicianGone(CLEO, left=True)).facts == ()


@pytest.mark.parametrize("relation", [Relation.OFFICER, Relation.CIVILIAN, Relation.FAMILY])
def test_a_direct_request_goes_to_the_clinician_and_nobody_else_is_told(relation: Relation) -> None:
    fact = direct(relation=relation)
    step = hear(Case(), fact)
    assert kinds(step) == ["referral_requested"]
    assert one(step, ReferralRequested).direct
    referral = fact.referral
    after = hear(step.state, answer(referral, CLEO, "accept"), answer(referral, CLEO, "handoff"))
    assert kinds(after)[-2:] == ["referral_in_progress", "answer_settled"]


def test_a_peer_of_the_same_case_is_no_side_of_a_direct_referral() -> None:
    fact = direct()
    step = hear(supported(), fact, answer(fact.referral, CLEO, "accept"))
    assert outcomes(hear(step.state, answer(fact.referral, PETRA, "handoff"))) == ["refused"]


@pytest.mark.parametrize(
    ("structure", "relation", "why"),
    [
        (TC, Relation.OFFICER, "no_clinician"),
        (CA, Relation.OFFICER, "advisor_only"),
        (CA, Relation.FAMILY, "advisor_only"),
        (TC, Relation.RETIREE, "no_clinician"),
    ],
)
def test_a_direct_request_that_the_program_does_not_have_is_answered_honestly(
    structure: object, relation: Relation, why: str
) -> None:
    fact = direct(structure, relation=relation)  # type: ignore[arg-type]
    step = hear(Case(), fact)
    assert kinds(step) == ["referral_cancelled", "no_clinical_path"]
    assert one(step, ReferralCancelled).referral == fact.referral
    assert one(step, NoClinicalPath).why == why
    assert step.state.referral is None


def test_a_direct_request_takes_the_place_of_an_open_question() -> None:
    step, referral = asked()
    fact = direct()
    after = hear(step.state, fact)
    assert kinds(after) == ["referral_cancelled", "referral_requested"]
    assert one(after, ReferralCancelled).referral == referral
    assert one(after, ReferralRequested).referral == fact.referral


def test_a_direct_request_beside_an_open_referral_begins_no_second_one() -> None:
    step, referral = requested()
    after = hear(step.state, direct())
    assert kinds(after) == ["referral_cancelled"]
    assert after.state.referral is not None
    assert after.state.referral.referral_id == referral
    assert len(told(after.facts, ReferralCancelled)) == 1


def test_the_clinician_with_the_language_and_the_speciality_comes_first_and_without_a_licence_never() -> None:
    deputy = CARL_.attributes | {"language:es"}
    people = (PETRA_, CLEO_, type(CARL_)(CARL, CARL_.role, frozenset(deputy)))
    step = hear(supported(language="es"), wanted())
    after = hear(step.state, consent(one(step, ConsentAsked)), seen=world(*people))
    asks = one(after, ReferralRequested)
    assert (asks.clinician, asks.language) == (CARL, "es")
    elsewhere = hear(supported(jurisdiction="US-MT"), wanted())
    nobody = hear(elsewhere.state, consent(one(elsewhere, ConsentAsked)))
    assert kinds(nobody) == ["referral_failed", "no_clinical_path"]
