"""Crisis pages: who is paged, who has taken it and may reach the requester, and the end of a ladder.

An earlier page stays answerable as long as the ladder lives: it is covered while somebody has taken it, and open again
when the ladder goes on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never
from uuid import UUID

from services.notify.domain import intents
from services.notify.domain.case import CaseState, Step
from services.notify.domain.deciding.planning import Planner, moved
from services.notify.domain.matters import Matter
from services.notify.domain.things import seat_id
from shared.events.intake import ContactReleasedInCrisis
from shared.events.referral import CrisisReplySettled, LadderAcknowledged, LadderEnded, RungPaged

Heard = RungPaged | LadderAcknowledged | LadderEnded | CrisisReplySettled


def heard(plan: Planner, state: CaseState, fact: Heard) -> Step:
    """What referral says of a ladder."""
    match fact:
        case RungPaged():
            return _paged(plan, state, fact)
        case LadderAcknowledged():
            return Step(_acknowledged(state, fact))
        case LadderEnded():
            return Step(_ladder_ended(state, fact))
        case CrisisReplySettled():
            return Step(state.with_outcome(fact.reply, fact.outcome))
        case _:
            assert_never(fact)


def _paged(plan: Planner, state: CaseState, fact: RungPaged) -> Step:
    new = [(page, person) for page, person in fact.pages if page not in state.matters and person not in state.barred]
    after = _opened_again(state, fact.ladder)
    for page, person in new:
        after = after.with_matter(Matter(page, person, "page", ladder=fact.ladder))
    return plan.plan(after, "page", [(person, page) for page, person in new], expires=fact.expires)


def _acknowledged(state: CaseState, fact: LadderAcknowledged) -> CaseState:
    """The others' pages are covered. Whoever took it before can still say that they have spoken."""
    after = state
    for page in state.pages(fact.ladder):
        if page.person != fact.person and not _has_taken(state, page):
            after = moved(after, page.matter_id, "covered")
    return after


def _has_taken(state: CaseState, page: Matter) -> bool:
    last = state.last_said(page.matter_id)
    return last is not None and last.verb == "acknowledge" and last.outcome in {None, "acknowledged"}


def _opened_again(state: CaseState, ladder: UUID) -> CaseState:
    """Whoever took it is late or has given it back: anybody who was paged can take it."""
    after = state
    for page in state.pages(ladder):
        if page.state == "covered":
            after = after.with_matter(replace(page, state="open"))
    return after


def _ladder_ended(state: CaseState, fact: LadderEnded) -> CaseState:
    if fact.how == "nobody":
        # Everybody has said that they cannot: whoever can after all must be able to say so.
        return _opened_again(state, fact.ladder)
    after = state
    for page in state.matters.values():
        # Also how to reach the requester: nobody is to read it after the end.
        if page.ladder == fact.ladder:
            after = moved(after, page.matter_id, "ended")
    return after


def given_back(state: CaseState, page: Matter) -> CaseState:
    """Whoever cannot after all reads nothing any more of how to reach the requester."""
    after = state
    for one in state.matters.values():
        if one.kind == "assignment" and one.ladder == page.ladder and one.person == page.person:
            shut = replace(one, sealed=None, released=False)
            after = moved(after.with_matter(shut), one.matter_id, "declined")
    return after


def released(plan: Planner, state: CaseState, fact: ContactReleasedInCrisis) -> Step:
    """Whoever took a page may see how to reach the requester, until they give it back or the ladder ends."""
    pages = state.pages(fact.ladder)
    # The end of a ladder travels on another topic and may have been heard first.
    over = any(page.state == "ended" and page.person not in state.barred for page in pages)
    last = state.last_said(*(page.matter_id for page in pages if page.person == fact.recipient))
    if over or fact.recipient in state.barred or (last is not None and last.verb == "cannot"):
        return Step(state)
    own = state.matters.get(fact.ladder)
    # A ladder may be taken by a second person while the first one has not reached the requester yet.
    other = own is not None and own.person != fact.recipient
    matter_id = seat_id(fact.ladder, fact.recipient) if other else fact.ladder
    seat = state.matters.get(matter_id) or Matter(matter_id, fact.recipient, "assignment", ladder=fact.ladder)
    if seat.person != fact.recipient or seat.state not in {"open", "declined"}:
        return Step(state)
    now = replace(seat, state="open", sealed=fact.sealed, released=True, about=fact.about)
    after = state.with_matter(now)
    if seat.released:
        return Step(after)
    expires = plan.now + intents.DETAILS_WITHIN
    return plan.plan(after, "details", [(fact.recipient, matter_id)], expires=expires, crisis=True)
