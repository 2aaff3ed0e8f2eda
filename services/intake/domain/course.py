"""How a case moves: one pure fold over everything that can happen to it, heard on the bus, said at a door, or timed.

Facts of one topic come in order, those of different topics do not: what crisis facts change (`Alarm`) and what
matching's facts change (`stage`) never meet, so every order of hearing them comes to the same case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from services.intake.domain import alarms
from services.intake.domain.acts import (
    Act,
    Alarmed,
    Another,
    Choose,
    Close,
    NamesFound,
    Release,
    SetReach,
    Step,
    TimeIsUp,
    TimerKind,
    Wait,
    Withdraw,
)
from services.intake.domain.case import (
    Accepted,
    Alarm,
    Asked,
    Case,
    Choice,
    Choosing,
    Closed,
    Closing,
    Helped,
    InContact,
    Known,
    Open,
    Over,
    Released,
    Searching,
    Stage,
    Support,
    Unknown,
    Unserved,
    Withdrawn,
    is_emergency,
    may_choose,
    support_of,
)
from shared.errors import Problem, Refused
from shared.events.envelope import Fact
from shared.events.intake import (
    AnotherPeerAsked,
    Ask,
    BarsChanged,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ChoiceOverdue,
    ContactReleased,
    CrisisRaised,
    PeerChosen,
    RequestSubmitted,
)
from shared.events.matching import (
    AssignmentEnded,
    ContactConfirmed,
    ContactOverdue,
    NobodyFound,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferRescinded,
    PeerAssigned,
    SearchStarted,
    ShortlistReady,
)
from shared.types import PersonId, Urgency

REVIEW_AFTER = timedelta(days=30)
"""How long a case in contact stays with its peer before somebody's due time says so again."""
HELD_AGAIN = timedelta(days=1)
"""A case under a legal hold is looked at again after this."""
KEPT_ENDED = 50


def _within(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)


@dataclass(frozen=True)
class Begun:
    """How a case begins, and the fact that says so."""

    case: Case
    fact: Fact
    act: str


def begun(ask: Ask, now: datetime, *, jurisdiction: str, rungs: tuple[tuple[PersonId, ...], ...]) -> Begun:
    """A case begins. `rungs` are only of an emergency, and hold nobody who is barred."""
    due = now + _within(ask.policy.answer_within_s)
    if ask.urgency is Urgency.EMERGENCY:
        fact = CrisisRaised(ask=ask, jurisdiction=jurisdiction, rungs=rungs)
        return Begun(Case(ask, Searching(due), alarm=Alarm()), fact, "crisis_raised")
    return Begun(Case(ask, Searching(due)), RequestSubmitted(ask=ask), "request_submitted")


def heard(case: Known, what: object, now: datetime) -> Step:
    """What a fact, an act at a door or a timer comes to. Raises `Refused` for an act that is not possible now."""
    if isinstance(case, Unknown):
        if isinstance(what, Act):
            raise Refused("not-found", 404)
        return Step(case)
    if isinstance(what, Act):
        return _acted(case, what, now)
    if isinstance(what, TimeIsUp):
        return _timed(case, what, now)
    if isinstance(what, NamesFound):
        return _barred(case, what.people)
    if isinstance(what, alarms.Said):
        return alarms.alarmed(case, what)
    return _matched(case, what, now)


# --- what the directories say


def _barred(case: Case, people: tuple[PersonId, ...]) -> Step:
    """Whoever matches is barred from now on, and stays so when the directory changes again."""
    bars = tuple(sorted({*case.ask.bars, *people}))
    if isinstance(case.stage, Over) or len(bars) == len(case.ask.bars):
        return Step(case)
    ask = case.ask.model_copy(update={"bars": bars})
    left = tuple(one for one in case.shortlist if one.person not in bars)
    return Step(replace(case, ask=ask, shortlist=left), (BarsChanged(bars=bars),), acts=("bars_changed",))


# --- what matching says


def _matched(case: Case, what: object, now: datetime) -> Step:
    match what:
        case _ if isinstance(case.stage, Over):
            pass
        case SearchStarted(due=due):
            return Step(_waiting(case, Searching(due)))
        case NobodyFound(recipients=recipients, next_try=next_try):
            return Step(_waiting(case, Unserved(next_try, told=bool(recipients))))
        case ShortlistReady():
            return _shortlisted(case, what)
        case OfferMade(offer=offer, expires=expires):
            standing = case.stage.offers if isinstance(case.stage, Asked) else ()
            return Step(_waiting(case, Asked((*(one for one in standing if one.offer != offer), Open(offer, expires)))))
        case OfferDeclined(offer=offer) | OfferExpired(offer=offer) | OfferRescinded(offer=offer):
            return Step(_answered(case, offer, now))
        case PeerAssigned():
            return _assigned(case, Support(what.assignment, what.person, what.contact_by), now)
        case ContactOverdue(assignment=assignment):
            return Step(_overdue(case, assignment, now))
        case ContactConfirmed(assignment=assignment):
            return _confirmed(case, assignment, now)
        case AssignmentEnded(assignment=assignment, how=how):
            return _ended(case, assignment, now, closed=how == "closed")
        case _:
            pass
    return Step(case)


def _waiting(case: Case, stage: Searching | Asked | Unserved) -> Case:
    """While a peer stands by, a second search runs beside it and only moves the due time of one who is silent."""
    held = case.stage
    if not isinstance(held, Helped):
        return replace(case, stage=stage)
    if isinstance(held, Released) and held.overdue:
        due = max(one.expires for one in stage.offers) if isinstance(stage, Asked) else stage.due
        return replace(case, stage=replace(held, due=due))
    return case


def _shortlisted(case: Case, what: ShortlistReady) -> Step:
    if isinstance(case.stage, Helped):
        return Step(case)
    without = {*case.refused, *case.ask.bars}
    listed = tuple(Choice(one.person, one.available) for one in what.candidates if one.person not in without)
    after = replace(case, shortlist=listed)
    # A list that is made afresh while the requester chooses gives no new time to be reminded after.
    return (
        Step(after) if isinstance(case.stage, Choosing) else _with_timer(after, Choosing(what.due), "choose", what.due)
    )


def _answered(case: Case, offer: UUID, now: datetime) -> Case:
    if not isinstance(case.stage, Asked):
        return case
    left = tuple(one for one in case.stage.offers if one.offer != offer)
    # Matching asks the next one, or says that nobody is left, in the same breath.
    return replace(case, stage=Asked(left) if left else Searching(now + _within(case.ask.policy.answer_within_s)))


def _assigned(case: Case, support: Support, now: datetime) -> Step:
    held = support_of(case)
    if support.assignment in case.ended or (held is not None and held.assignment == support.assignment):
        return Step(case)
    if support.person in case.ask.bars:
        # Barred while matching had not heard of it: matching ends this in a moment, and nothing is shown until then.
        return Step(case)
    if case.ask.release == "ask_me" and not is_emergency(case):
        due = now + _within(case.ask.policy.choose_within_s)
        return _with_timer(case, Accepted(support, due), "release", due)
    return _released(case, support)


def _released(case: Case, support: Support) -> Step:
    fact = ContactReleased(assignment=support.assignment, recipient=support.person, sealed=case.reach)
    return Step(replace(case, stage=Released(support, support.contact_by)), (fact,), acts=("contact_released",))


def _overdue(case: Case, assignment: UUID, now: datetime) -> Case:
    stage = case.stage
    if not isinstance(stage, Released) or stage.support.assignment != assignment:
        return case
    return replace(case, stage=Released(stage.support, now + _within(case.ask.policy.answer_within_s), overdue=True))


def _confirmed(case: Case, assignment: UUID, now: datetime) -> Step:
    support = support_of(case)
    if support is None or support.assignment != assignment:
        return Step(case)
    due = now + REVIEW_AFTER
    return _with_timer(replace(case, served=True), InContact(support, due), "review", due)


def _ended(case: Case, assignment: UUID, now: datetime, *, closed: bool) -> Step:
    support = support_of(case)
    after = replace(case, ended=(*case.ended, assignment)[-KEPT_ENDED:])
    if support is None or support.assignment != assignment:
        return Step(after)
    if closed:
        return _closing(after, now)
    return Step(replace(after, stage=Searching(now + _within(case.ask.policy.answer_within_s))))


# --- what the requester says


def _acted(case: Case, act: Act, now: datetime) -> Step:
    if isinstance(act, Withdraw):
        return _withdrawn(case, now, held=act.held)
    if isinstance(act, Close):
        return Step(case) if isinstance(case.stage, Over) else _closing(case, now)
    if isinstance(case.stage, Over):
        raise Refused("case-over", 409)
    match act:
        case Choose(person):
            return _chosen(case, person, now)
        case Wait():
            return _more_time(case, now)
        case Release():
            return _ok(case, now)
        case Another():
            return _another(case, now)
        case SetReach(sealed):
            return _reachable(case, sealed)
        case never:
            assert_never(never)


def _chosen(case: Case, person: PersonId | None, now: datetime) -> Step:
    if not may_choose(case) and not isinstance(case.stage, Choosing):
        raise Refused("nothing-to-choose", 409)
    if person is not None and person not in {one.person for one in case.shortlist}:
        raise Refused("invalid", 422, (Problem("/person", "not-on-the-list"),))
    after = replace(
        case,
        stage=Searching(now + _within(case.ask.policy.answer_within_s)),
        # Whoever has said "anyone" is past choosing.
        shortlist=case.shortlist if person is not None else (),
    )
    return Step(after, (PeerChosen(person=person),), acts=("peer_chosen",))


def _more_time(case: Case, now: datetime) -> Step:
    if not isinstance(case.stage, Choosing):
        raise Refused("nothing-to-choose", 409)
    due = now + _within(case.ask.policy.choose_within_s)
    return _with_timer(case, Choosing(due), "choose", due)


def _ok(case: Case, now: datetime) -> Step:
    if isinstance(case.stage, Released | InContact):
        return Step(case)
    if not isinstance(case.stage, Accepted):
        raise Refused("nobody-accepted-yet", 409)
    # The time for the first contact begins with the OK.
    contact_by = now + _within(case.ask.policy.contact_within_s)
    return _released(case, replace(case.stage.support, contact_by=contact_by))


def _another(case: Case, now: datetime) -> Step:
    support = support_of(case)
    if support is None:
        raise Refused("nobody-accepted-yet", 409)
    after = replace(
        case,
        stage=Searching(now + _within(case.ask.policy.answer_within_s)),
        refused=(*case.refused, support.person),
        shortlist=tuple(one for one in case.shortlist if one.person != support.person),
        ended=(*case.ended, support.assignment)[-KEPT_ENDED:],
    )
    return Step(after, (AnotherPeerAsked(refused=support.person),), acts=("another_peer_asked",))


def _reachable(case: Case, sealed: bytes | None) -> Step:
    # Whoever was shown the old way, or that there was none, has to hear of the new one.
    shown: list[tuple[UUID, PersonId]] = []
    support, alarm = support_of(case), case.alarm
    if support is not None and not isinstance(case.stage, Accepted):
        shown.append((support.assignment, support.person))
    if alarm is not None and alarm.acknowledged_by is not None and alarm.ladder is not None:
        shown.append((alarm.ladder, alarm.acknowledged_by))
    facts = tuple(ContactReleased(assignment=to, recipient=person, sealed=sealed) for to, person in shown)
    return Step(replace(case, reach=sealed), facts, acts=("reach_set", *("contact_released" for _ in facts)))


def _closing(case: Case, now: datetime) -> Step:
    until = now + _within(case.ask.policy.grace_s)
    step = _with_timer(case, Closing(until), "grace", until)
    return replace(step, facts=(CaseClosing(),), acts=("case_closing",))


def _withdrawn(case: Case, now: datetime, *, held: bool) -> Step:
    if isinstance(case.stage, Withdrawn | Closed):
        return Step(case)
    if held:
        until = now + HELD_AGAIN
        step = _with_timer(case, Withdrawn(until), "grace", until)
        return replace(step, facts=(CaseWithdrawn(),), acts=("case_withdrawn",))
    after = replace(case, stage=Withdrawn(now))
    return Step(after, (CaseWithdrawn(), CaseClosed()), acts=("case_withdrawn", "case_closed"), ending="closed")


# --- time


def _timed(case: Case, what: TimeIsUp, now: datetime) -> Step:
    if what.turn != case.turn:
        return Step(case)
    match case.stage:
        case Choosing() as stage if what.kind == "choose":
            return _overdue_choice(case, stage, "choose", what, now)
        case Accepted() as stage if what.kind == "release":
            return _overdue_choice(case, stage, "release", what, now)
        case InContact(support) if what.kind == "review":
            return _with_timer(case, InContact(support, now + REVIEW_AFTER), "review", now + REVIEW_AFTER)
        case (Closing() | Withdrawn()) as stage if what.kind == "grace":
            if what.held:
                return _with_timer(case, replace(stage, until=now + HELD_AGAIN), "grace", now + HELD_AGAIN)
            return Step(replace(case, stage=Closed()), (CaseClosed(),), acts=("case_closed",), ending="closed")
        case _:
            return Step(case)


def _overdue_choice(case: Case, stage: Choosing | Accepted, kind: TimerKind, what: TimeIsUp, now: datetime) -> Step:
    """First a word on the status page, then a count to the coordinators who are not barred; after that it waits."""
    due = now + _within(case.ask.policy.choose_within_s)
    step = _with_timer(case, replace(stage, due=due, reminded=True, counted=stage.reminded), kind, due)
    to_tell = tuple(one for one in what.coordinators if one not in case.ask.bars)
    if not to_tell or not stage.reminded or stage.counted:
        return step
    return replace(step, facts=(ChoiceOverdue(recipients=to_tell, due=due),), acts=("choice_overdue",))


def _with_timer(case: Case, stage: Stage, kind: TimerKind, due: datetime) -> Step:
    turn = case.turn + 1
    return Step(replace(case, stage=stage, turn=turn), timer=Alarmed(kind, turn, due))
