"""What the loop may see of searches: how many of an urgency nobody has accepted, and since when."""

from __future__ import annotations

from shared.db import Connection
from shared.metrics import Sample, Source

_UNSERVED = """
SELECT urgency, count(*)::float8 AS waiting,
       60 * floor(greatest(0, extract(epoch FROM region.now() - min(since))) / 60)::float8 AS oldest
  FROM searches WHERE phase IN ('searching', 'choosing', 'unserved') AND NOT practice
 GROUP BY urgency
"""


async def _unserved(connection: Connection) -> list[Sample]:
    rows = await connection.fetch(_UNSERVED)
    return [
        *(Sample("peerline_unserved", row["waiting"], row["urgency"]) for row in rows),
        *(Sample("peerline_unserved_oldest_seconds", row["oldest"], row["urgency"]) for row in rows),
    ]


UNSERVED = Source(("peerline_unserved", "peerline_unserved_oldest_seconds"), _unserved)
"""Requests that nobody has accepted, per urgency, over all agencies; what is only practised is none."""
