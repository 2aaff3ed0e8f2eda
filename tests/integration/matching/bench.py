"""A bench of matching."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.matching import actions, subscribers
from shared.events.intake import PersonSet
from shared.events.notify import ContactVerified
from shared.types import AgencyId, PersonId, Role
from tests.harness import bench
from tests.harness.bench import Doors, Said

GROUPS = {"ordinary": subscribers.ordinary, "crisis": subscribers.crisis, "directory": subscribers.directory}


class Bench(bench.Bench):
    """Matching, with people who may be asked."""

    doors = Doors("matching", GROUPS, actions.fire)

    async def staff(self, *people: PersonId, role: Role = Role.PEER, agency: AgencyId | None = None) -> None:
        """These people are in the directory, designated, and have verified a contact point."""
        agency = agency or self.agency
        await self.take(*(Said(agency, one, person_set(role)) for one in people), group="directory")
        await self.take(*(Said(agency, one, ContactVerified(revision=1)) for one in people))

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
        "trained_until": datetime(2099, 12, 31, tzinfo=UTC).date(),
        "time_zone": "America/Chicago",
        "language": "en-US",
    }
    return PersonSet(revision=revision, role=role, **{**values, **changed})


def persons(number: int) -> list[PersonId]:
    """So many new people."""
    return [PersonId(uuid4()) for _ in range(number)]


def kinds(statements: Iterable[str]) -> list[str]:
    """The first words of each statement, to compare batches by."""
    return [" ".join(statement.split()[:3]) for statement in statements]
