"""The directory as rows: who people are stays sealed, and they are found by blind indexes alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.intake.domain.rungs import Helper
from shared import vault
from shared.db import Transaction
from shared.news import Verified
from shared.types import AgencyId, PersonId, Role
from shared.vault import Keyring

RECORD = "record"
"""The field under which a person's record is sealed, with the person's own data key."""


@dataclass(frozen=True)
class PersonCard:
    """What a requester may see of a peer after the release. `shows` is what the peer chose to show, e.g. a number.

    `time_zone` is that of the hours, where it is not the agency's.
    """

    name: str
    shows: str
    hours: str
    language: str
    attributes: tuple[str, ...]
    time_zone: str


async def helpers(tx: Transaction, agencies: Collection[AgencyId]) -> list[Helper]:
    """Who of these agencies may be paged: no peers, only who is verified, always in one order.

    Raises `NotInView` where an agency is not: an emergency must not silently do without its people.
    """
    tx.must_see(agencies)
    rows = await tx.connection.fetch(
        """SELECT person_id, agency_id, role, 'on_call' = ANY (attributes) AS on_call,
                  'deputy' = ANY (attributes) AS deputy
             FROM people
            WHERE agency_id = ANY ($1::uuid[]) AND active AND verified AND role IN ('coordinator', 'clinician', 'duty')
            ORDER BY agency_id, person_id""",
        list(agencies),
    )
    return [
        Helper(PersonId(row["person_id"]), AgencyId(row["agency_id"]), Role(row["role"]), row["on_call"], row["deputy"])
        for row in rows
    ]


async def coordinators_of(tx: Transaction, agencies: Collection[AgencyId]) -> dict[AgencyId, tuple[PersonId, ...]]:
    """The active and verified coordinators of each of these agencies."""
    found: dict[AgencyId, tuple[PersonId, ...]] = {}
    for one in await helpers(tx, agencies):
        if one.role is Role.COORDINATOR:
            found[one.agency_id] = (*found.get(one.agency_id, ()), one.person)
    return found


async def person_cards(
    tx: Transaction, keyring: Keyring, agency_id: AgencyId, person_ids: Collection[PersonId]
) -> dict[PersonId, PersonCard]:
    """What a requester may see of these people; one who is unknown, or whose key is gone, is absent."""
    rows = await tx.connection.fetch(
        """SELECT p.person_id, p.sealed, p.hours, p.language, p.attributes,
                  CASE WHEN p.time_zone <> a.time_zone THEN p.time_zone ELSE '' END AS time_zone
             FROM people p LEFT JOIN agencies a USING (agency_id)
            WHERE agency_id = $1 AND p.person_id = ANY ($2::uuid[])""",
        agency_id,
        list(person_ids),
    )
    keys = await vault.load(tx, keyring, "person", [row["person_id"] for row in rows])
    cards = {}
    for row in rows:
        if key := keys.get(row["person_id"]):
            record = json.loads(key.open(RECORD, row["sealed"]))
            cards[PersonId(row["person_id"])] = PersonCard(
                name=record["name"],
                shows=record["shows"],
                hours=row["hours"],
                language=row["language"],
                attributes=tuple(row["attributes"]),
                time_zone=row["time_zone"],
            )
    return cards


_HEAR = """
UPDATE people p SET verified = u.verified
  FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bool[]) u(person_id, agency_id, revision, verified)
 WHERE p.person_id = u.person_id AND p.agency_id = u.agency_id AND p.active AND u.revision >= p.contacts_revision
"""


async def hear(tx: Transaction, heard: Sequence[Verified]) -> None:
    """Note who is verified, each once, for the agency to read back.

    What is about points that have changed since then, or about somebody unknown, changes nothing.
    """
    if heard:
        await tx.connection.execute(
            _HEAR,
            [one.person for one in heard],
            [one.agency_id for one in heard],
            [one.revision for one in heard],
            [one.verified for one in heard],
        )
