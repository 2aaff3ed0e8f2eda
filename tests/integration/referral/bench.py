"""A bench of referral."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from services.referral import actions, subscribers
from shared.events.intake import PersonSet
from shared.events.notify import ContactVerified, PageReplied, PageVerb
from shared.events.referral import RungPaged
from shared.types import PersonId, Role
from tests.harness import bench
from tests.harness.bench import Doors, Said

LICENCE = "licence:us-ut"
TABLES = ("pathways", "ladders", "pages", "consults", "referrals", "cases")
GROUPS = {"ordinary": subscribers.ordinary, "crisis": subscribers.crisis, "directory": subscribers.directory}


class Bench(bench.Bench):
    """Referral, with people who may be asked."""

    doors = Doors("referral", GROUPS, actions.fire)

    def listed(self, role: Role, attributes: Sequence[str] = (), *, active: bool = True) -> PersonSet:
        """How somebody stands in the directory from now on."""
        self.revision += 1
        return PersonSet(
            revision=self.revision,
            active=active,
            role=role,
            attributes=tuple(attributes),
            time_zone="America/Denver",
            language="en-US",
        )

    async def staff(self, *people: PersonId, role: Role, attributes: Sequence[str] = (), active: bool = True) -> None:
        """These people are in the directory like this from now on, and have verified a contact point."""
        fact = self.listed(role, attributes, active=active)
        await self.take(*(Said(self.agency, one, fact) for one in people), group="directory")
        await self.take(*(Said(self.agency, one, ContactVerified(revision=1)) for one in people))

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


def page_reply(paged: RungPaged, who: PersonId, verb: PageVerb) -> PageReplied:
    """What notify says when a paged person has pressed a button."""
    page = next(page for page, person in paged.pages if person == who)
    return PageReplied(
        reply=uuid4(), page=page, ladder=paged.ladder, person=who, verb=verb, received_at=datetime.now(UTC)
    )
