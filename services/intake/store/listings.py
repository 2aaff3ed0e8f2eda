"""The directory of resources as rows: the region's can be read by everybody, an agency's by itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from services.intake.domain.listing import Listing
from shared.db import Transaction
from shared.types import REGION, AgencyId


async def load(tx: Transaction, agencies: Collection[AgencyId]) -> list[Listing]:
    """What these agencies list themselves, which have to be in view (the region need not be)."""
    rows = await tx.connection.fetch(
        """SELECT agency_id, kind, name, area, relations, cost, hours, phone, url, languages, verified_on
             FROM resources WHERE agency_id = ANY ($1::uuid[]) ORDER BY agency_id, place""",
        list(agencies),
    )
    return [
        Listing(
            **dict(row)
            | {
                "agency_id": AgencyId(row["agency_id"]),
                "relations": tuple(row["relations"]),
                "languages": tuple(row["languages"]),
            }
        )
        for row in rows
    ]


# Lists of tokens travel as one text each: an array of arrays cannot be taken apart row by row.
_ADD = """
INSERT INTO resources(agency_id, place, kind, name, area, relations, cost, hours, phone, url, languages, verified_on)
SELECT $1, u.place, u.kind, u.name, u.area, string_to_array(u.relations, ' '), u.cost, u.hours, u.phone, u.url,
       string_to_array(u.languages, ' '), u.verified_on
  FROM unnest($2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::date[])
       u(place, kind, name, area, relations, cost, hours, phone, url, languages, verified_on)
"""


async def replace(tx: Transaction, agency_id: AgencyId, listings: Sequence[Listing]) -> None:
    """Make these the whole list of an agency, in this order."""
    await tx.connection.execute("DELETE FROM resources WHERE agency_id = $1", agency_id)
    if listings:
        await tx.connection.execute(
            _ADD,
            agency_id,
            list(range(len(listings))),
            [one.kind for one in listings],
            [one.name for one in listings],
            [one.area for one in listings],
            [" ".join(one.relations) for one in listings],
            [one.cost for one in listings],
            [one.hours for one in listings],
            [one.phone for one in listings],
            [one.url for one in listings],
            [" ".join(one.languages) for one in listings],
            [one.verified_on for one in listings],
        )


async def count_on(tx: Transaction, agency_id: AgencyId) -> int:
    """Count an agency's list on by one; returns the new revision. The region's has none."""
    revision: int = await tx.connection.fetchval(
        """UPDATE agencies SET resources_revision = resources_revision + 1
            WHERE agency_id = $1 RETURNING resources_revision""",
        agency_id,
    )
    return revision


async def around(tx: Transaction, agency_id: AgencyId) -> list[Listing]:
    """What an agency and the region list; for the region alone, its own."""
    return await load(tx, {agency_id, REGION})
