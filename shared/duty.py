"""The region's duty coordinators in a service's read model: the table `duty`, ids without an agency, nothing else.

Whatever is older than what is known changes nothing. The directory's word and notify's may come in either order.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.db import Transaction
from shared.news import OnDuty, Verified
from shared.types import PersonId

_SET = """
INSERT INTO duty(person_id, revision, active)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bool[]) t(p, r, a) ORDER BY p
ON CONFLICT (person_id) DO UPDATE SET revision = excluded.revision, active = excluded.active
 WHERE duty.revision < excluded.revision
"""
_VERIFY = """
INSERT INTO duty(person_id, verified, verified_revision)
SELECT * FROM unnest($1::uuid[], $2::bool[], $3::bigint[]) t(p, v, r) ORDER BY p
ON CONFLICT (person_id) DO UPDATE SET verified = excluded.verified, verified_revision = excluded.verified_revision
 WHERE duty.verified_revision <= excluded.verified_revision
"""


async def learn(tx: Transaction, people: Sequence[OnDuty], verified: Sequence[Verified]) -> None:
    """Take over who is on duty and who of them can be told things, each once."""
    if people:
        await tx.connection.execute(
            _SET, [one.person for one in people], [one.revision for one in people], [one.active for one in people]
        )
    if verified:
        await tx.connection.execute(
            _VERIFY,
            [one.person for one in verified],
            [one.verified for one in verified],
            [one.revision for one in verified],
        )


async def present(tx: Transaction) -> list[PersonId]:
    """Who is on duty and can be told something, always in one order."""
    rows = await tx.connection.fetch("SELECT person_id FROM duty WHERE active AND verified ORDER BY person_id")
    return [PersonId(row["person_id"]) for row in rows]
