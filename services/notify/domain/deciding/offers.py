"""Offers, assignments and the release of a requester's contact."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from services.notify.domain import intents
from services.notify.domain.case import CaseState, Step
from services.notify.domain.deciding import consults, pages
from services.notify.domain.deciding.planning import Planner, moved
from services.notify.domain.matters import Matter
from services.notify.domain.waits import PRESSING, Thing
from shared.events.intake import ContactReleased, ContactReleasedInCrisis
from shared.events.matching import (
    AssignmentEnded,
    NobodyFound,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferRescinded,
    PeerAssigned,
    ReplySettled,
)

Heard = (
    OfferMade
    | OfferDeclined
    | OfferExpired
    | OfferRescinded
    | ReplySettled
    | PeerAssigned
    | AssignmentEnded
    | NobodyFound
)

KEPT_EARLIER = 20
"""So many earlier ways to reach a requester are kept, so that no question for advice names them."""


def heard(plan: Planner, state: CaseState, fact: Heard) -> Step:
    """What matching says."""
    match fact:
        case OfferMade():
            return _offer(plan, state, fact)
        case OfferDeclined():
            return Step(moved(state, fact.offer, "declined"))
        case OfferExpired():
            return Step(moved(state, fact.offer, "expired"))
        case OfferRescinded():
            return Step(_rescinded(plan, state, fact))
        case PeerAssigned():
            return Step(_assigned(state, fact))
        case AssignmentEnded():
            return Step(_assignment_ended(plan, state, fact))
        case NobodyFound():
            thing = Thing("nobody_found", state.case_id, urgent=fact.urgency in PRESSING)
            return plan.count(state, thing, fact.recipients, until=fact.next_try)
        case ReplySettled():
            return Step(state.with_outcome(fact.reply, fact.outcome))
        case _:
            assert_never(fact)


def _offer(plan: Planner, state: CaseState, fact: OfferMade) -> Step:
    if fact.offer in state.matters:
        return Step(state)
    offer = Matter(
        fact.offer,
        fact.person,
        "offer",
        expires_at=fact.expires,
        urgency=fact.urgency,
        manner=fact.manner,
        practice=fact.practice,
    )
    template: intents.Template = "practice_offer" if fact.practice else "offer"
    return plan.plan(state.with_matter(offer), template, [(fact.person, fact.offer)], expires=fact.expires)


def _rescinded(plan: Planner, state: CaseState, fact: OfferRescinded) -> CaseState:
    after = moved(state, fact.offer, "covered" if fact.why == "covered" else "ended")
    if after is state or fact.why == "covered":
        return after
    return plan.told_over(after, [state.matters[fact.offer]])


def _assigned(state: CaseState, fact: PeerAssigned) -> CaseState:
    after = moved(state, fact.offer, "accepted")
    if fact.assignment in after.matters:
        return after
    return after.with_matter(Matter(fact.assignment, fact.person, "assignment", practice=after.is_practice))


def released(plan: Planner, state: CaseState, fact: ContactReleased) -> Step:
    """The peer may see how to reach the requester."""
    if state.pages(fact.assignment):
        # As it was said of a ladder before emergencies had a fact of their own for it.
        seat = ContactReleasedInCrisis(
            ladder=fact.assignment, recipient=fact.recipient, sealed=fact.sealed, about=fact.about
        )
        return pages.released(plan, state, seat)
    known = state.matters.get(fact.assignment) or Matter(fact.assignment, fact.recipient, "assignment")
    if known.state != "open" or known.person != fact.recipient or fact.recipient in state.barred:
        return Step(state)
    before = () if known.sealed is None or known.sealed == fact.sealed else (known.sealed,)
    after = state.with_matter(
        replace(
            known,
            sealed=fact.sealed,
            earlier=(*known.earlier, *before)[-KEPT_EARLIER:],
            released=True,
            about=fact.about,
            advisers=fact.advisers,
            clinical=fact.clinical,
        )
    )
    if known.released:
        return Step(after)
    expires = plan.now + intents.DETAILS_WITHIN
    template: intents.Template = "practice_details" if after.is_practice else "details"
    return plan.plan(after, template, [(fact.recipient, fact.assignment)], expires=expires)


def _assignment_ended(plan: Planner, state: CaseState, fact: AssignmentEnded) -> CaseState:
    known = state.matters.get(fact.assignment)
    if known is None:
        # Remembered: the release of its contact travels on another topic and may come later.
        return state.with_matter(Matter(fact.assignment, fact.person, "assignment", state="ended"))
    after = moved(state, fact.assignment, "ended")
    accepted = {m.matter_id for m in state.matters.values() if m.person == fact.person and m.state == "accepted"}
    about = {fact.assignment, *accepted}
    own = {r.verb for r in state.replies.values() if r.subject in about} & {"step_back", "close"}
    if after is not state and not own and fact.how in {"replaced", "lapsed", "withdrawn", "closed"}:
        after = plan.told_over(after, [known])
    after = consults.asker_gone(plan, after, fact.assignment)
    offers = [m for m in after.matters.values() if m.kind == "offer" and m.person == fact.person]
    taken = {m.matter_id: replace(m, state="ended") for m in offers if m.state == "accepted"}
    return replace(after, matters={**after.matters, **taken})
