"""Whether everything that is open has an owner and a due time, and whether a service is late with what it owns.

The loop reads each table in slices of blocks, the next one in every pass: an index on the due time would cost every
move of every case more than it saves, and a pass that reads everything costs the more the more there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.checks import SERVICES, Finding, Limits
from shared.db import Connection, Row

BLOCKS = 1000
"""Of one slice: 8 MB, some 50,000 cases, a few milliseconds."""

_COUNTED = """
SELECT count(*) FILTER (WHERE owner IS NULL OR due_at IS NULL) AS without,
       count(*) FILTER (WHERE due_at < (SELECT region.now()) - make_interval(secs => $1) AND owner = ANY ($2::text[]))
         AS overdue,
       coalesce(extract(epoch FROM (SELECT region.now()) - min(due_at) FILTER (WHERE owner = ANY ($2::text[]))),
                0)::float8 AS seconds
  FROM """
_BLOCKS = "SELECT pg_relation_size(to_regclass($1)) / current_setting('block_size')::int"


async def every(connection: Connection, limits: Limits) -> list[Finding]:
    """Over the view of everything open in the schema that comes first; reads all of it."""
    return _found(await connection.fetch(f"{_COUNTED} open_things", limits.late_s, list(SERVICES)))


def _found(rows: Sequence[Row]) -> list[Finding]:
    without, overdue = (sum(row[name] for row in rows) for name in ("without", "overdue"))
    found = [Finding("open_without_due", without)] if without else []
    return [*found, Finding("open_overdue", overdue, max(row["seconds"] for row in rows))] if overdue else found


@dataclass(frozen=True)
class Open:
    """A table with open things. `part` selects their owner and due_at between the places $3 and $4 of the table."""

    table: str
    part: str


CASES = Open("cases", "SELECT owner, due_at FROM cases WHERE NOT terminal AND ctid >= $3 AND ctid < $4")


@dataclass
class Round:
    """Goes through one table, slice by slice and then anew."""

    open: Open
    blocks: int = BLOCKS
    _next: int = 0
    _rows: list[Row] = field(default_factory=list)
    _whole: list[Row] = field(default_factory=list)

    async def step(self, connection: Connection, limits: Limits) -> list[Finding]:
        """Read the next slice. Tells what the last whole round and this one so far have found."""
        size = await connection.fetchval(_BLOCKS, self.open.table)
        end = self._next + self.blocks
        self._rows += await connection.fetch(
            f"{_COUNTED} ({self.open.part}) part", limits.late_s, list(SERVICES), (self._next, 0), (end, 0)
        )
        if end < size:
            self._next = end
            return [*_found(self._whole), *_found(self._rows)]
        self._whole, self._rows, self._next = self._rows, [], 0
        return _found(self._whole)
