"""The directory's rows as its own agency writes and reads them back; every statement takes the whole upload."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.intake.domain.directory import Known
from services.intake.domain.published import Told
from shared.db import Row, Transaction
from shared.types import AgencyId, Help, PersonId, Role


@dataclass(frozen=True)
class Point:
    """A contact point of a person; `place` is its order of use, `address_index` recognises an unchanged address."""

    point_id: UUID
    person_id: PersonId
    agency_id: AgencyId
    channel: str
    place: int
    sealed: bytes
    address_index: bytes


@dataclass(frozen=True)
class PersonRow:
    """A person to write, whole."""

    person_id: PersonId
    agency_id: AgencyId
    revision: int
    role: Role
    digest: bytes
    sealed: bytes
    ref_index: bytes
    name_index: bytes
    badge_index: bytes | None
    unit_index: bytes | None
    supervisor_ref_index: bytes | None
    attributes: tuple[str, ...]
    offers: tuple[str, ...]
    designated_from: date | None
    designated_to: date | None
    trained_until: date | None
    hours: str
    time_zone: str
    language: str
    windows: str = ""
    hours_alone: bool = False
    bearer: PersonId | None = None


@dataclass(frozen=True)
class Listed:
    """An active person as the agency may read them back; `sealed` opens with the person's own key."""

    person_id: PersonId
    role: Role
    sealed: bytes
    verified: bool
    attributes: tuple[str, ...]
    offers: tuple[str, ...]
    designated_from: date | None
    designated_to: date | None
    trained_until: date | None
    hours: str
    time_zone: str
    language: str


async def known_people(tx: Transaction, agency_id: AgencyId, *, lent: bool = False) -> dict[bytes, Known]:
    """Everybody an agency ever named, active or not, by the index of their reference; or those who are lent to it."""
    rows = await tx.connection.fetch(
        """SELECT person_id, revision, active, role, language, digest, ref_index, windows, hours_alone, bearer
             FROM people WHERE agency_id = $1 AND (bearer IS NOT NULL) = $2""",
        agency_id,
        lent,
    )
    return {row["ref_index"]: _known(row) for row in rows}


def _known(row: Row) -> Known:
    return Known(**dict(row) | {"person_id": PersonId(row["person_id"]), "role": Role(row["role"])})


async def list_people(tx: Transaction, agency_id: AgencyId) -> list[Listed]:
    """The active people of an agency itself, in the order of their ids, which tells nothing."""
    rows = await tx.connection.fetch(
        """SELECT person_id, role, sealed, verified, attributes, offers, designated_from, designated_to, trained_until,
                  hours, time_zone, language
             FROM people WHERE agency_id = $1 AND active AND bearer IS NULL ORDER BY person_id""",
        agency_id,
    )
    return [_listed(row) for row in rows]


def _listed(row: Row) -> Listed:
    typed = {
        "person_id": PersonId(row["person_id"]),
        "role": Role(row["role"]),
        "attributes": tuple(row["attributes"]),
        "offers": tuple(row["offers"]),
    }
    return Listed(**dict(row) | typed)


# What an upload says nothing of stays: of an agency's own people the windows, which come from their calendars.
# Lists of tokens travel as one text each: an array of arrays cannot be taken apart row by row.
_SAVE = """
INSERT INTO people(person_id, agency_id, revision, active, role, digest, sealed, ref_index, name_index, badge_index,
                   unit_index, supervisor_ref_index, attributes, offers, designated_from, designated_to, trained_until,
                   hours, time_zone, language, contacts_revision, windows, hours_alone, bearer)
SELECT u.person_id, u.agency_id, u.revision, true, u.role, u.digest, u.sealed, u.ref_index, u.name_index,
       u.badge_index, u.unit_index, u.supervisor_ref_index, string_to_array(u.attributes, ' '),
       string_to_array(u.offers, ' '), u.designated_from, u.designated_to, u.trained_until, u.hours, u.time_zone,
       u.language, u.revision, u.windows, u.hours_alone, u.bearer
  FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[],
              $9::bytea[], $10::bytea[], $11::bytea[], $12::text[], $13::text[], $14::date[], $15::date[], $16::date[],
              $17::text[], $18::text[], $19::text[], $20::text[], $21::bool[],
              $22::uuid[])
       u(person_id, agency_id, revision, role, digest, sealed, ref_index, name_index, badge_index, unit_index,
         supervisor_ref_index, attributes, offers, designated_from, designated_to, trained_until, hours, time_zone,
         language, windows, hours_alone, bearer)
ON CONFLICT (person_id, agency_id) DO UPDATE
   SET revision = excluded.revision, active = true, role = excluded.role, digest = excluded.digest,
       sealed = excluded.sealed, name_index = excluded.name_index, badge_index = excluded.badge_index,
       unit_index = excluded.unit_index, supervisor_ref_index = excluded.supervisor_ref_index,
       attributes = excluded.attributes, offers = excluded.offers, designated_from = excluded.designated_from,
       designated_to = excluded.designated_to, trained_until = excluded.trained_until, hours = excluded.hours,
       time_zone = excluded.time_zone, language = excluded.language,
       windows = CASE WHEN excluded.bearer IS NULL THEN people.windows ELSE excluded.windows END,
       hours_alone = CASE WHEN excluded.bearer IS NULL THEN people.hours_alone ELSE excluded.hours_alone END
"""


async def save_people(tx: Transaction, people: Sequence[PersonRow]) -> None:
    """Write these people as active, whether they are new or known; the reference's index never changes."""
    if not people:
        return
    await tx.connection.execute(
        _SAVE,
        [one.person_id for one in people],
        [one.agency_id for one in people],
        [one.revision for one in people],
        [one.role.value for one in people],
        [one.digest for one in people],
        [one.sealed for one in people],
        [one.ref_index for one in people],
        [one.name_index for one in people],
        [one.badge_index for one in people],
        [one.unit_index for one in people],
        [one.supervisor_ref_index for one in people],
        [" ".join(one.attributes) for one in people],
        [" ".join(one.offers) for one in people],
        [one.designated_from for one in people],
        [one.designated_to for one in people],
        [one.trained_until for one in people],
        [one.hours for one in people],
        [one.time_zone for one in people],
        [one.language for one in people],
        [one.windows for one in people],
        [one.hours_alone for one in people],
        [one.bearer for one in people],
    )


_DEACTIVATE = """
UPDATE people p SET active = false, verified = false, revision = u.revision, contacts_revision = u.revision
  FROM unnest($1::uuid[], $2::int[]) u(person_id, revision)
 WHERE p.person_id = u.person_id AND p.agency_id = $3
"""


async def deactivate(tx: Transaction, agency_id: AgencyId, revisions: Sequence[tuple[PersonId, int]]) -> None:
    """These people are no longer in the directory, each with its new revision; removal is a state."""
    if revisions:
        ids, numbers = zip(*revisions, strict=True)
        await tx.connection.execute(_DEACTIVATE, list(ids), list(numbers), agency_id)


_UNVERIFY = """
UPDATE people p SET verified = false, contacts_revision = p.revision
 WHERE p.person_id = ANY ($1::uuid[]) AND p.agency_id = $2
"""


async def unverify(tx: Transaction, agency_id: AgencyId, people: Collection[PersonId]) -> None:
    """No contact point of these people is one that was verified before; what notify said of older ones is void."""
    if people:
        await tx.connection.execute(_UNVERIFY, list(people), agency_id)


async def points_of(tx: Transaction, agency_id: AgencyId, people: Collection[PersonId]) -> list[Point]:
    """The contact points of these people."""
    rows = await tx.connection.fetch(
        """SELECT point_id, person_id, agency_id, channel, place, sealed, address_index FROM contact_points
            WHERE agency_id = $1 AND person_id = ANY ($2::uuid[])""",
        agency_id,
        list(people),
    )
    return [Point(**row) for row in rows]


_ADD_POINTS = """
INSERT INTO contact_points(point_id, person_id, agency_id, channel, place, sealed, address_index)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::smallint[], $6::bytea[], $7::bytea[])
"""


async def add_points(tx: Transaction, points: Sequence[Point]) -> None:
    """Write new contact points."""
    if points:
        await tx.connection.execute(
            _ADD_POINTS,
            [point.point_id for point in points],
            [point.person_id for point in points],
            [point.agency_id for point in points],
            [point.channel for point in points],
            [point.place for point in points],
            [point.sealed for point in points],
            [point.address_index for point in points],
        )


_MOVE_POINTS = """
UPDATE contact_points p SET place = u.place FROM unnest($1::uuid[], $2::smallint[]) u(point_id, place)
 WHERE p.point_id = u.point_id AND p.agency_id = $3
"""


async def move_points(tx: Transaction, agency_id: AgencyId, places: Sequence[tuple[UUID, int]]) -> None:
    """Give known contact points another place in the order of use."""
    if places:
        ids, numbers = zip(*places, strict=True)
        await tx.connection.execute(_MOVE_POINTS, list(ids), list(numbers), agency_id)


async def remove_points(tx: Transaction, agency_id: AgencyId, points: Collection[UUID]) -> None:
    """Forget contact points; an address that comes back later is a new point and has to be verified again."""
    if points:
        await tx.connection.execute(
            "DELETE FROM contact_points WHERE point_id = ANY ($1::uuid[]) AND agency_id = $2", list(points), agency_id
        )


_PROGRAM_OF = """
SELECT w.n, p.*
  FROM unnest($1::int[], $2::uuid[], $3::uuid[]) w(n, agency, after)
 CROSS JOIN LATERAL (
       SELECT person_id, agency_id, revision, active, role, time_zone, language, attributes, offers, designated_from,
              designated_to, trained_until, hours, windows, hours_alone, bearer
         FROM people WHERE agency_id = w.agency AND person_id > w.after AND role <> 'member'
        ORDER BY person_id LIMIT $4) p
 ORDER BY w.n, p.person_id
"""


async def program_of(tx: Transaction, wanted: Sequence[tuple[AgencyId, UUID]], limit: int) -> list[list[Told]]:
    """For each (agency, person): the next people of the program after that one, gone ones too, at most `limit`."""
    rows = await tx.connection.fetch(
        _PROGRAM_OF,
        list(range(len(wanted))),
        [agency for agency, _ in wanted],
        [after for _, after in wanted],
        limit,
    )
    found: list[list[Told]] = [[] for _ in wanted]
    for row in rows:
        fields = {name: value for name, value in row.items() if name != "n"}
        typed = {
            "role": Role(row["role"]),
            "attributes": tuple(row["attributes"]),
            "offers": tuple(Help(one) for one in row["offers"]),
        }
        found[row["n"]].append(Told(**fields | typed))
    return found


async def sealed_points(
    tx: Transaction, people: Collection[PersonId]
) -> dict[PersonId, tuple[tuple[UUID, bytes], ...]]:
    """The contact points of these people, sealed, in the order of use."""
    rows = await tx.connection.fetch(
        """SELECT person_id, array_agg(point_id ORDER BY place) AS points, array_agg(sealed ORDER BY place) AS sealed
             FROM contact_points WHERE person_id = ANY ($1::uuid[]) GROUP BY person_id""",
        list(people),
    )
    return {PersonId(row["person_id"]): tuple(zip(row["points"], row["sealed"], strict=True)) for row in rows}
