"""The clinical side of a case as its requester sees it, beside the peer's: a consent, a clinician, how it ended.

Only status is here, never content. The names are those of FHIR's Task: requested, accepted, on-hold, in-progress,
completed, failed. Values only; `course.clinical` says how they move.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.events.intake import ClinicalPath
from shared.events.policy import Capabilities
from shared.types import PersonId

CONSENT_LASTS = timedelta(days=30)
"""After this nothing more is released by a consent; it can be given again."""
KEPT_CONSENTS = 20


@dataclass(frozen=True)
class Consent:
    """What the requester has agreed to: one recipient, one purpose, one referral, for a while, until taken back."""

    consent: UUID
    referral: UUID
    given: datetime
    expires: datetime
    withdrawn: datetime | None = None
    recipient: Literal["clinician"] = "clinician"
    purpose: Literal["referral"] = "referral"

    def live(self, now: datetime) -> bool:
        """Whether anything may be released by it now."""
        return self.withdrawn is None and now < self.expires


@dataclass(frozen=True)
class Asking:
    """A referral waits for the requester's yes or no. Nothing presses."""

    referral: UUID
    since: datetime
    name: Literal["consent_asked"] = "consent_asked"


@dataclass(frozen=True)
class Requested:
    """A clinician is being asked, one after the other. FHIR Task: requested."""

    referral: UUID
    due: datetime
    name: Literal["requested"] = "requested"


@dataclass(frozen=True)
class Accepted:
    """A clinician has accepted. `shown`: and may see how to reach the requester. FHIR Task: accepted.

    `late`: the hand-off should have been confirmed, and is not.
    """

    referral: UUID
    clinician: PersonId
    due: datetime
    shown: bool
    late: bool = False
    name: Literal["accepted"] = "accepted"


@dataclass(frozen=True)
class OnHold:
    """The clinician needs time, until then at most. FHIR Task: on-hold."""

    referral: UUID
    clinician: PersonId
    due: datetime
    shown: bool
    name: Literal["on_hold"] = "on_hold"


@dataclass(frozen=True)
class InProgress:
    """Requester and clinician have found each other. FHIR Task: in-progress."""

    referral: UUID
    clinician: PersonId
    shown: bool
    name: Literal["in_progress"] = "in_progress"


How = Literal["completed", "refused", "withdrawn", "lapsed", "failed", "silent"]
"""`refused`: before anybody was asked; `withdrawn`: later; `lapsed`: the question was open for too long.

`failed`: nobody of the program takes it; `silent`: they had found each other, and nobody has said for long how it goes.
"""


@dataclass(frozen=True)
class Ended:
    """This support is over; the peer's is not touched by it."""

    referral: UUID
    how: How
    name: Literal["ended"] = "ended"


With = Accepted | OnHold | InProgress
"""A clinician has it, or holds it."""
Running = Asking | Requested | With
Clinical = Running | Ended


def running(clinical: Clinical | None) -> bool:
    """Whether something clinical is under way or asked about."""
    return isinstance(clinical, Running)


def live_consent(consents: tuple[Consent, ...], referral: UUID, now: datetime) -> Consent | None:
    """The consent by which something may be released for this referral now; the newest one."""
    return next((one for one in reversed(consents) if one.referral == referral and one.live(now)), None)


def path_of(capabilities: Capabilities) -> ClinicalPath:
    """What "they want a clinician" leads to."""
    if capabilities.accept_referral:
        return "referral"
    return "outside" if capabilities.consult else "none"
