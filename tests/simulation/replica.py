"""One replica of a service in a simulation: the real wiring on a database whose commits can be cut short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from services.notify.actions.sender import Sender
from shared.db import Database, Pool, Transaction
from shared.delivery import Absorb, Delivery, Received
from shared.timers import BATCH, Action
from shared.types import AgencyId, Lane


class Crashed(BaseException):
    """The process is dead. Nothing of the product may catch it."""


@dataclass
class Fate:
    """What happens at one commit of a move, counted from 1: the process dies before or after it, or stands still."""

    at: int
    how: Literal["before", "after", "hold"]
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: int = 0

    async def before_commit(self) -> None:
        self._seen += 1
        if self._seen != self.at:
            return
        if self.how == "before":
            raise Crashed
        if self.how == "hold":
            self.reached.set()
            await self.go.wait()

    def after_commit(self) -> None:
        if self._seen == self.at and self.how == "after":
            raise Crashed


class Fated(Database):
    """A database as one replica has it; `fate` is that of the move under way."""

    def __init__(self, app: Pool, loop: Pool, schema: str, on_commit: Callable[[Transaction], None]) -> None:
        super().__init__(app, loop, schema)
        self._on_commit = on_commit
        self.fate: Fate | None = None
        self.dead = False
        """A process that has died: whatever of it is still under way ends where it next needs the database."""

    @asynccontextmanager
    async def transaction(self, agencies: Collection[AgencyId]) -> AsyncIterator[Transaction]:
        if self.dead:
            raise Crashed
        fate = self.fate
        async with super().transaction(agencies) as tx:
            yield tx
            if fate is not None:
                await fate.before_commit()
        self._on_commit(tx)
        if fate is not None:
            fate.after_commit()


@dataclass(frozen=True)
class Group:
    """A consumer group of a service."""

    topics: tuple[str, ...]
    delivery: Delivery


Effects = Callable[[str, Sequence[Received]], None]
"""Called with a group's name and what it has just brought to its effect, after the commit."""


class Replica:
    """What a service declares itself on (`shared.process.Wiring`). A crash ends it; another one takes its place."""

    def __init__(
        self, service: str, pools: tuple[Pool, Pool], on_effect: Effects, on_wake: Callable[[str], None]
    ) -> None:
        """`pools` are those of app and loop; `on_wake` hears the wake-ups of every commit."""
        self.service = service
        self._on_effect, self._on_wake = on_effect, on_wake
        self._absorbed: dict[int, tuple[str, list[Received]]] = {}
        self.fated = Fated(*pools, service, self._committed)
        self.groups: dict[str, Group] = {}
        self.timers: dict[Lane, tuple[Action, int]] = {}
        self.senders: dict[Lane, Sender] = {}
        self.still: set[Lane] = set()
        """Lanes whose sender stands still in the middle of a mail."""

    @property
    def db(self) -> Database:
        return self.fated

    def db_of(self, lane: Lane) -> Database:
        del lane
        return self.fated

    def consume(
        self,
        lane: str,
        topics: Sequence[str],
        absorb: Absorb,
        *,
        beside: Collection[AgencyId] = (),
    ) -> None:

        async def watched(tx: Transaction, received: Sequence[Received]) -> None:
            await absorb(tx, received)
            self._absorbed[id(tx)] = (lane, list(received))

        delivery = Delivery(
            self.fated,
            watched,
            group=f"{self.service}.{lane}",
            topics=topics,
            fingerprint_key=b"simulation",
            beside=beside,
        )
        self.groups[lane] = Group(tuple(topics), delivery)

    def on_timers(self, lane: Lane, action: Action, *, batch: int = BATCH) -> None:
        self.timers[lane] = action, batch

    def _committed(self, tx: Transaction) -> None:
        if (done := self._absorbed.pop(id(tx), None)) is not None:
            self._on_effect(*done)
        for name in sorted(tx.wakes):
            self._on_wake(name)
