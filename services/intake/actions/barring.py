"""Who must not be asked or told: found by blind indexes, so that nothing a requester typed stays in the clear."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from services.intake.domain.agency import Agency
from services.intake.domain.directory import IndexKind, index_of, normalised
from services.intake.domain.request import AboutMe, Request
from services.intake.domain.rungs import Rungs, rungs_from
from services.intake.store import bars as store
from services.intake.store import directory
from services.intake.store.bars import Counts, Sought
from shared.db import Transaction
from shared.events.policy import Capabilities
from shared.types import REGION, AgencyId, PersonId, Role

PERSON: tuple[IndexKind, ...] = ("name", "badge", "ref")
"""By what a typed text can name somebody."""
UNIT: tuple[IndexKind, ...] = ("unit",)
INCIDENT: tuple[IndexKind, ...] = ("incident",)


@dataclass(frozen=True)
class Named:
    """Whom a request of an agency names, as typed. `listed`: the agency keeps a list of conflicts."""

    agency_id: AgencyId
    avoid_people: tuple[str, ...] = ()
    about_me: AboutMe | None = None
    listed: bool = False

    @property
    def typed(self) -> tuple[str, ...]:
        """Without people whom the requester was shown by their id."""
        return tuple(name for name in self.avoid_people if person_id(name) is None)

    @property
    def anybody(self) -> bool:
        """Whether a directory has to be asked."""
        return bool(self.typed) or self.listed or (self.about_me is not None and self.about_me.anything)


def named_in(agency: Agency, request: Request) -> Named:
    """Whom a request names."""
    return Named(agency.agency_id, request.avoid_people, request.about_me, listed=agency.conflicts_revision > 0)


@dataclass(frozen=True)
class Wanted:
    """Whom a request of an agency wishes for, as typed."""

    agency_id: AgencyId
    people: tuple[str, ...]


@dataclass(frozen=True)
class _Text:
    """One text of request `n` with every blind index it may have, each with its kind, and how it counts."""

    n: int
    indexes: frozenset[tuple[IndexKind, bytes]]
    counts: Counts


async def bars(tx: Transaction, key: bytes, requests: Mapping[int, Named]) -> dict[int, tuple[PersonId, ...]]:
    """Whom these requests bar, by their number. `key` is the keyring's "index"; one statement, or none."""
    texts = [text for n, named in requests.items() for text in _texts(key, n, named)]
    listing = {n: named.agency_id for n, named in requests.items() if named.listed}
    hits = await store.find(tx, _sought(texts), listing)
    found: dict[int, set[PersonId]] = {n: _listed(named) for n, named in requests.items()}
    for hit in hits:
        # Members are never offered nor told anything: naming them on the bus would only tell the unit.
        if hit.role is not Role.MEMBER:
            found[hit.n].add(hit.person_id)
    return {n: tuple(sorted(people)) for n, people in found.items()}


async def wanted(tx: Transaction, key: bytes, requests: Mapping[int, Wanted]) -> dict[int, tuple[PersonId, ...]]:
    """Which peers these requests wish for, by their number: one statement, or none. Nobody hears who was found."""
    texts = [
        _Text(n, _indexes(key, (one.agency_id,), PERSON, name), Counts())
        for n, one in requests.items()
        for name in one.people
    ]
    hits = await store.find(tx, _sought(texts))
    peers = {(hit.n, hit.person_id) for hit in hits if hit.role is Role.PEER}
    return {n: tuple(sorted(person for number, person in peers if number == n)) for n in requests}


def _sought(texts: Collection[_Text]) -> list[Sought]:
    return [Sought(text.n, kind, index, text.counts) for text in texts for kind, index in sorted(text.indexes)]


def _texts(key: bytes, n: int, named: Named) -> list[_Text]:
    agency, about = named.agency_id, named.about_me
    texts = [_Text(n, _indexes(key, (agency, REGION), PERSON, name), Counts()) for name in named.typed]
    if about is None:
        return texts
    unit = Counts(itself=not about.unit_agreed, above=True)
    own = Counts(above=True, own=True, mates=not about.unit_agreed)
    said = (
        (about.me, PERSON, own),
        (about.supervisor, PERSON, Counts(above=True)),
        (about.unit, UNIT, unit),
        (about.incident, INCIDENT, Counts()),
    )
    return texts + [_Text(n, _indexes(key, (agency,), kinds, text), counts) for text, kinds, counts in said if text]


def _indexes(
    key: bytes, agencies: Collection[AgencyId], kinds: Collection[IndexKind], text: str
) -> frozenset[tuple[IndexKind, bytes]]:
    return frozenset(
        (kind, index_of(key, agency, kind, text)) for kind in kinds if normalised(kind, text) for agency in agencies
    )


def _listed(named: Named) -> set[PersonId]:
    """People whom the requester was shown by their id."""
    return {found for name in named.avoid_people if (found := person_id(name)) is not None}


def person_id(text: str) -> PersonId | None:
    """The id that somebody was shown by, if this text is one."""
    try:
        return PersonId(UUID(text))
    except ValueError:
        return None


class Emergency(NamedTuple):
    """What decides who is paged: who is barred, the capabilities stamped on it, and who is wished for."""

    agency_id: AgencyId
    bars: Collection[PersonId]
    capabilities: Capabilities
    own_agency: bool
    """As of `Wishes`."""


async def rungs(tx: Transaction, emergencies: Mapping[int, Emergency]) -> dict[int, Rungs]:
    """Whom to page in these emergencies, by their number.

    The region has to be in view. One statement, or none; only people who are verified, never one who is barred.
    """
    if not emergencies:
        return {}
    helpers = await directory.helpers(tx, {REGION, *(one.agency_id for one in emergencies.values())})
    return {
        n: rungs_from(helpers, one.agency_id, one.bars, one.capabilities, own=one.own_agency)
        for n, one in emergencies.items()
    }
