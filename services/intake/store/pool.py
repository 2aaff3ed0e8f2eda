"""The region's pool of peers as rows: who takes part, whom each agency has taken, and who is offered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.intake.domain.pool import REGIONAL, Lending, Original
from shared.db import Row, Transaction
from shared.types import AgencyId, PersonId

MOST_OFFERED = 2000


async def members(tx: Transaction) -> set[AgencyId]:
    """Every agency of the region that takes part."""
    return {AgencyId(row["member"]) for row in await tx.connection.fetch("SELECT member FROM pool_members")}


async def set_member(tx: Transaction, agency_id: AgencyId, *, takes_part: bool) -> None:
    """Whether this agency takes part from now on."""
    statement = (
        "INSERT INTO pool_members(member) VALUES ($1) ON CONFLICT DO NOTHING"
        if takes_part
        else "DELETE FROM pool_members WHERE member = $1"
    )
    await tx.connection.execute(statement, agency_id)


async def named(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, str]:
    """The names of those of these agencies that are in view and take part."""
    rows = await tx.connection.fetch(
        """SELECT agency_id, name FROM agencies
            WHERE agency_id = ANY ($1::uuid[]) AND active AND policy @> '{"pool": true}'""",
        list(agencies),
    )
    return {AgencyId(row["agency_id"]): row["name"] for row in rows}


async def lendings(tx: Transaction, agencies: Collection[AgencyId]) -> list[Lending]:
    """Whom these agencies have taken, and who of theirs was taken, in a fixed order."""
    rows = await tx.connection.fetch(
        """SELECT agency_id, home_agency, home_person, designated_from, designated_to FROM lendings
            WHERE agency_id = ANY ($1::uuid[]) OR home_agency = ANY ($1::uuid[]) ORDER BY agency_id, home_person""",
        list(agencies),
    )
    return [
        Lending(
            AgencyId(row["agency_id"]),
            AgencyId(row["home_agency"]),
            PersonId(row["home_person"]),
            row["designated_from"],
            row["designated_to"],
        )
        for row in rows
    ]


async def replace_lendings(tx: Transaction, agency_id: AgencyId, wanted: Sequence[Lending]) -> None:
    """Whom this agency has taken from now on."""
    await tx.connection.execute("DELETE FROM lendings WHERE agency_id = $1", agency_id)
    await tx.connection.execute(
        """INSERT INTO lendings(agency_id, home_agency, home_person, designated_from, designated_to)
           SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::date[])""",
        agency_id,
        [one.home_agency for one in wanted],
        [one.home_person for one in wanted],
        [one.designated_from for one in wanted],
        [one.designated_to for one in wanted],
    )


_ORIGINALS = """
SELECT p.person_id, p.agency_id, p.sealed, p.attributes, p.offers, p.trained_until, p.hours, p.time_zone, p.language,
       p.windows, p.hours_alone
  FROM people p JOIN agencies a USING (agency_id)
 WHERE p.agency_id = ANY ($1::uuid[]) AND p.active AND p.role = 'peer' AND p.bearer IS NULL
   AND $2 = ANY (p.attributes) AND a.active AND a.policy @> '{"pool": true}'
"""


async def offered(tx: Transaction, agencies: Collection[AgencyId]) -> list[Original]:
    """Whom these agencies offer, at most `MOST_OFFERED`."""
    rows = await tx.connection.fetch(
        _ORIGINALS + f" ORDER BY p.agency_id, p.person_id LIMIT {MOST_OFFERED}", list(agencies), REGIONAL
    )
    return [_original(row) for row in rows]


async def originals(
    tx: Transaction, agencies: Collection[AgencyId], people: Collection[PersonId]
) -> dict[PersonId, Original]:
    """Of these people those whom these agencies offer."""
    rows = await tx.connection.fetch(
        _ORIGINALS + " AND p.person_id = ANY ($3::uuid[])", list(agencies), REGIONAL, list(people)
    )
    return {PersonId(row["person_id"]): _original(row) for row in rows}


def _original(row: Row) -> Original:
    typed = {"attributes": tuple(row["attributes"]), "offers": tuple(row["offers"])}
    return Original(**dict(row) | typed)


@dataclass(frozen=True)
class Copy:
    """A peer as the agency that has taken them lists them; `sealed` opens with the key that they have there."""

    person_id: PersonId
    bearer: PersonId
    verified: bool
    sealed: bytes


async def borrowed(tx: Transaction, agency_id: AgencyId) -> list[Copy]:
    """Everybody whom this agency has ever taken, whether they are lent to it now or not."""
    rows = await tx.connection.fetch(
        """SELECT person_id, bearer, active AND verified AS verified, sealed FROM people
            WHERE agency_id = $1 AND bearer IS NOT NULL""",
        agency_id,
    )
    return [Copy(**dict(row)) for row in rows]
