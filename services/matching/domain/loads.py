"""What each peer carries, and how a batch changes it: chosen in memory, taken from the database all at once.

Ordinary cases and emergencies have a column and a cap each, so that a peer with a full week can still be asked in an
emergency, and neither count is ever above its cap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.types import PersonId

NO_LIMIT = 2**31 - 1
SEASON_DAYS = 30
"""`asked` is halved with every season that has begun since it was written."""


@dataclass(frozen=True, slots=True)
class Load:
    """Open ordinary cases, open emergencies, offers made lately, until when one rests after an emergency, or pauses."""

    open: int = 0
    crisis: int = 0
    asked: int = 0
    rest_until: datetime | None = None
    paused_until: datetime | None = None

    def rested(self, now: datetime) -> bool:
        """Whether the cool-down after an emergency is over."""
        return self.rest_until is None or self.rest_until <= now

    def taken(self, *, crisis: bool) -> int:
        """What counts against the cap of this kind of case."""
        return self.crisis if crisis else self.open


IDLE = Load()
"""Carried by a peer of whom nothing is known."""


def season_of(now: datetime) -> int:
    """The number of thirty days since 1970."""
    return int(now.timestamp()) // (SEASON_DAYS * 86_400)


def faded(load: Load, seasons: int) -> Load:
    """The same load so many seasons later."""
    return replace(load, asked=load.asked >> min(max(seasons, 0), 31))


@dataclass(frozen=True, slots=True)
class Move:
    """One change of one peer's load: an offer reserves (`by` 1), an end frees (`by` -1), a pause does neither (0).

    `cap` is the policy's, of the case concerned.
    """

    person: PersonId
    crisis: bool
    by: int
    cap: int
    rest_until: datetime | None = None
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What a whole batch comes to for one peer. It holds only while the stored counts are not above the limits."""

    person: PersonId
    open: int
    crisis: int
    asked: int
    open_limit: int
    crisis_limit: int
    rest_until: datetime | None
    paused_until: datetime | None


class Ledger:
    """The loads of one batch: what was read, and every change since. Equal moves give equal ledgers."""

    def __init__(self, loads: Mapping[PersonId, Load]) -> None:
        """`loads` as they were read; a peer without a row carries nothing."""
        self._read = loads
        self._now: dict[PersonId, Load] = {}
        self._limits: dict[tuple[PersonId, bool], int] = {}
        self.log: list[PersonId] = []
        """Whose load has changed, in order: shelves catch up with it."""

    def of(self, person: PersonId) -> Load:
        """What this peer carries now, with the moves of this batch."""
        return (self._now and self._now.get(person)) or self._read.get(person, IDLE)

    def free(self, person: PersonId, cap: int, *, crisis: bool) -> bool:
        """Whether one more case of this kind stays within the cap."""
        return self.of(person).taken(crisis=crisis) < cap

    def relieves(self, move: Move) -> bool:
        """Whether a peer who is full has room again after this move."""
        return move.by < 0 and not self.free(move.person, move.cap, crisis=move.crisis)

    def apply(self, move: Move) -> None:
        """Note a move."""
        load = self.of(move.person)
        taken = load.taken(crisis=move.crisis)
        if move.by > 0:
            self._limit(move, taken)
        self._now[move.person] = Load(
            open=load.open + (0 if move.crisis else move.by),
            crisis=load.crisis + (move.by if move.crisis else 0),
            asked=load.asked + max(move.by, 0),
            rest_until=move.rest_until or load.rest_until,
            paused_until=move.paused_until or load.paused_until,
        )
        self.log.append(move.person)

    def _limit(self, move: Move, taken: int) -> None:
        """How high the stored count may have been for this reservation to stay within its cap."""
        key = move.person, move.crisis
        stored = self._read.get(move.person, Load()).taken(crisis=move.crisis)
        slack = move.cap - 1 - taken
        self._limits[key] = min(self._limits.get(key, NO_LIMIT), stored + slack)

    def changes(self) -> list[Change]:
        """What to write, ordered by peer."""
        return [self._change(person) for person in sorted(self._now)]

    def _change(self, person: PersonId) -> Change:
        before, after = self._read.get(person, Load()), self._now[person]
        return Change(
            person=person,
            open=after.open - before.open,
            crisis=after.crisis - before.crisis,
            asked=after.asked - before.asked,
            open_limit=self._limits.get((person, False), NO_LIMIT),
            crisis_limit=self._limits.get((person, True), NO_LIMIT),
            rest_until=after.rest_until if after.rest_until != before.rest_until else None,
            paused_until=after.paused_until if after.paused_until != before.paused_until else None,
        )
