"""The crisis ladder as a pure fold: who is paged, whose answer counts, what stays with the operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.referral.domain import ladder as rules
from services.referral.domain.effects import Standing, Step, TimeIsUp
from services.referral.domain.ladder import Acknowledged, Ended, Paging, Silent, State
from services.referral.domain.world import World
from shared.events.intake import CaseClosing, CrisisRaised
from shared.events.notify import PageReplied, PageSettled, PageVerb
from shared.events.referral import LadderAcknowledged, LadderEnded, RungPaged
from shared.types import PersonId
from tests.unit.referral.given import ANA, BEN, CEM, NOW, TC, ask, crisis, kinds, one, outcomes, world

Heard = CrisisRaised | CaseClosing | PageSettled | PageReplied | TimeIsUp


def hear(state: State, *heard: Heard, at: datetime = NOW) -> Step:
    """All of these in order; the step has the last state and every fact on the way."""
    step = Step(state)
    for what in heard:
        after = domain.heard(step.state, what, now=at, new_id=uuid4)
        step = replace(after, facts=(*step.facts, *after.facts), acts=(*step.acts, *after.acts))
    return step


def paging(*rungs: tuple[PersonId, ...]) -> Paging:
    state = hear(HeardOf(), crisis(*(rungs or ((ANA, BEN),)))).state
    assert isinstance(state, Paging)
    return state


def answered(state: Paging, person: PersonId, verb: PageVerb) -> PageReplied:
    page = next(page for page in state.ladder.pages if page.person == person)
    ladder = state.ladder.ladder_id
    return PageReplied(reply=uuid4(), page=page.page_id, ladder=ladder, person=person, verb=verb, received_at=NOW)


def settled(
    state: Paging, person: PersonId, outcome: Literal["accepted", "failed", "unknown", "expired"]
) -> PageSettled:
    page = next(page for page in state.ladder.pages if page.person == person)
    return PageSettled(page=page.page_id, ladder=state.ladder.ladder_id, person=person, outcome=outcome)


def rung_up(state: Paging) -> TimeIsUp:
    return TimeIsUp(state.ladder.ladder_id, state.ladder.turn, "rung")


def kinds(step: Step) -> list[str]:
    return [fact.type.split(".")[1] for fact in step.facts]


def outcomes(step: Step) -> list[str]:
    return [fact.outcome for fact in step.facts if isinstance(fact, CrisisReplySettled)]


def test_an_emergency_pages_everybody_on_the_first_rung_at_once_each_with_a_page_of_his_own() -> None:
    step = hear(HeardOf(), crisis((ANA, BEN), (CEM,)))
    assert kinds(step) == ["ladder_started", "rung_paged"]
    paged = step.facts[1]
    assert isinstance(paged, RungPaged)
    assert [person for _, person in paged.pages] == [ANA, BEN]
    assert len({page for page, _ in paged.pages}) == 2
    assert paged.expires == NOW + timedelta(seconds=300)


def test_somebody_named_twice_is_paged_once() -> None:
    assert len(paging((ANA, ANA, BEN)).ladder.pages) == 2


def test_while_it_pages_the_ladder_is_due_when_the_rung_is_and_a_timer_says_so() -> None:
    step = hear(HeardOf(), crisis((ANA,)))
    assert standing(step.state) == domain.Standing("paging", "referral", NOW + timedelta(seconds=300))
    (alarm,) = step.alarms
    assert (alarm.of, alarm.turn, alarm.at) == ("rung", 1, NOW + timedelta(seconds=300))


@pytest.mark.parametrize("rungs", [(), ((),)])
def test_a_ladder_without_anybody_to_page_is_over_at_once_and_stays_the_operators(
    rungs: tuple[tuple[PersonId, ...], ...],
) -> None:
    step = hear(HeardOf(), crisis(*rungs))
    assert kinds(step) == ["ladder_started", "ladder_ended"]
    assert standing(step.state) == domain.Standing("nobody", "operator", NOW)


def test_the_same_emergency_twice_pages_nobody_twice() -> None:
    state = paging()
    assert hear(state, crisis((ANA, BEN))) == Step(state)


def test_an_emergency_raised_again_after_the_first_was_over_begins_a_new_ladder() -> None:
    first = paging()
    over = hear(first, answered(first, ANA, "contact_confirmed")).state
    again = hear(over, crisis((CEM,)))
    assert isinstance(again.state, Paging)
    assert again.state.ladder.ladder_id != first.ladder.ladder_id
    assert kinds(again) == ["ladder_started", "rung_paged"]


def test_the_first_who_acknowledges_has_it_and_the_others_hear_that_it_is_covered() -> None:
    state = paging()
    step = hear(state, answered(state, BEN, "acknowledge"), answered(state, ANA, "acknowledge"))
    assert kinds(step) == ["ladder_acknowledged", "reply_settled", "reply_settled"]
    assert outcomes(step) == ["acknowledged", "covered"]
    assert isinstance(step.state, Acknowledged)
    assert step.state.by == BEN


def test_acknowledging_twice_is_acknowledged_twice_and_takes_effect_once() -> None:
    state = paging()
    step = hear(state, answered(state, BEN, "acknowledge"), answered(state, BEN, "acknowledge"))
    assert kinds(step).count("ladder_acknowledged") == 1
    assert outcomes(step) == ["acknowledged", "acknowledged"]


def test_whoever_acknowledged_is_to_make_contact_in_time_and_then_it_is_the_operators() -> None:
    state = paging()
    step = hear(state, answered(state, ANA, "acknowledge"))
    due = NOW + timedelta(seconds=600)
    assert standing(step.state) == domain.Standing("acknowledged", "who acknowledged", due)
    (alarm,) = step.alarms
    late = hear(step.state, TimeIsUp(alarm.ladder_id, alarm.turn, alarm.of), at=due).state
    assert standing(late) == domain.Standing("acknowledged", "operator", due)


def test_a_confirmed_contact_ends_the_ladder_and_counts_as_acknowledgement_too() -> None:
    state = paging()
    step = hear(state, answered(state, ANA, "contact_confirmed"))
    assert kinds(step) == ["ladder_acknowledged", "human_contact_confirmed", "ladder_ended", "reply_settled"]
    assert outcomes(step) == ["noted"]
    assert standing(step.state).owner is None
    assert outcomes(hear(step.state, answered(state, BEN, "acknowledge"))) == ["covered"]


def test_a_contact_confirmed_after_acknowledgement_acknowledges_no_second_time() -> None:
    state = paging()
    taken = hear(state, answered(state, ANA, "acknowledge")).state
    step = hear(taken, answered(state, BEN, "contact_confirmed"))
    assert kinds(step) == ["human_contact_confirmed", "ladder_ended", "reply_settled"]


def test_one_who_cannot_is_noted_and_the_others_are_still_waited_for() -> None:
    state = paging()
    step = hear(state, answered(state, ANA, "cannot"))
    assert outcomes(step) == ["noted"]
    assert isinstance(step.state, Paging)
    assert outcomes(hear(step.state, answered(state, BEN, "acknowledge"))) == ["acknowledged"]


def test_when_everybody_cannot_the_rung_is_silent_at_once() -> None:
    state = paging()
    step = hear(state, answered(state, ANA, "cannot"), answered(state, BEN, "cannot"))
    assert standing(step.state) == domain.Standing("silent", "operator", NOW)


def test_one_who_cannot_after_all_has_the_others_paged_again() -> None:
    state = paging()
    step = hear(state, answered(state, ANA, "acknowledge"), answered(state, ANA, "cannot"))
    assert kinds(step) == ["ladder_acknowledged", "reply_settled", "rung_paged", "reply_settled"]
    paged = step.facts[2]
    assert isinstance(paged, RungPaged)
    assert [person for _, person in paged.pages] == [BEN]
    assert paged.rung == 0


def test_one_who_cannot_after_all_and_was_alone_leaves_a_silent_rung() -> None:
    state = paging((ANA,))
    step = hear(state, answered(state, ANA, "acknowledge"), answered(state, ANA, "cannot"))
    assert isinstance(step.state, Silent)


def test_a_page_that_was_sent_is_recorded_and_changes_nothing_else() -> None:
    state = paging()
    step = hear(state, settled(state, ANA, "accepted"))
    assert step.facts == ()
    assert isinstance(step.state, Paging)
    assert [page.outcome for page in step.state.ladder.pages] == ["accepted", None]


@pytest.mark.parametrize("outcome", ["failed", "expired"])
def test_a_rung_none_of_whose_pages_could_be_sent_is_silent_at_once(outcome: Literal["failed", "expired"]) -> None:
    state = paging()
    step = hear(state, settled(state, ANA, outcome), answered(state, BEN, "cannot"))
    assert standing(step.state) == domain.Standing("silent", "operator", NOW)


def test_a_page_that_may_have_arrived_is_waited_for() -> None:
    state = paging((ANA,))
    assert isinstance(hear(state, settled(state, ANA, "unknown")).state, Paging)


def test_a_silent_rung_is_the_operators_and_already_due() -> None:
    state = paging()
    later = NOW + timedelta(seconds=300)
    silent = hear(state, rung_up(state), at=later).state
    assert standing(silent) == domain.Standing("silent", "operator", later)


def test_a_late_acknowledgement_still_counts() -> None:
    state = paging()
    step = hear(state, rung_up(state), answered(state, ANA, "acknowledge"))
    assert outcomes(step) == ["acknowledged"]
    assert isinstance(step.state, Acknowledged)


def test_a_timer_of_an_earlier_turn_or_another_ladder_has_no_effect() -> None:
    state = paging()
    again = hear(state, answered(state, ANA, "acknowledge"), answered(state, ANA, "cannot")).state
    assert hear(again, rung_up(state)).state == again
    assert hear(state, TimeIsUp(uuid4(), 1, "rung")).state == state
    assert hear(state, TimeIsUp(state.ladder.ladder_id, 1, "contact")).state == state


@pytest.mark.parametrize("end", [CaseClosing(), CaseWithdrawn()])
def test_when_the_request_ends_the_ladder_does_and_a_late_answer_hears_so(end: CaseClosing | CaseWithdrawn) -> None:
    state = paging()
    step = hear(state, end)
    (over,) = step.facts
    assert isinstance(over, LadderEnded)
    assert over.how == "ended"
    assert standing(step.state).owner is None
    assert outcomes(hear(step.state, answered(state, ANA, "acknowledge"))) == ["ended"]


def test_a_case_without_an_emergency_that_closes_leaves_nobody_waiting() -> None:
    step = hear(HeardOf(), CaseClosing())
    assert step == Step(Unneeded())
    assert standing(step.state).owner is None


def test_a_crisis_heard_after_the_closing_of_its_case_is_taken_seriously() -> None:
    assert isinstance(hear(HeardOf(), CaseClosing(), crisis((ANA,))).state, Paging)


def test_a_ladder_with_nobody_to_page_is_settled_by_the_end_of_the_request() -> None:
    step = hear(HeardOf(), crisis(), CaseClosing())
    assert standing(step.state) == domain.Standing("ended")


def test_a_reply_to_an_unknown_page_or_by_somebody_else_is_told_that_it_is_over() -> None:
    state = paging()
    stranger = answered(state, ANA, "acknowledge").model_copy(update={"page": uuid4()})
    other = answered(state, ANA, "acknowledge").model_copy(update={"person": BEN})
    for step in (hear(state, stranger), hear(state, other), hear(HeardOf(), stranger)):
        assert outcomes(step) == ["ended"]
        assert kinds(step) == ["reply_settled"]


def _heard(state: State) -> Iterator[Heard]:
    yield from (crisis((ANA, BEN)), crisis(), CaseClosing(), CaseWithdrawn(), CaseClosed())
    if isinstance(state, HeardOf | Unneeded):
        return
    ladder = state.ladder
    yield from (TimeIsUp(ladder.ladder_id, ladder.turn, "rung"), TimeIsUp(ladder.ladder_id, ladder.turn, "contact"))
    verbs: tuple[PageVerb, ...] = ("acknowledge", "cannot", "contact_confirmed")
    for page in ladder.pages:
        of = {"page": page.page_id, "ladder": ladder.ladder_id, "person": page.person}
        yield PageSettled.model_validate({**of, "outcome": "failed"})
        for verb in verbs:
            yield PageReplied.model_validate({**of, "reply": uuid4(), "verb": verb, "received_at": NOW})


@given(choices=st.lists(st.integers(0, 1000), max_size=15))
def test_whatever_is_heard_in_whatever_order_somebody_owns_it_or_it_is_over(choices: list[int]) -> None:
    state: State = HeardOf()
    for number, choice in enumerate(choices):
        options = list(_heard(state))
        heard = options[choice % len(options)]
        before, step = state, hear(state, heard, at=NOW + timedelta(seconds=number))
        state = step.state
        stands = standing(state)
        assert (stands.owner is None) == (stands.due_at is None)
        assert len(outcomes(step)) == isinstance(heard, PageReplied)
        if isinstance(state, Ended | HeardOf | Unneeded) or isinstance(before, HeardOf | Unneeded | Ended):
            continue
        # A ladder never goes down, and a new turn always has a new timer.
        assert state.ladder.rung >= before.ladder.rung
        assert state.ladder.turn >= before.ladder.turn
