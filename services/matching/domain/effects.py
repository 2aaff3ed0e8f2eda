"""What deciding comes to, gathered while it is being worked out: facts to tell, alarms to set, loads to move."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from services.matching.domain.case import EXPIRY_GRACE, Assignment, Case, Offer, OfferState
from services.matching.domain.loads import Move
from shared.events import Fact
from shared.events.intake import Ask
from shared.events.matching import AssignmentEnded, OfferRescinded
from shared.types import PersonId

Alarmed = Literal["offer", "contact", "look"]
"""An offer's time is up; an assignment's is; the search is to look again."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Come back at `at` about this subject as it is in this version. `crisis`: on the lane that never waits."""

    of: Alarmed
    subject: UUID
    version: int
    at: datetime
    crisis: bool


class After(NamedTuple):
    """What a support leaves with the peer when it is over: a rest, and a word to see how they are."""

    rest_until: datetime | None = None
    check_in_at: datetime | None = None


NOTHING_AFTER = After()


class CheckIn(NamedTuple):
    """Ask this person then how they are."""

    person: PersonId
    at: datetime


@dataclass(slots=True)
class Effects:
    """Filled in by one decision, then read once."""

    facts: list[Fact] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    check_ins: list[CheckIn] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    room_at: datetime | None = None
    """When somebody who suits, and cannot be asked now, can be: then all who wait there are looked at, in order."""

    def tell(self, fact: Fact) -> None:
        """Publish a fact, in this order."""
        self.facts.append(fact)

    def alarm_offer(self, offer: Offer) -> None:
        """Thirty seconds after the offer's time-out."""
        self.alarms.append(Alarm("offer", offer.offer_id, 0, offer.expires + EXPIRY_GRACE, offer.crisis))

    def alarm_contact(self, assignment: Assignment, at: datetime) -> None:
        """When a first contact is due, or a look at a long support."""
        self.alarms.append(Alarm("contact", assignment.assignment_id, assignment.version, at, assignment.crisis))

    def alarm_look(self, case: Case, at: datetime, *, crisis: bool) -> None:
        """When the search goes on by itself."""
        self.alarms.append(Alarm("look", case.case_id, case.turn, at, crisis))

    def reserve(self, offer: Offer, ask: Ask) -> None:
        """A pending offer counts as load; not in practice, which never stands in the way of somebody who needs help."""
        if not ask.practice:
            self.moves.append(Move(offer.carrier, offer.crisis, 1, cap(ask, crisis=offer.crisis)))

    def free(self, held: Offer | Assignment, ask: Ask, *, rest_until: datetime | None = None) -> None:
        """The load of an offer or an assignment that is over."""
        if ask.practice:
            return
        self.moves.append(Move(held.carrier, held.crisis, -1, cap(ask, crisis=held.crisis), rest_until))

    def pause(self, held: Offer | Assignment, ask: Ask, until: datetime) -> None:
        """Whoever holds this is asked nothing new until then; said in practice, that is practised too."""
        if ask.practice:
            return
        self.moves.append(Move(held.carrier, crisis=False, by=0, cap=cap(ask, crisis=False), paused_until=until))


def cap(ask: Ask, *, crisis: bool) -> int:
    """How many cases of a kind a peer may carry, by the policy stamped on the case."""
    return ask.policy.crisis_cases_per_peer if crisis else ask.policy.open_cases_per_peer


def rescinded(case: Case, offers: tuple[Offer, ...], why: Literal["covered", "ended"], effects: Effects) -> Case:
    """These pending offers no longer stand."""
    for offer in offers:
        effects.tell(OfferRescinded(offer=offer.offer_id, person=offer.person, why=why))
        effects.free(offer, case.ask)
        case = case.noted(offer.now(OfferState.RESCINDED))
    return case


def assignment_over(
    case: Case,
    assignment: Assignment,
    how: Literal["closed", "stepped_back", "replaced", "withdrawn", "lapsed"],
    effects: Effects,
    *,
    after: After = NOTHING_AFTER,
) -> Case:
    """This support has ended: told, its load freed, its offer no longer accepted."""
    effects.tell(AssignmentEnded(assignment=assignment.assignment_id, person=assignment.person, how=how))
    effects.free(assignment, case.ask, rest_until=after.rest_until)
    if after.check_in_at is not None:
        effects.check_ins.append(CheckIn(assignment.person, after.check_in_at))
    effects.acts.append("support ended")
    offer = case.offer(assignment.offer_id)
    return case.noted(offer.now(OfferState.ENDED)) if offer else case
