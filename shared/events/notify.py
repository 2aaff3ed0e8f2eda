"""Delivered, failed, unknown, replied. notify alone writes these topics; key: the case, or else the person."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from shared.events.envelope import NOTIFY, NOTIFY_CRISIS, Fact, Topic
from shared.types import PersonId

Verb = Literal["accept", "decline", "not_now", "contacted", "step_back", "close"]
PageVerb = Literal["acknowledge", "cannot", "contact_confirmed"]


class ReplyReceived(Fact):
    """A peer has answered. `subject` is the offer or the assignment; matching answers with `reply_settled`."""

    TOPIC: ClassVar[Topic] = NOTIFY
    type: Literal["notify.reply_received.v1"] = "notify.reply_received.v1"
    reply: UUID
    subject: UUID
    person: PersonId
    verb: Verb
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


NotifyFact = ReplyReceived | IntentSettled | PageSettled | PageReplied | ContactVerified | ContactStopped
