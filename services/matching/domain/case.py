"""A case as matching sees it: what was asked, who was offered it, who has accepted, and what comes next when.

Every open state has an owner and a due time, and a timer that comes then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from shared.events.intake import Ask
from shared.types import AgencyId, CaseId, PersonId

EXPIRY_GRACE = timedelta(seconds=30)
"""An offer's time-out is acted on so long after it, so that an answer given in time can still arrive."""


class OfferState(StrEnum):
    """`ended` was accepted once, and that assignment is over."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    RESCINDED = "rescinded"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Offer:
    """One peer asked once. `crisis` says which of the peer's loads it counts in."""

    offer_id: UUID
    person: PersonId
    expires: datetime
    crisis: bool
    factors: dict[str, float] = field(default_factory=dict)
    state: OfferState = OfferState.PENDING
    version: int = 0
    bearer: PersonId | None = None

    @property
    def carrier(self) -> PersonId:
        """As of a peer."""
        return self.bearer or self.person

    def now(self, state: OfferState) -> Offer:
        """The same offer in another state."""
        return replace(self, state=state, version=self.version + 1)


class Stage(StrEnum):
    """How far an assignment is: a first contact awaited, late, or made."""

    WAITING = "waiting"
    OVERDUE = "overdue"
    IN_CONTACT = "in_contact"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A peer has accepted. `released`: may know how to reach the requester. `version` fences its timers."""

    assignment_id: UUID
    offer_id: UUID
    person: PersonId
    contact_by: datetime
    released: bool
    crisis: bool
    stage: Stage = Stage.WAITING
    version: int = 0
    bearer: PersonId | None = None

    @property
    def carrier(self) -> PersonId:
        """As of a peer."""
        return self.bearer or self.person


@dataclass(frozen=True, slots=True)
class Case:
    """What all open states have.

    `chooses`: the requester picks from a shortlist. `hungry`: it would take more people than were found. `turn` fences
    its timers. `since`: when the present round of searching began. `kept_out`: who is not asked, and until when.
    `waits_for`: whom the requester would rather wait for than have somebody else asked, and until when at the latest.
    `promised`: who of those kept out for a while has said "ask me again then", and is not merely silent.
    """

    case_id: CaseId
    agency_id: AgencyId
    ask: Ask
    chooses: bool
    since: datetime
    turn: int = 0
    hungry: bool = False
    offers: tuple[Offer, ...] = ()
    kept_out: dict[PersonId, datetime | None] = field(default_factory=dict)
    waits_for: PersonId | None = None
    waits_until: datetime | None = None
    promised: frozenset[PersonId] = frozenset()

    @property
    def pending(self) -> tuple[Offer, ...]:
        """Offers that wait for an answer."""
        return tuple(offer for offer in self.offers if offer.state is OfferState.PENDING)

    def offer(self, offer_id: UUID) -> Offer | None:
        """The offer with this id, if it is one of this case's."""
        return next((offer for offer in self.offers if offer.offer_id == offer_id), None)

    def noted(self, offer: Offer) -> Case:
        """The same with one offer as it is now."""
        return replace(self, offers=tuple(offer if old.offer_id == offer.offer_id else old for old in self.offers))

    def keeping_out(self, person: PersonId, until: datetime | None = None, *, promised: bool = False) -> Case:
        """The same without this person, until a time or (None) for good; for good is never shortened."""
        if person in self.kept_out and self.kept_out[person] is None:
            return self
        promises = self.promised | {person} if promised else self.promised - {person}
        return replace(self, kept_out={**self.kept_out, person: until}, promised=promises)

    def out(self, now: datetime) -> frozenset[PersonId]:
        """Who is not asked now."""
        return frozenset(one for one, until in self.kept_out.items() if until is None or until > now)

    def out_for_good(self) -> frozenset[PersonId]:
        """Who is never asked again for this case."""
        return frozenset(one for one, until in self.kept_out.items() if until is None)


@dataclass(frozen=True, slots=True)
class HeardOf:
    """Nothing is known here yet but the case's id, and who is kept out of it; then it is kept, until `until` at least.

    An emergency begins on another topic than the one on which its bars grow, so those may be heard of first.
    """

    kept_out: frozenset[PersonId] = frozenset()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Searching:
    """Offers are out, or everybody's hours begin at `until`."""

    case: Case
    until: datetime


@dataclass(frozen=True, slots=True)
class Choosing:
    """The requester has a shortlist; at `until` it is made afresh."""

    case: Case
    until: datetime


@dataclass(frozen=True, slots=True)
class Unserved:
    """Nobody suitable is left to ask; the search goes on at `until`, or when somebody new appears."""

    case: Case
    until: datetime


@dataclass(frozen=True, slots=True)
class Assigned:
    """A peer has accepted. `until` is when contact is due; once that is late, when the search beside it goes on."""

    case: Case
    assignment: Assignment
    until: datetime


@dataclass(frozen=True, slots=True)
class InContact:
    """Peer and requester have spoken; at `until` the case shows up for a look."""

    case: Case
    assignment: Assignment
    until: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """Every row but the anchor is gone. `by_peer`: a peer has closed it, and the case may ask for one again."""

    by_peer: bool = False


BY_PEER = "ended_by_peer"
Open = Searching | Choosing | Unserved | Assigned | InContact
State = HeardOf | Open | Ended


@dataclass(frozen=True, slots=True)
class Stands:
    """The state's name, and who owns it until when; both None when it is terminal."""

    name: str
    owner: str | None = None
    due_at: datetime | None = None


def stands(state: State) -> Stands:
    """Where a case stands in matching."""
    match state:
        case HeardOf(until=None):
            raise ValueError("a case that was only heard of is never saved")
        case HeardOf():
            return Stands("barred", "operator", state.until)
        case Searching():
            return Stands("searching", "matching", state.until)
        case Choosing():
            return Stands("choosing", "requester", state.until)
        case Unserved():
            return Stands("unserved", "coordinator", state.until)
        case Assigned(assignment=Assignment(stage=Stage.OVERDUE)):
            return Stands("assigned", "matching", state.until)
        case Assigned(assignment=Assignment(released=False)):
            return Stands("assigned", "requester", state.until)
        case Assigned():
            return Stands("assigned", "peer", state.until)
        case InContact():
            return Stands("in_contact", "peer", state.until)
        case Ended(by_peer):
            return Stands(BY_PEER if by_peer else "ended")
        case _:
            assert_never(state)
