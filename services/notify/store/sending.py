"""What one round of sending reads and writes: intents with the point they go to, attempts, and the links in mails."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notify.domain.intents import Contact, Intent, Purpose
from services.notify.store.cases import intent_of
from shared.db import Transaction
from shared.types import REGION, AgencyId, CaseId, PersonId


@dataclass(frozen=True, repr=False)
class Aim:
    """What an intent is and where it would go now; `contact` and the rest are None where there is no point."""

    intent_id: UUID
    agency_id: AgencyId
    case_id: CaseId | None
    person: PersonId
    template: str
    contact: Contact | None
    point: UUID | None
    sealed: bytes | None
    language: str

    @property
    def sealed_as(self) -> str:
        """The field that the address was sealed as."""
        return "outreach" if self.template == "outreach" else f"contact:{self.point}"


# A person of the case's own agency, or of the region (its duty coordinators): nobody else can be sent anything.
_AIMS = """
SELECT DISTINCT ON (i.intent_id) i.intent_id, i.agency_id, i.case_id, i.person_id, i.template,
       p.active AND p.listed AS active, coalesce(m.language, p.language) AS language,
       coalesce(m.matter_id, c.point_id) AS point_id, coalesce(m.sealed, c.sealed) AS sealed,
       coalesce(m.made_at, c.verified_at) AS verified_at, c.retired_at, m.sealed IS NOT NULL AS outreach
  FROM intents i
  -- Whom an outreach is for is no person of the directory: its address stands in the matter itself.
  LEFT JOIN matters m ON i.template = 'outreach' AND m.matter_id = i.subject_id AND m.agency_id = i.agency_id
  LEFT JOIN people p ON p.person_id = i.person_id AND p.agency_id IN (i.agency_id, $2)
  LEFT JOIN contact_points c
    ON c.person_id = p.person_id AND c.agency_id = p.agency_id
   AND CASE WHEN i.point_id IS NULL THEN c.verified_at IS NOT NULL AND c.retired_at IS NULL
            ELSE c.point_id = i.point_id END
 WHERE i.intent_id = ANY ($1::uuid[])
 ORDER BY i.intent_id, c.position
"""


async def aims(tx: Transaction, intents: Collection[UUID]) -> dict[UUID, Aim]:
    """These intents and the first point each may go to; one that is gone is absent."""
    return {
        row["intent_id"]: Aim(
            intent_id=row["intent_id"],
            agency_id=AgencyId(row["agency_id"]),
            case_id=row["case_id"],
            person=PersonId(row["person_id"]),
            template=row["template"],
            contact=Contact(
                row["outreach"] or row["active"], row["verified_at"] is not None, row["retired_at"] is not None
            )
            if row["point_id"] is not None
            else None,
            point=row["point_id"],
            sealed=row["sealed"],
            language=row["language"] or "",
        )
        for row in await tx.connection.fetch(_AIMS, list(intents), REGION)
    }


_LOCK_CASELESS = """
SELECT intent_id, agency_id, person_id, point_id, template, class, subject_id, expires_at, state, version, attempt_id,
       resent, planned_at
  FROM intents WHERE intent_id = ANY ($1::uuid[]) AND case_id IS NULL ORDER BY intent_id FOR UPDATE
"""


async def lock_caseless(tx: Transaction, intents: Collection[UUID]) -> dict[UUID, Intent]:
    """Lock those of these intents that belong to no case."""
    rows = await tx.connection.fetch(_LOCK_CASELESS, list(intents))
    return {row["intent_id"]: intent_of(row) for row in rows}


_FORGET_CASELESS = """
WITH gone AS (DELETE FROM intents WHERE case_id IS NULL AND class = 'rescind' AND intent_id = ANY ($1::uuid[])
                  AND state NOT IN ('planned', 'sending') RETURNING intent_id)
DELETE FROM attempts WHERE intent_id IN (SELECT intent_id FROM gone)
"""


async def forget_lines(tx: Transaction, intents: Collection[UUID]) -> None:
    """Remove settled words after an end: nothing has to be known of them any more."""
    if not intents:
        return
    await tx.connection.execute(_FORGET_CASELESS, list(intents))


async def being_verified(tx: Transaction, points: Collection[UUID]) -> set[UUID]:
    """Those of these points whose verification is planned or under way."""
    rows = await tx.connection.fetch(
        "SELECT point_id FROM intents WHERE case_id IS NULL AND template = 'verify' AND person_id = ANY ("
        "SELECT person_id FROM contact_points WHERE point_id = ANY ($1::uuid[])) AND point_id = ANY ($1::uuid[])"
        " AND state IN ('planned', 'sending')",
        list(points),
    )
    return {row["point_id"] for row in rows}


_FORGET_SETTLED = """
WITH gone AS (DELETE FROM intents WHERE case_id IS NULL AND class = 'verify' AND person_id = ANY ($1::uuid[])
                  AND state NOT IN ('planned', 'sending') RETURNING intent_id)
DELETE FROM attempts WHERE intent_id IN (SELECT intent_id FROM gone)
"""


async def forget_settled(tx: Transaction, people: Collection[PersonId]) -> None:
    """Remove settled verifications of these persons, before new ones are planned."""
    await tx.connection.execute(_FORGET_SETTLED, list(people))


_LOSE = """
UPDATE attempts SET outcome = 'unknown', code = 'lost' WHERE intent_id = ANY ($1::uuid[]) AND outcome IS NULL
"""


async def lose_attempts(tx: Transaction, intents: Collection[UUID]) -> None:
    """Attempts of these intents that have no outcome never will: their process died."""
    if intents:
        await tx.connection.execute(_LOSE, list(intents))


@dataclass(frozen=True)
class Attempt:
    """An attempt that is about to begin."""

    attempt_id: UUID
    agency_id: AgencyId
    case_id: CaseId | None
    intent_id: UUID


_BEGIN = """
INSERT INTO attempts(attempt_id, agency_id, case_id, intent_id, started_at)
SELECT a, g, c, i, (SELECT region.now()) FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) t(a, g, c, i)
"""


async def begin_attempts(tx: Transaction, attempts: Sequence[Attempt]) -> None:
    """Write attempts before anything is sent."""
    if attempts:
        await tx.connection.execute(
            _BEGIN,
            [a.attempt_id for a in attempts],
            [a.agency_id for a in attempts],
            [a.case_id for a in attempts],
            [a.intent_id for a in attempts],
        )


_END = """
UPDATE attempts a SET outcome = u.outcome, code = u.code
  FROM unnest($1::uuid[], $2::text[], $3::text[]) u(attempt_id, outcome, code)
 WHERE a.attempt_id = u.attempt_id AND a.outcome IS NULL
"""


async def end_attempts(tx: Transaction, outcomes: Sequence[tuple[UUID, str, str]]) -> None:
    """Write (attempt, outcome, code) of attempts that have ended."""
    if outcomes:
        await tx.connection.execute(
            _END, [one for one, _, _ in outcomes], [one for _, one, _ in outcomes], [one for _, _, one in outcomes]
        )


@dataclass(frozen=True)
class Link:
    """Where a link leads. `wrong` counts wrong PINs at a verification link."""

    link_id: UUID
    agency_id: AgencyId
    case_id: CaseId | None
    purpose: Purpose
    person: PersonId
    subject: UUID
    expires_at: datetime | None
    used_at: datetime | None = None
    wrong: int = 0


_ADD_LINKS = """
INSERT INTO links(link_id, agency_id, case_id, purpose, person_id, subject_id, expires_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::timestamptz[])
"""


async def add_links(tx: Transaction, links: Sequence[Link]) -> None:
    """Add links; their doors are added beside them."""
    if links:
        await tx.connection.execute(
            _ADD_LINKS,
            [link.link_id for link in links],
            [link.agency_id for link in links],
            [link.case_id for link in links],
            [link.purpose for link in links],
            [link.person for link in links],
            [link.subject for link in links],
            [link.expires_at for link in links],
        )
