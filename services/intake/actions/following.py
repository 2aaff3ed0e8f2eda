"""Copies of lent peers follow their originals: a change on either side sets a round for what the two have in common."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from services.intake.store import pool as store
from shared import clock, timers
from shared.db import Transaction
from shared.timers import Due
from shared.types import AgencyId, Lane

ROUND: Literal["lent"] = "lent"
"""What an agency lends and borrows is to be looked at."""


async def again(tx: Transaction, agencies: Collection[AgencyId]) -> None:
    """Set a round for those of these agencies, which have to be in view, that lend or borrow anybody."""
    found = {side for one in await store.lendings(tx, agencies) for side in (one.agency_id, one.home_agency)}
    now = await tx.now()
    # A round of its own for every change: one that is under way may have read what stood before.
    number = clock.random_id().int & 0x7FFF_FFFF
    await timers.schedule(
        tx, [Due(agency, Lane.BULK, ROUND, agency, agency, number, now) for agency in sorted(found & {*agencies})]
    )
