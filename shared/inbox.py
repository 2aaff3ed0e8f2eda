"""Each event takes effect once: its id is claimed in the transaction of its effect. Positions stand beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from shared.db import Connection, Transaction
from shared.types import AgencyId, CaseId, EventId

KEPT_DAYS = 14
"""Claims are kept so long; an event older than this is refused, because nobody could tell whether it was seen."""


class Forged(Exception):
    """An event id was seen before with another content."""


def digest(kind: str, body: bytes) -> bytes:
    """What tells two events with the same id apart."""
    return hashlib.sha256(kind.encode() + b"\0" + body).digest()


# Whose cases are over is asked in the same round trip: events of theirs are claimed, and come to nothing.
_CLAIM = """
WITH claimed AS (
    INSERT INTO inbox(event_id, digest)
    SELECT e, d FROM unnest($1::uuid[], $2::bytea[]) t(e, d) ORDER BY e
    ON CONFLICT DO NOTHING RETURNING event_id)
SELECT event_id, NULL::uuid AS case_id, NULL::uuid AS agency_id FROM claimed
UNION ALL
SELECT NULL, case_id, agency_id FROM tombstones JOIN unnest($3::uuid[], $4::uuid[]) t(c, a)
    ON case_id = c AND agency_id = a
"""
_SEEN = """
SELECT event_id, NULL::uuid AS case_id, NULL::uuid AS agency_id
  FROM inbox JOIN unnest($1::uuid[], $2::bytea[]) t(e, d) ON e = event_id
 WHERE digest <> d AND octet_length(digest) > 0
UNION ALL
SELECT NULL, case_id, agency_id FROM tombstones JOIN unnest($3::uuid[], $4::uuid[]) t(c, a)
    ON case_id = c AND agency_id = a
"""


Place = tuple[CaseId, AgencyId]


@dataclass(frozen=True)
class Claimed:
    """Events not seen before, those seen before with ANOTHER digest, and which of their cases have a tombstone."""

    fresh: AbstractSet[EventId] = frozenset()
    forged: AbstractSet[EventId] = frozenset()
    buried: AbstractSet[Place] = frozenset()


async def claim(tx: Transaction, events: Mapping[EventId, bytes], places: Collection[Place]) -> Claimed:
    """Claim events by id and digest; `places` are the cases that they are of, each with its agency."""
    if not events:
        return Claimed()
    ids, digests = list(events), list(events.values())
    cases, agencies = [case for case, _ in places], [agency for _, agency in places]
    rows = await tx.connection.fetch(_CLAIM, ids, digests, cases, agencies)
    fresh = {EventId(row["event_id"]) for row in rows if row["event_id"] is not None}
    buried = {(CaseId(row["case_id"]), AgencyId(row["agency_id"])) for row in rows if row["event_id"] is None}
    if len(fresh) == len(events):
        return Claimed(fresh, buried=buried)
    # Whoever has claimed them meanwhile may have buried their cases: a statement of its own sees that.
    seen = await tx.connection.fetch(_SEEN, ids, digests, cases, agencies)
    forged = {EventId(row["event_id"]) for row in seen if row["event_id"] is not None}
    buried |= {(CaseId(row["case_id"]), AgencyId(row["agency_id"])) for row in seen if row["event_id"] is None}
    return Claimed(fresh, forged, buried)


_SPEND = """
INSERT INTO inbox(event_id, digest) SELECT e, '' FROM unnest($1::uuid[]) e ORDER BY e ON CONFLICT DO NOTHING
"""


async def spend(tx: Transaction, ids: Collection[EventId]) -> None:
    """Take these ids for events that shall never have an effect here, whatever content comes under them."""
    if ids:
        await tx.connection.execute(_SPEND, list(ids))


_POSITIONS = """
INSERT INTO positions(topic, part, next_offset)
SELECT t, p, o FROM unnest($1::text[], $2::int[], $3::bigint[]) u(t, p, o) ORDER BY t, p
ON CONFLICT (topic, part) DO UPDATE SET next_offset = excluded.next_offset
"""


async def save_positions(tx: Transaction, positions: Mapping[tuple[str, int], int]) -> None:
    """Store the next offset of each (topic, partition), in the transaction of the effects before it."""
    if positions:
        topics, parts = [key[0] for key in positions], [key[1] for key in positions]
        await tx.connection.execute(_POSITIONS, topics, parts, list(positions.values()))


async def load_positions(connection: Connection) -> dict[tuple[str, int], int]:
    """The stored next offset of every (topic, partition)."""
    rows = await connection.fetch("SELECT topic, part, next_offset FROM positions")
    return {(row["topic"], row["part"]): row["next_offset"] for row in rows}


async def sweep(connection: Connection) -> None:
    """Forget claims that are older than any event that is still accepted, and tombstones with them."""
    await connection.execute(
        "DELETE FROM inbox WHERE seen_at < clock_timestamp() - make_interval(days => $1)", KEPT_DAYS
    )
    await connection.execute(
        "DELETE FROM tombstones WHERE at < clock_timestamp() - make_interval(days => $1)", KEPT_DAYS
    )
