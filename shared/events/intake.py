"""What agencies and requesters say. intake alone writes these topics.

Nothing here names a requester: reach and contact points are sealed, bars travel as opaque person ids, and only of
persons who could otherwise be offered or told.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import CONTACTS, DIRECTORY, INTAKE, INTAKE_CRISIS, Fact, Topic, Value
from shared.events.policy import Capabilities, Policy
from shared.types import OTHER_AGENCY, Help, PersonId, Relation, Role, Structure, Urgency

Token = Annotated[str, Field(pattern=r"^[a-z_]{1,32}(:[a-z0-9_-]{1,64})?$")]
"""An attribute as peers declare it and requesters wish for it, such as `language:es`, `gender:female`, `veteran`."""

Manner = Literal["call", "text", "mail", "they_reach_you"]

About = Literal["self", "someone_else"]
"""Whom it is about. Of somebody else nothing is kept: the caller is the one who is served."""

Adviser = Literal["clinician", "coordinator", "peer"]
"""Who may be asked for advice."""

ClinicalPath = Literal["none", "outside", "referral"]
"""What "they want a clinician" leads to: outside resources, those and an adviser's suggestions, or a referral."""


class Wishes(Value):
    """Stated by the requester, never inferred."""

    require: tuple[Token, ...] = ()
    prefer: tuple[Token, ...] = ()
    avoid: tuple[Token, ...] = ()

    @property
    def own_agency(self) -> bool:
        """Whether people of the requester's own agency may have a part in it at all."""
        return OTHER_AGENCY not in self.require


class Ask(Value):
    """What matching needs to know of a request, and no more."""

    relation: Relation
    urgency: Urgency
    help: tuple[Help, ...]
    topics: tuple[str, ...] = ()
    choose: Literal["anyone", "shortlist"]
    release: Literal["on_accept", "ask_me"]
    manner: Manner
    language: str
    wishes: Wishes = Wishes()
    bars: tuple[PersonId, ...] = ()
    policy: Policy
    about: About = "self"
    jurisdiction: str = ""
    wanted: tuple[PersonId, ...] = ()
    """Whom the requester has asked for by name: it counts for them, by the policy's weight."""
    practice: bool = False
    """A coordinator lets the team practise: nobody is waiting, and nothing of it is counted."""


class RequestSubmitted(Fact):
    """Somebody has asked for support; the search begins with this."""

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.request_submitted.v1"] = "intake.request_submitted.v1"
    ask: Ask


class CrisisRaised(Fact):
    """Somebody has asked in an emergency. Self-sufficient: whoever hears it first can act on it alone.

    `rungs` are the persons to page, first rung first, with everybody who is barred already taken out.
    """

    TOPIC: ClassVar[Topic] = INTAKE_CRISIS
    type: Literal["intake.crisis_raised.v1"] = "intake.crisis_raised.v1"
    ask: Ask
    jurisdiction: str
    rungs: tuple[tuple[PersonId, ...], ...]


class DirectAsked(Fact):
    """The requester wants a clinician without a peer in between; the request is its own consent.

    It may begin a case, in which no peer is looked for, or come to one that has a peer already.
    """

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.direct_asked.v1"] = "intake.direct_asked.v1"
    referral: UUID
    consent: UUID
    expires: AwareDatetime
    ask: Ask


class ConsentGiven(Fact):
    """The requester agrees that a clinician of the program may know how to reach them, for this referral."""

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.consent_given.v1"] = "intake.consent_given.v1"
    consent: UUID
    recipient: Literal["clinician"]
    purpose: Literal["referral"]
    referral: UUID
    expires: AwareDatetime


class ConsentWithdrawn(Fact):
    """The requester has refused, or takes the consent back: the referral ends, and nobody is asked why."""

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.consent_withdrawn.v1"] = "intake.consent_withdrawn.v1"
    recipient: Literal["clinician"]
    referral: UUID


class OutreachAsked(Fact):
    """Somebody who is worried asks that one neutral message be sent to the person they worry about; never a second.

    `sealed` is the mail address under the key of the outreach, field `outreach`. The key is destroyed when the message
    has been settled, or with the case: after that nothing opens the address, wherever a copy of it lies.
    """

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.outreach_asked.v1"] = "intake.outreach_asked.v1"
    outreach: UUID
    slug: str
    language: str
    sealed: bytes


class PeerChosen(Fact):
    """The requester has picked from the shortlist, or said "anyone" (`person` is None)."""

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.peer_chosen.v1"] = "intake.peer_chosen.v1"
    person: PersonId | None = None
    wait: bool = False
    """Whoever is not there now, or has no room, is waited for; the requester has been told how long."""


class AnotherPeerAsked(Fact):
    """The requester wants somebody else than `refused`, who never learns of it."""

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.another_peer_asked.v1"] = "intake.another_peer_asked.v1"
    refused: PersonId


class BarsChanged(Fact):
    """More people must not be asked: a directory now holds whom the requester has named. `bars` are all of them.

    Whoever is asked or assigned and stands in it stops being so, and never learns why.
    """

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.bars_changed.v1"] = "intake.bars_changed.v1"
    bars: tuple[PersonId, ...]


class ContactReleased(Fact):
    """The peer of this assignment may see how to reach the requester; `sealed` is under the case's key, field `reach`.

    Without a reach (`sealed` is None) the requester will use the peer's chosen number. By a ladder it was said so
    before there was `contact_released_in_crisis`.
    """

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.contact_released.v1"] = "intake.contact_released.v1"
    assignment: UUID
    """The assignment, the ladder or the referral by which the recipient may see it."""
    recipient: PersonId
    sealed: bytes | None = None
    advisers: tuple[Adviser, ...] = ()
    """Whom a peer may ask for advice in this case."""
    clinical: ClinicalPath = "none"
    about: About = "self"
    consent: UUID | None = None
    """Of a referral: the live consent that allows it."""
    expires: AwareDatetime | None = None
    """When that consent has run out: nothing is shown by it from then on. A newer release brings a later time."""


class ContactReleasedInCrisis(Fact):
    """Whoever took a page of this ladder may see how to reach the requester, at once; again after a new reach.

    `contact_released` waits in line with everything else that is no emergency; this one never does.
    """

    TOPIC: ClassVar[Topic] = INTAKE_CRISIS
    type: Literal["intake.contact_released_in_crisis.v1"] = "intake.contact_released_in_crisis.v1"
    ladder: UUID
    recipient: PersonId
    sealed: bytes | None = None
    """Under the case's key, field `reach`. Without one the requester has been told to call or to leave a number."""
    about: About = "self"


class ChoiceOverdue(Fact):
    """The requester has been reminded on the status page and still not chosen, or not said OK.

    `recipients`, coordinators of the agency of whom none is barred, hear a count, once; the case waits on until `due`.
    """

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.choice_overdue.v1"] = "intake.choice_overdue.v1"
    recipients: tuple[PersonId, ...]
    due: AwareDatetime
    assignment: UUID | None = None
    """Whose release is waited for; None where the requester has yet to choose somebody."""


class CaseClosing(Fact):
    """The last support has ended or the requester has closed; the grace time runs."""

    TOPIC: ClassVar[Topic] = INTAKE
    type: Literal["intake.case_closing.v1"] = "intake.case_closing.v1"


class CaseWithdrawn(Fact):
    """The requester has taken the request back. Everything stops; nothing more is sent but one neutral line."""

    TOPIC: ClassVar[Topic] = INTAKE_CRISIS
    STOP: ClassVar[bool] = True
    type: Literal["intake.case_withdrawn.v1"] = "intake.case_withdrawn.v1"


class CaseClosed(Fact):
    """The grace is over, the key destroyed: every service purges what it holds of this case."""

    TOPIC: ClassVar[Topic] = INTAKE_CRISIS
    STOP: ClassVar[bool] = True
    type: Literal["intake.case_closed.v1"] = "intake.case_closed.v1"


class KeyDestroyed(Fact):
    """The data key of a case or person is gone for ever. Key: that subject."""

    TOPIC: ClassVar[Topic] = INTAKE
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["intake.key_destroyed.v1"] = "intake.key_destroyed.v1"
    kind: Literal["case", "person", "consult"]


class AgencySet(Fact):
    """An agency as it is now, whole. Key: the agency. `revision` only grows; an older one is ignored."""

    TOPIC: ClassVar[Topic] = DIRECTORY
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["intake.agency_set.v1"] = "intake.agency_set.v1"
    revision: int
    active: bool
    kind: str
    jurisdiction: str
    structure: Structure
    capabilities: Capabilities
    languages: tuple[str, ...]
    time_zone: str


class Span(Value):
    """From `start` until before `end` somebody is there (`on`), or not to be asked at all."""

    on: bool
    start: AwareDatetime
    end: AwareDatetime


class PersonSet(Fact):
    """A peer, coordinator or clinician as he is now, whole, without name or contact point. Key: the person.

    `hours` is a weekly pattern in `time_zone` ("Mon-Fri 08:00-18:00; Sat 10:00-14:00"), or "" for always.
    """

    TOPIC: ClassVar[Topic] = DIRECTORY
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["intake.person_set.v1"] = "intake.person_set.v1"
    revision: int
    active: bool
    role: Role
    attributes: tuple[Token, ...] = ()
    offers: tuple[Help, ...] = ()
    designated_from: date | None = None
    designated_to: date | None = None
    trained_until: date | None = None
    hours: str = ""
    time_zone: str
    language: str
    spans: tuple[Span, ...] = ()
    """What is otherwise than the weekly hours in the next weeks; off wins over on."""
    spans_alone: bool = False
    """There are no weekly hours: there in the spans that are on, and only then."""
    bearer: PersonId | None = None
    """Of a peer whom another agency lends to this one: the same person at home. Loads are counted there."""


class DutySet(Fact):
    """A regional duty coordinator. Key: the person; agency: the region."""

    TOPIC: ClassVar[Topic] = DIRECTORY
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["intake.duty_set.v1"] = "intake.duty_set.v1"
    revision: int
    active: bool
    time_zone: str
    language: str


class ContactPoint(Value):
    """One way to reach a person; `sealed` is under the person's key, field `contact:<point_id>`."""

    point_id: UUID
    channel: Literal["mail"]
    sealed: bytes


class ContactPointsSet(Fact):
    """All contact points of a person, in the order of use. Key: the person. notify alone may read this topic.

    A point whose id is new has to be verified by its owner before anything else is sent to it.
    """

    TOPIC: ClassVar[Topic] = CONTACTS
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["intake.contact_points_set.v1"] = "intake.contact_points_set.v1"
    revision: int
    active: bool
    role: Role
    language: str
    points: tuple[ContactPoint, ...]


class VerificationAsked(Fact):
    """The agency asks that a person's contact points which nobody has verified are mailed once more. Key: the person.

    Not on `peerline.contacts`: there it would take the place of the person's contact points.
    """

    TOPIC: ClassVar[Topic] = INTAKE
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["intake.verification_asked.v1"] = "intake.verification_asked.v1"


class RenewalDue(Fact):
    """Training or designation of these peers runs out in 60, 30 or 7 days. Key: the agency.

    Each of them is told, and the agency's coordinators once for all of them; nobody is told which it is, or whose.
    """

    TOPIC: ClassVar[Topic] = INTAKE
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["intake.renewal_due.v1"] = "intake.renewal_due.v1"
    people: tuple[PersonId, ...]
    coordinators: tuple[PersonId, ...]


IntakeFact = (
    RequestSubmitted
    | CrisisRaised
    | DirectAsked
    | ConsentGiven
    | ConsentWithdrawn
    | OutreachAsked
    | PeerChosen
    | AnotherPeerAsked
    | BarsChanged
    | ContactReleased
    | ContactReleasedInCrisis
    | ChoiceOverdue
    | CaseClosing
    | CaseWithdrawn
    | CaseClosed
    | KeyDestroyed
    | AgencySet
    | PersonSet
    | DutySet
    | ContactPointsSet
    | VerificationAsked
    | RenewalDue
)
