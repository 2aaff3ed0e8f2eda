"""Links audit entries into their agency's chain, a second after they were written. One sealer per service at a time.

Entries are found by what has no link yet, not by the numbers of transactions: those say nothing any more in a database
that was restored into another cluster. The floor keeps that cheap: below it everything is linked, for good.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared import chain
from shared.chain import Entry, Head, Link
from shared.db import AGAIN, UNAVAILABLE, Connection, Login, Row, connect

log = logging.getLogger(__name__)

EVERY_S = 1.0
BATCH = 1000
"""Entries of one transaction: hashing them keeps the process busy for some milliseconds."""
PAGE = 5000
IDLE_TIMEOUT_S = 10.0
_LOCK_SPACE = 0x7365616C
"""The first half of the advisory lock's key; the second is the schema."""

_COLUMNS = "a.id, a.xid::text::bigint AS xid, a.agency_id, a.at, a.actor, a.act, a.subject, a.cause"
# Looked up entry by entry: for a page of links the planner would rather read the whole trail.
_ENTRY = "LEFT JOIN LATERAL (SELECT * FROM audit WHERE id = c.audit_id OFFSET 0) a ON true"
_UNLINKED = f"""
SELECT {_COLUMNS}
  FROM audit a WHERE a.id > $1 AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id)
 ORDER BY a.id LIMIT $2
"""  # noqa: S608 - nothing but our own columns
_HEADS = """
SELECT asked.agency_id, last.seq, last.hash FROM unnest($1::uuid[]) asked(agency_id)
 CROSS JOIN LATERAL (SELECT seq, hash FROM audit_chain c WHERE c.agency_id = asked.agency_id
                      ORDER BY seq DESC LIMIT 1) last
"""
_LINK = """
INSERT INTO audit_chain(agency_id, seq, audit_id, prev, hash)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[])
"""
_COUNT = """
INSERT INTO audit_counts(act, entries) SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT (act) DO UPDATE SET entries = audit_counts.entries + excluded.entries
"""
_NOW = """
SELECT (SELECT floor FROM audit_floor) AS floor, coalesce((SELECT max(id) FROM audit), 0) AS last,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest
"""
OWN = "SELECT pg_current_xact_id()::text::bigint"
"""A number given out, not a snapshot's upper end: that is the highest that is over and one, and may be under way."""


@dataclass(frozen=True)
class _Now:
    """What is there: floor, highest entry, and the number of the oldest transaction under way."""

    floor: int
    last: int
    oldest: int


@dataclass(frozen=True)
class _Mark:
    """The highest entry there was, and a transaction's number that was given out later.

    Whoever can still add an entry up to `last` had its number before `last` was given, so it is below `number`
    (shared/audit.py).
    """

    last: int
    number: int


async def _now(connection: Connection) -> _Now:
    [row] = await connection.fetch(_NOW)
    return _Now(row["floor"], row["last"], row["oldest"])


def entry_of(row: Row) -> Entry | None:
    """The audit row among these columns, or None where there is none."""
    if row["id"] is None:
        return None
    return Entry(
        audit_id=row["id"],
        xid=row["xid"],
        agency_id=row["agency_id"],
        at=row["at"],
        actor=row["actor"],
        act=row["act"],
        subject=row["subject"],
        cause=row["cause"],
    )


class Sealer:
    """Links the entries of one service, for ever. Other replicas wait for its session to end."""

    def __init__(self, login: Login, *, batch: int = BATCH) -> None:
        """`login` is the service's `loop`."""
        self._login, self._batch = login, batch
        self._mark: _Mark | None = None

    async def run(self) -> None:
        """Until cancelled. A frozen holder loses its session, and with it the lock, after ten seconds."""
        # sql-in-loop: a background loop
        while True:
            try:
                await self._hold()
            except (*UNAVAILABLE, *AGAIN) as error:
                log.warning("the sealer lost the database: %s", type(error).__name__)
                await asyncio.sleep(EVERY_S)

    async def _hold(self) -> None:
        connection = await connect(self._login, idle_timeout_s=IDLE_TIMEOUT_S)
        try:
            # sql-in-loop: a background loop
            while True:
                if await locked(connection):
                    break
                await asyncio.sleep(EVERY_S)
            self._mark = None
            # sql-in-loop: a background loop
            while True:
                if await self.sealed(connection) < self._batch:
                    await asyncio.sleep(EVERY_S)
        finally:
            connection.terminate()

    async def sealed(self, connection: Connection) -> int:
        """Link one batch in one transaction; returns how many entries it had. Only the holder of the lock calls it."""
        now = await _now(connection)
        if now.last == now.floor:
            return 0
        async with connection.transaction():
            rows = await connection.fetch(_UNLINKED, now.floor, self._batch)
            if rows:
                await _link(connection, self._login.schema, [entry for row in rows if (entry := entry_of(row))])
            if len(rows) < self._batch:
                await self._raise_floor(connection, now)
        return len(rows)

    async def _raise_floor(self, connection: Connection, now: _Now) -> None:
        """Up to the mark, once all numbers below it are through; what they wrote has just been linked. A new mark."""
        mark = self._mark
        if mark is not None and now.oldest < mark.number:
            return
        if mark is not None and mark.last > now.floor:
            await connection.execute("UPDATE audit_floor SET floor = $1", mark.last)
        self._mark = _Mark(now.last, await connection.fetchval(OWN))


async def locked(connection: Connection) -> bool:
    """Whether this session is the sealer of its schema now; it stays so until it ends."""
    held = await connection.fetchval(
        "SELECT pg_try_advisory_lock($1, hashtext('audit:' || current_schema()))", _LOCK_SPACE
    )
    return bool(held)


async def _link(connection: Connection, service: str, entries: Sequence[Entry]) -> None:
    agencies = list({entry.agency_id for entry in entries})
    rows = await connection.fetch(_HEADS, agencies)
    heads = {row["agency_id"]: Head(row["seq"], row["hash"]) for row in rows}
    links = chain.linked(service, heads, entries)
    await connection.execute(
        _LINK,
        [one.agency_id for one in links],
        [one.seq for one in links],
        [one.audit_id for one in links],
        [one.prev for one in links],
        [one.hash for one in links],
    )
    acts = Counter(entry.act for entry in entries)
    await connection.execute(_COUNT, list(acts), list(acts.values()))


_PAGE = f"""
SELECT c.agency_id AS of_agency, c.seq, c.audit_id, c.prev, c.hash, {_COLUMNS}
  FROM (SELECT * FROM audit_chain WHERE (agency_id, seq) > ($1, $2) ORDER BY agency_id, seq LIMIT $3) c
  {_ENTRY} ORDER BY c.agency_id, c.seq
"""  # noqa: S608 - nothing but our own columns
_SEGMENT = f"""
SELECT c.agency_id AS of_agency, c.seq, c.audit_id, c.prev, c.hash, {_COLUMNS}, before.hash AS kept
  FROM (SELECT * FROM audit_chain WHERE audit_id > $1 ORDER BY audit_id LIMIT $2) c
  {_ENTRY}
  LEFT JOIN LATERAL (SELECT hash FROM audit_chain b WHERE b.agency_id = c.agency_id AND b.seq = c.seq - 1 OFFSET 0)
       before ON true
 ORDER BY c.audit_id
"""  # noqa: S608 - nothing but our own columns


def _link_of(row: Row) -> Link:
    return Link(row["of_agency"], row["seq"], row["audit_id"], row["prev"], row["hash"])


async def pages(connection: Connection) -> AsyncIterator[list[tuple[Link, Entry | None]]]:
    """All links of the schema that comes first, with their entries, ordered by agency and seq."""
    agency, seq = UUID(int=0), -1
    # sql-in-loop: page by page, a whole trail would not fit into memory
    while rows := await connection.fetch(_PAGE, agency, seq, PAGE):
        yield [(_link_of(row), entry_of(row)) for row in rows]
        agency, seq = rows[-1]["of_agency"], rows[-1]["seq"]


@dataclass(frozen=True)
class Segment:
    """Some links in the order of their entries: how many, the last entry, and how many are bad by themselves."""

    links: int
    last: int
    bad: int


async def segment(connection: Connection, service: str, after: int, links: int) -> Segment:
    """Whether the links whose entries come after this one fit to their entry and to the link before."""
    rows = await connection.fetch(_SEGMENT, after, links)
    bad = 0
    for row in rows:
        head = Head(row["seq"] - 1, chain.GENESIS if row["seq"] == 1 else (row["kept"] or b""))
        bad += chain.wrong(service, head, _link_of(row), entry_of(row)) is not None
    return Segment(len(rows), rows[-1]["audit_id"] if rows else after, bad)


_LATE = """
SELECT a.agency_id, min(a.id) AS audit_id FROM audit a
 WHERE a.id > $1 AND a.at < clock_timestamp() - make_interval(secs => $2)
   AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id)
 GROUP BY a.agency_id ORDER BY a.agency_id
"""


async def unlinked(connection: Connection, service: str, older_s: float) -> list[chain.Bad]:
    """Entries that should have been linked for so many seconds, the first of each agency; the floor is not believed."""
    rows = await connection.fetch(_LATE, 0, older_s)
    return [chain.Bad(service, row["agency_id"], None, row["audit_id"], "unsealed") for row in rows]


# One look per agency into the index; DISTINCT would read every link.
_EVERY_HEAD = """
WITH RECURSIVE agencies AS (
    (SELECT agency_id FROM audit_chain ORDER BY agency_id LIMIT 1)
    UNION ALL
    SELECT (SELECT c.agency_id FROM audit_chain c WHERE c.agency_id > a.agency_id ORDER BY c.agency_id LIMIT 1)
      FROM agencies a WHERE a.agency_id IS NOT NULL)
SELECT a.agency_id, last.seq, last.hash FROM agencies a
 CROSS JOIN LATERAL (SELECT seq, hash FROM audit_chain c WHERE c.agency_id = a.agency_id ORDER BY seq DESC LIMIT 1) last
"""


async def heads(connection: Connection) -> dict[UUID, Head]:
    """The last link of every agency's chain in the schema that comes first."""
    return {row["agency_id"]: Head(row["seq"], row["hash"]) for row in await connection.fetch(_EVERY_HEAD)}
