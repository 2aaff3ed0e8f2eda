"""A service on a real PostgreSQL through the real delivery, with records made by hand in the place of Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID, uuid4

import asyncpg

from shared import clock, timers
from shared.db import Database, Transaction
from shared.delivery import Absorb, Delivery, Received
from shared.events import TOPICS, Fact, decode
from shared.events.intake import AgencySet, DutySet
from shared.events.notify import ContactVerified
from shared.events.policy import Capabilities
from shared.parking import Raw
from shared.timers import Fired
from shared.types import REGION, AgencyId, CaseId, Lane, PersonId, Structure
from tests.harness.databases import TestDatabase
from tests.harness.probe import Sender

B = TypeVar("B", bound="Bench")


@dataclass(frozen=True)
class Said:
    """One fact of an agency about a key."""

    agency: AgencyId
    key: UUID
    fact: Fact
    event_id: UUID = field(default_factory=clock.ordered_id)


@dataclass(frozen=True)
class Doors:
    """By what a service is reached: its schema, its consumer groups by name, and what its timers run."""

    service: str
    groups: Mapping[str, Absorb]
    fire: Callable[[Transaction, Sequence[Fired]], Awaitable[None]]


class Bench:
    """Takes facts as the consumer groups of one service would, and reads what came out."""

    doors: ClassVar[Doors]

    def __init__(self, db: Database, sql: asyncpg.Connection[Any], agency: AgencyId) -> None:
        self.db, self.sql, self.agency = db, sql, agency
        self.statements: list[str] = []
        self.revision = 0
        self._sender = Sender(agency)
        self._deliveries = {name: self._delivery(name, absorb) for name, absorb in self.doors.groups.items()}

    def _delivery(self, name: str, absorb: Absorb) -> Delivery:
        async def counted(tx: Transaction, received: Sequence[Received]) -> None:
            def note(record: Any) -> None:
                # asyncpg asks for the types of a connection's first statements; that is not ours.
                if "jit" not in record.query and "typeinfo" not in record.query:
                    self.statements.append(record.query)

            with tx.connection.query_logger(note):
                await absorb(tx, received)

        group = f"{self.doors.service}.{name}"
        return Delivery(self.db, counted, group=group, topics=tuple(TOPICS), fingerprint_key=b"k" * 32)

    def raw(self, said: Said) -> Raw:
        """The record as Kafka would hand it over."""
        return self._sender.raw(said.fact, said.key, event_id=said.event_id, agency=said.agency)

    async def take(self, *said: Said, group: str = "ordinary") -> None:
        """One batch of one consumer group."""
        self.statements.clear()
        await self._deliveries[group].take([self.raw(one) for one in said])

    async def hear(self, case: UUID, *facts: Fact, group: str = "ordinary") -> list[Fact]:
        """Facts about one case of the bench's agency, in one batch; returns what came out of it."""
        await self.take(*(Said(self.agency, case, fact) for fact in facts), group=group)
        return await self.out()

    async def out(self) -> list[Fact]:
        """What stands in the outbox, in order; the outbox is empty afterwards."""
        rows = await self.sql.fetch("DELETE FROM outbox RETURNING id, type, payload")
        return [decode(row["type"], row["payload"]) for row in sorted(rows, key=lambda row: row["id"])]

    async def may(self, capabilities: Capabilities, structure: Structure, *, active: bool = True) -> None:
        """What the agency is and may from now on."""
        self.revision += 1
        fact = AgencySet(
            revision=self.revision,
            active=active,
            kind="police",
            jurisdiction="US-UT",
            structure=structure,
            capabilities=capabilities,
            languages=("en-US",),
            time_zone="America/Denver",
        )
        await self.take(Said(self.agency, self.agency, fact), group="directory")

    async def on_duty(self, person: PersonId) -> None:
        """A regional duty coordinator, verified."""
        fact = DutySet(revision=1, active=True, time_zone="UTC", language="en")
        await self.take(Said(REGION, person, fact), group="directory")
        await self.take(Said(REGION, person, ContactVerified(revision=1)))

    async def move_clock(self, **by: float) -> None:
        """The region's clock goes on."""
        await self.sql.execute("UPDATE region.clock SET shift = shift + $1", timedelta(**by))

    async def fire(self, lane: Lane = Lane.ORDINARY) -> list[Fact]:
        """Every timer of a lane that is due; returns what came out of it."""
        fired = await timers.claim(self.db, lane)
        if fired:
            await timers.in_one_transaction(self.db, self.doors.fire)(fired)
        return await self.out()


def cases(number: int) -> list[CaseId]:
    """So many new cases."""
    return [CaseId(uuid4()) for _ in range(number)]


@asynccontextmanager
async def benched(kind: type[B], database: TestDatabase) -> AsyncIterator[B]:
    """A bench of this kind for one new agency."""
    service = kind.doors.service
    sql = await database.superuser()
    try:
        await sql.execute(f"SET search_path = {service}")
        async with database.opened(service) as db:
            yield kind(db, sql, AgencyId(uuid4()))
    finally:
        await sql.close()
