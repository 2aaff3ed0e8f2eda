"""A PIN of six digits and the tries against it: five wrong lock it for a while, ten until a new verification."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

LOCK_AT, BLOCK_AT = 5, 10
LOCKED_FOR = timedelta(minutes=15)
LINK_TRIES = 5
"""Wrong PINs that one verification link takes; it is then of no use any more."""

_SHAPE = re.compile(r"[0-9]{6}")

Verdict = Literal["right", "wrong", "locked", "blocked"]


@dataclass(frozen=True)
class Guard:
    """How a PIN stands after the tries so far."""

    wrong: int = 0
    locked_until: datetime | None = None
    blocked: bool = False

    def closed(self, now: datetime) -> Verdict | None:
        """Why no try counts now, if none does."""
        if self.blocked:
            return "blocked"
        return "locked" if self.locked_until is not None and now < self.locked_until else None


def well_formed(pin: str) -> bool:
    """Six ASCII digits."""
    return _SHAPE.fullmatch(pin) is not None


def tried(guard: Guard, *, right: bool, now: datetime) -> tuple[Guard, Verdict]:
    """What a try does. While it is locked nothing counts, so that a right guess is not told from a wrong one."""
    closed = guard.closed(now)
    if closed is not None:
        return guard, closed
    if right:
        return Guard(), "right"
    wrong = guard.wrong + 1
    if wrong >= BLOCK_AT:
        return Guard(wrong, None, blocked=True), "blocked"
    if wrong == LOCK_AT:
        return Guard(wrong, now + LOCKED_FOR), "locked"
    return Guard(wrong), "wrong"
