"""Who did what, as rows that can only be added. No personal text; about a case no peer is named as actor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.db import Transaction
from shared.types import AgencyId


@dataclass(frozen=True)
class Entry:
    """One act. `actor` is a credential or an operator, never a peer about a case; `cause` the event behind it."""

    agency_id: AgencyId
    act: str
    subject: UUID | None = None
    actor: UUID | None = None
    cause: UUID | None = None


# The condition gives the transaction its number before any entry has its id: the sealer reckons with that order.
_RECORD = """
INSERT INTO audit(agency_id, act, subject, actor, cause)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[])
 WHERE pg_current_xact_id() IS NOT NULL
"""


async def record(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Add entries in the transaction of the acts themselves."""
    if entries:
        await tx.connection.execute(
            _RECORD,
            [e.agency_id for e in entries],
            [e.act for e in entries],
            [e.subject for e in entries],
            [e.actor for e in entries],
            [e.cause for e in entries],
        )
