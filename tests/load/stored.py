"""A million stored cases: one agency with a thousand real ones, copied in the database, ids and all.

What is copied was made by the real services from real requests: open cases with an offer out, their owners, due times
and timers, keys, people, contact points, doors, what was sent, what was heard (inbox rows of the last days). A copy's
ids are the original's with its number in one group, everywhere in the same way, so that a copy is as consistent as
what it was made from; and of a version that no original has, so that no copy is one. Nobody opens what is sealed in
it, and its directory was not told on the bus.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.migrate import SERVICES

SCHEMAS = (*SERVICES, "vault")
AT_ONCE = 4
COPIES_A_STATEMENT = 25
MOST_COPIES = 0xFFF
"""A copy's number takes the three digits of an id after its version; the version of copies is 8, which nobody has."""
# On their way out, of no agency, or sealed: a copied audit entry has no link, and sealing a million would be measured.
LEFT_OUT = ("outbox", "parked", "positions", "audit", "audit_chain")

_ID = r"\m([0-9a-f]{8}-[0-9a-f]{4})-[0-9a-f]{4}-([0-9a-f]{4}-[0-9a-f]{12})\M"
_COLUMNS = """
SELECT n.nspname AS schema, c.relname AS name, a.attname AS column, format_type(a.atttypid, NULL) AS type,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey)) AS key
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE n.nspname = ANY ($1) AND c.relkind = 'r' AND c.relname <> ALL ($2) AND a.attnum > 0 AND NOT a.attisdropped
   AND a.attgenerated = '' AND a.attidentity = ''
   AND (c.relname = 'inbox' OR EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'agency_id'))
 ORDER BY n.nspname, c.relname, a.attnum
"""


@dataclass(frozen=True)
class Column:
    """A column to copy; `key` says that a unique index stands on it."""

    name: str
    type: str
    key: bool

    @property
    def copied(self) -> str:
        """What stands in the copy number `k`: the same value, with the copy's ids in the place of the original's."""
        if self.type == "uuid":
            return f"overlay({self.name}::text PLACING '8' || lpad(to_hex(k), 3, '0') FROM 15 FOR 4)::uuid"
        if self.type in {"uuid[]", "json", "jsonb"}:
            return (
                rf"regexp_replace({self.name}::text, '{_ID}', '\1-8' || lpad(to_hex(k), 3, '0') || '-\2', 'g')"
                f"::{self.type}"
            )
        if self.type == "bytea" and self.key:
            return f"sha256({self.name} || int4send(k))"
        return self.name


@dataclass(frozen=True)
class Table:
    """A table to copy rows of."""

    schema: str
    name: str
    columns: tuple[Column, ...]

    @property
    def original(self) -> str:
        """Keeps the rows of the agency apart; of claims, which have none, those of the time that `_copier` was told."""
        whose = "seen_at BETWEEN '{since}' AND '{until}'" if self.name == "inbox" else "agency_id = '{agency}'"
        return f"CREATE TEMP TABLE original AS SELECT * FROM {self.schema}.{self.name} WHERE {whose}"  # noqa: S608 - names of the catalogue

    @property
    def copies(self) -> str:
        """Makes the copies number $1 to $2."""
        names = ", ".join(column.name for column in self.columns)
        copied = ", ".join(column.copied for column in self.columns)
        return (
            f"INSERT INTO {self.schema}.{self.name}({names}) "  # noqa: S608 - names of the catalogue
            f"SELECT {copied} FROM original, generate_series($1::int, $2::int) k"
        )


async def tables(connection: asyncpg.Connection[Any]) -> list[Table]:
    """Every table with rows of agencies, and the claims of events."""
    found: dict[tuple[str, str], list[Column]] = {}
    for row in await connection.fetch(_COLUMNS, list(SCHEMAS), list(LEFT_OUT)):
        column = Column(row["column"], row["type"], row["key"])
        found.setdefault((row["schema"], row["name"]), []).append(column)
    return [Table(schema, name, tuple(columns)) for (schema, name), columns in found.items()]


def _chunks(copies: int) -> Iterator[tuple[int, int]]:
    for first in range(1, copies + 1, COPIES_A_STATEMENT):
        yield first, min(first + COPIES_A_STATEMENT - 1, copies)


Time = tuple[datetime, datetime]
"""From when to when."""


async def grow(superuser: dict[str, Any], agency: UUID, heard: Time, copies: int) -> int:
    """As `copy`, and written to disk; how many open cases are stored then."""
    await copy(superuser, agency, heard, copies)
    connection = await asyncpg.connect(**superuser)
    try:
        await connection.execute("CHECKPOINT")
        return int(await connection.fetchval("SELECT count(*) FROM intake.cases WHERE NOT terminal"))
    finally:
        await connection.close()


async def copy(superuser: dict[str, Any], agency: UUID, heard: Time, copies: int) -> None:
    """Copy an agency so many times, with what was heard while it was filled.

    Raises ValueError for more copies than ids can tell apart.
    """
    if copies > MOST_COPIES:
        raise ValueError(f"at most {MOST_COPIES} copies")
    connection = await asyncpg.connect(**superuser)
    try:
        waiting = await tables(connection)
    finally:
        await connection.close()
    await asyncio.gather(*(_copier(superuser, waiting, (agency, heard), copies) for _ in range(AT_ONCE)))


async def _copier(superuser: dict[str, Any], waiting: list[Table], what: tuple[UUID, Time], copies: int) -> None:
    """Take one table after another, and leave it as autovacuum would have it."""
    connection, (since, until) = await asyncpg.connect(**superuser), what[1]
    try:
        # Foreign keys hold among copies as they held among originals, whatever is copied first.
        await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        while waiting:
            table = waiting.pop()
            await connection.execute(
                table.original.format(agency=what[0], since=since.isoformat(), until=until.isoformat())
            )
            for first, last in _chunks(copies):
                await connection.execute(table.copies, first, last)
            await connection.execute("DROP TABLE original")
            await connection.execute(f"VACUUM (ANALYZE) {table.schema}.{table.name}")
    finally:
        await connection.close()
