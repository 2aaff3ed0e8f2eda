"""What waits in cases for coordinators, loaded and saved for many cases at once; and what one page counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.notify.domain.waits import Staff, Thing, Told, Wait
from shared.db import Transaction
from shared.types import AgencyId, CaseId, PersonId, Role

WaitRow = tuple[AgencyId, CaseId, Wait]

_WAITS = """
SELECT case_id, kind, subject_id, person_id, urgent, over, told_at FROM waits WHERE case_id = ANY ($1::uuid[])
"""


async def waits(tx: Transaction, cases: Collection[CaseId]) -> list[tuple[CaseId, Wait]]:
    """Everything that waits, or has waited, in these cases."""
    return [
        (
            CaseId(row["case_id"]),
            Wait(
                Thing(row["kind"], row["subject_id"], urgent=row["urgent"]),
                PersonId(row["person_id"]),
                row["told_at"],
                row["over"],
            ),
        )
        for row in await tx.connection.fetch(_WAITS, list(cases))
    ]


async def quiet(tx: Transaction, cases: Collection[CaseId]) -> set[CaseId]:
    """Which of these cases nobody's page counts any more."""
    rows = await tx.connection.fetch("SELECT case_id FROM quiet WHERE case_id = ANY ($1::uuid[])", list(cases))
    return {CaseId(row["case_id"]) for row in rows}


_SAVE = """
INSERT INTO waits(agency_id, case_id, kind, subject_id, person_id, urgent, over, told_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::uuid[], $6::bool[], $7::bool[],
                     $8::timestamptz[])
ON CONFLICT (case_id, kind, subject_id, person_id, agency_id) DO UPDATE
   SET urgent = excluded.urgent, over = excluded.over, told_at = excluded.told_at
"""


async def save(tx: Transaction, rows: Sequence[WaitRow]) -> None:
    """Add waits, or write where known ones now stand."""
    if rows:
        await tx.connection.execute(
            _SAVE,
            [agency for agency, _, _ in rows],
            [case for _, case, _ in rows],
            [wait.thing.kind for _, _, wait in rows],
            [wait.thing.subject for _, _, wait in rows],
            [wait.person for _, _, wait in rows],
            [wait.thing.urgent for _, _, wait in rows],
            [wait.over for _, _, wait in rows],
            [wait.told_at for _, _, wait in rows],
        )


async def silence(tx: Transaction, cases: Sequence[tuple[AgencyId, CaseId]]) -> None:
    """Nobody's page counts these cases any more."""
    if cases:
        await tx.connection.execute(
            "INSERT INTO quiet(agency_id, case_id) SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING",
            [agency for agency, _ in cases],
            [case for _, case in cases],
        )


_TOLD = """
SELECT w.case_id, w.kind, w.subject_id, w.urgent FROM waits w
 WHERE w.person_id = $1 AND w.agency_id = $2 AND NOT w.over
   AND NOT EXISTS (SELECT FROM pins p WHERE p.person_id = w.person_id AND p.replaced_at >= w.told_at)
"""


async def told(tx: Transaction, person: PersonId, agency: AgencyId) -> list[Told]:
    """What waits in this agency of which this person was told, since the PIN is theirs."""
    return [
        Told(CaseId(row["case_id"]), Thing(row["kind"], row["subject_id"], urgent=row["urgent"]))
        for row in await tx.connection.fetch(_TOLD, person, agency)
    ]


_STAFF = """
SELECT p.role, count(*) AS number,
       count(*) FILTER (WHERE NOT coalesce(i.blocked, false) AND EXISTS (
           SELECT FROM contact_points c WHERE c.person_id = p.person_id AND c.agency_id = p.agency_id
              AND c.verified_at IS NOT NULL AND c.retired_at IS NULL)) AS reachable
  FROM people p LEFT JOIN pins i ON i.person_id = p.person_id AND i.agency_id = p.agency_id
 WHERE p.agency_id = $1 AND p.active AND p.listed AND p.role IN ('peer', 'clinician')
 GROUP BY p.role
"""


async def staff(tx: Transaction, agency: AgencyId) -> list[Staff]:
    """How many peers and clinicians an agency has, and how many of them can be sent something and answer it."""
    return [
        Staff(Role(row["role"]), row["number"], row["reachable"]) for row in await tx.connection.fetch(_STAFF, agency)
    ]


async def belongs(tx: Transaction, person: PersonId, agency: AgencyId) -> bool:
    """Whether this person is one of this agency's own."""
    return bool(
        await tx.connection.fetchval(
            "SELECT EXISTS (SELECT FROM people WHERE person_id = $1 AND agency_id = $2)", person, agency
        )
    )
