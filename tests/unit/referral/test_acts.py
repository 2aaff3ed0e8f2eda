"""What a peer may do under each structure, whoever asks for it and in whatever order it is heard."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.referral.domain.case import MOST_WAITING, WAITS, Case, stamped, standing
from services.referral.domain.heard import Heard
from services.referral.domain.world import World
from shared.events.intake import CaseClosing, RequestSubmitted
from shared.events.matching import AssignmentEnded
from shared.events.notify import ClinicianWanted, DangerReported
from shared.events.policy import Capabilities
from shared.events.referral import (
    ConsentAsked,
    ConsultAnswered,
    ConsultOpened,
    CrisisReplySettled,
    NoClinicalPath,
    ReferralRequested,
    ResourcesGiven,
)
from shared.types import Relation, Structure, Urgency
from tests.unit.referral.given import (
    ADVISOR,
    ANA,
    ASSIGNMENT,
    BEN,
    CA,
    CLEO,
    CS,
    NONE,
    NOW,
    PAUL,
    PEOPLE,
    PETRA,
    SUPERVISOR,
    TC,
    act,
    advised,
    answer,
    ask,
    assigned,
    consent,
    consult,
    crisis,
    direct,
    hear,
    kinds,
    one,
    outcomes,
    policy,
    resources,
    ring,
    supported,
    wanted,
    world,
)

CLOSED = AssignmentEnded(assignment=ASSIGNMENT, person=PETRA, how="closed")


@pytest.mark.parametrize(
    ("structure", "facts", "outcome"),
    [
        (TC, ["no_clinical_path", "answer_settled"], "information_given"),
        (CA, ["no_clinical_path", "consult_opened", "answer_settled"], "information_given"),
        (CS, ["consent_asked", "answer_settled"], "consent_asked"),
    ],
)
def test_they_want_a_clinician_leads_where_the_structure_does(
    structure: Structure, facts: list[str], outcome: str
) -> None:
    step = hear(supported(structure), wanted())
    assert (kinds(step), outcomes(step)) == (facts, [outcome])


def test_scenario_08_without_a_clinician_information_is_given_and_called_so() -> None:
    step = hear(supported(TC), wanted())
    assert one(step, NoClinicalPath).why == "no_clinician"
    assert "eap" in one(step, NoClinicalPath).kinds
    assert step.acts == ("information given",)
    assert step.state.referral is None


def test_scenario_11_an_advisor_takes_nobody_on_and_is_asked_for_outside_help_once() -> None:
    step = hear(supported(CA), wanted())
    fact = one(step, ConsultOpened)
    assert (fact.adviser, fact.kind, fact.sealed, fact.topics) == (CLEO, "outside_help", None, ("sleep",))
    again = hear(step.state, wanted())
    assert kinds(again) == ["no_clinical_path", "answer_settled"]
    suggested = hear(again.state, advised(fact.consult, CLEO))
    assert one(suggested, ConsultAnswered).asked_by == PETRA
    assert suggested.state.referral is None


def test_scenario_35_a_peer_who_fears_danger_waits_for_no_advisor() -> None:
    asked = hear(supported(CA), consult("clinician"))
    danger = DangerReported(**act())
    step = hear(asked.state, danger, crisis((ANA,), asked=ask(CA)))
    assert kinds(step) == ["reply_settled", "ladder_started", "rung_paged"]
    assert one(step, CrisisReplySettled).outcome == "noted"
    assert standing(step.state).name == "paging"
    assert step.state.consults == asked.state.consults
    # What was asked before comes as after-action: it still counts.
    (waiting,) = step.state.consults
    assert one(hear(step.state, advised(waiting.consult_id, CLEO)), ConsultAnswered).asked_by == PETRA


@pytest.mark.parametrize("present", [NONE, ADVISOR])
def test_scenario_43_what_is_open_keeps_its_clinician_and_nothing_new_begins_after_midnight(
    present: Capabilities,
) -> None:
    before = hear(supported(CS), wanted())
    referral, midnight = one(before, ConsentAsked).referral, world(present=present)
    step = hear(before.state, consent(referral), seen=midnight)
    assert one(step, ReferralRequested).clinician == CLEO
    passed = hear(step.state, answer(referral, CLEO, "reject"), seen=midnight)
    assert "referral_requested" in kinds(passed)
    new = hear(supported(CS), wanted(), seen=midnight)
    assert one(new, NoClinicalPath).why == ("advisor_only" if present.consult else "no_clinician")
    assert kinds(hear(Case(), direct(), seen=midnight)) == ["referral_cancelled", "no_clinical_path"]


def test_a_change_in_mid_flight_never_widens_a_case() -> None:
    step = hear(supported(TC), wanted(), consult("clinician"), seen=world(present=SUPERVISOR))
    assert outcomes(step) == ["information_given", "refused"]
    again = hear(supported(TC), RequestSubmitted(ask=ask(CS)), wanted())
    assert outcomes(again) == ["information_given"]


def test_an_agency_of_which_nothing_was_heard_is_taken_by_its_stamp() -> None:
    step = hear(supported(CS), wanted(), seen=World(NOW, uuid4, PEOPLE, ()))
    assert outcomes(step) == ["consent_asked"]


def test_a_retiree_goes_direct_only_where_the_agencys_policy_says_so() -> None:
    may = SUPERVISOR.model_copy(update={"direct_retiree": True})
    allowed = ask(CS, relation=Relation.RETIREE)
    allowed = allowed.model_copy(update={"policy": allowed.policy.model_copy(update={"capabilities": may})})
    fact = direct().model_copy(update={"ask": allowed})
    assert kinds(hear(Case(), fact)) == ["referral_requested"]
    assert "no_clinical_path" in kinds(hear(Case(), direct(CS, relation=Relation.RETIREE)))


def test_resources_are_given_once_per_kind() -> None:
    step = hear(supported(TC), resources("eap", "chaplain"), resources("eap", "group"), resources("group"))
    assert [fact.kinds for fact in step.facts if isinstance(fact, ResourcesGiven)] == [("eap", "chaplain"), ("group",)]
    assert outcomes(step) == ["noted", "noted", "noted"]


@pytest.mark.parametrize("kinds_", [(), ("medicine man",), ("eap", "their name")])
def test_resources_of_no_kind_that_exists_are_refused(kinds_: tuple[str, ...]) -> None:
    case = supported(TC)
    step = hear(case, resources(*kinds_))
    assert (step.state, outcomes(step)) == (case, ["refused"])


FORGED: list[Any] = [consult, wanted, lambda: resources("eap")]


@pytest.mark.parametrize("make", FORGED)
def test_an_act_by_somebody_who_is_not_the_peer_changes_nothing_and_is_on_record(make: Any) -> None:
    case = supported(CS)
    step = hear(case, make().model_copy(update={"person": PAUL}))
    assert step.state is case
    assert (kinds(step), outcomes(step), step.acts) == (["answer_settled"], ["refused"], ("act refused",))


def test_an_act_after_the_end_of_the_case_or_of_the_support_is_told_so() -> None:
    for end, said in ((CaseClosing(), wanted()), (CaseClosing(), consult("peer")), (CLOSED, consult("peer"))):
        step = hear(supported(CS), end, said)
        assert outcomes(step) == ["ended"]
        assert (step.state.referral, step.state.consults) == (None, ())


@pytest.mark.parametrize("order", [(wanted(), CLOSED), (CLOSED, wanted())])
def test_a_wish_for_a_clinician_that_crosses_with_the_end_of_the_support_holds_in_both_orders(
    order: tuple[ClinicianWanted | AssignmentEnded, ...],
) -> None:
    step = hear(supported(CS), *order)
    assert outcomes(step) == ["consent_asked"]
    assert step.state.referral is not None
    assert step.state.peer is None


@pytest.mark.parametrize("structure", [TC, CA])
def test_a_crossed_wish_without_a_clinician_in_the_program_is_information_and_asks_nobody(
    structure: Structure,
) -> None:
    step = hear(supported(structure), CLOSED, wanted())
    assert outcomes(step) == ["information_given"]
    assert step.state.consults == ()


def test_resources_that_cross_with_the_end_of_the_support_are_given() -> None:
    step = hear(supported(TC), CLOSED, resources("group"))
    assert one(step, ResourcesGiven).kinds == ("group",)


def test_nobody_else_than_the_peer_who_was_there_can_wish_for_anything_afterwards() -> None:
    step = hear(supported(CS), CLOSED, wanted(person=PAUL))
    assert outcomes(step) == ["ended"]


def test_an_act_that_overtook_the_request_waits_for_it_and_is_the_operators_meanwhile() -> None:
    early = hear(Case(), asked := consult("clinician"), wanted())
    assert early.facts == ()
    stands = standing(early.state)
    assert (stands.name, stands.owner, stands.due_at) == ("waiting", "operator", NOW + WAITS)
    half = hear(early.state, assigned())
    assert half.facts == ()
    late = hear(half.state, RequestSubmitted(ask=ask(CS)))
    assert one(late, ConsultOpened).consult == asked.consult
    assert outcomes(late) == ["noted", "consent_asked"]
    assert late.state.waiting == ()


def test_an_act_waits_for_its_request_however_long_that_takes() -> None:
    step = hear(Case(), wanted())
    for _ in range(3):
        step = ring(step)
        assert step.facts == ()
    assert outcomes(hear(step.state, assigned(), RequestSubmitted(ask=ask(TC)))) == ["information_given"]


def test_an_act_of_an_assignment_that_nobody_knows_is_refused_after_a_while() -> None:
    forged = hear(supported(CS), wanted(assignment=uuid4()))
    assert forged.facts == ()
    refused = ring(forged)
    assert (outcomes(refused), refused.acts) == (["refused"], ("act refused",))
    assert refused.state.waiting == ()


def test_what_waits_when_the_case_ends_hears_so() -> None:
    step = hear(Case(), wanted(), CaseClosing())
    assert outcomes(step) == ["ended"]
    assert standing(step.state).owner is None


def test_a_flood_of_acts_before_the_request_is_refused_beyond_a_number() -> None:
    step = hear(Case(), *(wanted() for _ in range(MOST_WAITING + 5)))
    assert len(step.state.waiting) == MOST_WAITING
    assert outcomes(step) == ["refused"] * 5


TOPICS: tuple[tuple[Heard, ...], ...] = (
    (RequestSubmitted(ask=ask(CS, bars=(BEN,))),),
    (assigned(),),
    (consult("clinician"), resources("eap")),
    (crisis((BEN,), (ANA,), asked=ask(CS, bars=(BEN,), topics=("anger",))),),
)


def _orders() -> list[tuple[Heard, ...]]:
    """Every way of hearing these topics that keeps the order within each."""
    places = [number for number, topic in enumerate(TOPICS) for _ in topic]
    found = set()
    for order in set(permutations(places)):
        left = [list(topic) for topic in TOPICS]
        found.add(tuple(left[number].pop(0) for number in order))
    return sorted(found, key=str)


def test_topics_heard_in_any_order_come_to_the_same_end() -> None:
    ids = [UUID(int=number) for number in range(1000, 1010)]
    ends, facts = [], []
    for order in _orders():
        fresh = iter(ids)
        seen = World(NOW, lambda fresh=fresh: next(fresh), PEOPLE, (), SUPERVISOR)  # type: ignore[misc]
        step = hear(Case(), *order, seen=seen)
        ends.append(step.state)
        facts.append(sorted(fact.model_dump_json() for fact in step.facts))
    assert len(ends) == 60
    assert all(end == ends[0] for end in ends)
    assert all(found == facts[0] for found in facts)


def test_a_later_stamp_adds_bars_and_takes_capabilities_away_whichever_comes_first() -> None:
    one_, other = ask(CS, bars=(ANA,)), ask(CA, bars=(BEN,), topics=("anger",))
    first = stamped(stamped(Case(), one_, of_request=True), other, of_request=False)
    second = stamped(stamped(Case(), other, of_request=False), one_, of_request=True)
    assert first == second
    assert first.ask is not None
    assert (first.ask.bars, first.ask.topics) == ((ANA, BEN), ("sleep",))
    assert not first.ask.policy.capabilities.accept_referral


@pytest.mark.parametrize("emergency_first", [False, True])
def test_in_an_emergency_a_clinician_is_asked_as_in_one_whichever_is_heard_first(emergency_first: bool) -> None:
    routine = RequestSubmitted(ask=ask(CS, topics=("anger",)))
    times = policy(CA, referral_within_s=900)
    raised = crisis((ANA,), asked=ask(CS, urgency=Urgency.EMERGENCY, stamped=times))
    both = (raised, routine) if emergency_first else (routine, raised)
    known = hear(Case(), *both).state.ask
    assert known is not None
    assert (known.urgency, known.policy.referral_within_s, known.topics) == (Urgency.EMERGENCY, 900, ("anger",))
    assert not known.policy.capabilities.accept_referral
    urgent = crisis((ANA,), asked=ask(CS, urgency=Urgency.EMERGENCY, stamped=policy(CS, referral_within_s=900)))
    step = hear(Case(), *((urgent, routine) if emergency_first else (routine, urgent)), assigned(), wanted())
    request = one(hear(step.state, consent(one(step, ConsentAsked))), ReferralRequested)
    assert (request.urgency, request.due) == (Urgency.EMERGENCY, NOW + timedelta(seconds=900))


def test_a_case_in_which_nothing_is_open_rests_and_belongs_to_nobody() -> None:
    assert standing(supported(CS)).name == "at_rest"
    assert standing(hear(Case(), CaseClosing()).state).name == "ended"
    reopened = hear(supported(CS), CaseClosing(), RequestSubmitted(ask=ask(CS)), wanted())
    assert outcomes(reopened) == ["consent_asked"]


def test_the_case_stands_with_what_is_due_first_and_with_an_emergency_before_all() -> None:
    step = hear(supported(CS), wanted(), consult("clinician"))
    assert standing(step.state).name == "consult_open"
    patient = hear(supported(CS, stamped=policy(CS, consult_within_s=999_999)), wanted(), consult("clinician"))
    assert standing(patient.state).name == "referral_consent"
    emergency = hear(step.state, crisis((ANA,)))
    assert standing(emergency.state).name == "paging"
