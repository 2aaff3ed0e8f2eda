"""Crisis pages: who is paged, who has taken it, and the end of a ladder."""

from __future__ import annotations

from typing import assert_never

from services.notify.domain.case import CaseState, Step
from services.notify.domain.deciding.planning import Planner, moved
from services.notify.domain.matters import Matter
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
    new = [(page, person) for page, person in fact.pages if page not in state.matters]
    after = state
    for page, person in new:
        after = after.with_matter(Matter(page, person, "page", ladder=fact.ladder))
    return plan.plan(after, "page", [(person, page) for page, person in new], expires=fact.expires)


def _acknowledged(state: CaseState, fact: LadderAcknowledged) -> CaseState:
    """The others' pages are covered. Whoever took it before can still say that they have spoken."""
    took = {
        reply.subject
        for reply in state.replies.values()
        if reply.verb == "acknowledge" and reply.outcome in {None, "acknowledged"}
    }
    after = state
    for page in state.matters.values():
        others = page.kind == "page" and page.ladder == fact.ladder and page.person != fact.person
        if others and page.matter_id not in took:
            after = moved(after, page.matter_id, "covered")
    return after


def _ladder_ended(state: CaseState, fact: LadderEnded) -> CaseState:
    after = state
    for page in state.matters.values():
        # Also how to reach the requester: nobody is to read it after the end.
        if page.ladder == fact.ladder:
            after = moved(after, page.matter_id, "ended")
    return after
