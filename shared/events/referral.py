"""Who is being brought in, and how it ended. referral alone writes these topics; the key is always the case."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from shared.events.envelope import REFERRAL_CRISIS, Fact, Topic
from shared.types import PersonId


class LadderStarted(Fact):
    """An emergency is being taken to people until one of them acknowledges."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.ladder_started.v1"] = "referral.ladder_started.v1"
    ladder: UUID


class RungPaged(Fact):
    """These persons are being paged now; nobody has taken the page yet. Each page has an id of its own."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.rung_paged.v1"] = "referral.rung_paged.v1"
    ladder: UUID
    rung: int
    pages: tuple[tuple[UUID, PersonId], ...]
    """(page id, person) of each."""
    expires: AwareDatetime


class LadderAcknowledged(Fact):
    """Somebody has said: I take this. The first one counts."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.ladder_acknowledged.v1"] = "referral.ladder_acknowledged.v1"
    ladder: UUID
    person: PersonId


class HumanContactConfirmed(Fact):
    """Somebody has said: I have spoken with them."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.human_contact_confirmed.v1"] = "referral.human_contact_confirmed.v1"
    ladder: UUID
    person: PersonId


class LadderEnded(Fact):
    """The ladder is over: contact was made, the request ended, or the last rung was silent."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.ladder_ended.v1"] = "referral.ladder_ended.v1"
    ladder: UUID
    how: Literal["contact", "ended", "nobody"]


class CrisisReplySettled(Fact):
    """What came of a reply to a page: the page stops saying "one moment"."""

    TOPIC: ClassVar[Topic] = REFERRAL_CRISIS
    type: Literal["referral.reply_settled.v1"] = "referral.reply_settled.v1"
    reply: UUID
    outcome: Literal["acknowledged", "covered", "noted", "ended"]


ReferralFact = LadderStarted | RungPaged | LadderAcknowledged | HumanContactConfirmed | LadderEnded | CrisisReplySettled
