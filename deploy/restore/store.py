"""What `peerline restore` reads from and writes to the restored database, as its superuser, while nothing runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from deploy.restore.window import Known, Place, Seen
from shared.db import Connection
from shared.migrate import SERVICES, app_of, loop_of

_AT_WORK = """
SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = current_database() AND usename = ANY ($1) ORDER BY 1
"""
# What was taken by anybody was published: it counts where a backup is older than the relay's own marks.
_PUBLISHED = """
SELECT topic, part, max(next_offset) AS next_offset FROM (
    SELECT topic, part, next_offset FROM intake.published
    UNION ALL SELECT topic, part, next_offset FROM intake.positions
    UNION ALL SELECT topic, part, next_offset FROM matching.published
    UNION ALL SELECT topic, part, next_offset FROM matching.positions
    UNION ALL SELECT topic, part, next_offset FROM referral.published
    UNION ALL SELECT topic, part, next_offset FROM referral.positions
    UNION ALL SELECT topic, part, next_offset FROM notify.published
    UNION ALL SELECT topic, part, next_offset FROM notify.positions) every GROUP BY topic, part
"""
_TAKEN = """
SELECT topic, part, min(next_offset) AS next_offset FROM (
    SELECT topic, part, next_offset FROM intake.positions
    UNION ALL SELECT topic, part, next_offset FROM matching.positions
    UNION ALL SELECT topic, part, next_offset FROM referral.positions
    UNION ALL SELECT topic, part, next_offset FROM notify.positions) every GROUP BY topic, part
"""
_WAITING = """
SELECT event_id FROM intake.outbox UNION SELECT event_id FROM matching.outbox
UNION SELECT event_id FROM referral.outbox UNION SELECT event_id FROM notify.outbox
"""
_HOLD = """
UPDATE vault.data_keys SET held = true
 WHERE kind = 'case' AND subject_id = ANY ($1::uuid[]) AND destroyed_at IS NULL
"""
_CLAIM: Mapping[str, str] = {
    "intake": "INSERT INTO intake.inbox(event_id, digest) SELECT * FROM unnest($1::uuid[], $2::bytea[])"
    " ON CONFLICT DO NOTHING RETURNING event_id",
    "matching": "INSERT INTO matching.inbox(event_id, digest) SELECT * FROM unnest($1::uuid[], $2::bytea[])"
    " ON CONFLICT DO NOTHING RETURNING event_id",
    "referral": "INSERT INTO referral.inbox(event_id, digest) SELECT * FROM unnest($1::uuid[], $2::bytea[])"
    " ON CONFLICT DO NOTHING RETURNING event_id",
    "notify": "INSERT INTO notify.inbox(event_id, digest) SELECT * FROM unnest($1::uuid[], $2::bytea[])"
    " ON CONFLICT DO NOTHING RETURNING event_id",
}


async def at_work(connection: Connection) -> list[str]:
    """The logins of services that are connected."""
    named = [login for service in SERVICES for login in (app_of(service), loop_of(service))]
    return [row["usename"] for row in await connection.fetch(_AT_WORK, named)]


async def known(connection: Connection) -> Known:
    """What the database knows of its own past."""
    published = await connection.fetch(_PUBLISHED)
    waiting = await connection.fetch(_WAITING)
    cases = await connection.fetch("SELECT case_id FROM intake.requests")
    return Known(
        published={(row["topic"], row["part"]): row["next_offset"] for row in published},
        waiting=frozenset(row["event_id"] for row in waiting),
        cases=frozenset(row["case_id"] for row in cases),
    )


async def taken(connection: Connection) -> dict[Place, int]:
    """Of each partition the first offset that somebody has yet to take."""
    return {(row["topic"], row["part"]): row["next_offset"] for row in await connection.fetch(_TAKEN)}


async def claim(connection: Connection, service: str, records: Sequence[Seen]) -> set[UUID]:
    """Have a service know these events as seen: it does nothing about them. Returns those that it had not seen."""
    rows = await connection.fetch(_CLAIM[service], [one.event for one in records], [one.digest for one in records])
    return {row["event_id"] for row in rows}


async def hold(connection: Connection, cases: Collection[UUID]) -> None:
    """Put the legal hold back on the keys of these cases."""
    await connection.execute(_HOLD, list(cases))


async def in_view(connection: Connection, agencies: Collection[UUID]) -> None:
    """Have these agencies in view for the rest of the transaction, and intake's tables first."""
    await connection.execute("SELECT set_config('search_path', 'intake', true)")
    listed = ",".join(map(str, sorted(agencies)))
    await connection.execute("SELECT set_config('peerline.agencies', $1, true)", f"{{{listed}}}")
