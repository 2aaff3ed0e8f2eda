"""Practice cases that are under way, by the timers that end them."""

from __future__ import annotations

from services.intake.domain.acts import DRILL
from shared.db import Transaction
from shared.types import AgencyId


async def open_drills(tx: Transaction, agency_id: AgencyId) -> int:
    """How many practice cases of this agency have not ended."""
    found: int = await tx.connection.fetchval(
        "SELECT count(*) FROM timers WHERE agency_id = $1 AND kind = $2", agency_id, DRILL
    )
    return found
