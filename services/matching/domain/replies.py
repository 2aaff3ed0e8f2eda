"""What a peer's answer comes to. Every reply is settled, whatever it is about: somebody looks at a page that waits.

An answer to an offer counts if it was received before the time-out and nobody is assigned, by the region's time as
notify stamped it; whether the time-out has been acted on meanwhile does not matter.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from services.matching.domain.case import (
    Assigned,
    Assignment,
    Case,
    Ended,
    HeardOf,
    InContact,
    Offer,
    OfferState,
    Open,
    Stage,
    State,
)
from services.matching.domain.effects import NOTHING_AFTER, After, Effects, assignment_over, cap, rescinded
from services.matching.domain.eligibility import eligible
from services.matching.domain.ranking import is_crisis
from services.matching.domain.search import begun, looked, patience
from services.matching.domain.world import World
from shared.events.intake import Ask
from shared.events.matching import ContactConfirmed, OfferDeclined, PeerAssigned, ReplySettled
from shared.events.notify import ReplyReceived

Outcome = Literal["accepted", "declined", "covered", "too_late", "noted", "ended"]

REVIEW = timedelta(days=30)
"""A support in contact shows up so often for a look; it may well go on (Rutgers peer lines: 43 % a year or more)."""


def replied(state: State, reply: ReplyReceived, world: World, effects: Effects) -> State:
    """Settle one reply. An unknown subject, or one that was another person's, is `ended`."""
    if isinstance(state, HeardOf | Ended):
        return _settled(state, reply, "ended", effects)
    assignment = assignment_of(state)
    if assignment and reply.subject == assignment.assignment_id and reply.person == assignment.person:
        return _about_assignment(state, assignment, reply, world, effects)
    offer = state.case.offer(reply.subject)
    if offer is None or offer.person != reply.person:
        return _settled(state, reply, "ended", effects)
    _paused(state, offer, reply, world, effects)
    match reply.verb:
        case "accept":
            return _accepted(state, offer, reply, world, effects)
        case "decline" | "not_now":
            return _declined(state, offer, reply, world, effects)
        case "step_back" if assignment and assignment.offer_id == offer.offer_id:
            # The page of the offer is all that a peer has until the requester has said OK.
            return _stepped_back(state, assignment, reply, world, effects)
        case "contacted" | "step_back" | "close":
            return _settled(state, reply, "ended", effects)


def assignment_of(state: Open) -> Assignment | None:
    """Who has this case now, late or not."""
    return state.assignment if isinstance(state, Assigned | InContact) else None


def late_of(state: Open) -> Assignment | None:
    """The assignment beside which others are asked, because its first contact is late."""
    assignment = assignment_of(state)
    return assignment if assignment and assignment.stage is Stage.OVERDUE else None


def needs_release(ask: Ask) -> bool:
    """Whether the requester says OK before the peer may know how to reach them; in an emergency never."""
    return ask.release == "ask_me" and not is_crisis(ask)


def _settled(state: State, reply: ReplyReceived, outcome: Outcome, effects: Effects) -> State:
    effects.tell(ReplySettled(reply=reply.reply, outcome=outcome))
    return state


def _accepted(state: Open, offer: Offer, reply: ReplyReceived, world: World, effects: Effects) -> State:
    refusal = _why_not(state, offer, reply, world)
    if refusal is not None:
        return _settled(state, reply, refusal, effects)
    case = state.case
    peer = world.peer(case.agency_id, offer.person)
    today = world.calendar.today(peer.day_zone) if peer else None
    if peer is None or today is None or not eligible(peer, case.ask, today, case.out_for_good()):
        return _no_longer_eligible(state, offer, reply, world, effects)
    effects.tell(ReplySettled(reply=reply.reply, outcome="accepted"))
    if offer.state is OfferState.EXPIRED:
        effects.reserve(offer, case.ask)
    late = late_of(state)
    if late:
        case = assignment_over(case, late, "lapsed", effects).keeping_out(late.person)
    return _assigned(case, offer, world, effects)


def _why_not(state: Open, offer: Offer, reply: ReplyReceived, world: World) -> Outcome | None:
    """Why an acceptance does not count, or counts already."""
    assignment = assignment_of(state)
    if assignment and assignment.offer_id == offer.offer_id:
        return "accepted"
    if assignment and not late_of(state):
        return "covered"
    if offer.state not in {OfferState.PENDING, OfferState.EXPIRED}:
        return "ended"
    if reply.received_at > offer.expires:
        return "too_late"
    limit = cap(state.case.ask, crisis=offer.crisis)
    holds = offer.state is OfferState.PENDING or state.case.ask.practice
    full = not holds and not world.ledger.free(offer.carrier, limit, crisis=offer.crisis)
    return "too_late" if full else None


def _no_longer_eligible(state: Open, offer: Offer, reply: ReplyReceived, world: World, effects: Effects) -> State:
    """Between offer and acceptance the peer has ceased to be one who may be asked."""
    effects.tell(ReplySettled(reply=reply.reply, outcome="ended"))
    case = state.case
    if offer.state is OfferState.PENDING:
        case = rescinded(case, (offer,), "ended", effects)
    return looked(case, world, effects, beside=late_of(state))


def _assigned(case: Case, offer: Offer, world: World, effects: Effects) -> Open:
    policy = case.ask.policy
    released = not needs_release(case.ask)
    until_released = timedelta(0) if released else timedelta(seconds=policy.choose_within_s)
    contact_by = world.now + until_released + timedelta(seconds=policy.contact_within_s)
    assignment = Assignment(
        world.new_id(), offer.offer_id, offer.person, contact_by, released, offer.crisis, bearer=offer.bearer
    )
    effects.tell(
        PeerAssigned(
            assignment=assignment.assignment_id, offer=offer.offer_id, person=offer.person, contact_by=contact_by
        )
    )
    effects.alarm_contact(assignment, contact_by)
    effects.acts.append("peer assigned")
    case = case.noted(offer.now(OfferState.ACCEPTED))
    case = rescinded(case, case.pending, "covered", effects)
    return Assigned(replace(case, hungry=False, turn=case.turn + 1), assignment, contact_by)


def _declined(state: Open, offer: Offer, reply: ReplyReceived, world: World, effects: Effects) -> State:
    """No for good, or not now: then he may be asked again later, when nobody else was found."""
    assignment = assignment_of(state)
    if assignment and assignment.offer_id == offer.offer_id:
        # Whoever says no after having said yes does not have the case any more.
        return _stepped_back(state, assignment, reply, world, effects)
    if offer.state is OfferState.DECLINED:
        return _settled(state, reply, "declined", effects)
    if offer.state is not OfferState.PENDING:
        return _settled(state, reply, "covered" if assignment else "too_late", effects)
    effects.tell(OfferDeclined(offer=offer.offer_id, person=offer.person))
    effects.tell(ReplySettled(reply=reply.reply, outcome="declined"))
    effects.free(offer, state.case.ask)
    again = world.now + _left_alone(state, reply) if reply.verb == "not_now" else None
    case = state.case.noted(offer.now(OfferState.DECLINED)).keeping_out(
        offer.person, again, promised=reply.again_in_s is not None
    )
    return looked(case, world, effects, beside=late_of(state))


def _left_alone(state: Open, reply: ReplyReceived) -> timedelta:
    """For how long who says "not now" is not asked this again: what they have said, or as long as the silent."""
    return timedelta(seconds=reply.again_in_s) if reply.again_in_s else patience(state.case.ask)


def _paused(state: Open, held: Offer | Assignment, reply: ReplyReceived, world: World, effects: Effects) -> None:
    if reply.pause_s:
        effects.pause(held, state.case.ask, next_hour(world.now + timedelta(seconds=reply.pause_s)))


def _about_assignment(
    state: Open, assignment: Assignment, reply: ReplyReceived, world: World, effects: Effects
) -> State:
    if reply.pause_s:
        # They go on with this one.
        _paused(state, assignment, reply, world, effects)
        return _settled(state, reply, "noted", effects)
    match reply.verb:
        case "contacted":
            return _contacted(state, assignment, reply, world, effects)
        case "step_back" | "decline" | "not_now":
            return _stepped_back(state, assignment, reply, world, effects)
        case "close":
            return _closed(state, reply, world, effects)
        case "accept":
            return _settled(state, reply, "accepted", effects)


def _contacted(state: Open, assignment: Assignment, reply: ReplyReceived, world: World, effects: Effects) -> State:
    effects.tell(ReplySettled(reply=reply.reply, outcome="noted"))
    if assignment.stage is Stage.IN_CONTACT:
        return state
    effects.tell(ContactConfirmed(assignment=assignment.assignment_id, person=assignment.person))
    case = rescinded(state.case, state.case.pending, "covered", effects)
    reached = replace(assignment, stage=Stage.IN_CONTACT, version=assignment.version + 1)
    effects.alarm_contact(reached, world.now + REVIEW)
    return InContact(replace(case, hungry=False, turn=case.turn + 1), reached, world.now + REVIEW)


def _stepped_back(state: Open, assignment: Assignment, reply: ReplyReceived, world: World, effects: Effects) -> State:
    """No cause is asked; somebody else is looked for. What is out beside a late contact stays out."""
    effects.tell(ReplySettled(reply=reply.reply, outcome="noted"))
    case = assignment_over(state.case, assignment, "stepped_back", effects, after=after(assignment, state, world))
    return begun(case.keeping_out(assignment.person), world, effects)


def _closed(state: Open, reply: ReplyReceived, world: World, effects: Effects) -> State:
    effects.tell(ReplySettled(reply=reply.reply, outcome="noted"))
    ended(state, "closed", world, effects)
    return Ended(by_peer=True)


def ended(state: Open, how: Literal["closed", "withdrawn"], world: World, effects: Effects) -> Ended:
    """Whatever is open ends."""
    assignment = assignment_of(state)
    case = rescinded(state.case, state.case.pending, "ended", effects)
    if assignment:
        assignment_over(case, assignment, how, effects, after=after(assignment, state, world))
    return Ended()


def after(assignment: Assignment, state: Open, world: World) -> After:
    """What follows for one who has really been in an emergency: a rest, and a word a day later.

    Both times are kept longer than the case: to the second they would tell when that ended, and so which one it was.
    They are full hours, and the word comes at one of six, whichever.
    """
    policy = state.case.ask.policy
    if state.case.ask.practice:
        return NOTHING_AFTER
    if not (assignment.crisis or is_crisis(state.case.ask)) or assignment.stage is not Stage.IN_CONTACT:
        return NOTHING_AFTER
    resting = assignment.crisis and policy.crisis_cooldown_s
    within = timedelta(seconds=policy.check_in_s, hours=world.new_id().int % 6)
    return After(
        next_hour(world.now + timedelta(seconds=policy.crisis_cooldown_s)) if resting else None,
        next_hour(world.now + within) if policy.check_in_s else None,
    )


def next_hour(moment: datetime) -> datetime:
    """The moment itself where it is a full hour, or the next full hour."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + timedelta(hours=1)
