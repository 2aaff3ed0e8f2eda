"""The directory as rows: who people are stays sealed, and they are found by blind indexes alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from services.intake.domain.rungs import Helper
from shared import vault
from shared.db import Transaction
from shared.types import AgencyId, PersonId, Role
from shared.vault import Keyring

RECORD = "record"
"""The field under which a person's record is sealed, with the person's own data key."""


@dataclass(frozen=True)
class FoundPerson:
    """An active person whom one of the asked indexes names.

    `matched` says which: pairs of `ref`, `name`, `badge` or `unit` and the index asked for.
    """

    person_id: PersonId
    role: Role
    ref_index: bytes
    supervisor_ref_index: bytes | None
    matched: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class PersonCard:
    """What a requester may see of a peer after the release. `shows` is what the peer chose to show, e.g. a number."""

    name: str
    shows: str
    hours: str
    language: str
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """What notify says of a person's contact points: verified or not, and for which revision of them."""

    agency_id: AgencyId
    person_id: PersonId
    revision: int
    verified: bool


_FIND = """
SELECT p.person_id, p.role, p.ref_index, p.supervisor_ref_index,
       array_agg(m.kind ORDER BY m.kind) AS kinds, array_agg(m.index ORDER BY m.kind) AS indexes
  FROM people p
 CROSS JOIN LATERAL (VALUES ('ref', p.ref_index), ('name', p.name_index), ('badge', p.badge_index),
                            ('unit', p.unit_index)) m(kind, index)
 WHERE p.agency_id = $1 AND p.active AND m.index = ANY ($2::bytea[])
   AND (p.ref_index = ANY ($2::bytea[]) OR p.name_index = ANY ($2::bytea[])
        OR p.badge_index = ANY ($2::bytea[]) OR p.unit_index = ANY ($2::bytea[]))
 GROUP BY p.person_id, p.agency_id ORDER BY p.person_id
"""


async def find_people(tx: Transaction, agency_id: AgencyId, indexes: Sequence[bytes]) -> list[FoundPerson]:
    """Active people of an agency whom any of these indexes (`domain.directory.index_of`) names; all who match."""
    if not indexes:
        return []
    return [
        FoundPerson(
            person_id=PersonId(row["person_id"]),
            role=Role(row["role"]),
            ref_index=row["ref_index"],
            supervisor_ref_index=row["supervisor_ref_index"],
            matched=tuple(zip(row["kinds"], row["indexes"], strict=True)),
        )
        for row in await tx.connection.fetch(_FIND, agency_id, list(indexes))
    ]


# UNION (not ALL) ends the walk where a chain bites its own tail.
_CHAIN = """
WITH RECURSIVE chain(ref) AS (
    SELECT unnest($2::bytea[])
    UNION
    SELECT p.supervisor_ref_index FROM chain c JOIN people p ON p.ref_index = c.ref
     WHERE p.agency_id = $1 AND p.active AND p.supervisor_ref_index IS NOT NULL)
SELECT p.person_id FROM chain c JOIN people p ON p.ref_index = c.ref WHERE p.agency_id = $1 AND p.active
"""


async def chain_of_command(tx: Transaction, agency_id: AgencyId, ref_indexes: Collection[bytes]) -> set[PersonId]:
    """The people with these references, and everybody above them, up to the top."""
    if not ref_indexes:
        return set()
    rows = await tx.connection.fetch(_CHAIN, agency_id, list(ref_indexes))
    return {PersonId(row["person_id"]) for row in rows}


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
        """SELECT person_id, sealed, hours, language, attributes FROM people
            WHERE agency_id = $1 AND person_id = ANY ($2::uuid[])""",
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
            )
    return cards


_HEAR = """
UPDATE people p SET verified = u.verified
  FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::bool[]) u(person_id, agency_id, revision, verified)
 WHERE p.person_id = u.person_id AND p.agency_id = u.agency_id AND p.active AND u.revision >= p.contacts_revision
"""


async def hear(tx: Transaction, heard: Sequence[Heard]) -> None:
    """Note who is verified, for the agency to read back; the last word about a person counts.

    What is about points that have changed since then, or about somebody unknown, changes nothing.
    """
    last = {one.person_id: one for one in heard}.values()
    if last:
        await tx.connection.execute(
            _HEAR,
            [one.person_id for one in last],
            [one.agency_id for one in last],
            [one.revision for one in last],
            [one.verified for one in last],
        )
