"""What matching says: who is asked, who has accepted, who is in touch, that it has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.intake.domain.acts import Step
from services.intake.domain.case import (
    Accepted,
    Asked,
    Case,
    Choice,
    Choosing,
    Helped,
    InContact,
    Open,
    Over,
    Released,
    Searching,
    Support,
    Unserved,
    is_emergency,
    support_of,
)
from services.intake.domain.course import showing
from services.intake.domain.course.ends import REVIEW_AFTER, peer_closed, with_timer, within
from shared.events.intake import BarsChanged
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
from shared.types import PersonId

OfPeer = (
    SearchStarted
    | NobodyFound
    | ShortlistReady
    | OfferMade
    | OfferDeclined
    | OfferExpired
    | OfferRescinded
    | PeerAssigned
    | ContactOverdue
    | ContactConfirmed
    | AssignmentEnded
)
KEPT_ENDED = 50


def matched(case: Case, what: object, now: datetime) -> Step:
    """What a fact of matching comes to; whatever is none changes nothing."""
    match what:
        case _ if isinstance(case.stage, Over):
            pass
        case SearchStarted(due=due):
            waits = isinstance(case.stage, Searching) and case.stage.waits
            return Step(_waiting(case, Searching(due, waits=waits)))
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
        case AssignmentEnded():
            return _ended(case, what, now)
        case _:
            pass
    return Step(case)


def barred(case: Case, people: tuple[PersonId, ...], now: datetime) -> Step:
    """Whoever a name now stands for is barred from now on, and stays so when the directory changes again.

    The others hear it in a moment and pass on what such a person holds; from here nothing is shown to them any more.
    """
    bars = tuple(sorted({*case.ask.bars, *people}))
    if isinstance(case.stage, Over) or len(bars) == len(case.ask.bars):
        return Step(case)
    ask = case.ask.model_copy(update={"bars": bars})
    left = tuple(one for one in case.shortlist if one.person not in bars)
    after = replace(case, ask=ask, shortlist=left)
    if case.alarm is not None:
        takers = tuple(one for one in case.alarm.takers if one.person not in bars)
        after = replace(after, alarm=replace(case.alarm, takers=takers))
    support = support_of(case)
    if support is not None and support.person in bars:
        ended = (*case.ended, support.assignment)[-KEPT_ENDED:]
        after = replace(after, stage=Searching(now + within(ask.policy.answer_within_s)), ended=ended)
    return Step(after, (BarsChanged(bars=bars),), acts=("bars_changed",))


def anew(case: Case) -> Case:
    """The case for another search from the start: whoever was refused, or has stepped back, stays out of it."""
    bars = tuple(sorted({*case.ask.bars, *case.refused}))
    return replace(case, ask=case.ask.model_copy(update={"bars": bars}))


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
    held = case.stage
    if isinstance(held, Helped) and not (isinstance(held, Released) and held.overdue):
        return Step(case)
    without = {*case.refused, *case.ask.bars}
    listed = tuple(
        Choice(one.person, one.available, one.there_from) for one in what.candidates if one.person not in without
    )
    after = replace(case, shortlist=listed)
    if isinstance(held, Released):
        # Whoever chooses may choose somebody beside the one who is silent.
        return Step(replace(after, stage=replace(held, due=what.due)))
    if isinstance(case.stage, Choosing):
        # A list that is made afresh while the requester chooses gives no new time to be reminded after.
        return Step(after)
    return with_timer(after, Choosing(what.due), "choose", what.due)


def _answered(case: Case, offer: UUID, now: datetime) -> Case:
    if not isinstance(case.stage, Asked):
        return case
    left = tuple(one for one in case.stage.offers if one.offer != offer)
    # Matching asks the next one, or says that nobody is left, in the same breath.
    return replace(case, stage=Asked(left) if left else Searching(now + within(case.ask.policy.answer_within_s)))


def _assigned(case: Case, support: Support, now: datetime) -> Step:
    held = support_of(case)
    if support.assignment in case.ended or (held is not None and held.assignment == support.assignment):
        return Step(case)
    if support.person in case.ask.bars:
        # Barred while matching had not heard of it: matching ends this in a moment, and nothing is shown until then.
        return Step(case)
    if case.ask.release == "ask_me" and not is_emergency(case):
        due = now + within(case.ask.policy.choose_within_s)
        return with_timer(case, Accepted(support, due), "release", due)
    return released(case, support)


def released(case: Case, support: Support) -> Step:
    """The peer may see how to reach the requester."""
    after = replace(case, stage=Released(support, support.contact_by))
    return Step(after, (showing.to_peer(case, support),), acts=("contact_released",))


def _overdue(case: Case, assignment: UUID, now: datetime) -> Case:
    stage = case.stage
    if not isinstance(stage, Released) or stage.support.assignment != assignment:
        return case
    late = Released(stage.support, now + within(case.ask.policy.answer_within_s), overdue=True)
    # The silent one stands on the list of before; if there is anybody else, a new one comes with this.
    return replace(case, stage=late, shortlist=())


def _confirmed(case: Case, assignment: UUID, now: datetime) -> Step:
    support = support_of(case)
    if support is None or support.assignment != assignment:
        return Step(case)
    due = now + REVIEW_AFTER
    return with_timer(replace(case, served=True), InContact(support, due), "review", due)


def _ended(case: Case, what: AssignmentEnded, now: datetime) -> Step:
    support = support_of(case)
    after = replace(case, ended=(*case.ended, what.assignment)[-KEPT_ENDED:])
    if what.how == "stepped_back" and what.person not in case.refused:
        # Whoever has recognised the requester is not shown them a second time, also in a later search.
        after = replace(after, refused=(*case.refused, what.person))
    if support is None or support.assignment != what.assignment:
        return Step(after)
    if what.how == "closed":
        return peer_closed(after, now)
    return Step(replace(after, stage=Searching(now + within(case.ask.policy.answer_within_s))))
