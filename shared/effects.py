"""What of the audit trail must add up with what stands in the tables: an act is written in its effect's transaction.

Operational rows of a closed case are purged and its acts stay, so acts are compared with what is kept by design: the
cases that stand, the tombstones of the last 14 days.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from shared.checks import Effect
from shared.db import Connection

BEGUN, CLOSED, WITHDRAWN = "case_begun", "case_closed", "case_withdrawn"

Comparison = Callable[[Connection], Awaitable[list[Effect]]]
"""Counts acts and effects over a connection of the service's `loop`, or of the operator with its schema first."""

# One statement, one snapshot: what is sealed meanwhile stands in one of the two counts. Placeholders have not begun.
_CASES = """
SELECT (SELECT coalesce(sum(CASE act WHEN $1 THEN entries ELSE -entries END), 0)::bigint
          FROM audit_counts WHERE act IN ($1, $2))
     + (SELECT coalesce(sum(CASE act WHEN $1 THEN 1 ELSE -1 END), 0)::bigint
          FROM audit a WHERE a.id > (SELECT floor FROM audit_floor) AND act IN ($1, $2)
           AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id)) AS acts,
       (SELECT count(*) FROM cases WHERE state <> $3) AS effects
"""


async def cases(connection: Connection) -> list[Effect]:
    """Of the service in which cases begin: those that began and were not closed are those that stand. Cheap."""
    [row] = await connection.fetch(_CASES, BEGUN, CLOSED, "heard_of")
    return [Effect("cases", row["acts"], row["effects"])]


# Who is buried twice has two acts, and one tombstone.
_ENDS = """
SELECT 'tombstones' AS name, count(*) AS effects, count(a.act) AS acts
  FROM tombstones t
  LEFT JOIN (SELECT DISTINCT subject, agency_id, act FROM audit WHERE act IN ($1, $2)) a
    ON a.subject = t.case_id AND a.agency_id = t.agency_id AND a.act = CASE WHEN t.closed THEN $1 ELSE $2 END
UNION ALL
SELECT 'closed cases that stand', count(*), 0 FROM cases c
 WHERE EXISTS (SELECT FROM tombstones t WHERE t.case_id = c.case_id AND t.agency_id = c.agency_id AND t.closed)
UNION ALL
SELECT 'acts of the trail', (SELECT count(*) FROM audit), (SELECT coalesce(sum(entries), 0)::bigint FROM audit_counts)
     + (SELECT count(*) FROM audit a WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit_id = a.id))
"""


async def ends(connection: Connection) -> list[Effect]:
    """Of any service: every tombstone has its act, nothing of a closed case stands, no act is gone.

    Reads the whole trail.
    """
    rows = await connection.fetch(_ENDS, CLOSED, WITHDRAWN)
    return [Effect(row["name"], row["acts"], row["effects"]) for row in rows]
