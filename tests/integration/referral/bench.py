"""Referral on a real PostgreSQL through the real delivery, with records made by hand in the place of Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from uuid_utils.compat import uuid7

from services.referral import actions, subscribers
from shared import timers
from shared.db import Database, Transaction
from shared.delivery import Absorb, Delivery, Received
from shared.events import TOPICS, Envelope, Fact, decode, encode, source_of, to_headers
from shared.events.intake import AgencySet, DutySet, PersonSet
from shared.events.notify import ContactVerified
from shared.events.policy import Capabilities
from shared.parking import Raw
from shared.types import REGION, AgencyId, CaseId, EventId, Lane, PersonId, Role, Structure
from tests.harness.databases import TestDatabase

TABLES = ("pathways", "ladders", "pages", "consults", "referrals", "cases")


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
        self._revision = 0
        groups = {"ordinary": subscribers.ordinary, "crisis": subscribers.crisis, "directory": subscribers.directory}
        self._deliveries = {name: self._delivery(name, absorb) for name, absorb in groups.items()}

    def _delivery(self, name: str, absorb: Absorb) -> Delivery:
        async def counted(tx: Transaction, received: Sequence[Received]) -> None:
            def note(record: Any) -> None:
                # asyncpg asks for the types of a connection's first statements; that is not ours.
                if "jit" not in record.query and "typeinfo" not in record.query:
                    self.statements.append(record.query)

            with tx.connection.query_logger(note):
                await absorb(tx, received)

        return Delivery(self.db, counted, group=f"referral.{name}", topics=tuple(TOPICS), fingerprint_key=b"k" * 32)

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

    async def staff(self, *people: PersonId, role: Role, attributes: Sequence[str] = (), active: bool = True) -> None:
        """These people are in the directory like this from now on, and have verified a contact point."""
        self._revision += 1
        fact = PersonSet(
            revision=self._revision,
            active=active,
            role=role,
            attributes=tuple(attributes),
            time_zone="America/Denver",
            language="en-US",
        )
        await self.take(*(Said(self.agency, one, fact) for one in people), group="directory")
        await self.take(*(Said(self.agency, one, ContactVerified(revision=1)) for one in people))

    async def may(self, capabilities: Capabilities, structure: Structure) -> None:
        """What the agency's structure allows from now on."""
        self._revision += 1
        fact = AgencySet(
            revision=self._revision,
            active=True,
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
            await timers.in_one_transaction(self.db, actions.fire)(fired)
        return await self.out()

    async def anchor(self, case: UUID) -> tuple[str, str | None]:
        """Where a case stands here, and whose it is."""
        row = await self.sql.fetchrow("SELECT state, owner FROM cases WHERE case_id = $1", case)
        assert row is not None
        return row["state"], row["owner"]

    async def left(self, case: UUID) -> dict[str, int]:
        """How many rows of each table are about a case, timers and doors too."""
        columns = dict.fromkeys(TABLES, "case_id") | {"timers": "key", "doors": "key"}
        return {
            table: await self.sql.fetchval(f"SELECT count(*) FROM {table} WHERE {column} = $1", case)  # noqa: S608
            for table, column in columns.items()
        }


def cases(number: int) -> list[CaseId]:
    """So many new cases."""
    return [CaseId(uuid4()) for _ in range(number)]


@asynccontextmanager
async def benched(database: TestDatabase) -> AsyncIterator[Bench]:
    """A bench for one new agency."""
    sql = await database.superuser()
    try:
        await sql.execute("SET search_path = referral")
        async with database.opened("referral") as db:
            yield Bench(db, sql, AgencyId(uuid4()))
    finally:
        await sql.close()
