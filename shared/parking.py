"""One bad record never blocks a partition and is never lost: it is parked, tried again with growing pauses, then dead.

Later records of the same topic and key park behind it. What can be decoded is parked as received (its secrets are
sealed already); of what cannot, only topic, partition, offset, size and a keyed hash are kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from shared.db import Connection, Transaction
from shared.types import AgencyId

PAUSES_S = (1, 5, 30, 120, 600, 1800, 3600)
"""Before each further try; after the last one the record is dead and belongs to the operator."""
UNKNOWN_FOR_HOURS = 24
"""An unknown type or version waits so long for the upgrade that knows it."""
LEASE_S = 60
MOST_KEY_BYTES = 100


@dataclass(frozen=True)
class Raw:
    """A Kafka record as it came; `topic` is the logical name."""

    topic: str
    part: int
    pos: int
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


def bounded(raw: Raw) -> Raw:
    """The record with a key that an index can hold: no key of ours is longer than a UUID, and any may be parked."""
    if len(raw.key) <= MOST_KEY_BYTES:
        return raw
    return replace(raw, key=b"sha256:" + hashlib.sha256(raw.key).hexdigest().encode())


@dataclass(frozen=True)
class Ticket:
    """Why a record is parked. `dead` at once when no retry can ever help; `keep` when its content may be kept."""

    raw: Raw
    error_class: str
    event_id: UUID | None = None
    agency_id: AgencyId | None = None
    dead: bool = False
    keep: bool = True
    pause_s: float = PAUSES_S[0]


@dataclass(frozen=True)
class Parked:
    """A parked record whose turn has come."""

    seq: int
    raw: Raw
    attempts: int
    unknown_too_long: bool


_PARK = """
INSERT INTO parked(topic, part, pos, key, event_id, agency_id, headers, record, size, state, next_try, due_at,
                   error_class, fingerprint)
SELECT t, p, o, k, e, a, h::jsonb, r, z, CASE WHEN d THEN 'dead' ELSE 'waiting' END,
       CASE WHEN NOT d THEN clock_timestamp() + make_interval(secs => w) END,
       CASE WHEN d THEN clock_timestamp() + interval '1 day' END, c, f
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::uuid[], $6::uuid[], $7::text[], $8::bytea[],
              $9::int[], $10::bool[], $11::float8[], $12::text[], $13::bytea[]) WITH ORDINALITY
       u(t, p, o, k, e, a, h, r, z, d, w, c, f, n) ORDER BY n
ON CONFLICT DO NOTHING
"""
# Naming the columns of the conflict would ask the policy whether this login may read the row: of an undecodable
# record, which has no agency, it may not.


async def park(tx: Transaction, tickets: Sequence[Ticket], fingerprint_key: bytes) -> None:
    """Park records in this order. Parking the same record twice keeps the first."""
    if not tickets:
        return
    raws = [ticket.raw for ticket in tickets]
    await tx.connection.execute(
        _PARK,
        [raw.topic for raw in raws],
        [raw.part for raw in raws],
        [raw.pos for raw in raws],
        [raw.key for raw in raws],
        [ticket.event_id for ticket in tickets],
        [ticket.agency_id for ticket in tickets],
        [_headers_text(ticket) for ticket in tickets],
        [ticket.raw.value if ticket.keep else None for ticket in tickets],
        [len(raw.value) for raw in raws],
        [ticket.dead for ticket in tickets],
        [ticket.pause_s for ticket in tickets],
        [ticket.error_class for ticket in tickets],
        [hmac.new(fingerprint_key, raw.value, hashlib.sha256).digest() for raw in raws],
    )


def _headers_text(ticket: Ticket) -> str | None:
    if not ticket.keep:
        return None
    texts = ((name, _text(value)) for name, value in ticket.raw.headers)
    return json.dumps([[name, text] for name, text in texts if text is not None and "\0" not in name])


def _text(value: bytes) -> str | None:
    # The envelope's own headers are text; a foreign one that is not, or that no jsonb can hold, has no meaning here.
    try:
        return None if b"\0" in value else value.decode()
    except (UnicodeDecodeError, AttributeError, TypeError):
        return None


# The region's time comes with it, to save those who act on the records a round trip.
_HELD = """
SELECT now, topic, key FROM region.now() AS now LEFT JOIN parked_keys($1::text[], $2::bytea[]) ON true
"""


async def held(tx: Transaction, places: Sequence[tuple[str, bytes]]) -> set[tuple[str, bytes]]:
    """Which of these (topic, key) have something parked, waiting or dead: their later records park behind it."""
    if not places:
        return set()
    rows = await tx.connection.fetch(_HELD, [topic for topic, _ in places], [key for _, key in places])
    tx.told_now(rows[0]["now"])
    return {(row["topic"], row["key"]) for row in rows if row["key"] is not None}


# Only the first of its topic and key: those behind it wait, whatever their own time says.
_CLAIM = """
UPDATE parked p SET attempts = attempts + 1, next_try = clock_timestamp() + make_interval(secs => $1)
  FROM (SELECT q.seq FROM parked q
         WHERE q.state = 'waiting' AND q.next_try <= clock_timestamp() AND q.topic = ANY ($4::text[])
           AND NOT EXISTS (SELECT FROM parked b WHERE b.topic = q.topic AND b.key = q.key AND b.seq < q.seq)
         ORDER BY q.seq LIMIT $2 FOR UPDATE SKIP LOCKED) d
 WHERE p.seq = d.seq
RETURNING p.seq, p.topic, p.part, p.pos, p.key, p.headers, p.record, p.attempts,
          p.parked_at < clock_timestamp() - make_interval(hours => $3) AS unknown_too_long
"""


async def claim(connection: Connection, topics: Sequence[str], limit: int = 50) -> list[Parked]:
    """Lease parked records of these topics whose time has come, the first of each key only. Runs as `loop`."""
    rows = await connection.fetch(_CLAIM, LEASE_S, limit, UNKNOWN_FOR_HOURS, list(topics))
    return [
        Parked(
            seq=row["seq"],
            raw=Raw(
                topic=row["topic"],
                part=row["part"],
                pos=row["pos"],
                key=row["key"],
                headers=tuple((name, value.encode()) for name, value in json.loads(row["headers"])),
                value=row["record"],
            ),
            attempts=row["attempts"],
            unknown_too_long=row["unknown_too_long"],
        )
        for row in rows
    ]


async def resolve(tx: Transaction, seq: int) -> bool:
    """Take a record off the list in the transaction of its effect, and let the next one behind it go at once."""
    row = await tx.connection.fetchrow("DELETE FROM parked WHERE seq = $1 RETURNING topic, key", seq)
    if row is None:
        return False
    await tx.connection.execute(
        "UPDATE parked SET next_try = clock_timestamp() WHERE seq = (SELECT min(seq) FROM parked"
        " WHERE topic = $1 AND key = $2) AND state = 'waiting'",
        row["topic"],
        row["key"],
    )
    return True


_PUT_BACK = """
UPDATE parked SET error_class = $2, state = CASE WHEN $3 THEN 'dead' ELSE 'waiting' END,
       next_try = CASE WHEN NOT $3 THEN clock_timestamp() + make_interval(secs => $4) END,
       due_at = CASE WHEN $3 THEN clock_timestamp() + interval '1 day' END
 WHERE seq = $1
"""


async def put_back(connection: Connection, parked: Parked, error_class: str, *, dead: bool) -> None:
    """After a failed try: the next pause, or dead. Runs as `loop`."""
    pause = PAUSES_S[min(parked.attempts, len(PAUSES_S) - 1)]
    await connection.execute(_PUT_BACK, parked.seq, error_class, dead, pause)
