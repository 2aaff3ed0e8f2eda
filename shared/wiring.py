"""What a service declares itself on: a process, or whatever else runs its handlers and timers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from shared.db import Database
from shared.delivery import Absorb
from shared.timers import BATCH, Action
from shared.types import AgencyId, Lane


class Wiring(Protocol):
    """What it hears and which timers it runs, each on the database of its lane."""

    @property
    def db(self) -> Database:
        """The database of everything but emergencies."""
        ...

    def db_of(self, lane: Lane) -> Database:
        """The database as a lane reaches it."""
        ...

    def consume(
        self,
        lane: str,
        topics: Sequence[str],
        absorb: Absorb,
        *,
        beside: Collection[AgencyId] = (),
    ) -> None:
        """As `Process.consume`."""
        ...

    def on_timers(self, lane: Lane, action: Action, *, batch: int = BATCH) -> None:
        """As `Process.on_timers`."""
        ...
