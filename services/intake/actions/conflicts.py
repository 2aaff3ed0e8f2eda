"""An agency's conflicts of interest: taken whole, kept as keyed hashes, obeyed by open cases too, and never told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.intake.actions import names
from services.intake.actions.barring import person_id
from services.intake.domain.conflicts import Conflicts
from services.intake.domain.directory import index_of, lent_reference
from services.intake.store import agencies as agency_store
from services.intake.store import bars as store
from services.intake.store.bars import Conflict
from shared import audit
from shared.db import Database
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
        Conflict(
            kind=one.kind,
            people=tuple(dict.fromkeys(chosen[at, place] for place in range(len(one.people)))),
            incident=index_of(key, agency_id, "incident", one.reference) if one.reference else None,
            until=one.until,
        )
        for at, one in enumerate(wanted.conflicts)
    ]


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
        revision = await agency_store.next_conflicts_revision(tx, agency_id)
        await names.again(tx, [agency_id])
        if agency.conflicts_revision == 0:
            # A request that was being taken has seen no list, so that nothing looks at it once more if it names nobody.
            await names.again(tx, [agency_id], after=LONGEST_TAKING)
        await audit.record(tx, [audit.Entry(agency_id, "conflicts.replaced", actor=actor)])
    return Kept(len(kept), len({person for one in kept for person in one.people}), revision)
