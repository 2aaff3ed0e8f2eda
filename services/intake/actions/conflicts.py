"""An agency's conflicts of interest: taken whole or one by one, kept as keyed hashes, obeyed at once, told to none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.intake.actions import names
from services.intake.actions.barring import person_id
from services.intake.domain import conflicts as domain
from services.intake.domain.agency import Agency
from services.intake.domain.conflicts import Conflicts
from services.intake.domain.directory import index_of, lent_reference, normalised
from services.intake.store import agencies as agency_store
from services.intake.store import bars as store
from services.intake.store.bars import Conflict
from shared import audit
from shared.db import Database, Transaction
from shared.errors import Problem, Refused
from shared.types import AgencyId
from shared.vault import Keyring

LONGEST_TAKING = timedelta(minutes=2)
"""A request that has read its agency is accepted or refused within this time: PostgreSQL ends what idles after 30 s."""


@dataclass(frozen=True)
class Kept:
    """What the agency hears: how many, and the list's revision."""

    conflicts: int
    people: int
    revision: int


_Places = dict[tuple[int, int], tuple[bytes, ...]]
"""By conflict and by place in it: the indexes that may stand for the person there."""


def _indexed(key: bytes, agency_id: AgencyId, wanted: Conflicts) -> _Places:
    return {
        (at, place): _candidates(key, agency_id, person)
        for at, one in enumerate(wanted.conflicts)
        for place, person in enumerate(one.people)
    }


def _candidates(key: bytes, agency_id: AgencyId, person: str) -> tuple[bytes, ...]:
    """A reference of the agency's own list, or the id under which the pool shows somebody whom the agency borrows."""
    reference, shown = index_of(key, agency_id, "ref", person), person_id(person)
    return (reference, lent_reference(key, agency_id, shown)) if shown else (reference,)


def _kept(
    key: bytes, agency_id: AgencyId, wanted: Conflicts, chosen: Mapping[tuple[int, int], bytes]
) -> list[Conflict]:
    """The list as it is kept."""
    return [
        _row(key, agency_id, one, [chosen[at, place] for place in range(len(one.people))])
        for at, one in enumerate(wanted.conflicts)
    ]


def _row(key: bytes, agency_id: AgencyId, one: domain.Conflict, people: Sequence[bytes]) -> Conflict:
    incident = index_of(key, agency_id, "incident", one.reference) if one.reference else None
    return Conflict(one.kind, tuple(dict.fromkeys(people)), incident, one.until)


async def put_conflicts(
    db: Database,
    keyring: Keyring,
    wanted: Conflicts,
    *,
    agency_id: AgencyId,
    actor: UUID,
    matches: Callable[[int], None],
) -> Kept:
    """Replace the agency's list. Cases that are open obey it at once: whoever is barred steps back without a cause.

    `matches` gets the list's revision under the lock. Raises `Refused` 422 `conflicts-invalid` for unknown people.
    """
    key = keyring.derived("index")
    places = await asyncio.to_thread(_indexed, key, agency_id, wanted)
    async with db.transaction([agency_id]) as tx:
        agency = await agency_store.lock_agency(tx, agency_id)
        if agency is None:
            raise Refused("not-found", 404)
        matches(agency.conflicts_revision)
        known = await store.known_refs(tx, agency_id, [index for indexes in places.values() for index in indexes])
        found = {place: [one for one in indexes if one in known] for place, indexes in places.items()}
        unknown = [f"/conflicts/{at}/people/{place}" for (at, place), indexes in found.items() if not indexes]
        if unknown:
            raise Refused("conflicts-invalid", 422, tuple(Problem(one, "unknown-person") for one in unknown[:200]))
        kept = _kept(key, agency_id, wanted, {place: indexes[0] for place, indexes in found.items()})
        await store.replace_conflicts(tx, agency_id, kept)
        revision = await _obeyed(tx, agency, audit.Entry(agency_id, "conflicts.replaced", actor=actor))
    return Kept(len(kept), len({person for one in kept for person in one.people}), revision)


async def add_conflict(
    db: Database,
    keyring: Keyring,
    wanted: domain.Conflict,
    *,
    agency_id: AgencyId,
    actor: UUID,
    by_name: bool = False,
) -> int:
    """Add one to the agency's list, which otherwise stays as it is; open cases obey as with `put_conflicts`.

    The same again is kept once, and everything but the list goes on as if it were new: nobody learns that it stood
    there. `by_name`: people may be called by their names as well. Returns the list's revision. Raises `Refused` 422
    `conflicts-invalid`: at a person `unknown-person` or `several-people`, `too-few` people, `too-many` in the list.
    """
    key = keyring.derived("index")
    async with db.transaction([agency_id]) as tx:
        agency = await agency_store.lock_agency(tx, agency_id)
        if agency is None:
            raise Refused("not-found", 404)
        one = _row(key, agency_id, wanted, await _meant(tx, key, agency_id, wanted.people, by_name=by_name))
        if wanted.kind in domain.BETWEEN and len(one.people) == 1:
            raise Refused("conflicts-invalid", 422, (Problem("/people", "too-few"),))
        conflicts, people = await store.add_conflict(tx, agency_id, one)
        # Whether it stands there or not: a list that is full must not tell which of the two.
        if conflicts + 1 > domain.MAX_CONFLICTS or people + len(one.people) > domain.MAX_NAMED:
            raise Refused("conflicts-invalid", 422, (Problem("", "too-many"),))
        return await _obeyed(tx, agency, audit.Entry(agency_id, "conflicts.added", actor=actor))


async def _meant(
    tx: Transaction, key: bytes, agency_id: AgencyId, people: Sequence[str], *, by_name: bool
) -> list[bytes]:
    """Whom each of these texts means, by reference or by name. Raises `Refused` 422 with whoever is not clear."""
    references = [_candidates(key, agency_id, person) for person in people]
    known = await store.known_refs(tx, agency_id, [index for indexes in references for index in indexes])
    called = await _called(tx, key, agency_id, people) if by_name else {}
    found: list[bytes] = []
    problems = []
    for place, (person, indexes) in enumerate(zip(people, references, strict=True)):
        # What is one person's reference may be another one's name, and nobody could see afterwards who was meant.
        meant = list(dict.fromkeys([*[one for one in indexes if one in known][:1], *called.get(person, [])]))
        if len(meant) == 1:
            found += meant
        else:
            problems.append(Problem(f"/people/{place}", "several-people" if meant else "unknown-person"))
    if problems:
        raise Refused("conflicts-invalid", 422, tuple(problems))
    return found


async def _called(
    tx: Transaction, key: bytes, agency_id: AgencyId, people: Sequence[str]
) -> Mapping[str, Sequence[bytes]]:
    """By each text that may be a name: the references of everybody who has it."""
    names_of = {one: index_of(key, agency_id, "name", one) for one in people if normalised("name", one)}
    pairs = await store.refs_of_names(tx, agency_id, list(names_of.values()))
    return {person: [ref for name, ref in pairs if name == index] for person, index in names_of.items()}


async def _obeyed(tx: Transaction, agency: Agency, entry: audit.Entry) -> int:
    """The list has changed: open cases are looked at again. Returns its revision; `agency` is as it was before."""
    revision = await agency_store.next_conflicts_revision(tx, agency.agency_id)
    await names.again(tx, [agency.agency_id])
    if agency.conflicts_revision == 0:
        # A request that was being taken has seen no list, so that nothing looks at it once more if it names nobody.
        await names.again(tx, [agency.agency_id], after=LONGEST_TAKING)
    await audit.record(tx, [entry])
    return revision
