"""Who must not be asked: people named by a requester, and the chain of command above a supervisor or a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.intake.domain.directory import IndexKind
from shared.db import Transaction
from shared.types import PersonId, Role


@dataclass(frozen=True)
class Sought:
    """One blind index to look for; `n` is the request it belongs to. `climbs`: everybody above counts as well."""

    n: int
    kind: IndexKind
    index: bytes
    climbs: bool


@dataclass(frozen=True)
class Hit:
    """Somebody whom a request names, or who stands above one of those."""

    n: int
    person_id: PersonId
    role: Role


# Whoever has just left the directory counts as well: the region may not have heard of it yet, and still ask them.
# A join of its own for each kind of index: joined by "this or that", every text met every person.
# UNION (not ALL) ends the walk where a chain bites its own tail.
_FIND = """
WITH RECURSIVE sought AS MATERIALIZED (
    SELECT * FROM unnest($1::int[], $2::text[], $3::bytea[], $4::bool[]) s(n, kind, index, climbs)),
named AS (
    SELECT s.n, s.climbs, p.person_id, p.agency_id, p.role, p.ref_index
      FROM sought s JOIN people p ON p.ref_index = s.index WHERE s.kind = 'ref'
    UNION ALL
    SELECT s.n, s.climbs, p.person_id, p.agency_id, p.role, p.ref_index
      FROM sought s JOIN people p ON p.name_index = s.index WHERE s.kind = 'name'
    UNION ALL
    SELECT s.n, s.climbs, p.person_id, p.agency_id, p.role, p.ref_index
      FROM sought s JOIN people p ON p.badge_index = s.index WHERE s.kind = 'badge'
    UNION ALL
    SELECT s.n, s.climbs, p.person_id, p.agency_id, p.role, p.ref_index
      FROM sought s JOIN people p ON p.unit_index = s.index WHERE s.kind = 'unit'),
above(n, agency_id, ref) AS (
    SELECT n, agency_id, ref_index FROM named WHERE climbs
    UNION
    SELECT a.n, a.agency_id, p.supervisor_ref_index
      FROM above a JOIN people p ON p.ref_index = a.ref AND p.agency_id = a.agency_id
     WHERE p.supervisor_ref_index IS NOT NULL)
SELECT n, person_id, role FROM named
UNION ALL
SELECT a.n, p.person_id, p.role
  FROM above a JOIN people p ON p.ref_index = a.ref AND p.agency_id = a.agency_id
"""


async def find(tx: Transaction, sought: Sequence[Sought]) -> list[Hit]:
    """Everybody whom these indexes name in the agencies in view, all who match; indexes are bound to their agency."""
    if not sought:
        return []
    rows = await tx.connection.fetch(
        _FIND,
        [one.n for one in sought],
        [one.kind for one in sought],
        [one.index for one in sought],
        [one.climbs for one in sought],
    )
    return [Hit(row["n"], PersonId(row["person_id"]), Role(row["role"])) for row in rows]
