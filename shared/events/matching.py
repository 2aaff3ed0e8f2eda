"""Who was asked, who accepted, that nobody did. matching alone writes this topic; the key is always the case."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, FiniteFloat

from shared.events.envelope import MATCHING, Fact, Topic, Value
from shared.events.intake import Manner
from shared.types import PersonId, Urgency


class Candidate(Value):
    """One peer of a shortlist, best first, with each factor's share of the score."""

    person: PersonId
    available: bool
    factors: dict[str, FiniteFloat]
    there_from: AwareDatetime | None = None
    """When somebody who is not there now is there again, as far as it is known."""


class SearchStarted(Fact):
    """Peers are being looked for; something is heard of it again by `due`."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.search_started.v1"] = "matching.search_started.v1"
    due: AwareDatetime


class ShortlistReady(Fact):
    """Three to five suitable peers stand to choose from, best first. Nobody has been asked yet."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.shortlist_ready.v1"] = "matching.shortlist_ready.v1"
    candidates: tuple[Candidate, ...]
    due: AwareDatetime


class OfferMade(Fact):
    """A peer is being asked. The answer counts until `expires`."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.offer_made.v1"] = "matching.offer_made.v1"
    offer: UUID
    person: PersonId
    urgency: Urgency
    manner: Manner
    expires: AwareDatetime
    factors: dict[str, FiniteFloat] = Field(default_factory=dict)
    practice: bool = False


class OfferDeclined(Fact):
    """The peer has said no, or not now; no reason is asked."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.offer_declined.v1"] = "matching.offer_declined.v1"
    offer: UUID
    person: PersonId


class OfferExpired(Fact):
    """No answer came in time."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.offer_expired.v1"] = "matching.offer_expired.v1"
    offer: UUID
    person: PersonId


class OfferRescinded(Fact):
    """The offer no longer stands: somebody else accepted, or the request ended."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.offer_rescinded.v1"] = "matching.offer_rescinded.v1"
    offer: UUID
    person: PersonId
    why: Literal["covered", "ended", "ineligible"]


class ReplySettled(Fact):
    """What came of a reply that notify took: the page stops saying "one moment"."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.reply_settled.v1"] = "matching.reply_settled.v1"
    reply: UUID
    outcome: Literal["accepted", "declined", "covered", "too_late", "noted", "ended"]


class PeerAssigned(Fact):
    """A peer has accepted: at most one per case stands at any time."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.peer_assigned.v1"] = "matching.peer_assigned.v1"
    assignment: UUID
    offer: UUID
    person: PersonId
    contact_by: AwareDatetime


class ContactConfirmed(Fact):
    """Peer and requester have spoken, as the peer reports it."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.contact_confirmed.v1"] = "matching.contact_confirmed.v1"
    assignment: UUID
    person: PersonId


class ContactOverdue(Fact):
    """The peer accepted and was then silent past the time for a first contact."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.contact_overdue.v1"] = "matching.contact_overdue.v1"
    assignment: UUID
    person: PersonId


class AssignmentEnded(Fact):
    """A support has ended. `how` is not a cause: a peer may step back for any reason and none is kept."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.assignment_ended.v1"] = "matching.assignment_ended.v1"
    assignment: UUID
    person: PersonId
    how: Literal["closed", "stepped_back", "replaced", "withdrawn", "lapsed"]


class NobodyFound(Fact):
    """Nobody suitable is left to ask. `recipients`, none barred, hear a count; the search goes on at `next_try`."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.nobody_found.v1"] = "matching.nobody_found.v1"
    recipients: tuple[PersonId, ...]
    next_try: AwareDatetime
    urgency: Urgency


class CheckInDue(Fact):
    """Some time ago something hard has ended for these people; each is asked how they are. Key: the agency.

    Nothing here leads to a case: not which, nor to the hour when.
    """

    TOPIC: ClassVar[Topic] = MATCHING
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["matching.check_in_due.v1"] = "matching.check_in_due.v1"
    people: tuple[PersonId, ...]


MatchingFact = (
    SearchStarted
    | ShortlistReady
    | OfferMade
    | OfferDeclined
    | OfferExpired
    | OfferRescinded
    | ReplySettled
    | PeerAssigned
    | ContactConfirmed
    | ContactOverdue
    | AssignmentEnded
    | NobodyFound
    | CheckInDue
)
