"""Whatever is heard in whatever order: a ladder never goes down, pages nobody who is barred, and is never nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import get_args
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from services.referral.domain.case import Case, standing
from services.referral.domain.effects import Step, TimeIsUp
from services.referral.domain.heard import Heard
from services.referral.domain.ladder import Acknowledged, Ended, Nobody, Paging, Silent
from shared.events.intake import BarsChanged, CaseClosed, CaseClosing, CaseWithdrawn, CrisisRaised
from shared.events.notify import PageReplied, PageSettled, PageVerb
from shared.events.referral import RungPaged
from tests.unit.referral.given import ANA, BEN, CEM, DORA, NOW, TC, ask, crisis, hear, outcomes, told

RUNGS = ((ANA, BEN), (BEN, CEM), (DORA,))
BARRED = CEM
CAUSES = (CrisisRaised, TimeIsUp, PageSettled, PageReplied, BarsChanged)


def _may_be_heard(case: Case) -> Iterator[Heard]:
    yield from (crisis(*RUNGS, asked=ask(TC, bars=(BARRED,))), CaseClosing(), CaseWithdrawn(), CaseClosed())
    yield BarsChanged(bars=(BARRED, BEN))
    if case.ladder is None:
        return
    ladder = case.ladder.ladder
    yield from (TimeIsUp("rung", ladder.ladder_id, ladder.turn), TimeIsUp("contact", ladder.ladder_id, ladder.turn))
    for page in ladder.pages:
        of = {"page": page.page_id, "ladder": ladder.ladder_id, "person": page.person}
        yield PageSettled.model_validate({**of, "outcome": "failed"})
        for verb in get_args(PageVerb):
            yield PageReplied.model_validate({**of, "reply": uuid4(), "verb": verb, "received_at": NOW})


walks = st.lists(st.integers(0, 1000), max_size=25)


def _walk(choices: list[int]) -> Iterator[tuple[Case, Heard, Case, list[RungPaged], int]]:
    """Before, what was heard, after, whom it paged, and how many replies it settled."""
    for before, said, after, step in _steps(choices):
        yield before, said, after, told(step.facts, RungPaged), len(outcomes(step))


def _steps(choices: list[int]) -> Iterator[tuple[Case, Heard, Case, Step[Case]]]:
    """Before, what was heard, after, and the step between them."""
    case = hear(Case(), crisis(*RUNGS, asked=ask(TC, bars=(BARRED,)))).state
    for number, choice in enumerate(choices):
        options = list(_may_be_heard(case))
        # The first two thirds of a walk do not end the case, so that ladders are climbed at all.
        said = options[choice % len(options)]
        if number * 3 < len(choices) * 2 and isinstance(said, CaseClosing | CaseWithdrawn):
            continue
        step = hear(case, said, at=NOW + timedelta(minutes=number))
        yield case, said, step.state, step
        case = step.state


@settings(deadline=None)
@given(choices=walks)
def test_a_ladder_never_goes_down_and_every_paging_has_a_cause(choices: list[int]) -> None:
    for before, said, after, paged, settled in _walk(choices):
        assert not paged or isinstance(said, CAUSES)
        assert settled == isinstance(said, PageReplied)
        if before.ladder and after.ladder and before.ladder.ladder.ladder_id == after.ladder.ladder.ladder_id:
            assert after.ladder.ladder.rung >= before.ladder.ladder.rung
            assert after.ladder.ladder.turn >= before.ladder.ladder.turn
            assert len(after.ladder.ladder.pages) >= len(before.ladder.ladder.pages)


@settings(deadline=None)
@given(choices=walks)
def test_a_barred_person_is_never_paged_and_nobody_who_cannot_is_paged_again(choices: list[int]) -> None:
    for before, _, _, paged, _ in _walk(choices):
        persons = {person for fact in paged for _, person in fact.pages}
        assert not persons & set(before.ask.bars if before.ask else ())
        if before.ladder and not isinstance(before.ladder, Nobody | Ended):
            assert not persons & {page.person for page in before.ladder.ladder.pages if page.cannot}


@settings(deadline=None)
@given(choices=walks)
def test_somebody_is_always_paged_or_has_taken_it_or_it_is_the_operators(choices: list[int]) -> None:
    for _, _, after, _, _ in _walk(choices):
        stands = standing(after)
        assert (stands.owner is None) == (stands.due_at is None)
        match after.ladder:
            case Paging():
                assert any(not page.cannot for page in after.ladder.ladder.pages)
                assert stands.owner == "referral"
            case Acknowledged():
                assert after.ladder.by in after.ladder.ladder.takers
            case Silent():
                # Somebody can, or could not be reached: neither is left alone.
                assert stands.owner == "operator"
                assert after.ladder.ladder.everybody
            case Nobody():
                assert (stands.owner, after.ladder.ladder.everybody) == ("operator", ())
            case _:
                assert after.ladder is None or stands.owner is None


@settings(deadline=None)
@given(choices=walks)
def test_while_anybody_can_take_it_a_timer_goes_on_paging(choices: list[int]) -> None:
    waits: set[int] = {1}
    for before, said, after, step in _steps(choices):
        waits |= {alarm.version for alarm in step.alarms}
        known = after.ladder.ladder if after.ladder else None
        if before.ladder and known and before.ladder.ladder.ladder_id != known.ladder_id:
            waits = {alarm.version for alarm in step.alarms}
        if isinstance(after.ladder, Paging | Silent | Acknowledged) and known:
            assert known.turn in waits, said
