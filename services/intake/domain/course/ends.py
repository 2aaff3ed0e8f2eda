"""Where supports end: a case closes after the last of them, or when its requester says so. And what time does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.intake.domain.acts import DRILL, Alarmed, Step, TimeIsUp, TimerKind
from services.intake.domain.case import (
    Accepted,
    Case,
    Choosing,
    Closed,
    Closing,
    InContact,
    NoPeer,
    Stage,
    Withdrawn,
)
from services.intake.domain.clinical import Ended, How, Running, path_of, running
from shared.events.intake import CaseClosed, CaseClosing, CaseWithdrawn, ChoiceOverdue

REVIEW_AFTER = timedelta(days=30)
"""How long a case stays with its peer or clinician before somebody's due time says so again."""
REST = timedelta(days=3)
"""How long a case waits for its requester when the only support has ended without having helped."""
SETTLED_AFTER = timedelta(minutes=5)
"""How long a case waits, after a peer has closed, for what may still be on its way from referral: topics have no order
among them, and whoever closes may have said a moment before that a clinician is wanted. Never longer than the grace."""
HELD_AGAIN = timedelta(days=1)
"""A case under a legal hold is looked at again after this."""


def within(seconds: int) -> timedelta:
    """A time of the policy."""
    return timedelta(seconds=seconds)


def with_timer(case: Case, stage: Stage, kind: TimerKind, due: datetime) -> Step:
    """The case at a stage that ends by itself."""
    turn = case.turn + 1
    return Step(replace(case, stage=stage, turn=turn), timer=Alarmed(kind, turn, due))


def closing(case: Case, now: datetime) -> Step:
    """Over: the grace begins, and everybody stops."""
    until = now + within(case.ask.policy.grace_s)
    step = with_timer(case, Closing(until), "grace", until)
    return replace(step, facts=(CaseClosing(),), acts=("case_closing",))


def peer_closed(case: Case, now: datetime) -> Step:
    """The peer's support has ended for good; the clinical one, if any is under way or wanted, goes on by itself."""
    if running(case.clinical):
        return without_peer(case, now)
    if case.wished:
        return resting(case, now + REST)
    if case.clinical is None and path_of(case.ask.policy.capabilities) == "referral":
        return resting(case, now + min(SETTLED_AFTER, within(case.ask.policy.grace_s)))
    return closing(case, now)


def without_peer(case: Case, now: datetime) -> Step:
    """The case is between the requester and a clinician."""
    due = now + REVIEW_AFTER
    return with_timer(case, NoPeer(due), "review", due)


def resting(case: Case, until: datetime) -> Step:
    """Nobody is at work; the requester may ask for somebody else, and by then it closes by itself."""
    return with_timer(case, NoPeer(until, rest=True), "rest", until)


def clinical_over(case: Case, clinical: Running, how: How, now: datetime) -> Step:
    """The clinical support has ended; what it was asked for stays with the requester unless it was completed."""
    after = replace(case, clinical=Ended(clinical.referral, how), served=case.served or how == "completed")
    if not isinstance(case.stage, NoPeer):
        return Step(after)
    return closing(after, now) if how == "completed" else resting(after, now + REST)


def withdrawn(case: Case, now: datetime, *, held: bool, moved: bool = False) -> Step:
    """The requester takes everything back."""
    if isinstance(case.stage, Withdrawn | Closed):
        return Step(case)
    if held:
        until = now + HELD_AGAIN
        step = with_timer(case, Withdrawn(until, moved=moved), "grace", until)
        return replace(step, facts=(CaseWithdrawn(),), acts=("case_withdrawn",))
    after = replace(case, stage=Withdrawn(now, moved=moved))
    return Step(after, (CaseWithdrawn(), CaseClosed()), acts=("case_withdrawn", "case_closed"), ending="closed")


def timed(case: Case, what: TimeIsUp, now: datetime) -> Step:
    """A timer fired; one that was set for an earlier turn does nothing."""
    if what.kind == DRILL:
        return withdrawn(case, now, held=what.held)
    if what.turn != case.turn:
        return Step(case)
    match case.stage:
        case Choosing() as stage if what.kind == "choose":
            return _overdue_choice(case, stage, "choose", what, now)
        case Accepted() as stage if what.kind == "release":
            return _overdue_choice(case, stage, "release", what, now)
        case InContact(support) if what.kind == "review":
            return with_timer(case, InContact(support, now + REVIEW_AFTER), "review", now + REVIEW_AFTER)
        case NoPeer(rest=False) if what.kind == "review":
            return without_peer(case, now)
        case NoPeer(rest=True) if what.kind == "rest":
            return closing(case, now)
        case (Closing() | Withdrawn()) as stage if what.kind == "grace":
            if what.held:
                return with_timer(case, replace(stage, until=now + HELD_AGAIN), "grace", now + HELD_AGAIN)
            return Step(replace(case, stage=Closed()), (CaseClosed(),), acts=("case_closed",), ending="closed")
        case _:
            return Step(case)


def _overdue_choice(case: Case, stage: Choosing | Accepted, kind: TimerKind, what: TimeIsUp, now: datetime) -> Step:
    """First a word on the status page, then a count to the coordinators who are not barred; after that it waits.

    Whoever wants nobody of their own agency is not counted there.
    """
    due = now + within(case.ask.policy.choose_within_s)
    step = with_timer(case, replace(stage, due=due, reminded=True, counted=stage.reminded), kind, due)
    hear = what.coordinators if case.ask.wishes.own_agency else ()
    to_tell = tuple(one for one in hear if one not in case.ask.bars)
    if not to_tell or not stage.reminded or stage.counted:
        return step
    of = stage.support.assignment if isinstance(stage, Accepted) else None
    fact = ChoiceOverdue(recipients=to_tell, due=due, assignment=of)
    return replace(step, facts=(fact,), acts=("choice_overdue",))
