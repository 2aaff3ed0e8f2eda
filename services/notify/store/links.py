"""What a page needs: the link behind a token, its sessions, and the one matter that it leads to."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from services.notify.domain.matters import Matter, Reply
from services.notify.store.cases import matter_of, reply_of
from services.notify.store.sending import Link
from shared.db import Transaction
from shared.types import AgencyId, CaseId, PersonId

_LOAD = """
SELECT link_id, agency_id, case_id, purpose, person_id, subject_id, expires_at, used_at, wrong FROM links
 WHERE link_id = $1
"""


async def load(tx: Transaction, link: UUID) -> Link | None:
    """The link with this id, used or expired as it may be."""
    row = await tx.connection.fetchrow(_LOAD, link)
    if row is None:
        return None
    return Link(
        link_id=row["link_id"],
        agency_id=AgencyId(row["agency_id"]),
        case_id=CaseId(row["case_id"]) if row["case_id"] is not None else None,
        purpose=row["purpose"],
        person=PersonId(row["person_id"]),
        subject=row["subject_id"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
        wrong=row["wrong"],
    )


async def used(tx: Transaction, link: UUID, now: datetime) -> None:
    """This link has done what it was for."""
    await tx.connection.execute("UPDATE links SET used_at = $2 WHERE link_id = $1", link, now)


async def count_wrong(tx: Transaction, link: UUID) -> None:
    """One more wrong PIN at this link."""
    await tx.connection.execute("UPDATE links SET wrong = wrong + 1 WHERE link_id = $1", link)


_DROP = """
WITH gone AS (DELETE FROM links WHERE purpose = 'verify' AND subject_id = ANY ($1::uuid[]) RETURNING link_id)
DELETE FROM doors WHERE subject IN (SELECT link_id FROM gone)
"""


async def drop_verifications(tx: Transaction, points: Collection[UUID]) -> None:
    """Links that would verify these points open nothing any more."""
    if points:
        await tx.connection.execute(_DROP, list(points))


async def drop_old_sessions(tx: Transaction, link: UUID) -> None:
    """Remove sessions of this link that have run out."""
    await tx.connection.execute(
        "DELETE FROM doors WHERE subject = $1 AND kind = 'session' AND expires_at <= region.now()", link
    )


_VOID = """
DELETE FROM doors WHERE subject IN (SELECT link_id FROM links WHERE person_id = $1 AND agency_id = $2
                                       AND purpose <> 'verify')
"""


async def void(tx: Transaction, person: PersonId, agency: AgencyId) -> None:
    """Every link of a person of this agency and every session behind one opens nothing any more."""
    await tx.connection.execute(_VOID, person, agency)


async def told_since(tx: Transaction, person: PersonId, case: CaseId) -> datetime | None:
    """When there was first something about this case for this person."""
    found: datetime | None = await tx.connection.fetchval(
        "SELECT min(made_at) FROM matters WHERE case_id = $1 AND person_id = $2", case, person
    )
    return found


_MATTER = """
SELECT matter_id, person_id, kind, state, expires_at, urgency, manner, ladder_id, sealed, released,
       released_until, earlier, part_of, about, advisers, clinical, slug, language, practice
  FROM matters WHERE matter_id = $1 AND case_id = $2
"""
_REPLIES = """
SELECT reply_id, person_id, subject_id, verb, received_at, outcome, codes FROM replies
 WHERE subject_id = $1 AND case_id = $2
"""


async def matter(tx: Transaction, matter_id: UUID, case: CaseId) -> Matter | None:
    """One matter of a case."""
    row = await tx.connection.fetchrow(_MATTER, matter_id, case)
    return matter_of(row) if row is not None else None


async def replies_to(tx: Transaction, matter_id: UUID, case: CaseId) -> list[Reply]:
    """The answers given to one matter."""
    return [reply_of(row) for row in await tx.connection.fetch(_REPLIES, matter_id, case)]


async def language_of(tx: Transaction, person: PersonId) -> str:
    """The language of a person, or "" where nothing is known."""
    return await tx.connection.fetchval("SELECT language FROM people WHERE person_id = $1", person) or ""
