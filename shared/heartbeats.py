"""The table in which each service's auditor says what it has found, and everybody can read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from shared.checks import Beat, Finding
from shared.db import Connection

_BEAT = """
INSERT INTO region.heartbeats(service, replica, clean_at, failed, details)
VALUES ($1, $2, CASE WHEN $3::text[] = '{}' THEN clock_timestamp() END, $3, $4::jsonb)
ON CONFLICT (service, replica) DO UPDATE
   SET checked_at = excluded.checked_at, clean_at = coalesce(excluded.clean_at, heartbeats.clean_at),
       failed = excluded.failed, details = excluded.details
"""
_FORGET = "DELETE FROM region.heartbeats WHERE service = $1 AND checked_at < clock_timestamp() - interval '1 day'"
_READ = """
SELECT service, replica, extract(epoch FROM clock_timestamp() - checked_at)::float8 AS checked_s,
       extract(epoch FROM clock_timestamp() - clean_at)::float8 AS clean_s, failed
  FROM region.heartbeats ORDER BY service, replica
"""


async def beat(
    connection: Connection, service: str, replica: str, found: Sequence[Finding], *, told: Mapping[str, float]
) -> None:
    """Say what one pass has found, and numbers that are no finding. Runs as the service's `loop`.

    Replicas of it that have said nothing for a day are forgotten.
    """
    details = {one.check: {"count": one.count, "seconds": round(one.seconds)} for one in found}
    failed = sorted({one.check for one in found})
    await connection.execute(_BEAT, service, replica, failed, json.dumps({**details, **told}))
    await connection.execute(_FORGET, service)


async def read(connection: Connection) -> list[Beat]:
    """What every replica of every service has said last."""
    return [
        Beat(row["service"], row["replica"], row["checked_s"], row["clean_s"], tuple(row["failed"]))
        for row in await connection.fetch(_READ)
    ]
