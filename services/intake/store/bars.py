"""Who must not be asked: people whom a requester names, those above and below, and those with a conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.intake.domain.directory import IndexKind
from shared.db import Transaction
from shared.types import AgencyId, PersonId, Role


@dataclass(frozen=True)
class Counts:
    """What follows from being found. `itself`: is a hit. `above`: the chain of command over it as well.

    `own`: it is the requester; then everybody below counts too, and whoever has a conflict with them; and with `mates`
    the people of their unit.
    """

    itself: bool = True
    above: bool = False
    own: bool = False
    mates: bool = False


@dataclass(frozen=True)
class Sought:
    """One blind index to look for; `n` is the request it belongs to."""

    n: int
    kind: IndexKind
    index: bytes
    counts: Counts = Counts()


@dataclass(frozen=True)
class Hit:
    """Somebody whom a request names, or who stands above one of those."""

    n: int
    person_id: PersonId
    role: Role


# Whoever has just left the directory counts as well: the region may not have heard of it yet, and still ask them.
# A join of its own for each kind of index: joined by "this or that", every text met every person.
# A last day ends when it has ended everywhere: in the west that is twelve hours after it has here. A bar may last some
# hours too long, never too short.
# UNION (not ALL) ends a walk where a chain bites its own tail. Whoever is only reached counts, whatever the start does.
_EDGES = """(SELECT agency_id, ref_index, supervisor_ref_index AS over FROM people
              WHERE supervisor_ref_index IS NOT NULL
              UNION ALL
             SELECT agency_id, ref_index, supervisor_ref_index FROM people_before
              WHERE counts_until >= (region.now() - interval '12 hours')::date) e"""
_FIND = f"""
WITH RECURSIVE sought AS MATERIALIZED (
    SELECT * FROM unnest($1::int[], $2::text[], $3::bytea[], $4::bool[], $5::bool[], $6::bool[], $7::bool[])
                  s(n, kind, index, itself, climbs, own, mates)),
named AS (
    SELECT s.n, s.itself, s.climbs, s.own, s.mates, p.person_id, p.agency_id, p.role, p.ref_index, p.unit_index
      FROM sought s JOIN people p ON p.ref_index = s.index WHERE s.kind = 'ref'
    UNION ALL
    SELECT s.n, s.itself, s.climbs, s.own, s.mates, p.person_id, p.agency_id, p.role, p.ref_index, p.unit_index
      FROM sought s JOIN people p ON p.name_index = s.index WHERE s.kind = 'name'
    UNION ALL
    SELECT s.n, s.itself, s.climbs, s.own, s.mates, p.person_id, p.agency_id, p.role, p.ref_index, p.unit_index
      FROM sought s JOIN people p ON p.badge_index = s.index WHERE s.kind = 'badge'
    UNION ALL
    SELECT s.n, s.itself, s.climbs, s.own, s.mates, p.person_id, p.agency_id, p.role, p.ref_index, p.unit_index
      FROM sought s JOIN people p ON p.unit_index = s.index WHERE s.kind = 'unit'),
mates AS (
    SELECT m.n, m.mates AS itself, p.person_id, p.agency_id, p.role, p.ref_index
      FROM named m JOIN people p ON p.unit_index = m.unit_index AND p.agency_id = m.agency_id WHERE m.own),
above(n, agency_id, ref, reached) AS (
    (SELECT n, agency_id, ref_index, false FROM named WHERE climbs
     UNION SELECT n, agency_id, ref_index, false FROM mates)
    UNION
    SELECT a.n, a.agency_id, e.over, true
      FROM above a JOIN {_EDGES} ON e.ref_index = a.ref AND e.agency_id = a.agency_id),
below(n, agency_id, ref) AS (
    SELECT n, agency_id, ref_index FROM named WHERE own
    UNION
    SELECT b.n, b.agency_id, e.ref_index FROM below b JOIN {_EDGES} ON e.over = b.ref AND e.agency_id = b.agency_id),
live AS NOT MATERIALIZED (SELECT * FROM conflicts WHERE until >= (region.now() - interval '12 hours')::date),
with_conflict(n, agency_id, ref) AS (
    SELECT m.n, other.agency_id, other.ref_index
      FROM named m JOIN live c ON c.ref_index = m.ref_index AND c.agency_id = m.agency_id
      JOIN live other ON other.agency_id = c.agency_id AND other.place = c.place WHERE m.own
    UNION ALL
    SELECT s.n, c.agency_id, c.ref_index
      FROM sought s JOIN live c ON c.incident_index = s.index WHERE s.kind = 'incident'
    UNION ALL
    SELECT l.n, c.agency_id, c.ref_index
      FROM unnest($8::int[], $9::uuid[]) l(n, agency_id) JOIN live c ON c.agency_id = l.agency_id
     WHERE c.kind = 'evaluator')
SELECT n, person_id, role FROM named WHERE itself
UNION
SELECT n, person_id, role FROM mates WHERE itself
UNION
SELECT r.n, p.person_id, p.role
  FROM (SELECT n, agency_id, ref FROM above WHERE reached
        UNION SELECT n, agency_id, ref FROM below
        UNION SELECT n, agency_id, ref FROM with_conflict) r
  JOIN people p ON p.ref_index = r.ref AND p.agency_id = r.agency_id
"""  # noqa: S608 - nothing but our own join


async def find(tx: Transaction, sought: Sequence[Sought], listing: Mapping[int, AgencyId] | None = None) -> list[Hit]:
    """Everybody whom these indexes name in the agencies in view, all who match; indexes are bound to their agency.

    `listing`: requests whose agency keeps a list of conflicts; whoever evaluates there is a hit for each of them.
    """
    evaluated = dict(listing or {})
    if not sought and not evaluated:
        return []
    rows = await tx.connection.fetch(
        _FIND,
        [one.n for one in sought],
        [one.kind for one in sought],
        [one.index for one in sought],
        [one.counts.itself for one in sought],
        [one.counts.above for one in sought],
        [one.counts.own for one in sought],
        [one.counts.mates for one in sought],
        list(evaluated),
        list(evaluated.values()),
    )
    return [Hit(row["n"], PersonId(row["person_id"]), Role(row["role"])) for row in rows]


_REMEMBER = """
INSERT INTO people_before(agency_id, ref_index, supervisor_ref_index, counts_until)
SELECT p.agency_id, p.ref_index, p.supervisor_ref_index, $4
  FROM unnest($1::uuid[], $2::bytea[]) u(person_id, supervisor_ref_index)
  JOIN people p ON p.person_id = u.person_id AND p.agency_id = $3
 WHERE p.supervisor_ref_index IS NOT NULL AND p.supervisor_ref_index IS DISTINCT FROM u.supervisor_ref_index
ON CONFLICT (ref_index, supervisor_ref_index, agency_id) DO UPDATE SET counts_until = excluded.counts_until
"""


async def remember(
    tx: Transaction, agency_id: AgencyId, above: Sequence[tuple[PersonId, bytes | None]], *, today: date, until: date
) -> None:
    """Keep under whom these people were until now, before their rows are written; forget what counts no more.

    `above`: each with the index of whom they are under from now on.
    """
    await tx.connection.execute(
        "DELETE FROM people_before WHERE agency_id = $1 AND counts_until < $2", agency_id, today
    )
    if above:
        people, supervisors = zip(*above, strict=True)
        await tx.connection.execute(_REMEMBER, list(people), list(supervisors), agency_id, until)


@dataclass(frozen=True)
class Conflict:
    """Some people of an agency who must not meet in a case, by their references' indexes; until a day, or always."""

    kind: str
    people: tuple[bytes, ...]
    incident: bytes | None = None
    until: date | None = None


_REPLACE = """
INSERT INTO conflicts(agency_id, place, kind, ref_index, incident_index, until)
SELECT $1, u.place, u.kind, u.ref, u.incident, coalesce(u.until, 'infinity')
  FROM unnest($2::int[], $3::text[], $4::bytea[], $5::bytea[], $6::date[]) u(place, kind, ref, incident, until)
"""


async def replace_conflicts(tx: Transaction, agency_id: AgencyId, conflicts: Sequence[Conflict]) -> None:
    """The agency's whole list; what counts no more is not kept either."""
    flat = [(place, one, ref) for place, one in enumerate(conflicts) for ref in one.people]
    await tx.connection.execute("DELETE FROM conflicts WHERE agency_id = $1", agency_id)
    await tx.connection.execute(
        _REPLACE,
        agency_id,
        [place for place, _, _ in flat],
        [one.kind for _, one, _ in flat],
        [ref for _, _, ref in flat],
        [one.incident for _, one, _ in flat],
        [one.until for _, one, _ in flat],
    )


_ADD = """
INSERT INTO conflicts(agency_id, place, kind, ref_index, incident_index, until)
SELECT $1, (SELECT coalesce(max(place) + 1, 0) FROM conflicts WHERE agency_id = $1), $2, u.ref, $4,
       coalesce($5::date, 'infinity')
  FROM unnest($3::bytea[]) u(ref)
 WHERE NOT EXISTS (SELECT FROM conflicts
                    WHERE agency_id = $1 AND kind = $2 AND incident_index IS NOT DISTINCT FROM $4
                      AND until = coalesce($5::date, 'infinity')
                    GROUP BY place HAVING array_agg(ref_index ORDER BY ref_index) = $3::bytea[])
"""


async def add_conflict(tx: Transaction, agency_id: AgencyId, one: Conflict) -> tuple[int, int]:
    """One more of the agency's list, and nothing that stands there already; what counts no more goes.

    The caller holds the agency's lock. Returns how many conflicts and people the list had before.
    """
    await tx.connection.execute(
        "DELETE FROM conflicts WHERE agency_id = $1 AND until < (region.now() - interval '12 hours')::date", agency_id
    )
    (row,) = await tx.connection.fetch(
        "SELECT count(DISTINCT place) AS conflicts, count(*) AS people FROM conflicts WHERE agency_id = $1", agency_id
    )
    await tx.connection.execute(_ADD, agency_id, one.kind, sorted(one.people), one.incident, one.until)
    return row["conflicts"], row["people"]


async def refs_of_names(tx: Transaction, agency_id: AgencyId, names: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Who has one of these names in the directory, or is lent under it: pairs of the indexes of name and reference."""
    rows = await tx.connection.fetch(
        """SELECT name_index, ref_index FROM people
            WHERE agency_id = $1 AND active AND name_index = ANY ($2::bytea[])""",
        agency_id,
        list(names),
    )
    return [(row["name_index"], row["ref_index"]) for row in rows]


async def known_refs(tx: Transaction, agency_id: AgencyId, refs: Sequence[bytes]) -> set[bytes]:
    """Which of these references the agency's directory has, or had."""
    rows = await tx.connection.fetch(
        "SELECT ref_index FROM people WHERE agency_id = $1 AND ref_index = ANY ($2::bytea[])", agency_id, list(refs)
    )
    return {row["ref_index"] for row in rows}
