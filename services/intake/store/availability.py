"""When people are there, as rows: what an agency has said of one person, and what it comes to for a team."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from services.intake.domain.published import Told
from shared.db import Row, Transaction
from shared.types import AgencyId, Help, PersonId, Role


@dataclass(frozen=True)
class Kept:
    """A person of the program with their calendar (JSON), as the directory has them."""

    told: Told
    calendar: str


_KEPT = """
SELECT person_id, agency_id, revision, active, role, time_zone, language, attributes, offers, designated_from,
       designated_to, trained_until, hours, windows, hours_alone, bearer, calendar
  FROM people WHERE active AND role <> 'member'
"""


async def by_ref(tx: Transaction, agency_id: AgencyId, refs: Collection[bytes]) -> dict[bytes, Kept]:
    """These active people of the program by the index of their reference."""
    rows = await tx.connection.fetch(
        _KEPT.replace("calendar\n", "calendar, ref_index\n") + " AND agency_id = $1 AND ref_index = ANY ($2::bytea[])",
        agency_id,
        list(refs),
    )
    return {row["ref_index"]: _kept(row) for row in rows}


async def with_calendar(tx: Transaction, people: Collection[PersonId]) -> list[Kept]:
    """Of these people, of any agency in view, those who have a calendar."""
    rows = await tx.connection.fetch(_KEPT + " AND person_id = ANY ($1::uuid[]) AND calendar <> '{}'", list(people))
    return [_kept(row) for row in rows]


def _kept(row: Row) -> Kept:
    names = Told.__dataclass_fields__
    fields = {name: value for name, value in row.items() if name in names}
    typed = {
        "role": Role(row["role"]),
        "attributes": tuple(row["attributes"]),
        "offers": tuple(Help(one) for one in row["offers"]),
    }
    return Kept(Told(**fields | typed), row["calendar"])


class Change(NamedTuple):
    """What is written of a person: the calendar, what it comes to, and whether it stands alone."""

    person: PersonId
    agency_id: AgencyId
    calendar: str
    windows: str
    alone: bool


_SAVE = """
UPDATE people p SET calendar = u.calendar::jsonb, windows = u.windows, hours_alone = u.alone, revision = p.revision + 1
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bool[])
       u(person_id, agency_id, calendar, windows, alone)
 WHERE p.person_id = u.person_id AND p.agency_id = u.agency_id
"""


async def save(tx: Transaction, changes: Sequence[Change]) -> None:
    """Write what has changed of these people, each with its next revision. The caller holds their agencies' locks."""
    if changes:
        await tx.connection.execute(_SAVE, *(list(column) for column in zip(*changes, strict=True)))


class OfTeam(NamedTuple):
    """When one peer is there, and what decides whether they may be asked at all."""

    hours: str
    time_zone: str
    windows: str
    hours_alone: bool
    designated_from: date | None
    designated_to: date | None
    trained_until: date | None


async def team(tx: Transaction, agency_id: AgencyId) -> list[OfTeam]:
    """The agency's own active and verified peers."""
    rows = await tx.connection.fetch(
        """SELECT hours, time_zone, windows, hours_alone, designated_from, designated_to, trained_until
             FROM people WHERE agency_id = $1 AND active AND verified AND role = 'peer'
               AND bearer IS NULL""",
        agency_id,
    )
    return [OfTeam(*row) for row in rows]
