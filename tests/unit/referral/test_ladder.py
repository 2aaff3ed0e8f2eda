"""The crisis ladder: who is paged, whose answer counts, how it climbs, what stays with the operator."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal
from uuid import uuid4

import pytest

from services.referral.domain.case import Case, standing
from services.referral.domain.effects import Standing, Step, TimeIsUp
from services.referral.domain.ladder import Acknowledged, Paging, Silent
from services.referral.domain.rungs import Ladder, Page
from shared.events.intake import CaseClosing, CaseWithdrawn
from shared.events.notify import PageReplied, PageSettled, PageVerb
from shared.events.policy import Capabilities
from shared.events.referral import LadderAcknowledged, LadderEnded, LadderGivenBack, RungPaged
from shared.types import PersonId, Structure
from tests.unit.referral.given import (
    ADVISOR,
    ANA,
    BEN,
    CA,
    CARL,
    CEM,
    CLEO,
    CORA,
    CS,
    DORA,
    NONE,
    NOW,
    SUPERVISOR,
    TC,
    ask,
    crisis,
    hear,
    kinds,
    one,
    outcomes,
    ring,
    supported,
    told,
    world,
)

RUNG = timedelta(seconds=300)
Outcome = Literal["accepted", "failed", "unknown", "expired"]


def raised(*rungs: tuple[PersonId, ...]) -> Step[Case]:
    return hear(Case(), crisis(*(rungs or ((ANA, BEN),))))


def ladder(case: Case) -> Ladder:
    assert case.ladder
    return case.ladder.ladder


def page(case: Case, person: PersonId) -> Page:
    """The last page of a person."""
    return [page for page in ladder(case).pages if page.person == person][-1]


def said(case: Case, person: PersonId, verb: PageVerb) -> PageReplied:
    of = page(case, person).page_id
    return PageReplied(reply=uuid4(), page=of, ladder=ladder(case).ladder_id, person=person, verb=verb, received_at=NOW)


def settled(case: Case, person: PersonId, outcome: Outcome) -> PageSettled:
    of = page(case, person).page_id
    return PageSettled(page=of, ladder=ladder(case).ladder_id, person=person, outcome=outcome)


def paged(step: Step[Case]) -> list[tuple[int, tuple[PersonId, ...]]]:
    """Rung and persons of every paging."""
    return [(fact.rung, tuple(person for _, person in fact.pages)) for fact in told(step.facts, RungPaged)]


def test_an_emergency_pages_everybody_on_the_first_rung_at_once_each_with_a_page_of_his_own() -> None:
    step = raised((ANA, BEN), (CEM,))
    assert kinds(step) == ["ladder_started", "rung_paged"]
    assert paged(step) == [(0, (ANA, BEN))]
    assert len({page for page, _ in one(step, RungPaged).pages}) == 2


def test_somebody_named_twice_is_paged_once_and_one_who_is_barred_never() -> None:
    assert paged(raised((ANA, ANA, BEN))) == [(0, (ANA, BEN))]
    forged = hear(Case(), crisis((ANA,), (BEN, ANA), asked=ask(TC, bars=(ANA,))))
    assert paged(forged) == [(0, (BEN,))]


@pytest.mark.parametrize("structure", [TC, CA])
def test_a_clinician_is_never_paged_where_none_is_on_call_even_if_a_forged_event_names_them(
    structure: Structure,
) -> None:
    forged = crisis((CLEO,), (CORA, CARL), asked=ask(structure))
    assert paged(hear(Case(), forged)) == [(0, (CORA,))]
    wide = crisis((CLEO,), (CORA,), asked=ask(CS))
    assert paged(hear(supported(structure), wide)) == [(0, (CORA,))]


@pytest.mark.parametrize(("present", "first"), [(None, CLEO), (SUPERVISOR, CLEO), (ADVISOR, CORA), (NONE, CORA)])
def test_a_clinician_is_paged_while_the_structure_stands_that_has_one_on_call(
    present: Capabilities | None, first: PersonId
) -> None:
    step = hear(Case(), crisis((CLEO,), (CORA,), asked=ask(CS)), seen=world(present=present))
    assert paged(step) == [(0, (first,))]


def test_an_emergency_pages_nobody_whom_the_request_itself_had_barred() -> None:
    step = hear(supported(TC, bars=(ANA,)), crisis((ANA, BEN), asked=ask(TC)))
    assert paged(step) == [(0, (BEN,))]


def test_while_it_pages_the_ladder_is_due_when_the_rung_is_and_a_timer_says_so() -> None:
    step = raised((ANA,))
    assert standing(step.state) == Standing("paging", "referral", NOW + RUNG)
    (alarm,) = step.alarms
    assert (alarm.of, alarm.version, alarm.at) == ("rung", 1, NOW + RUNG)


@pytest.mark.parametrize("rungs", [(), ((),)])
def test_a_ladder_without_anybody_to_page_is_over_at_once_and_stays_the_operators(
    rungs: tuple[tuple[PersonId, ...], ...],
) -> None:
    step = hear(Case(), crisis(*rungs))
    assert kinds(step) == ["ladder_started", "ladder_ended"]
    assert standing(step.state) == Standing("nobody", "operator", NOW)
    assert standing(hear(step.state, CaseClosing()).state) == Standing("ended")


def test_a_second_emergency_while_one_is_open_begins_no_second_ladder() -> None:
    step = raised()
    assert hear(step.state, crisis((CEM,))).facts == ()


def test_an_emergency_raised_again_after_the_first_was_over_begins_a_new_ladder() -> None:
    first = raised().state
    over = hear(first, said(first, ANA, "contact_confirmed")).state
    again = hear(over, crisis((CEM,)))
    assert kinds(again) == ["ladder_started", "rung_paged"]
    assert ladder(again.state).ladder_id != ladder(first).ladder_id


def test_a_silent_rung_is_followed_by_the_next_one() -> None:
    step = raised((ANA,), (BEN, CEM))
    up = ring(step)
    assert paged(up) == [(1, (BEN, CEM))]
    assert standing(up.state) == Standing("paging", "referral", NOW + 2 * RUNG)
    assert up.acts == ("rung silent", "rung paged")


def test_after_the_last_rung_everybody_is_paged_again_and_again_and_all_that_while_it_is_the_operators() -> None:
    up = ring(raised((ANA,), (BEN, CEM)))
    cannot = hear(up.state, said(up.state, CEM, "cannot"), at=up.alarms[-1].at - RUNG)
    last = ring(Step(cannot.state, alarms=up.alarms))
    assert paged(last) == [(1, (ANA, BEN))]
    again = ring(last)
    assert paged(again) == [(1, (ANA, BEN))]
    stands = standing(again.state)
    assert (stands.name, stands.owner, stands.due_at) == ("silent", "operator", NOW + 2 * RUNG)


def test_while_anybody_has_not_said_that_they_cannot_the_ladder_pages_them() -> None:
    """The duty of the last rung cannot: the coordinators who were silent before are asked again at once."""
    up = ring(raised((ANA, BEN), (DORA,)))
    assert paged(up) == [(1, (DORA,))]
    on = hear(up.state, said(up.state, DORA, "cannot"))
    assert paged(on) == [(1, (ANA, BEN))]
    assert standing(on.state) == Standing("silent", "operator", NOW)
    assert paged(ring(on)) == [(1, (ANA, BEN))]
    one_left = hear(on.state, said(on.state, ANA, "cannot"))
    assert (paged(one_left), paged(ring(Step(one_left.state, alarms=on.alarms)))) == ([], [(1, (BEN,))])


def test_when_nobody_at_all_can_the_requester_is_told_and_it_stays_the_operators() -> None:
    step = raised((ANA,), (BEN,))
    nobody = hear(step.state, said(step.state, ANA, "cannot"))
    nobody = hear(nobody.state, said(nobody.state, BEN, "cannot"))
    assert one(nobody, LadderEnded).how == "nobody"
    assert standing(nobody.state) == Standing("nobody", "operator", NOW)
    assert ring(Step(nobody.state, alarms=step.alarms)).facts == ()
    assert hear(nobody.state, said(nobody.state, BEN, "cannot")).facts[:-1] == ()


def test_whoever_could_not_and_then_can_is_heard() -> None:
    case = raised((ANA,)).state
    nobody = hear(case, said(case, ANA, "cannot")).state
    again = hear(nobody, said(nobody, ANA, "acknowledge"))
    assert one(again, LadderAcknowledged).person == ANA
    assert outcomes(again) == ["acknowledged"]
    assert isinstance(again.state.ladder, Acknowledged)
    assert paged(ring(again)) == [(0, (ANA,))]
    assert one(hear(nobody, said(nobody, ANA, "contact_confirmed")), LadderEnded).how == "contact"


def test_an_emergency_raised_again_when_nobody_was_left_begins_with_the_people_of_now() -> None:
    case = raised((ANA,)).state
    nobody = hear(case, said(case, ANA, "cannot")).state
    again = hear(nobody, crisis((BEN,)))
    assert kinds(again) == ["ladder_ended", "ladder_started", "rung_paged"]
    assert (one(again, LadderEnded).ladder, one(again, LadderEnded).how) == (ladder(case).ladder_id, "ended")
    assert outcomes(hear(again.state, said(nobody, ANA, "acknowledge"))) == ["ended"]


def test_the_end_of_the_request_ends_the_pages_of_those_who_could_not() -> None:
    case = raised((ANA,)).state
    nobody = hear(case, said(case, ANA, "cannot")).state
    assert one(hear(nobody, CaseClosing()), LadderEnded).how == "ended"


@pytest.mark.parametrize("outcome", ["failed", "expired"])
def test_a_rung_on_which_nobody_can_be_reached_or_can_is_left_at_once(outcome: Outcome) -> None:
    step = raised((ANA, BEN), (CEM,))
    half = hear(step.state, settled(step.state, ANA, outcome))
    assert half.facts == ()
    up = hear(half.state, said(half.state, BEN, "cannot"))
    assert paged(up) == [(1, (CEM,))]
    assert outcomes(up) == ["noted"]


def test_pages_of_the_last_rung_that_were_not_sent_are_tried_again_when_its_time_is_up() -> None:
    step = raised((ANA,))
    silent = hear(step.state, settled(step.state, ANA, "failed"))
    assert isinstance(silent.state.ladder, Silent)
    assert paged(ring(Step(silent.state, alarms=step.alarms))) == [(0, (ANA,))]


def test_one_who_cannot_is_not_paged_on_a_further_rung_either() -> None:
    step = raised((ANA, BEN), (ANA,), (ANA, CEM))
    up = hear(step.state, said(step.state, ANA, "cannot"), said(step.state, BEN, "cannot"))
    assert paged(up) == [(2, (CEM,))]


def test_a_page_that_was_sent_or_may_have_arrived_is_waited_for() -> None:
    step = raised()
    after = hear(step.state, settled(step.state, ANA, "accepted"), settled(step.state, BEN, "unknown"))
    assert after.facts == ()
    assert isinstance(after.state.ladder, Paging)
    assert [page.outcome for page in ladder(after.state).pages] == ["accepted", "unknown"]


def test_the_first_who_acknowledges_has_it_and_the_others_hear_that_it_is_covered() -> None:
    case = raised().state
    step = hear(case, said(case, BEN, "acknowledge"), said(case, ANA, "acknowledge"), said(case, BEN, "acknowledge"))
    assert kinds(step) == ["ladder_acknowledged", *["reply_settled"] * 3]
    assert outcomes(step) == ["acknowledged", "covered", "acknowledged"]
    assert one(step, LadderAcknowledged).person == BEN


def test_an_answer_to_an_earlier_rung_still_counts() -> None:
    up = ring(raised((ANA,), (BEN,)))
    step = hear(up.state, said(up.state, ANA, "acknowledge"))
    assert outcomes(step) == ["acknowledged"]
    assert ring(Step(step.state, alarms=up.alarms)).facts == ()


def test_whoever_acknowledged_and_makes_no_contact_is_late_and_the_ladder_climbs_on() -> None:
    first = raised((ANA,), (BEN,))
    taken = hear(first.state, said(first.state, ANA, "acknowledge"))
    due = NOW + timedelta(seconds=600)
    assert standing(taken.state) == Standing("acknowledged", "who acknowledged", due)
    late = ring(taken)
    assert paged(late) == [(1, (BEN,))]
    assert standing(late.state) == Standing("acknowledged", "operator", due)
    assert "human_contact_confirmed" in kinds(hear(late.state, said(late.state, ANA, "contact_confirmed")))


def test_after_a_late_one_the_next_who_acknowledges_counts_as_well() -> None:
    first = raised((ANA,), (BEN,))
    late = ring(hear(first.state, said(first.state, ANA, "acknowledge")))
    assert outcomes(hear(late.state, said(late.state, ANA, "acknowledge"))) == ["acknowledged"]
    second = hear(late.state, said(late.state, BEN, "acknowledge"))
    assert one(second, LadderAcknowledged).person == BEN
    assert isinstance(second.state.ladder, Acknowledged)
    assert outcomes(hear(second.state, said(second.state, ANA, "contact_confirmed"))) == ["noted"]


def test_a_late_ladder_goes_on_climbing_and_then_pages_everybody_again() -> None:
    first = raised((ANA,), (BEN,), (CEM,))
    late = ring(hear(first.state, said(first.state, ANA, "acknowledge")))
    third = ring(late)
    assert paged(third) == [(2, (CEM,))]
    assert paged(ring(third)) == [(2, (ANA, BEN, CEM))]


def test_a_confirmed_contact_ends_the_ladder_and_counts_as_acknowledgement_too() -> None:
    case = raised().state
    step = hear(case, said(case, ANA, "contact_confirmed"))
    assert kinds(step) == ["ladder_acknowledged", "human_contact_confirmed", "ladder_ended", "reply_settled"]
    assert standing(step.state).owner is None
    assert outcomes(hear(step.state, said(case, BEN, "acknowledge"))) == ["covered"]


def test_a_contact_confirmed_after_acknowledgement_acknowledges_no_second_time() -> None:
    case = raised().state
    step = hear(case, said(case, ANA, "acknowledge"), said(case, BEN, "contact_confirmed"))
    assert kinds(step)[2:] == ["human_contact_confirmed", "ladder_ended", "reply_settled"]


def test_one_who_cannot_after_all_has_the_others_paged_again() -> None:
    case = raised((ANA, BEN), (CEM,)).state
    step = hear(case, said(case, ANA, "acknowledge"), said(case, ANA, "cannot"))
    assert kinds(step)[2:] == ["ladder_given_back", "rung_paged", "reply_settled"]
    assert one(step, LadderGivenBack).person == ANA
    assert paged(step) == [(0, (BEN,))]


def test_one_who_was_late_and_gives_it_back_has_it_no_more_and_whoever_has_it_now_goes_on() -> None:
    first = raised((ANA,), (BEN,))
    late = ring(hear(first.state, said(first.state, ANA, "acknowledge")))
    second = hear(late.state, said(late.state, BEN, "acknowledge"))
    step = hear(second.state, said(second.state, ANA, "cannot"))
    assert kinds(step) == ["ladder_given_back", "reply_settled"]
    assert isinstance(step.state.ladder, Acknowledged)
    assert step.state.ladder.ladder.takers == (BEN,)
    never = raised().state
    assert kinds(hear(never, said(never, ANA, "cannot"))) == ["reply_settled"]


def test_one_who_cannot_after_all_and_was_alone_is_followed_by_the_next_rung() -> None:
    case = raised((ANA,), (CEM,)).state
    taken = hear(case, said(case, ANA, "acknowledge"))
    assert paged(hear(taken.state, said(taken.state, ANA, "cannot"))) == [(1, (CEM,))]
    alone = raised((ANA,)).state
    nobody = hear(alone, said(alone, ANA, "acknowledge"), said(alone, ANA, "cannot"))
    assert one(nobody, LadderEnded).how == "nobody"


def test_one_who_cannot_after_all_on_the_last_rung_has_the_silent_ones_below_paged_again() -> None:
    up = ring(raised((ANA,), (DORA,)))
    back = hear(up.state, said(up.state, DORA, "acknowledge"), said(up.state, DORA, "cannot"))
    assert paged(back) == [(1, (ANA,))]


def test_a_timer_of_an_earlier_turn_or_another_ladder_has_no_effect() -> None:
    case = raised((ANA, BEN), (CEM,)).state
    again = hear(case, said(case, ANA, "acknowledge"), said(case, ANA, "cannot")).state
    of = ladder(case).ladder_id
    assert hear(again, TimeIsUp("rung", of, 1)).state is again
    assert hear(case, TimeIsUp("rung", uuid4(), 1)).state is case
    assert hear(case, TimeIsUp("contact", of, 1)).state is case


@pytest.mark.parametrize("end", [CaseClosing(), CaseWithdrawn()])
def test_when_the_request_ends_the_ladder_does_and_a_late_answer_hears_so(end: CaseClosing | CaseWithdrawn) -> None:
    case = raised().state
    step = hear(case, end)
    assert one(step, LadderEnded).how == "ended"
    assert standing(step.state).owner is None
    assert outcomes(hear(step.state, said(case, ANA, "acknowledge"))) == ["ended"]


def test_a_crisis_heard_after_the_closing_of_its_case_begins_no_ladder_that_nobody_could_end() -> None:
    step = hear(Case(), CaseClosing(), crisis((ANA,)))
    assert (step.facts, step.alarms, step.state.ladder) == ((), (), None)
    assert standing(step.state).owner is None


def test_a_reply_to_an_unknown_page_or_by_somebody_else_changes_nothing_and_is_on_record() -> None:
    case = raised().state
    good = said(case, ANA, "acknowledge")
    forged = [good.model_copy(update=change) for change in ({"page": uuid4()}, {"person": BEN}, {"ladder": uuid4()})]
    for step in (*(hear(case, bad) for bad in forged), hear(Case(), good)):
        assert (kinds(step), outcomes(step)) == (["reply_settled"], ["ended"])
        assert step.acts == ("page reply refused",)


def test_the_regional_duty_coordinator_is_paged_last_and_then_with_everybody() -> None:
    step = raised((ANA,), (BEN,), (DORA,))
    second = ring(step)
    third = ring(second)
    assert [paged(one) for one in (step, second, third, ring(third))] == [
        [(0, (ANA,))],
        [(1, (BEN,))],
        [(2, (DORA,))],
        [(2, (ANA, BEN, DORA))],
    ]
