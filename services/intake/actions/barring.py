"""Who must not be asked or told: found by blind indexes, so that nothing a requester typed stays in the clear."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.intake.domain.directory import IndexKind, index_of, normalised
from services.intake.domain.request import AboutMe, Request
from services.intake.domain.rungs import Rungs, rungs_from
from services.intake.store import bars as store
from services.intake.store import directory
from services.intake.store.bars import Sought
from shared.db import Transaction
from shared.events.policy import Capabilities
from shared.types import REGION, AgencyId, PersonId, Role

PERSON: tuple[IndexKind, ...] = ("name", "badge", "ref")
"""By what a typed text can name somebody."""
UNIT: tuple[IndexKind, ...] = ("unit",)


@dataclass(frozen=True)
class Named:
    """Whom a request of an agency names, as typed."""

    agency_id: AgencyId
    avoid_people: tuple[str, ...] = ()
    about_me: AboutMe | None = None

    @property
    def anybody(self) -> bool:
        """Whether a directory has to be asked."""
        about = self.about_me
        typed = any(_person_id(name) is None for name in self.avoid_people)
        return typed or (about is not None and bool(about.unit or about.supervisor))


def named_in(agency_id: AgencyId, request: Request) -> Named:
    """Whom a request names."""
    return Named(agency_id, request.avoid_people, request.about_me)


@dataclass(frozen=True)
class _Text:
    """One text of request `n` with every blind index it may have, each with its kind."""

    n: int
    indexes: frozenset[tuple[IndexKind, bytes]]
    climbs: bool


async def bars(tx: Transaction, key: bytes, requests: Mapping[int, Named]) -> dict[int, tuple[PersonId, ...]]:
    """Whom these requests bar, by their number. `key` is the keyring's "index"; one statement, or none."""
    texts = [text for n, named in requests.items() for text in _texts(key, n, named)]
    sought = [Sought(text.n, kind, index, text.climbs) for text in texts for kind, index in sorted(text.indexes)]
    hits = await store.find(tx, sought)
    found: dict[int, set[PersonId]] = {n: _listed(named) for n, named in requests.items()}
    for hit in hits:
        # Members are never offered nor told anything: naming them on the bus would only tell the unit.
        if hit.role is not Role.MEMBER:
            found[hit.n].add(hit.person_id)
    return {n: tuple(sorted(people)) for n, people in found.items()}


def _texts(key: bytes, n: int, named: Named) -> list[_Text]:
    agency, about = named.agency_id, named.about_me
    typed = [name for name in named.avoid_people if _person_id(name) is None]
    texts = [_Text(n, _indexes(key, (agency, REGION), PERSON, name), climbs=False) for name in typed]
    if about is not None and about.supervisor:
        texts.append(_Text(n, _indexes(key, (agency,), PERSON, about.supervisor), climbs=True))
    if about is not None and about.unit:
        texts.append(_Text(n, _indexes(key, (agency,), UNIT, about.unit), climbs=True))
    return texts


def _indexes(
    key: bytes, agencies: Collection[AgencyId], kinds: Collection[IndexKind], text: str
) -> frozenset[tuple[IndexKind, bytes]]:
    return frozenset(
        (kind, index_of(key, agency, kind, text)) for kind in kinds if normalised(kind, text) for agency in agencies
    )


def _listed(named: Named) -> set[PersonId]:
    """People whom the requester was shown by their id."""
    return {found for name in named.avoid_people if (found := _person_id(name)) is not None}


def _person_id(text: str) -> PersonId | None:
    try:
        return PersonId(UUID(text))
    except ValueError:
        return None


async def rungs(
    tx: Transaction, emergencies: Mapping[int, tuple[AgencyId, Collection[PersonId], Capabilities]]
) -> dict[int, Rungs]:
    """Whom to page in these emergencies, by their number: agency, who is barred, and the capabilities stamped on it.

    The region has to be in view. One statement, or none; only people who are verified, never one who is barred.
    """
    if not emergencies:
        return {}
    helpers = await directory.helpers(tx, {REGION, *(agency for agency, _, _ in emergencies.values())})
    return {
        n: rungs_from(helpers, agency, bars, capabilities) for n, (agency, bars, capabilities) in emergencies.items()
    }
