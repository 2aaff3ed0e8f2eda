"""Who must not be asked or told: found by blind indexes, so that nothing a requester typed stays in the clear."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.intake.domain.directory import IndexKind, index_of, normalised
from services.intake.domain.request import Request
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
class Barred:
    """People of the program whom a request bars; `unmatched`: it names somebody who is not in the directory yet."""

    people: tuple[PersonId, ...] = ()
    unmatched: bool = False


@dataclass(frozen=True)
class _Text:
    """One text of request `n` with every blind index it may have."""

    n: int
    indexes: frozenset[bytes]
    climbs: bool


def names_anybody(request: Request) -> bool:
    """Whether somebody may have to be barred at all."""
    about = request.about_me
    return bool(request.avoid_people) or (about is not None and bool(about.unit or about.supervisor))


async def bars(tx: Transaction, key: bytes, requests: Mapping[int, tuple[AgencyId, Request]]) -> dict[int, Barred]:
    """Whom these requests bar, by their number. `key` is the keyring's "index"; one statement, or none."""
    texts = [text for n, (agency, request) in requests.items() for text in _texts(key, n, agency, request)]
    sought = [Sought(text.n, index, text.climbs) for text in texts for index in sorted(text.indexes)]
    hits = await store.find(tx, sought)
    found: dict[int, set[PersonId]] = {n: _listed(request) for n, (_, request) in requests.items()}
    matched: dict[int, set[bytes]] = {n: set() for n in requests}
    for hit in hits:
        # Members are never offered nor told anything: naming them on the bus would only tell the unit.
        if hit.role is not Role.MEMBER:
            found[hit.n].add(hit.person_id)
        if hit.index is not None:
            matched[hit.n].add(hit.index)
    missing = {text.n for text in texts if not text.indexes & matched[text.n]}
    return {n: Barred(tuple(sorted(found[n])), unmatched=n in missing) for n in requests}


def _texts(key: bytes, n: int, agency: AgencyId, request: Request) -> list[_Text]:
    typed = [name for name in request.avoid_people if _person_id(name) is None]
    texts = [_Text(n, _indexes(key, (agency, REGION), PERSON, name), climbs=False) for name in typed]
    about = request.about_me
    if about is not None and about.supervisor:
        texts.append(_Text(n, _indexes(key, (agency,), PERSON, about.supervisor), climbs=True))
    if about is not None and about.unit:
        texts.append(_Text(n, _indexes(key, (agency,), UNIT, about.unit), climbs=True))
    return texts


def _indexes(key: bytes, agencies: Collection[AgencyId], kinds: Collection[IndexKind], text: str) -> frozenset[bytes]:
    return frozenset(
        index_of(key, agency, kind, text) for agency in agencies for kind in kinds if normalised(kind, text)
    )


def _listed(request: Request) -> set[PersonId]:
    """People whom the requester was shown by their id."""
    return {found for name in request.avoid_people if (found := _person_id(name)) is not None}


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


async def rungs_of(
    tx: Transaction, agency_id: AgencyId, bars: Collection[PersonId], capabilities: Capabilities
) -> Rungs:
    """As `rungs`, for a crisis of one case, at its start or later."""
    return (await rungs(tx, {0: (agency_id, bars, capabilities)}))[0]
