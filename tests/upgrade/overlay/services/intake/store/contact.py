"""How the first contact with a requester was told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.db import Transaction
from shared.types import CaseId


async def save(tx: Transaction, how: Mapping[CaseId, str], noted: Sequence[CaseId]) -> None:
    """Write it beside the requests of these cases."""
    await tx.connection.execute(
        "UPDATE requests r SET contact_how = u.how FROM unnest($1::uuid[], $2::text[]) u(case_id, how)"
        " WHERE r.case_id = u.case_id",
        list(how),
        list(how.values()),
    )
    await tx.connection.execute("UPDATE requests SET contact_noted = true WHERE case_id = ANY ($1::uuid[])", noted)
