"""Who of a directory has verified a contact point, and when they were last asked to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from services.intake.domain.verification import WINDOW, Waiting
from shared.db import Transaction
from shared.types import AgencyId, PersonId

_PROGRAM = """
SELECT person_id, verified, verification_asked FROM people
 WHERE agency_id = $1 AND active AND role <> 'member' AND ($2::bytea IS NULL OR ref_index = $2) ORDER BY person_id
"""


async def program(tx: Transaction, agency_id: AgencyId, ref_index: bytes | None) -> list[Waiting]:
    """The active people of the program, or the one behind a reference. The caller holds the agency's lock."""
    rows = await tx.connection.fetch(_PROGRAM, agency_id, ref_index)
    return [Waiting(PersonId(row["person_id"]), row["verified"], tuple(row["verification_asked"])) for row in rows]


_NOTE_ASKED = """
UPDATE people SET verification_asked = $3::timestamptz
       || array(SELECT asked FROM unnest(verification_asked) asked WHERE asked > $3::timestamptz - $4::interval)
 WHERE agency_id = $1 AND person_id = ANY ($2::uuid[])
"""


async def note_asked(tx: Transaction, agency_id: AgencyId, people: Collection[PersonId], now: datetime) -> None:
    """These people are asked now; what is older than the window is forgotten."""
    if people:
        await tx.connection.execute(_NOTE_ASKED, agency_id, list(people), now, WINDOW)
