"""Matching on a real PostgreSQL through the real delivery, with records made by hand in the place of Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from uuid_utils.compat import uuid7

from services.matching import actions, subscribers
from shared import timers
from shared.db import Database, Transaction
from shared.delivery import Absorb, Delivery, Received
from shared.events import TOPICS, Envelope, Fact, decode, encode, source_of, to_headers
from shared.events.intake import DutySet, PersonSet
from shared.events.notify import ContactVerified
from shared.parking import Raw
from shared.types import REGION, AgencyId, CaseId, EventId, Lane, PersonId, Role
from tests.harness.databases import TestDatabase


@dataclass(frozen=True)
class Said:
    """One fact of an agency about a key."""

    agency: AgencyId
    key: UUID
    fact: Fact
    event_id: UUID = field(default_factory=uuid7)


class Bench:
    """Takes facts as the consumer groups would, and reads what came out."""

    def __init__(self, db: Database, sql: asyncpg.Connection[Any], agency: AgencyId) -> None:
        self.db, self.sql, self.agency = db, sql, agency
        self.statements: list[str] = []
        self._at = 0
        self._deliveries = {
            name: self._delivery(name, absorb)
            for name, absorb in (
                ("ordinary", subscribers.ordinary),
                ("crisis", subscribers.crisis),
                ("directory", subscribers.directory),
            )
        }

    def _delivery(self, name: str, absorb: Absorb) -> Delivery:
        async def counted(tx: Transaction, received: Sequence[Received]) -> None:
            def note(record: Any) -> None:
                # asyncpg asks for the types of a connection's first statements; that is not ours.
                if "jit" not in record.query and "typeinfo" not in record.query:
                    self.statements.append(record.query)

            with tx.connection.query_logger(note):
                await absorb(tx, received)

        return Delivery(self.db, counted, group=f"matching.{name}", topics=tuple(TOPICS), fingerprint_key=b"k" * 32)

    def raw(self, said: Said) -> Raw:
        """The record as Kafka would hand it over."""
        self._at += 1
        topic = said.fact.TOPIC
        envelope = Envelope(
            event_id=EventId(said.event_id),
            type=said.fact.type,
            source=source_of(topic),
            time=datetime.now(UTC),
            subject=said.key,
            agency_id=said.agency,
        )
        return Raw(topic.name, 0, self._at, str(said.key).encode(), tuple(to_headers(envelope)), encode(said.fact))

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

    async def staff(self, *people: PersonId, role: Role = Role.PEER, agency: AgencyId | None = None) -> None:
        """These people are in the directory, designated, and have verified a contact point."""
        agency = agency or self.agency
        await self.take(*(Said(agency, one, person_set(role)) for one in people), group="directory")
        await self.take(*(Said(agency, one, ContactVerified(revision=1)) for one in people))

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
            await timers.in_one_transaction(self.db, actions.fire)(fired)
        return await self.out()

    async def row(self, case: UUID) -> asyncpg.Record | None:
        """The anchor of a case."""
        return await self.sql.fetchrow("SELECT * FROM cases WHERE case_id = $1", case)

    async def loads(self) -> dict[UUID, tuple[int, int]]:
        """Open and crisis cases by peer, without those who have none."""
        rows = await self.sql.fetch("SELECT peer_id, open, crisis FROM peer_load WHERE open + crisis > 0")
        return {row["peer_id"]: (row["open"], row["crisis"]) for row in rows}


def person_set(role: Role = Role.PEER, *, revision: int = 1, **changed: Any) -> PersonSet:
    """A designated person who is always there."""
    values = {
        "active": True,
        "designated_from": datetime(2025, 1, 1, tzinfo=UTC).date(),
        "trained_until": datetime(2030, 1, 1, tzinfo=UTC).date(),
        "time_zone": "America/Chicago",
        "language": "en-US",
    }
    return PersonSet(revision=revision, role=role, **{**values, **changed})


def persons(number: int) -> list[PersonId]:
    """So many new people."""
    return [PersonId(uuid4()) for _ in range(number)]


def cases(number: int) -> list[CaseId]:
    """So many new cases."""
    return [CaseId(uuid4()) for _ in range(number)]


def kinds(statements: Iterable[str]) -> list[str]:
    """The first words of each statement, to compare batches by."""
    return [" ".join(statement.split()[:3]) for statement in statements]


@asynccontextmanager
async def benched(database: TestDatabase) -> AsyncIterator[Bench]:
    """A bench for one new agency."""
    sql = await database.superuser()
    try:
        await sql.execute("SET search_path = matching")
        async with database.opened("matching") as db:
            yield Bench(db, sql, AgencyId(uuid4()))
    finally:
        await sql.close()
