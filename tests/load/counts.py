"""What a phase has made of the database: events taken and told by each service, and transactions that wrote.

Whatever is asked while something is measured costs next to nothing, however much is stored.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import asyncpg

from shared.migrate import SERVICES
from tests.harness.waiting import eventually

WITHIN_S = 300.0
FLUSHED_S = 1.5
"""PostgreSQL's own statistics are at most a second late."""

_CONSUMED = " UNION ALL ".join(
    f"SELECT '{one}' AS service, count(*) AS events FROM {one}.inbox"  # noqa: S608 - names of our own schemas
    for one in SERVICES
)
_PUBLISHED = " UNION ALL ".join(
    f"SELECT '{one}' AS service, coalesce(pg_sequence_last_value('{one}.outbox_id_seq'), 0) AS events"
    for one in SERVICES
)
# Every transaction that writes takes one number, and one that only reads takes none.
_WROTE = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_TAKEN = "SELECT sum(n_tup_ins)::bigint FROM pg_stat_user_tables WHERE relname = 'inbox'"
_ATTEMPTS = "SELECT n_tup_ins FROM pg_stat_user_tables WHERE schemaname = 'notify' AND relname = 'attempts'"
_WAITING = " UNION ALL ".join(
    [f"SELECT EXISTS (SELECT FROM {one}.outbox) AS waiting" for one in SERVICES]  # noqa: S608 - as above
    + ["SELECT EXISTS (SELECT FROM notify.timers WHERE lane = ANY ($1) AND due_at <= region.now())"]
)


@dataclass(frozen=True)
class Counts:
    """How much there has been since the region was made."""

    consumed: dict[str, int]
    published: dict[str, int]
    transactions: int


@dataclass(frozen=True)
class PerCase:
    """What one case comes to: events by service, and transactions that wrote, of all services and their loops."""

    consumed: dict[str, float]
    published: dict[str, float]
    commits: float


async def counted(connection: asyncpg.Connection[Any]) -> Counts:
    """How much there has been up to now."""
    consumed = await connection.fetch(_CONSUMED)
    published = await connection.fetch(_PUBLISHED)
    return Counts(
        {row["service"]: row["events"] for row in consumed},
        {row["service"]: row["events"] for row in published},
        await connection.fetchval(_WROTE),
    )


def per_case(before: Counts, after: Counts, cases: int) -> PerCase:
    """What happened in between, by cases."""
    return PerCase(
        {one: round((after.consumed[one] - before.consumed[one]) / cases, 2) for one in before.consumed},
        {one: round((after.published[one] - before.published[one]) / cases, 2) for one in before.published},
        round((after.transactions - before.transactions) / cases, 3),
    )


async def attempts(connection: asyncpg.Connection[Any]) -> int:
    """How many attempts were ever begun, as of a second ago at the latest."""
    return int(await connection.fetchval(_ATTEMPTS) or 0)


async def at_rest(connection: asyncpg.Connection[Any], lanes: Collection[int]) -> None:
    """Return when every outbox is empty and every mail that is due has its outcome."""

    async def still() -> bool:
        return not any(row["waiting"] for row in await connection.fetch(_WAITING, list(lanes)))

    await eventually(still, WITHIN_S, every=0.1, what="a region at rest")


async def heard(connection: asyncpg.Connection[Any]) -> None:
    """Return when nothing is heard any more."""
    before = [-1]

    async def silent() -> bool:
        last, before[0] = before[0], await connection.fetchval(_TAKEN)
        return before[0] == last

    await eventually(silent, WITHIN_S, every=FLUSHED_S, what="a region that hears nothing new")
