"""What deciding comes to: the new state, facts to tell, alarms to set, and acts for the audit trail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, Literal, TypeVar
from uuid import UUID

from shared.events import Fact
from shared.events.referral import AnswerSettled

S = TypeVar("S")
T = TypeVar("T")

Of = Literal["rung", "contact", "consult", "referral", "waiting"]
"""A rung was to answer; a contact was to be made; a consult or referral is due; an act has waited long enough."""

Outcome = Literal["noted", "accepted", "consent_asked", "information_given", "too_late", "ended", "refused"]


@dataclass(frozen=True)
class TimeIsUp:
    """A timer of a ladder, consult, referral or waiting act (`subject`), as it was in this version."""

    of: Of
    subject: UUID
    version: int


@dataclass(frozen=True)
class Alarm:
    """When to look again: `TimeIsUp` of this subject and version."""

    of: Of
    subject: UUID
    version: int
    at: datetime


@dataclass(frozen=True)
class Step(Generic[S]):
    """What something heard comes to. `acts` go into the audit trail."""

    state: S
    facts: tuple[Fact, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    acts: tuple[str, ...] = ()

    def then(self, further: Step[T]) -> Step[T]:
        """The further step with what came of this one before it."""
        return Step(further.state, self.facts + further.facts, self.alarms + further.alarms, self.acts + further.acts)

    def of(self, state: T) -> Step[T]:
        """The same effects with another state: of the whole instead of the part."""
        return Step(state, self.facts, self.alarms, self.acts)

    def settled(self, reply: UUID, outcome: Outcome) -> Step[S]:
        """The page that took the reply stops saying "one moment"."""
        return replace(self, facts=(*self.facts, AnswerSettled(reply=reply, outcome=outcome)))


@dataclass(frozen=True)
class Standing:
    """A state's name, and who owns it until when; both None when nothing is open.

    A due time in the past means that somebody should look at once.
    """

    name: str
    owner: str | None = None
    due_at: datetime | None = None
