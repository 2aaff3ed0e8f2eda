"""What can happen to a case beside the facts of the bus, and what anything comes to. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.intake.domain.case import Known
from shared.events.envelope import Fact
from shared.types import PersonId

TimerKind = Literal["choose", "release", "review", "grace"]


@dataclass(frozen=True)
class Choose:
    """The requester picks a person of the shortlist, or anyone (None)."""

    person: PersonId | None


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
    """The requester takes everything back. `held`: a legal hold stands on the case's key."""

    held: bool = False


@dataclass(frozen=True)
class SetReach:
    """Another way to be reached, sealed; None: the requester calls."""

    sealed: bytes | None


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


Act = Choose | Wait | Release | Another | Close | Withdraw | SetReach


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
