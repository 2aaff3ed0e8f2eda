"""Whose training or designation runs out soon: found and noted in one statement, each step once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from shared.db import Transaction
from shared.types import AgencyId, PersonId

STEPS = (7, 30, 60)
"""Days before, nearest first."""

# A step that was missed while nothing ran is told with the next round; one that was told is not told again.
_DUE = """
WITH ending AS (
    SELECT person_id, agency_id, ends, ends - today AS days
      FROM (SELECT person_id, agency_id, today,
                   -- What has run out already hides nothing that has yet to.
                   least(CASE WHEN trained_until >= today THEN trained_until END,
                         CASE WHEN designated_to >= today THEN designated_to END) AS ends
              FROM (SELECT person_id, agency_id, trained_until, designated_to,
                           (region.now() AT TIME ZONE a.time_zone)::date AS today
                      FROM people p JOIN agencies a USING (agency_id)
                     WHERE person_id = ANY ($1::uuid[]) AND p.active AND verified AND role = 'peer') p) p
     WHERE ends IS NOT NULL),
due AS (
    SELECT e.person_id, e.agency_id, e.ends, (SELECT min(s) FROM unnest($2::smallint[]) s WHERE s >= e.days) AS step
      FROM ending e WHERE e.days >= 0)
UPDATE people p SET renewal_of = d.ends, renewal_days = d.step
  FROM due d
 WHERE p.person_id = d.person_id AND p.agency_id = d.agency_id AND d.step IS NOT NULL
   AND (p.renewal_of, p.renewal_days) IS DISTINCT FROM (d.ends, d.step)
RETURNING p.person_id, p.agency_id
"""


async def due(tx: Transaction, people: Collection[PersonId]) -> dict[AgencyId, list[PersonId]]:
    """Of these people the peers who are to be told now, by agency. The caller holds their agencies' locks."""
    if not people:
        return {}
    found: dict[AgencyId, list[PersonId]] = defaultdict(list)
    for row in await tx.connection.fetch(_DUE, list(people), list(STEPS)):
        found[AgencyId(row["agency_id"])].append(PersonId(row["person_id"]))
    return {agency: sorted(listed) for agency, listed in found.items()}
