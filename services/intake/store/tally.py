"""Numbers counted by hand, as rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from services.intake.domain.tally import Month
from shared.db import Transaction
from shared.types import AgencyId

_SAVE = """
INSERT INTO tally(agency_id, month, kind, count)
SELECT $1, $2, k, c FROM unnest($3::text[], $4::int[]) t(k, c)
ON CONFLICT (agency_id, month, kind) DO UPDATE SET count = excluded.count
"""


async def save(tx: Transaction, agency_id: AgencyId, counted: Month) -> None:
    """Set the numbers of a month."""
    await tx.connection.execute(_SAVE, agency_id, counted.first, list(counted.counts), list(counted.counts.values()))


async def since(tx: Transaction, agency_id: AgencyId, month: date) -> dict[date, dict[str, int]]:
    """The numbers of this month and of those after it, the latest first."""
    rows = await tx.connection.fetch(
        "SELECT month, kind, count FROM tally WHERE agency_id = $1 AND month >= $2 ORDER BY month DESC, kind",
        agency_id,
        month,
    )
    found: dict[date, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row["month"]][row["kind"]] = row["count"]
    return dict(found)
