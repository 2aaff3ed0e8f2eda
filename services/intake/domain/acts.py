"""What can happen to a case beside the facts of the bus, and what anything comes to. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.intake.domain.case import Known
from shared.events.envelope import Fact
from shared.events.policy import Capabilities, Policy
from shared.types import PersonId

TimerKind = Literal["choose", "release", "review", "rest", "grace"]
DRILL = "drill"
"""The timer of a practice case, whatever its turn: then it is over."""


@dataclass(frozen=True)
class Choose:
    """The requester picks a person of the shortlist, or anyone (None). `wait`: until that person is there."""

    person: PersonId | None
    wait: bool = False


@dataclass(frozen=True)
class Wait:
    """The requester wants more time to choose."""


@dataclass(frozen=True)
class Release:
    """The OK of `ask_me`: this peer may know how to reach me."""


@dataclass(frozen=True)
class Another:
    """Somebody else, please; no reason is asked."""


@dataclass(frozen=True)
class Close:
    """The requester closes."""


@dataclass(frozen=True)
class Withdraw:
    """The requester takes everything back. `held`: a legal hold stands on the case's key.

    `moved`: it goes on with another agency.
    """

    held: bool = False
    moved: bool = False


@dataclass(frozen=True)
class SetReach:
    """Another way to be reached, sealed; None: the requester calls."""

    sealed: bytes | None


@dataclass(frozen=True)
class AskPeer:
    """A peer as well, in a case that has none."""


@dataclass(frozen=True)
class AskClinician:
    """A clinician, without a peer in between. The ids are for the case that it begins anything.

    `present`: what the agency's program allows now; it has to be allowed now and when the case began.
    """

    referral: UUID
    consent: UUID
    present: Capabilities


@dataclass(frozen=True)
class Consented:
    """Yes: a clinician of the program may know how to reach me."""

    consent: UUID


@dataclass(frozen=True)
class Unconsented:
    """No, or not any more; no reason is asked."""


@dataclass(frozen=True)
class Emergency:
    """The requester is in danger."""


@dataclass(frozen=True)
class Help:
    """Whom there is to page for a case in danger, read before it is decided: nobody who is barred."""

    policy: Policy
    jurisdiction: str
    rungs: tuple[tuple[PersonId, ...], ...]


@dataclass(frozen=True)
class Endangered:
    """Danger, by whoever said so, with the help there is. `at_door`: the requester said it and gets an answer."""

    help: Help
    at_door: bool


@dataclass(frozen=True)
class TimeIsUp:
    """A timer fired. `held`: a legal hold stands on the case's key, nothing may be destroyed.

    `coordinators` are the agency's, where a requester has let a time for choosing pass.
    """

    kind: str
    turn: int
    held: bool = False
    coordinators: tuple[PersonId, ...] = ()


@dataclass(frozen=True)
class NamesFound:
    """Whom the names and units in a request stand for by the directories as they are now."""

    people: tuple[PersonId, ...]


Act = (
    Choose
    | Wait
    | Release
    | Another
    | Close
    | Withdraw
    | SetReach
    | AskPeer
    | AskClinician
    | Consented
    | Unconsented
    | Emergency
)


@dataclass(frozen=True)
class Alarmed:
    """A timer to set, for the turn that the case then has."""

    kind: TimerKind
    turn: int
    due: datetime


@dataclass(frozen=True)
class Step:
    """What something comes to."""

    case: Known
    facts: tuple[Fact, ...] = ()
    timer: Alarmed | None = None
    acts: tuple[str, ...] = ()
    ending: Literal["closed"] | None = None
