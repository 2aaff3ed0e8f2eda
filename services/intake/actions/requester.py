"""What a requester may do with the code, and what is shown for it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from services.intake.actions import cases
from services.intake.actions.listings import resources_for
from services.intake.actions.requests import sealed_reach
from services.intake.domain import codes
from services.intake.domain.acts import Act, AskClinician, Consented, SetReach
from services.intake.domain.agency import Agency
from services.intake.domain.case import (
    Accepted,
    Alarm,
    Case,
    InContact,
    Released,
    may_choose,
    next_by,
    support_of,
)
from services.intake.domain.clinical import With
from services.intake.domain.listing import Listing
from services.intake.domain.policy import capabilities_at
from services.intake.domain.repeats import require_same
from services.intake.domain.request import Reach
from services.intake.domain.status import possible, read_at, sentences
from services.intake.store import cases as store
from services.intake.store.agencies import load_agency
from services.intake.store.cases import Kept, Keyed
from services.intake.store.directory import PersonCard, person_cards
from shared import anchors, clock, doors, vault
from shared.db import Database, Transaction
from shared.doors import Door, keyed_hash
from shared.errors import Refused
from shared.types import REGION, CaseId, PersonId
from shared.vault import Keyring


@dataclass(frozen=True)
class Peer:
    """Somebody of the shortlist."""

    person: PersonId
    available: bool
    there_from: datetime | None
    card: PersonCard


@dataclass(frozen=True)
class View:
    """A case as its requester may see it.

    `who`: the peer, without number and hours before the release. `on_duty`: who took an emergency's page, the last one
    last. `clinician`: who has accepted. `given`: resources of the kinds that were given.
    """

    agency: Agency
    reference: str
    case: Case
    says: tuple[str, ...]
    can: tuple[str, ...]
    next_by: datetime | None
    who: PersonCard | None
    on_duty: tuple[PersonCard, ...]
    clinician: PersonCard | None
    given: tuple[Listing, ...]
    jurisdiction: str
    noticed: bool

    @property
    def released(self) -> bool:
        """Whether number and hours of the peer may be shown."""
        return isinstance(self.case.stage, Released | InContact)

    @property
    def alarm(self) -> Alarm | None:
        """What really happened of an emergency's pages."""
        return self.case.alarm


async def door_of(db: Database, keyring: Keyring, code: str) -> Door | None:
    """Where a code leads; None for one that leads nowhere, after the same work."""
    hashed = store.code_hash(keyring.derived("doors"), codes.hash_of(code))
    async with db.door() as connection:
        door = await doors.find(connection, hashed)
    return door if door is not None and door.kind == store.CODE_DOOR else None


async def view(tx: Transaction, keyring: Keyring, door: Door) -> View:
    """The case behind a code as it stands now. Raises `Refused` 404 when it is gone."""
    kept = await store.load_kept(tx, CaseId(door.subject))
    agency = await load_agency(tx, door.agency_id)
    if kept is None or agency is None:
        raise Refused("not-found", 404)
    who, on_duty, clinician = await _people(tx, keyring, door, kept)
    kinds, relation = kept.case.given, kept.case.ask.relation
    given = await resources_for(tx, door.agency_id, kinds, relation) if kinds else []
    told = read_at(kept.case, await tx.now())
    return View(
        agency=agency,
        reference=kept.reference,
        case=kept.case,
        says=sentences(told),
        can=possible(told),
        next_by=next_by(kept.case),
        who=who,
        on_duty=on_duty,
        clinician=clinician,
        given=tuple(given),
        jurisdiction=kept.jurisdiction,
        noticed=kept.noticed,
    )


async def _people(
    tx: Transaction, keyring: Keyring, door: Door, kept: Kept
) -> tuple[PersonCard | None, tuple[PersonCard, ...], PersonCard | None]:
    support, alarm, clinical = support_of(kept.case), kept.case.alarm, kept.case.clinical
    takers = [one.person for one in alarm.takers] if alarm else []
    treating = [clinical.clinician] if isinstance(clinical, With) else []
    peer = [support.person] if support else []
    cards = await _cards(tx, keyring, door, {*peer, *takers, *treating})
    who = cards.get(peer[0]) if peer else None
    if who is not None and isinstance(kept.case.stage, Accepted):
        who = replace(who, shows="", hours="")
    on_duty = tuple(cards[one] for one in dict.fromkeys(takers) if one in cards)
    return who, on_duty, cards.get(treating[0]) if treating else None


async def _cards(
    tx: Transaction, keyring: Keyring, door: Door, people: Collection[PersonId]
) -> dict[PersonId, PersonCard]:
    if not people:
        return {}
    found = await person_cards(tx, keyring, door.agency_id, people)
    if REGION in tx.agencies and (left := set(people) - set(found)):
        found |= await person_cards(tx, keyring, REGION, left)
    return found


async def peers(tx: Transaction, keyring: Keyring, door: Door) -> list[Peer]:
    """The shortlist to choose from, best first; empty when there is nothing to choose. Raises `Refused` 404."""
    kept = await store.load_kept(tx, CaseId(door.subject))
    if kept is None:
        raise Refused("not-found", 404)
    if not may_choose(kept.case):
        return []
    listed = kept.case.shortlist
    cards = await _cards(tx, keyring, door, [one.person for one in listed])
    # Numbers are shown when somebody has accepted, not to choose by.
    return [
        Peer(one.person, one.available, one.there_from, replace(cards[one.person], shows=""))
        for one in listed
        if one.person in cards
    ]


async def act(tx: Transaction, door: Door, what: Act, *, keyed: Keyed | None = None) -> None:
    """Do what the requester says. A POST with a key seen before does nothing again.

    Raises `Refused`: what `course.heard` refuses, and 422 `idempotency-key-reused`.
    """
    case_id = CaseId(door.subject)
    if keyed is not None:
        # The case first, as everywhere: two locks in two orders would wait for each other.
        await anchors.lock(tx, {case_id: door.agency_id})
        before = await store.claim(tx, keyed)
        if before is not None:
            require_same(stored=before, given=keyed.digest)
            return
    await cases.act(tx, door.agency_id, case_id, what)


def keyed_post(pepper: bytes, door: Door, key: str, digest: bytes) -> Keyed:
    """A POST with its Idempotency-Key, bound to the case."""
    return Keyed(
        keyed_hash(pepper, "idempotency", f"{door.subject}\0{key}"), door.agency_id, CaseId(door.subject), digest
    )


async def ask_clinician(tx: Transaction, door: Door, *, keyed: Keyed) -> None:
    """A clinician, without a peer in between. Raises `Refused` 409 `no-clinician-in-program`."""
    agency = await load_agency(tx, door.agency_id)
    if agency is None:
        raise Refused("not-found", 404)
    present = capabilities_at(agency, await tx.now())
    await act(tx, door, AskClinician(clock.random_id(), clock.random_id(), present), keyed=keyed)


async def consent(tx: Transaction, door: Door) -> None:
    """Yes to what was asked. Raises `Refused` 409 `no-consent-asked`."""
    await act(tx, door, Consented(clock.random_id()))


async def set_reach(tx: Transaction, keyring: Keyring, door: Door, reach: Reach | None) -> None:
    """Another way to be reached, or none. Raises `Refused` 404 when the case is gone."""
    keys = await vault.load(tx, keyring, "case", [door.subject])
    key = keys.get(door.subject)
    if key is None:
        raise Refused("not-found", 404)
    await act(tx, door, SetReach(sealed_reach(key, reach) if reach is not None else None))


async def withdraw(tx: Transaction, door: Door) -> str:
    """Everything stops at once and is gone, unless it is held. Raises `Refused` 404 when it is gone already.

    Returns the name of the sentence that is true afterwards.
    """
    case_id = CaseId(door.subject)
    await cases.withdraw(tx, door.agency_id, case_id)
    return "over_held" if await store.load(tx, [case_id]) else "over"
