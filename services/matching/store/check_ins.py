"""Whom to ask how they are, and when: persons and hours, nothing of any case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from shared.db import Transaction
from shared.types import AgencyId, PersonId


class Due(NamedTuple):
    """This person of this agency is to be asked then."""

    agency_id: AgencyId
    person: PersonId
    at: datetime


_NOTE = """
INSERT INTO check_ins(agency_id, person_id, due_at)
SELECT a, p, min(d) FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) t(a, p, d) GROUP BY a, p ORDER BY p, a
ON CONFLICT DO NOTHING
"""


async def note(tx: Transaction, due: Sequence[Due]) -> None:
    """Remember these; who is to be asked already is asked once."""
    if due:
        await tx.connection.execute(_NOTE, *(list(column) for column in zip(*due, strict=True)))


async def write_apart(tx: Transaction) -> set[AgencyId]:
    """Write what cases have left once more, so that no transaction joins it to a case. Returns whose that was."""
    rows = await tx.connection.fetch("UPDATE check_ins SET apart = true WHERE NOT apart RETURNING agency_id")
    return {AgencyId(row["agency_id"]) for row in rows}


_TAKE = """
WITH due AS (DELETE FROM check_ins WHERE agency_id = ANY ($1::uuid[]) AND due_at <= region.now()
             RETURNING person_id, agency_id)
SELECT agency_id, person_id FROM due JOIN peers USING (person_id, agency_id) WHERE active AND verified
 ORDER BY agency_id, person_id
"""


async def take(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, list[PersonId]]:
    """Who of these agencies is to be asked now, and no more after this; nobody who has left meanwhile."""
    found: dict[AgencyId, list[PersonId]] = defaultdict(list)
    for row in await tx.connection.fetch(_TAKE, list(agencies)):
        found[AgencyId(row["agency_id"])].append(PersonId(row["person_id"]))
    return found


async def next_of(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, datetime]:
    """When the next one of each of these agencies is to be asked; an agency without one is absent."""
    rows = await tx.connection.fetch(
        "SELECT agency_id, min(due_at) AS at FROM check_ins WHERE agency_id = ANY ($1::uuid[]) GROUP BY agency_id",
        list(agencies),
    )
    return {AgencyId(row["agency_id"]): row["at"] for row in rows}
