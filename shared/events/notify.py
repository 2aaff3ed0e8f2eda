"""Delivered, failed, unknown, replied. notify alone writes these topics; key: the case, or else the person."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from shared.events.envelope import NOTIFY, NOTIFY_CRISIS, Fact, Topic
from shared.events.intake import Adviser
from shared.types import PersonId

Verb = Literal["accept", "decline", "not_now", "contacted", "step_back", "close"]
PageVerb = Literal["acknowledge", "cannot", "contact_confirmed"]
ReferralVerb = Literal["accept", "reject", "hold", "resume", "handoff", "complete", "cannot_go_on"]


class ReplyReceived(Fact):
    """A peer has answered. `subject` is the offer or the assignment; matching answers with `reply_settled`."""

    TOPIC: ClassVar[Topic] = NOTIFY
    type: Literal["notify.reply_received.v1"] = "notify.reply_received.v1"
    reply: UUID
    subject: UUID
    person: PersonId
    verb: Verb
    received_at: AwareDatetime
    again_in_s: int | None = Field(default=None, ge=60, le=86_400)
    """With `not_now`: ask me this again after so long, if it still waits."""
    pause_s: int | None = Field(default=None, ge=3600, le=7 * 86_400)
    """Ask me nothing new for so long, of any case."""


class ConsultAsked(Fact):
    """A peer wants advice. `topics` are codes; `sealed` is the question under the consult's own key, field `question`.

    The question was refused here when it held what would tell who the requester is.
    """

    TOPIC: ClassVar[Topic] = NOTIFY
    type: Literal["notify.consult_asked.v1"] = "notify.consult_asked.v1"
    reply: UUID
    consult: UUID
    assignment: UUID
    person: PersonId
    to: Adviser
    topics: tuple[str, ...]
    sealed: bytes
    received_at: AwareDatetime


class ConsultReplied(Fact):
    """An adviser has answered (`sealed`: under the consult's key, field `answer`) or cannot."""

    TOPIC: ClassVar[Topic] = NOTIFY
    type: Literal["notify.consult_replied.v1"] = "notify.consult_replied.v1"
    reply: UUID
    consult: UUID
    person: PersonId
    verb: Literal["answer", "cannot"]
    sealed: bytes | None = None
    received_at: AwareDatetime


class ClinicianWanted(Fact):
    """A peer reports that the requester wants a clinician. Nothing is disclosed by it."""

    TOPIC: ClassVar[Topic] = NOTIFY
    type: Literal["notify.clinician_wanted.v1"] = "notify.clinician_wanted.v1"
    reply: UUID
    assignment: UUID
    person: PersonId
    received_at: AwareDatetime


class ResourcesOffered(Fact):
    """A peer gives resources of these kinds; the requester finds them on the status page."""

    TOPIC: ClassVar[Topic] = NOTIFY
    type: Literal["notify.resources_offered.v1"] = "notify.resources_offered.v1"
    reply: UUID
    assignment: UUID
    person: PersonId
    kinds: tuple[str, ...]
    received_at: AwareDatetime


class ReferralReplied(Fact):
    """A clinician has answered a referral, or a peer confirms the hand-off (`verb` handoff)."""

    TOPIC: ClassVar[Topic] = NOTIFY
    type: Literal["notify.referral_replied.v1"] = "notify.referral_replied.v1"
    reply: UUID
    referral: UUID
    person: PersonId
    verb: ReferralVerb
    received_at: AwareDatetime


class DangerReported(Fact):
    """A peer says that the requester is in danger: intake raises the crisis, referral settles the reply at once."""

    TOPIC: ClassVar[Topic] = NOTIFY_CRISIS
    type: Literal["notify.danger_reported.v1"] = "notify.danger_reported.v1"
    reply: UUID
    assignment: UUID
    person: PersonId
    received_at: AwareDatetime


class IntentSettled(Fact):
    """How a planned message ended: `accepted` by the provider, `failed` for good, `unknown`, or `expired` unsent."""

    TOPIC: ClassVar[Topic] = NOTIFY
    type: Literal["notify.intent_settled.v1"] = "notify.intent_settled.v1"
    intent: UUID
    subject: UUID
    person: PersonId
    channel: Literal["mail"]
    outcome: Literal["accepted", "failed", "unknown", "expired"]
    code: str = ""


class PageSettled(Fact):
    """The same for a crisis page. Until this says `accepted`, nobody may claim that anybody was paged."""

    TOPIC: ClassVar[Topic] = NOTIFY_CRISIS
    type: Literal["notify.page_settled.v1"] = "notify.page_settled.v1"
    page: UUID
    ladder: UUID
    person: PersonId
    outcome: Literal["accepted", "failed", "unknown", "expired"]
    code: str = ""


class PageReplied(Fact):
    """Somebody has answered a page; referral answers with `reply_settled`."""

    TOPIC: ClassVar[Topic] = NOTIFY_CRISIS
    type: Literal["notify.page_replied.v1"] = "notify.page_replied.v1"
    reply: UUID
    page: UUID
    ladder: UUID
    person: PersonId
    verb: PageVerb
    received_at: AwareDatetime


class ContactVerified(Fact):
    """The owner of a contact point has opened its link and set a PIN and can be told things. Key: the person."""

    TOPIC: ClassVar[Topic] = NOTIFY
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["notify.contact_verified.v1"] = "notify.contact_verified.v1"
    revision: int
    """Of the contact points it was verified for; only grows."""


class ContactStopped(Fact):
    """Nothing can be sent to this person any more: no verified contact point is left. Key: the person."""

    TOPIC: ClassVar[Topic] = NOTIFY
    KEYED_BY_CASE: ClassVar[bool] = False
    type: Literal["notify.contact_stopped.v1"] = "notify.contact_stopped.v1"
    revision: int


NotifyFact = (
    ReplyReceived
    | ConsultAsked
    | ConsultReplied
    | ClinicianWanted
    | ResourcesOffered
    | ReferralReplied
    | DangerReported
    | IntentSettled
    | PageSettled
    | PageReplied
    | ContactVerified
    | ContactStopped
)
