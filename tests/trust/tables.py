"""Every row of every table, as the catalogue lists them: a table that somebody adds later is looked at as well."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from services.intake.actions import published
from shared.migrate import SERVICES
from shared.timers import APART
from tests.harness.databases import Sql
from tests.harness.waiting import eventually

_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
 ORDER BY 1
"""
_STAMPS = "array[t.xmin::text::bigint, t.xmax::text::bigint]"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_BYTES = re.compile(r"\\x((?:[0-9a-f]{2})*)")
_UUID_BYTES = 16
BY_ITSELF = {"region.heartbeats", *(f"{service}.audit_floor" for service in SERVICES)}
"""Tables that change while nobody does anything: what auditors say, and up to where sealers need not look."""


@dataclass(frozen=True)
class Row:
    """One row: its table as `schema.name`, and its columns as JSON shows them (bytes as `\\x` and hex)."""

    table: str
    values: Mapping[str, Any]
    stamps: frozenset[int] = frozenset()
    """The transactions that have written or locked it as it is now, which PostgreSQL shows to whoever may read it."""

    @property
    def schema(self) -> str:
        return self.table.partition(".")[0]

    @property
    def name(self) -> str:
        return self.table.partition(".")[2]

    @cached_property
    def text(self) -> str:
        """All of it, as one text with what stands in its bytes spelt out."""
        plain = json.dumps(self.values, sort_keys=True, ensure_ascii=False)
        held = (bytes.fromhex(found).decode("utf-8", "replace") for found in self._hexes)
        return "\n".join((plain, *held))

    @property
    def _hexes(self) -> list[str]:
        texts = (value for value in self.values.values() if isinstance(value, str))
        return [found[1] for text in texts if (found := _BYTES.fullmatch(text))]

    @cached_property
    def ids(self) -> frozenset[UUID]:
        """Every id in it, wherever it stands: in a column, inside JSON, or in bytes as text or as it is."""
        spelt = {UUID(found) for found in _UUID.findall(self.text)}
        raw = {UUID(hex=one) for one in self._hexes if len(one) == 2 * _UUID_BYTES}
        return frozenset(spelt | raw)

    def __hash__(self) -> int:
        return hash((self.table, self.text))


async def tables(sql: Sql) -> list[str]:
    """The names of all tables of the database."""
    return [str(row[0]) for row in await sql.fetch(_TABLES)]


async def rows(sql: Sql) -> list[Row]:
    """All rows of all tables, seen at one moment. Only from a superuser no policy hides any."""
    found = []
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        for table in await tables(sql):
            listed = await sql.fetch(f"SELECT to_jsonb(t)::text AS one, {_STAMPS} AS by FROM {table} t")  # noqa: S608
            found += [_row(table, json.loads(row["one"]), row["by"]) for row in listed]
    return found


def _row(table: str, values: Mapping[str, Any], stamps: Collection[int]) -> Row:
    # Our own column holds the whole number of a transaction, PostgreSQL's the lower half of it.
    named = [int(values["xid"]) % (1 << 32)] if "xid" in values else []
    return Row(table, values, frozenset({*stamps, *named} - {0}))


def digests(listed: Iterable[Row]) -> dict[str, str]:
    """A checksum per table, whatever the order of its rows; without what changes by itself.

    Once a day, at a time of its own, each agency is told again: then that timer is another one.
    """
    by_table: dict[str, list[str]] = defaultdict(list)
    for row in listed:
        if row.table not in BY_ITSELF and row.values.get("kind") != published.ROUND:
            by_table[row.table].append(row.text)
    return {name: hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest() for name, texts in by_table.items()}


def holding(listed: Iterable[Row], one: UUID) -> list[Row]:
    """The rows in which an id stands."""
    return [row for row in listed if one in row.ids]


def of_agency(listed: Collection[Row], agency: UUID) -> list[Row]:
    """The rows of an agency, and those without an agency that name something only this one has."""
    own = [row for row in listed if _agency(row) == agency]
    known = {one for row in own for one in row.ids}
    # The audit of another agency may well say which id was tried in vain.
    elsewhere = [row for row in listed if _agency(row) not in {agency, None} and row.name != "audit"]
    others = {one for row in elsewhere for one in row.ids}
    named = known - others
    return own + [row for row in listed if _agency(row) is None and named & row.ids]


def _agency(row: Row) -> UUID | None:
    value = row.values.get("agency_id")
    return UUID(value) if isinstance(value, str) else None


def joined(listed: Collection[Row], start: UUID, *, but: Collection[UUID] = ()) -> dict[UUID | int, tuple[str, ...]]:
    """Every id that can be reached from one by rows that share an id or a transaction, with the tables on the way.

    `but` are ids that everybody has (agencies), which join nothing.
    """
    places: dict[UUID | int, list[Row]] = defaultdict(list)
    for row in listed:
        for one in (row.ids | row.stamps) - set(but):
            places[one].append(row)
    reached: dict[UUID | int, tuple[str, ...]] = {start: ()}
    waiting: deque[UUID | int] = deque([start])
    while waiting:
        here = waiting.popleft()
        for row in places[here]:
            for one in (row.ids | row.stamps) - set(but) - reached.keys():
                reached[one] = (*reached[here], row.table)
                waiting.append(one)
    return reached


async def settled(sql: Sql, within: float = 30.0) -> None:
    """Return when nothing is under way any more.

    Every outbox empty, nothing to write apart, every audit entry sealed, the same rows twice.
    """
    before: dict[str, str] = {}

    async def quiet() -> bool:
        nonlocal before
        listed = await rows(sql)
        now, then = digests(listed), before
        before = now
        waiting = [row for row in listed if row.name == "outbox" or row.values.get("kind") == APART]
        entries, links = (sum(row.name == name for row in listed) for name in ("audit", "audit_chain"))
        return now == then and not waiting and entries == links

    await eventually(quiet, within, what="nothing under way", every=0.5)


async def until(
    sql: Sql, holds: Callable[[list[Row]], bool], what: str, within: float = 30.0, *, every: float = 0.2
) -> list[Row]:
    """All rows, as soon as this holds of them."""

    async def asked() -> list[Row] | None:
        listed = await rows(sql)
        return listed if holds(listed) else None

    found: list[Row] = await eventually(asked, within, what=what, every=every)
    return found
