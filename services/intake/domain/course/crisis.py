"""Danger: what referral and notify say of an emergency's pages, and how a case becomes an emergency."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.intake.domain.acts import Endangered, Step
from services.intake.domain.case import (
    Accepted,
    Alarm,
    Asked,
    Case,
    Choosing,
    InContact,
    NoPeer,
    Over,
    Released,
    Searching,
    Taker,
    Unserved,
)
from services.intake.domain.course import showing
from services.intake.domain.course.ends import within
from services.intake.domain.course.peer import anew
from services.intake.domain.rungs import Rungs
from shared.errors import Refused
from shared.events.envelope import Fact
from shared.events.intake import Ask, CrisisRaised, RequestSubmitted
from shared.events.notify import PageSettled
from shared.events.referral import HumanContactConfirmed, LadderAcknowledged, LadderEnded, LadderGivenBack, RungPaged
from shared.types import PersonId, Urgency

OfAlarm = RungPaged | PageSettled | LadderAcknowledged | LadderGivenBack | HumanContactConfirmed | LadderEnded
KEPT_LADDERS = 20


def alarmed(case: Case, what: OfAlarm) -> Step:
    """What really happened. Only the newest ladder counts: a new one begins when the one before is over."""
    alarm = case.alarm or Alarm()
    if what.ladder in alarm.earlier:
        return Step(case)
    if alarm.ladder is not None and alarm.ladder != what.ladder:
        alarm = _fresh(alarm)
    alarm = replace(alarm, ladder=what.ladder)
    match what:
        case RungPaged(pages=pages):
            alarm = replace(_going_on(alarm), planned=alarm.planned + len(pages), late=bool(alarm.takers))
        case PageSettled(outcome="accepted"):
            alarm = replace(alarm, accepted=alarm.accepted + 1)
        case PageSettled():
            alarm = replace(alarm, failed=alarm.failed + 1)
        case LadderAcknowledged(ladder=ladder, person=person):
            return _taken(case, alarm, Taker(person, ladder))
        case LadderGivenBack(person=person):
            takers = tuple(one for one in alarm.takers if one.person != person)
            alarm = replace(alarm, takers=takers, late=alarm.late and bool(takers))
        case HumanContactConfirmed():
            return Step(replace(case, alarm=replace(alarm, contact=True), served=True))
        case LadderEnded(how=how):
            alarm = replace(alarm, ended=how)
        case never:
            assert_never(never)
    return Step(replace(case, alarm=alarm))


def _fresh(alarm: Alarm) -> Alarm:
    over: tuple[UUID, ...] = (alarm.ladder,) if alarm.ladder is not None else ()
    return Alarm(earlier=(*alarm.earlier, *over)[-KEPT_LADDERS:])


def _going_on(alarm: Alarm) -> Alarm:
    """Somebody could after all."""
    return replace(alarm, ended=None) if alarm.ended == "nobody" else alarm


def _taken(case: Case, alarm: Alarm, taker: Taker) -> Step:
    if taker.person in case.ask.bars:
        # Referral had not heard of it: it takes the page on in a moment, and nothing is shown or said until then.
        return Step(replace(case, alarm=alarm))
    others = tuple(one for one in alarm.takers if one != taker)
    after = replace(case, alarm=replace(_going_on(alarm), takers=(*others, taker), late=False))
    if isinstance(case.stage, Over):
        return Step(after)
    # In an emergency everything is released at once: who takes the page must be able to call. Also who takes it again.
    return Step(after, (showing.to_taker(case, taker),), acts=("contact_released",))


def endangered(case: Case, what: Endangered, now: datetime) -> Step:
    """The case is an emergency from now on; whoever helps already goes on. Raises `Refused` at the door when over.

    What is only practised is never one: nobody is paged for it.
    """
    if isinstance(case.stage, Over):
        if what.at_door:
            raise Refused("case-over", 409)
        return Step(case)
    if case.ask.practice:
        if what.at_door:
            raise Refused("practice", 409)
        return Step(case)
    # What the case may do stays as it was stamped; only its times become those of an emergency.
    policy = what.help.policy.model_copy(
        update={"structure": case.ask.policy.structure, "capabilities": case.ask.policy.capabilities}
    )
    changed = {"urgency": Urgency.EMERGENCY, "choose": "anyone", "release": "on_accept", "policy": policy}
    ask = case.ask.model_copy(update=changed)
    alarm = _fresh(case.alarm) if case.alarm is not None and case.alarm.over else case.alarm or Alarm()
    after = replace(case, ask=ask, alarm=alarm, shortlist=())
    raised = CrisisRaised(ask=ask, jurisdiction=what.help.jurisdiction, rungs=_free(what.help.rungs, ask.bars))
    return _sooner(after, raised, ask, now)


def _free(rungs: Rungs, bars: Collection[PersonId]) -> Rungs:
    """Whoever has come to be barred since the help was read is not paged either."""
    free = (tuple(person for person in rung if person not in bars) for rung in rungs)
    return tuple(rung for rung in free if rung)


def _sooner(case: Case, raised: CrisisRaised, ask: Ask, now: datetime) -> Step:
    facts: tuple[Fact, ...] = (raised,)
    due = now + within(ask.policy.answer_within_s)
    contact_by = now + within(ask.policy.contact_within_s)
    match case.stage:
        case Accepted(support):
            support = replace(support, contact_by=min(support.contact_by, contact_by))
            case = replace(case, stage=Released(support, support.contact_by))
            facts = (raised, showing.to_peer(case, support))
        case Released(support, until, overdue):
            case = replace(case, stage=Released(support, min(until, contact_by), overdue))
        case NoPeer():
            # Nobody is looked for yet: matching begins with this, and is told of the danger by it as well.
            facts = (raised, RequestSubmitted(ask=anew(case).ask))
            case = replace(case, stage=Searching(due))
        case Choosing() | Unserved() | Searching():
            case = replace(case, stage=Searching(due))
        case Asked() | InContact():
            pass
        case never:
            raise TypeError(never.name)
    released = ("contact_released",) if isinstance(case.stage, Released) and len(facts) > 1 else ()
    return Step(case, facts, acts=("crisis_raised", *released))
