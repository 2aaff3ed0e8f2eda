"""One bad record never blocks a partition and is never lost: it is parked, tried again with growing pauses, then dead.

Later records of the same topic and key park behind it. What can be decoded is parked as received (its secrets are
sealed already); of what cannot, only topic, partition, offset, size and a keyed hash are kept. A dead one belongs to
the operator (`shared.dead_letters`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from shared.db import Connection, Transaction
from shared.errors import LostClaim
from shared.events import KNOWN, TOPICS
from shared.types import AgencyId, Lane

PAUSES_S = (1, 5, 30, 120, 600, 1800, 3600)
"""Before each further try; after the last one the record is dead and belongs to the operator."""
CRISIS_PAUSES_S = (1, 2, 5, 10, *(30,) * 119)
"""On the crisis lane nobody waits for minutes after a fault was mended. About an hour in all."""
DUE_S, CRISIS_DUE_S = 24 * 3600, 15 * 60
"""When the operator shall have dealt with a dead one."""
UNKNOWN_FOR_HOURS = 24
"""An unknown type or version waits so long for the upgrade that knows it."""
LEASE_S = 60
NOT_NOW_S = 15
"""Before what had to be read from the bus again is tried once more, when the bus did not answer."""
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
    """A parked record whose turn has come. Where its content was not `kept`, `raw` has neither headers nor value."""

    seq: int
    raw: Raw
    attempts: int
    unknown_too_long: bool
    fingerprint: bytes
    kept: bool = True


def fingerprint(value: bytes, key: bytes) -> bytes:
    """A keyed hash of a record's content: tells whether it is the same one, and nothing else."""
    return hmac.new(key, value, hashlib.sha256).digest()


def pauses_of(topic: str) -> tuple[int, ...]:
    """Seconds before each further try of a record of this topic."""
    return CRISIS_PAUSES_S if _in_crisis(topic) else PAUSES_S


def _due_s(topic: str) -> int:
    return CRISIS_DUE_S if _in_crisis(topic) else DUE_S


def _in_crisis(topic: str) -> bool:
    known = TOPICS.get(topic)
    return known is not None and known.lane is Lane.CRISIS


_PARK = """
INSERT INTO parked(topic, part, pos, key, event_id, agency_id, headers, record, size, state, next_try, due_at,
                   error_class, fingerprint)
SELECT t, p, o, k, e, a, h::jsonb, r, z, CASE WHEN d THEN 'dead' ELSE 'waiting' END,
       CASE WHEN NOT d THEN clock_timestamp() + make_interval(secs => w) END,
       CASE WHEN d THEN clock_timestamp() + make_interval(secs => y) END, c, f
  FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::uuid[], $6::uuid[], $7::text[], $8::bytea[],
              $9::int[], $10::bool[], $11::float8[], $12::text[], $13::bytea[], $14::float8[]) WITH ORDINALITY
       u(t, p, o, k, e, a, h, r, z, d, w, c, f, y, n) ORDER BY n
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
        [fingerprint(raw.value, fingerprint_key) for raw in raws],
        [_due_s(raw.topic) for raw in raws],
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


# Only the first of its topic and key: those behind it wait, whatever their own time says. And only what this release
# knows: in a rolling upgrade an older replica would take it from the one that could bring it to its effect.
_TURN = """
       q.state = 'waiting' AND q.next_try <= clock_timestamp() - make_interval(secs => {late})
   AND NOT EXISTS (SELECT FROM parked b WHERE b.topic = q.topic AND b.key = q.key AND b.seq < q.seq)
   AND (NOT q.kept OR q.parked_at < clock_timestamp() - make_interval(hours => $3, secs => {late})
        OR EXISTS (SELECT FROM jsonb_array_elements(q.headers) h
                    WHERE h ->> 0 = 'ce_type' AND h ->> 1 = ANY ($2::text[])))
"""
_CLAIM = f"""
UPDATE parked p SET attempts = attempts + 1, next_try = clock_timestamp() + make_interval(secs => $1)
  FROM (SELECT q.seq FROM parked q
         WHERE {_TURN.format(late=0)} AND q.topic = ANY ($4::text[])
         ORDER BY q.seq LIMIT $5 FOR UPDATE SKIP LOCKED) d
 WHERE p.seq = d.seq
RETURNING p.seq, p.topic, p.part, p.pos, p.key, p.headers, p.record, p.attempts, p.fingerprint, p.kept,
          p.parked_at < clock_timestamp() - make_interval(hours => $3) AS unknown_too_long
"""  # noqa: S608 - nothing but our own condition
UNTRIED = f"""
SELECT count(*) AS count, coalesce(extract(epoch FROM clock_timestamp() - min(q.next_try)), 0)::float8 AS seconds
  FROM parked q WHERE {_TURN.format(late="$1")}
"""  # noqa: S608 - nothing but our own condition
"""What this release should have tried so many seconds ago ($1): with the types that it knows ($2), or others after so
many hours ($3)."""


async def claim(connection: Connection, topics: Sequence[str], limit: int = 50) -> list[Parked]:
    """Lease parked records of these topics whose time has come, the first of each key only. Runs as `loop`.

    An unknown type is left to a replica that knows it, for as long as it may wait. What was not kept may be any.
    """
    rows = await connection.fetch(_CLAIM, LEASE_S, sorted(KNOWN), UNKNOWN_FOR_HOURS, list(topics), limit)
    return [
        Parked(
            seq=row["seq"],
            raw=Raw(
                topic=row["topic"],
                part=row["part"],
                pos=row["pos"],
                key=row["key"],
                headers=tuple((name, value.encode()) for name, value in json.loads(row["headers"] or "[]")),
                value=row["record"] or b"",
            ),
            attempts=row["attempts"],
            unknown_too_long=row["unknown_too_long"],
            fingerprint=row["fingerprint"],
            kept=row["kept"],
        )
        for row in rows
    ]


_KEEP = """
UPDATE parked SET headers = $3::jsonb, record = $4, event_id = $5, agency_id = $6 WHERE seq = $1 AND attempts = $2
"""


async def keep(connection: Connection, parked: Parked, ticket: Ticket) -> None:
    """Keep from now on what was read again and can be decoded after all. Runs as `loop`."""
    headers, value = _headers_text(ticket), ticket.raw.value
    await connection.execute(_KEEP, parked.seq, parked.attempts, headers, value, ticket.event_id, ticket.agency_id)


async def resolve(tx: Transaction, parked: Parked) -> None:
    """Take a record off the list in the transaction of its effect, and let the next one behind it go at once.

    The last statement of a try. Raises `LostClaim` when it was leased again meanwhile, replayed or discarded. One that
    has purged its own case is gone with it, and that is as good.
    """
    if (parked.seq, parked.attempts) in tx.purged_parked:
        return
    status = await tx.connection.execute(
        "DELETE FROM parked WHERE seq = $1 AND attempts = $2", parked.seq, parked.attempts
    )
    if status != "DELETE 1":
        raise LostClaim
    await tx.connection.execute(
        "UPDATE parked SET next_try = clock_timestamp() WHERE seq = (SELECT min(seq) FROM parked"
        " WHERE topic = $1 AND key = $2) AND state = 'waiting'",
        parked.raw.topic,
        parked.raw.key,
    )


_GIVE_BACK = """
UPDATE parked SET attempts = attempts - 1, next_try = clock_timestamp() + make_interval(secs => $3)
 WHERE seq = $1 AND attempts = $2 AND state = 'waiting'
"""
_PUT_BACK = """
UPDATE parked SET error_class = $3, state = CASE WHEN $4 THEN 'dead' ELSE 'waiting' END,
       next_try = CASE WHEN NOT $4 THEN clock_timestamp() + make_interval(secs => $5) END,
       due_at = CASE WHEN $4 THEN clock_timestamp() + make_interval(secs => $6) END
 WHERE seq = $1 AND attempts = $2
"""


async def give_back(connection: Connection, parked: Parked) -> None:
    """It could not even be tried: that was no try, and it comes again soon. Runs as `loop`."""
    await connection.execute(_GIVE_BACK, parked.seq, parked.attempts, NOT_NOW_S)


async def put_back(connection: Connection, parked: Parked, error_class: str, *, dead: bool) -> None:
    """After a failed try: the next pause, or dead; nothing where it was leased again or replayed. Runs as `loop`."""
    topic, attempts = parked.raw.topic, parked.attempts
    pauses = pauses_of(topic)
    pause = pauses[min(attempts, len(pauses) - 1)]
    await connection.execute(_PUT_BACK, parked.seq, attempts, error_class, dead, pause, _due_s(topic))
