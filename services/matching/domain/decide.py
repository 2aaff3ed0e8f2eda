"""What happens to a case when something is heard of it: one pure function over every kind of input and state.

Inputs may come in any order across topics, late, twice, or for a case that is over: what no longer applies changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from services.matching.domain.case import (
    Assigned,
    Assignment,
    Case,
    Choosing,
    Ended,
    HeardOf,
    InContact,
    OfferState,
    Open,
    Searching,
    Stage,
    State,
    Unserved,
)
from services.matching.domain.effects import Alarmed, Effects, assignment_over, rescinded
from services.matching.domain.ranking import is_crisis
from services.matching.domain.replies import REVIEW, after, assignment_of, ended, late_of, needs_release, replied
from services.matching.domain.search import AGAIN, begun, chosen, looked, patience
from services.matching.domain.world import World
from shared.events.intake import (
    AnotherPeerAsked,
    Ask,
    BarsChanged,
    CaseClosed,
    CaseClosing,
    CaseWithdrawn,
    ContactReleased,
    CrisisRaised,
    PeerChosen,
    RequestSubmitted,
)
from shared.events.matching import ContactOverdue, NobodyFound, OfferExpired, OfferMade, ShortlistReady
from shared.events.notify import IntentSettled, ReplyReceived
from shared.types import AgencyId, CaseId, PersonId


@dataclass(frozen=True, slots=True)
class TimeIsUp:
    """An alarm that was set for a subject in a version."""

    of: Alarmed
    subject: UUID
    version: int


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Somebody new may be there to ask: the directory, a verification or somebody's load has changed."""


@dataclass(frozen=True, slots=True)
class PeerMoved:
    """This person is something else to the agency now: coordinator, clinician, member.

    Whoever is only gone from the list keeps what they have: a spreadsheet with a row too few must tear nobody apart.
    """

    person: PersonId


REMINDED = 2
"""So often the time for the requester's OK begins anew: with a word on their page, then a count to coordinators."""
BEGINS_WITHIN = timedelta(days=1)
"""Whose bars were heard of before the case itself: by then somebody should look why it has not begun."""

Later = PeerChosen | AnotherPeerAsked | ContactReleased | IntentSettled | TimeIsUp | LookAgain | PeerMoved
"""What means something only to a case that is open here."""

Heard = RequestSubmitted | CrisisRaised | BarsChanged | CaseClosing | CaseWithdrawn | CaseClosed | ReplyReceived | Later


@dataclass(frozen=True, slots=True)
class Subject:
    """Which case, of which agency."""

    case_id: CaseId
    agency_id: AgencyId


def decide(state: State, what: Heard, subject: Subject, world: World) -> tuple[State, Effects]:
    """The next state, and everything that has to be told, timed and counted for it."""
    effects = Effects()
    match what:
        case RequestSubmitted():
            return _requested(state, what.ask, subject, world, effects), effects
        case CrisisRaised():
            return _crisis(state, what.ask, subject, world, effects), effects
        case BarsChanged():
            return _barred(state, what, world, effects), effects
        case CaseClosing():
            return _over(state, "closed", world, effects), effects
        case CaseWithdrawn():
            return _over(state, "withdrawn", world, effects), effects
        case CaseClosed():
            return _purged(state, world)
        case ReplyReceived():
            return replied(state, what, world, effects), effects
        case _:
            if isinstance(state, HeardOf | Ended):
                return state, effects
            return _of_open(state, what, world, effects)


def _of_open(state: Open, what: Later, world: World, effects: Effects) -> tuple[State, Effects]:
    match what:
        case PeerChosen():
            return _picked(state, what, world, effects), effects
        case AnotherPeerAsked():
            return _refused(state, what, world, effects), effects
        case ContactReleased():
            return _released(state, what, world, effects), effects
        case IntentSettled():
            return _unsent(state, what, world, effects), effects
        case TimeIsUp():
            return _time_is_up(state, what, world, effects), effects
        case LookAgain():
            return _again(state, world)
        case PeerMoved():
            return _without(state, frozenset({what.person}), world, effects), effects
        case _:
            assert_never(what)


def _requested(state: State, ask: Ask, subject: Subject, world: World, effects: Effects) -> State:
    """A search begins; also where an earlier peer has closed, and the case goes on with a clinician alone."""
    if not isinstance(state, HeardOf) and state != Ended(by_peer=True):
        return state
    chooses = ask.choose == "shortlist" and not is_crisis(ask)
    out: dict[PersonId, datetime | None] = dict.fromkeys(state.kept_out if isinstance(state, HeardOf) else ())
    case = Case(subject.case_id, subject.agency_id, ask, chooses, world.now, kept_out=out)
    return begun(case, world, effects)


def _crisis(state: State, ask: Ask, subject: Subject, world: World, effects: Effects) -> State:
    """An emergency, from the start or grown out of a request; then more people are asked beside those who are."""
    match state:
        case HeardOf():
            return _requested(state, ask, subject, world, effects)
        case Ended():
            return state
        case InContact():
            return replace(state, case=_in_danger(state.case, ask))
        case Assigned(assignment=Assignment(stage=Stage.WAITING)):
            return _sooner(state, ask, world, effects)
        case Searching() | Choosing() | Unserved() | Assigned():
            if is_crisis(state.case.ask):
                return state
            barred = tuple(offer for offer in state.case.pending if offer.person in ask.bars)
            case = rescinded(state.case, barred, "ended", effects)
            fresh = not isinstance(state, Searching)
            return looked(_in_danger(case, ask), world, effects, beside=late_of(state), fresh=fresh)
        case _:
            assert_never(state)


def _sooner(state: Assigned, ask: Ask, world: World, effects: Effects) -> State:
    """The peer who has it keeps it, and has as long as an emergency allows."""
    if is_crisis(state.case.ask):
        return state
    by = min(state.assignment.contact_by, world.now + timedelta(seconds=ask.policy.contact_within_s))
    assignment = replace(state.assignment, contact_by=by, released=True, version=state.assignment.version + 1)
    effects.alarm_contact(replace(assignment, crisis=True), by)
    return Assigned(_in_danger(state.case, ask), assignment, by)


def _in_danger(case: Case, ask: Ask) -> Case:
    """Nobody chooses any more, and nobody in particular is waited for."""
    return replace(case, ask=ask, chooses=False, waits_for=None, waits_until=None)


def _picked(state: Open, what: PeerChosen, world: World, effects: Effects) -> State:
    """The requester has picked, or said "anyone"; only while nobody has the case, or the one who has it is silent."""
    if not state.case.chooses or (assignment_of(state) and not late_of(state)):
        return state
    if what.person is None:
        case = replace(state.case, chooses=False, waits_for=None, waits_until=None)
        return looked(case, world, effects, beside=late_of(state), fresh=not isinstance(state, Searching))
    if any(offer.person == what.person for offer in state.case.pending):
        return state
    case = rescinded(state.case, state.case.pending, "ended", effects)
    case = replace(case, waits_for=what.person if what.wait else None, waits_until=None)
    if what.wait:
        return looked(case, world, effects, beside=late_of(state))
    return chosen(case, what.person, world, effects, beside=late_of(state))


def _refused(state: Open, what: AnotherPeerAsked, world: World, effects: Effects) -> State:
    """Somebody else, please: the refused one never learns of it, and is not asked for this case again."""
    assignment = assignment_of(state)
    if assignment and assignment.person == what.refused:
        case = assignment_over(state.case, assignment, "replaced", effects, after=after(assignment, state, world))
        return begun(case.keeping_out(what.refused), world, effects)
    his = tuple(offer for offer in state.case.pending if offer.person == what.refused)
    case = rescinded(state.case, his, "ended", effects).keeping_out(what.refused)
    if his or isinstance(state, Choosing) or what.refused == case.waits_for:
        return looked(case, world, effects, beside=late_of(state))
    return replace(state, case=case)


def _barred(state: State, what: BarsChanged, world: World, effects: Effects) -> State:
    """These are not asked any more; whoever is asked or has the case is told that it is over, and nothing else."""
    match state:
        case Ended():
            return state
        case HeardOf():
            return HeardOf(state.kept_out | set(what.bars), state.until or world.now + BEGINS_WITHIN)
        case _:
            new = frozenset(what.bars) - {*state.case.ask.bars, *state.case.out_for_good()}
            return _without(state, new, world, effects) if new else state


def _without(state: Open, barred: frozenset[PersonId], world: World, effects: Effects) -> State:
    """The same without these people, whatever of it they have or were asked for."""
    theirs = tuple(offer for offer in state.case.pending if offer.person in barred)
    case = rescinded(state.case, theirs, "ended", effects)
    for person in sorted(barred):
        case = case.keeping_out(person)
    assignment = assignment_of(state)
    if assignment and assignment.person in barred:
        # As if the requester had asked for somebody else: to the peer there is no difference.
        case = assignment_over(case, assignment, "replaced", effects, after=after(assignment, state, world))
        return begun(case, world, effects)
    if theirs or isinstance(state, Choosing) or case.waits_for in barred:
        return looked(case, world, effects, beside=late_of(state))
    return replace(state, case=case)


def _released(state: Open, what: ContactReleased, world: World, effects: Effects) -> State:
    """The peer may now make contact: the time for it begins here when the requester was asked first."""
    if not isinstance(state, Assigned) or state.assignment.released:
        return state
    if what.assignment != state.assignment.assignment_id:
        return state
    by = world.now + timedelta(seconds=state.case.ask.policy.contact_within_s)
    assignment = replace(state.assignment, contact_by=by, released=True, version=state.assignment.version + 1)
    effects.alarm_contact(assignment, by)
    return Assigned(state.case, assignment, by)


def _unsent(state: Open, what: IntentSettled, world: World, effects: Effects) -> State:
    """The message about an offer could not be sent: nobody waits for an answer that cannot come."""
    return _silent(state, what.subject, world, effects) if what.outcome in {"failed", "expired"} else state


def _silent(state: Open, offer_id: UUID, world: World, effects: Effects) -> State:
    offer = state.case.offer(offer_id)
    if offer is None or offer.state is not OfferState.PENDING:
        return state
    effects.tell(OfferExpired(offer=offer.offer_id, person=offer.person))
    effects.free(offer, state.case.ask)
    case = state.case.noted(offer.now(OfferState.EXPIRED))
    case = case.keeping_out(offer.person, world.now + patience(case.ask))
    return looked(case, world, effects, beside=late_of(state))


def _time_is_up(state: Open, what: TimeIsUp, world: World, effects: Effects) -> State:
    match what.of:
        case "offer":
            return _silent(state, what.subject, world, effects)
        case "contact":
            return _contact_due(state, what, world, effects)
        case "look":
            if what.version != state.case.turn or isinstance(state, InContact):
                return state
            fresh = not isinstance(state, Searching)
            return looked(state.case, world, effects, beside=late_of(state), fresh=fresh)
        case _:
            assert_never(what.of)


def _contact_due(state: Open, what: TimeIsUp, world: World, effects: Effects) -> State:
    assignment = assignment_of(state)
    if assignment is None or (assignment.assignment_id, assignment.version) != (what.subject, what.version):
        return state
    later = replace(assignment, version=assignment.version + 1)
    if isinstance(state, InContact):
        effects.alarm_contact(later, world.now + REVIEW)
        return InContact(state.case, later, world.now + REVIEW)
    if needs_release(state.case.ask) and not assignment.released:
        # The requester has not said OK yet: the peer cannot be late. intake reminds the requester.
        policy = state.case.ask.policy
        if assignment.version >= REMINDED:
            return _let_go(state.case, assignment, world, effects)
        by = world.now + max(timedelta(seconds=policy.choose_within_s), AGAIN)
        effects.alarm_contact(later, by)
        return Assigned(state.case, replace(later, contact_by=by), by)
    late = replace(later, stage=Stage.OVERDUE)
    effects.tell(ContactOverdue(assignment=late.assignment_id, person=late.person))
    effects.acts.append("contact overdue")
    return looked(replace(state.case, since=world.now), world, effects, beside=late)


def _let_go(case: Case, assignment: Assignment, world: World, effects: Effects) -> State:
    """Nobody is held for a requester who stays silent; whoever comes back may choose, and be given the same peer."""
    case = assignment_over(case, assignment, "lapsed", effects)
    case = rescinded(case, case.pending, "ended", effects)
    return begun(replace(case, chooses=True), world, effects)


def _again(state: Open, world: World) -> tuple[State, Effects]:
    """Ask whoever is new, if anybody is; otherwise nothing has happened, and nobody hears it twice."""
    effects = Effects()
    if not state.case.hungry:
        return state, effects
    fresh = not isinstance(state, Searching)
    after = looked(state.case, world, effects, beside=late_of(state), fresh=fresh)
    kinds = {type(fact) for fact in effects.facts}
    if kinds & {OfferMade, ShortlistReady} and NobodyFound not in kinds:
        return after, effects
    return state, Effects(room_at=effects.room_at)


def _over(state: State, how: str, world: World, effects: Effects) -> State:
    """The requester has closed or withdrawn, before or after anything else was heard of the case."""
    if isinstance(state, HeardOf | Ended):
        return Ended()
    return ended(state, "closed" if how == "closed" else "withdrawn", world, effects)


def _purged(state: State, world: World) -> tuple[State, Effects]:
    """Nobody wants to hear of a closed case any more; only the loads that it held are freed."""
    told = Effects()
    after = _over(state, "closed", world, told)
    return after, Effects(moves=told.moves)
