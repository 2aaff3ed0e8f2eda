"""Persons, their contact points and their PINs. A person's row is what its other rows are locked through."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notify.domain.contacts import Person, Point
from services.notify.domain.pins import Guard
from shared.db import Transaction
from shared.types import AgencyId, PersonId

Key = tuple[PersonId, AgencyId]
"""The same id in two agencies is two persons."""

_PLACE = """
INSERT INTO people(person_id, agency_id)
SELECT p, a FROM unnest($1::uuid[], $2::uuid[]) t(p, a) ORDER BY p, a
ON CONFLICT DO NOTHING
"""


async def place(tx: Transaction, people: Collection[Key]) -> None:
    """Make the rows of persons that nobody here has heard of."""
    keys = sorted(people)
    await tx.connection.execute(_PLACE, [person for person, _ in keys], [agency for _, agency in keys])


_LOCK = """
SELECT p.person_id, p.agency_id, p.revision, p.active, p.role, p.language, p.listed_revision, p.listed,
       coalesce(i.blocked, false) AS blocked
  FROM people p LEFT JOIN pins i ON i.person_id = p.person_id AND i.agency_id = p.agency_id
 WHERE p.person_id = ANY ($1::uuid[]) ORDER BY p.person_id, p.agency_id FOR UPDATE OF p
"""
_POINTS = """
SELECT point_id, person_id, agency_id, channel, sealed, position, verified_at, retired_at FROM contact_points
 WHERE person_id = ANY ($1::uuid[])
"""


async def lock(tx: Transaction, people: Collection[PersonId]) -> dict[Key, Person]:
    """Lock these persons, without their points yet."""
    rows = await tx.connection.fetch(_LOCK, list(people))
    found = [
        Person(
            person_id=PersonId(row["person_id"]),
            agency_id=AgencyId(row["agency_id"]),
            revision=row["revision"],
            active=row["active"],
            role=row["role"],
            language=row["language"],
            listed_revision=row["listed_revision"],
            listed=row["listed"],
            blocked=row["blocked"],
        )
        for row in rows
    ]
    return {(person.person_id, person.agency_id): person for person in found}


async def points(tx: Transaction, people: Collection[PersonId]) -> dict[Key, dict[UUID, Point]]:
    """The contact points of these persons, removed ones included."""
    found: dict[Key, dict[UUID, Point]] = {}
    for row in await tx.connection.fetch(_POINTS, list(people)):
        key = PersonId(row["person_id"]), AgencyId(row["agency_id"])
        found.setdefault(key, {})[row["point_id"]] = Point(
            point_id=row["point_id"],
            channel=row["channel"],
            sealed=row["sealed"],
            position=row["position"],
            verified_at=row["verified_at"],
            retired_at=row["retired_at"],
        )
    return found


_SAVE = """
UPDATE people p SET revision = u.revision, active = u.active, role = u.role, language = u.language,
       listed_revision = u.listed_revision, listed = u.listed
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bool[], $5::text[], $6::text[], $7::bigint[], $8::bool[])
       u(person_id, agency_id, revision, active, role, language, listed_revision, listed)
 WHERE p.person_id = u.person_id AND p.agency_id = u.agency_id
"""


async def save(tx: Transaction, people: Sequence[Person]) -> None:
    """Write how these locked persons now stand."""
    if people:
        await tx.connection.execute(
            _SAVE,
            [p.person_id for p in people],
            [p.agency_id for p in people],
            [p.revision for p in people],
            [p.active for p in people],
            [p.role for p in people],
            [p.language for p in people],
            [p.listed_revision for p in people],
            [p.listed for p in people],
        )


_SAVE_POINTS = """
INSERT INTO contact_points(point_id, agency_id, person_id, channel, sealed, position, verified_at, retired_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::int[], $7::timestamptz[],
                     $8::timestamptz[])
ON CONFLICT (point_id, agency_id) DO UPDATE
   SET sealed = excluded.sealed, position = excluded.position, verified_at = excluded.verified_at,
       retired_at = excluded.retired_at
 WHERE contact_points.person_id = excluded.person_id
"""


async def save_points(tx: Transaction, rows: Sequence[tuple[Person, Point]]) -> None:
    """Add contact points, or write how known ones stand. A point of another person is never touched."""
    if rows:
        await tx.connection.execute(
            _SAVE_POINTS,
            [point.point_id for _, point in rows],
            [person.agency_id for person, _ in rows],
            [person.person_id for person, _ in rows],
            [point.channel for _, point in rows],
            [point.sealed for _, point in rows],
            [point.position for _, point in rows],
            [point.verified_at for _, point in rows],
            [point.retired_at for _, point in rows],
        )


@dataclass(frozen=True, repr=False)
class Pin:
    """A PIN as it is kept, and how it stands. `replaced_at`: when another one stood before it, until then."""

    salt: bytes
    hash: bytes
    guard: Guard
    replaced_at: datetime | None = None


_PINS = """
SELECT person_id, agency_id, salt, hash, wrong, locked_until, blocked, replaced_at FROM pins
 WHERE person_id = ANY ($1::uuid[])
"""


async def pins(tx: Transaction, people: Collection[PersonId]) -> Mapping[Key, Pin]:
    """The PINs of these persons, where they have one."""
    return {
        (PersonId(row["person_id"]), AgencyId(row["agency_id"])): Pin(
            row["salt"], row["hash"], Guard(row["wrong"], row["locked_until"], row["blocked"]), row["replaced_at"]
        )
        for row in await tx.connection.fetch(_PINS, list(people))
    }


_SAVE_PIN = """
INSERT INTO pins(person_id, agency_id, salt, hash, wrong, locked_until, blocked, replaced_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (person_id, agency_id) DO UPDATE
   SET salt = excluded.salt, hash = excluded.hash, wrong = excluded.wrong, locked_until = excluded.locked_until,
       blocked = excluded.blocked, replaced_at = excluded.replaced_at
"""


async def save_pin(tx: Transaction, key: Key, pin: Pin) -> None:
    """Write a PIN and how it stands; the person's row is locked."""
    person, agency = key
    guard = pin.guard
    await tx.connection.execute(
        _SAVE_PIN, person, agency, pin.salt, pin.hash, guard.wrong, guard.locked_until, guard.blocked, pin.replaced_at
    )
