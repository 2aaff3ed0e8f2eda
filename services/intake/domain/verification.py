"""How often somebody who has verified no contact point may be mailed about it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.types import PersonId

AT_MOST_EVERY = timedelta(hours=1)
WINDOW = timedelta(days=7)
IN_WINDOW = 5


@dataclass(frozen=True)
class Waiting:
    """A person of the program, and when an agency last had them asked again, within `WINDOW` at least."""

    person_id: PersonId
    verified: bool
    asked: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What comes of asking: who is mailed now, and how many have verified or were asked too short a time ago."""

    now: tuple[PersonId, ...] = ()
    verified: int = 0
    too_soon: int = 0

    def document(self) -> dict[str, int]:
        """As it is answered: numbers alone."""
        return {"asked": len(self.now), "verified": self.verified, "too_soon": self.too_soon}


def may_ask(asked: Sequence[datetime], now: datetime) -> bool:
    """Once an hour, and five times in seven days."""
    recent = [one for one in asked if one > now - WINDOW]
    return len(recent) < IN_WINDOW and all(one <= now - AT_MOST_EVERY for one in recent)


def plan(people: Sequence[Waiting], now: datetime, *, named: bool) -> Asked:
    """Whom to ask again. Somebody who is `named` is asked even when verified: another point of theirs may not be."""
    concerned = [one for one in people if named or not one.verified]
    due = tuple(one.person_id for one in concerned if may_ask(one.asked, now))
    return Asked(due, len(people) - len(concerned), len(concerned) - len(due))
