"""A planned message and how it moves: planned, sending, and then settled for good.

The table from template to class, link and resending stands here: notify alone decides what a fact is told by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never
from uuid import UUID

from services.notify.domain.outcomes import Accepted, NotSent, Outcome, Refused, Unknown
from shared.types import AgencyId, Lane, PersonId

Template = Literal[
    "offer",
    "details",
    "page",
    "verify",
    "changed",
    "count",
    "over",
    "consult",
    "referral",
    "released",
    "reminder",
    "answer",
    "outreach",
    "renew",
    "renew_team",
    "check_in",
    "practice_offer",
    "practice_details",
]
Class = Literal["ordinary", "crisis", "verify", "count", "rescind"]
State = Literal["planned", "sending", "accepted", "failed", "unknown", "expired", "cancelled"]
Purpose = Literal["verify", "offer", "case", "page", "consult", "referral", "outreach", "team"]
Recipient = Literal["verified", "unverified", "former"]

OPEN: frozenset[State] = frozenset({"planned", "sending"})
MAILED: frozenset[State] = frozenset({"sending", "accepted", "unknown"})
"""A mail of this intent has gone out, or may have."""


@dataclass(frozen=True)
class Kind:
    """What is fixed for a template.

    `again`: after a lost answer it is sent once more. An offer is not (it times out and somebody else is asked), nor
    is anything that carries no link, nor an outreach: there is never a second one. `to`: only a verification ever goes
    to a point that nobody has verified, and only the word about a change goes to one that is no longer in use.
    """

    purpose: Purpose | None = None
    again: bool = False
    to: Recipient = "verified"


KINDS: Mapping[Template, Kind] = {
    "offer": Kind("offer"),
    "details": Kind("case", again=True),
    "page": Kind("page", again=True),
    "verify": Kind("verify", again=True, to="unverified"),
    "changed": Kind(to="former"),
    "count": Kind("team", again=True),
    "over": Kind(),
    "consult": Kind("consult", again=True),
    "referral": Kind("referral", again=True),
    "released": Kind("referral", again=True),
    "reminder": Kind("case", again=True),
    "answer": Kind("case", again=True),
    "outreach": Kind("outreach"),
    "renew": Kind(),
    "renew_team": Kind(),
    "check_in": Kind(),
    "practice_offer": Kind("offer"),
    "practice_details": Kind("case", again=True),
}

PAUSES_S: Mapping[Literal["crisis", "ordinary"], tuple[float, ...]] = {
    "crisis": (1, 2, 5, 10),
    "ordinary": (15, 30, 60, 120, 300),
}
"""In seconds, before each further try of what was not taken; the last one again and again."""
VERIFY_WITHIN = timedelta(hours=48)
TELL_WITHIN = timedelta(hours=48)
DETAILS_WITHIN = timedelta(hours=24)
NEWS_WITHIN = timedelta(hours=48)
OUTREACH_WITHIN = timedelta(hours=24)
OUTREACH_LINK_FOR = timedelta(days=30)
LINK_AFTER = timedelta(hours=48)
"""So long after its thing has expired a link still opens a page, which then says that it is over."""


@dataclass(frozen=True)
class Intent:
    """A message to one person. `subject` is what it is about: an offer, assignment, page, contact point, or itself.

    `point` is set only where this contact point and no other is meant. `attempt` is the latest one.
    """

    intent_id: UUID
    agency_id: AgencyId
    person: PersonId
    template: Template
    klass: Class
    subject: UUID
    expires_at: datetime
    planned_at: datetime
    state: State = "planned"
    point: UUID | None = None
    version: int = 0
    attempt: UUID | None = None
    resent: bool = False

    @property
    def lane(self) -> Lane:
        """Pages and whatever belongs to an emergency travel by themselves."""
        return Lane.CRISIS if self.klass == "crisis" else Lane.ORDINARY

    @property
    def is_open(self) -> bool:
        """It has yet to be settled."""
        return self.state in OPEN

    @property
    def mailed(self) -> bool:
        """A mail of it has gone out, or may have."""
        return self.state in MAILED

    @property
    def may_resend(self) -> bool:
        """After an unknown outcome it may be sent once more."""
        return KINDS[self.template].again and not self.resent


@dataclass(frozen=True)
class Contact:
    """The contact point an intent would go to now, as far as sending has to know it."""

    active: bool
    verified: bool
    retired: bool

    def takes(self, template: Template) -> bool:
        """Whether this template may go there."""
        match KINDS[template].to:
            case "verified":
                return self.active and self.verified and not self.retired
            case "unverified":
                return self.active and not self.verified and not self.retired
            case "former":
                return self.verified
            case other:
                assert_never(other)


@dataclass(frozen=True)
class Start:
    """The timer of an intent has fired: begin the attempt `attempt`, unless it must not be sent.

    `contact` is None where there is no point at all, or none that can be unsealed.
    """

    intent_id: UUID
    version: int
    attempt: UUID
    contact: Contact | None


@dataclass(frozen=True)
class Ended:
    """An attempt has come to an end."""

    intent_id: UUID
    attempt: UUID
    outcome: Outcome


@dataclass(frozen=True)
class Settled:
    """An intent that has just been settled for good, with the code of why."""

    intent: Intent
    code: str


def started(intent: Intent, start: Start, now: datetime) -> tuple[Intent, Settled | None]:
    """Begin an attempt, or settle what must not be sent: it is expired, or nobody can be reached.

    An intent found `sending` was left behind by a process that died: its outcome is unknown. It is sent once more
    where its kind allows that, and settled as unknown otherwise.
    """
    if not intent.is_open or intent.version != start.version or intent.attempt == start.attempt:
        return intent, None
    left_behind = intent.state == "sending"
    if left_behind and not intent.may_resend:
        return _settled(intent, "unknown", "lost")
    if now >= intent.expires_at:
        return _settled(intent, "unknown" if left_behind else "expired", "expired")
    if start.contact is None or not start.contact.takes(intent.template):
        return _settled(intent, "unknown" if left_behind else "failed", "unreachable")
    return replace(intent, state="sending", attempt=start.attempt, resent=intent.resent or left_behind), None


def ended(intent: Intent, end: Ended, now: datetime) -> tuple[Intent, Settled | None]:
    """Record how the attempt under way ended. What was not sent is planned again until it expires."""
    if intent.state != "sending" or intent.attempt != end.attempt:
        return intent, None
    match end.outcome:
        case Accepted(code):
            return _settled(intent, "accepted", code)
        case Refused(code):
            return _settled(intent, "failed", code)
        case NotSent(code):
            if now >= intent.expires_at:
                return _settled(intent, "expired", code)
            return replace(intent, state="planned"), None
        case Unknown(code):
            if intent.may_resend and now < intent.expires_at:
                return replace(intent, state="planned", resent=True), None
            return _settled(intent, "unknown", code)
        case _:
            assert_never(end.outcome)


def pause_s(intent: Intent, outcome: Outcome, tries: int, now: datetime) -> float:
    """How long to wait after the try number `tries` of an intent that is to be tried again, in seconds.

    What the provider asks for is honoured. Nothing waits beyond its expiry: then it is settled.
    """
    pauses = PAUSES_S["crisis" if intent.lane is Lane.CRISIS else "ordinary"]
    pause = pauses[min(tries, len(pauses)) - 1]
    if isinstance(outcome, NotSent):
        pause = max(pause, outcome.after_s)
    return max(0.0, min(pause, (intent.expires_at - now).total_seconds()))


def _settled(intent: Intent, state: State, code: str) -> tuple[Intent, Settled]:
    done = replace(intent, state=state)
    return done, Settled(done, code)


def link_until(purpose: Purpose, *, expires_at: datetime, now: datetime) -> datetime | None:
    """How long the link of a mail opens a page: a case's and its parts' until it is purged (None)."""
    match purpose:
        case "verify":
            return now + VERIFY_WITHIN
        case "case" | "consult" | "referral" | "team":
            return None
        case "outreach":
            return now + OUTREACH_LINK_FOR
        case "offer" | "page":
            return expires_at + LINK_AFTER
        case _:
            assert_never(purpose)
