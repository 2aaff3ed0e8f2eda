"""The region's pool: peers of one agency whom another has taken are listed there too, and stay what they are at home.

A borrowed peer has a row, a key, contact points and a verification of their own with the borrower. So a case, its
offers and its mails are the borrower's alone; at home nothing is known of it but that somebody is busy, for matching
counts what one person carries in one place.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.intake.actions import names
from services.intake.actions.directory import apply_plan
from services.intake.domain.agency import Agency
from services.intake.domain.directory import Entry, compare
from services.intake.domain.policy import takes_part
from services.intake.domain.pool import REGIONAL, Borrowed, Borrowing, Lending, Original, listed
from services.intake.store import agencies as agency_store
from services.intake.store import people
from services.intake.store import pool as store
from services.intake.store.directory import RECORD
from shared import audit, vault
from shared.db import Database, Transaction
from shared.errors import Problem, Refused
from shared.timers import Fired
from shared.types import AgencyId, PersonId
from shared.vault import Keyring


@dataclass(frozen=True)
class Seen:
    """A peer of the pool as a coordinator sees them. `verified`: can be asked by this agency, which has `taken` them.

    `original` is None for one who was taken and is not offered any more.
    """

    peer: PersonId
    agency: str
    name: str
    shows: str
    original: Original | None
    taken: Lending | None
    verified: bool

    def document(self) -> dict[str, object]:
        """As the API answers it."""
        one, taken = self.original, self.taken
        days = (taken.designated_from, taken.designated_to) if taken else (None, None)
        first, last = (day.isoformat() if day else None for day in days)
        return {
            "peer": str(self.peer),
            "agency": self.agency,
            "name": self.name,
            "shows": self.shows,
            "attributes": [attribute for attribute in one.attributes if attribute != REGIONAL] if one else [],
            "offers": list(one.offers) if one else [],
            "language": one.language if one else None,
            "trained_until": one.trained_until.isoformat() if one and one.trained_until else None,
            "offered": one is not None,
            "taken": taken is not None,
            "verified": self.verified,
            "designated_from": first,
            "designated_to": last,
        }


@dataclass(frozen=True)
class Pool:
    """What an agency sees of the pool; nothing where it does not take part."""

    takes_part: bool
    peers: Sequence[Seen]
    revision: int


async def _homes(db: Database, agency_id: AgencyId) -> set[AgencyId]:
    """Who lends, and who has lent to this agency, also when they do not any more."""
    async with db.transaction([agency_id]) as tx:
        taken = {one.home_agency for one in await store.lendings(tx, [agency_id])}
        return (await store.members(tx) | taken) - {agency_id}


async def look(db: Database, keyring: Keyring, *, agency_id: AgencyId, actor: UUID) -> Pool:
    """Whom other agencies offer, and who of them is taken. The reading is audited. Raises `Refused` 404."""
    homes = await _homes(db, agency_id)
    async with db.transaction([agency_id, *homes]) as tx:
        agency = await agency_store.load_agency(tx, agency_id)
        if agency is None:
            raise Refused("not-found", 404)
        if not takes_part(agency):
            return Pool(takes_part=False, peers=(), revision=agency.pool_revision)
        originals = await store.offered(tx, homes)
        agencies = await store.named(tx, homes)
        taken = {one.home_person: one for one in await _own(tx, agency_id)}
        copies = await store.borrowed(tx, agency_id)
        records = await _records(tx, keyring, originals)
        # Of one who is not offered any more nothing is read but what this agency has itself.
        own = await _records(tx, keyring, copies)
        await audit.record(tx, [audit.Entry(agency_id, "pool.read", actor=actor)])
    verified = {one.bearer: one.verified for one in copies}
    offered = [
        Seen(
            peer=one.person_id,
            agency=agencies[one.agency_id],
            name=str(record["name"]),
            shows=str(record["shows"]),
            original=one,
            taken=taken.get(one.person_id),
            verified=verified.get(one.person_id, False),
        )
        for one in originals
        if (record := records.get(one.person_id))
    ]
    there = {one.peer for one in offered}
    gone = [
        Seen(one.bearer, "", str(own[one.person_id]["name"]), "", None, taken[one.bearer], verified=False)
        for one in copies
        if one.bearer in taken and one.bearer not in there and one.person_id in own
    ]
    # Whom the agency has taken first: the page need not show everybody.
    ordered = sorted([*offered, *gone], key=lambda one: (one.taken is None, one.agency, one.name, one.peer))
    return Pool(takes_part=True, peers=ordered, revision=agency.pool_revision)


async def _records(
    tx: Transaction, keyring: Keyring, originals: Collection[Original | store.Copy]
) -> dict[PersonId, Mapping[str, object]]:
    keys = await vault.load(tx, keyring, "person", [one.person_id for one in originals])

    def work() -> dict[PersonId, Mapping[str, object]]:
        return {
            one.person_id: json.loads(key.open(RECORD, one.sealed))
            for one in originals
            if (key := keys.get(one.person_id))
        }

    return await asyncio.to_thread(work)


async def take(
    db: Database,
    keyring: Keyring,
    wanted: Borrowed,
    *,
    agency_id: AgencyId,
    actor: UUID,
    matches: Callable[[int], None],
) -> int:
    """Replace whom an agency has taken; who is new there is mailed to verify it. Returns the list's revision.

    `matches` gets the revision that stands, under the lock. Raises `Refused`: 409 `not-in-pool`, 422 `pool-invalid`
    for somebody whom nobody offers, unless they were taken before, or who is named twice.
    """
    homes = await _homes(db, agency_id)
    async with db.transaction([agency_id, *homes]) as tx:
        found = await store.originals(tx, homes, _ids(wanted))
        before = {one.home_person: one.home_agency for one in await _own(tx, agency_id)}
        sides = {agency_id, *before.values(), *(one.agency_id for one in found.values())}
        locked = await agency_store.lock_agencies(tx, sides)
        agency = locked.get(agency_id)
        if agency is None:
            raise Refused("not-found", 404)
        matches(agency.pool_revision)
        if not takes_part(agency):
            raise Refused("not-in-pool", 409)
        # Read again: whoever changes the other side holds its lock, and sees this list after it, or was seen by it.
        offered = await store.originals(tx, homes & locked.keys(), _ids(wanted))
        known = before | {person: one.agency_id for person, one in offered.items()}
        lendings = _chosen(agency_id, wanted, known)
        await store.replace_lendings(tx, agency_id, lendings)
        await _relist(tx, keyring, {agency_id: agency}, lendings)
        revision = await agency_store.next_pool_revision(tx, agency_id)
        await audit.record(tx, [audit.Entry(agency_id, "pool.taken", actor=actor)])
    return revision


async def change(
    db: Database, keyring: Keyring, peer: PersonId, wanted: Borrowing | None, *, agency_id: AgencyId, actor: UUID
) -> None:
    """Take this one peer, or let them go (None); whoever else is taken stays so. Raises as `take`, 412 in between."""
    async with db.transaction([agency_id]) as tx:
        agency = await agency_store.load_agency(tx, agency_id)
        own = await _own(tx, agency_id)
    if agency is None:
        raise Refused("not-found", 404)
    read = agency.pool_revision
    kept = [
        Borrowing(peer=one.home_person, designated_from=one.designated_from, designated_to=one.designated_to)
        for one in own
        if one.home_person != peer
    ]

    def matches(stands: int) -> None:
        if stands != read:
            raise Refused("changed-meanwhile", 412)

    after = Borrowed(peers=(*kept, wanted) if wanted else tuple(kept))
    await take(db, keyring, after, agency_id=agency_id, actor=actor, matches=matches)


async def _own(tx: Transaction, agency_id: AgencyId) -> list[Lending]:
    """Whom this agency has taken; not whom it lends."""
    return [one for one in await store.lendings(tx, [agency_id]) if one.agency_id == agency_id]


def _ids(wanted: Borrowed) -> list[PersonId]:
    return [PersonId(one.peer) for one in wanted.peers]


def _chosen(agency_id: AgencyId, wanted: Borrowed, homes: Mapping[PersonId, AgencyId]) -> list[Lending]:
    found: dict[PersonId, Lending] = {}
    problems = []
    for place, one in enumerate(wanted.peers):
        person = PersonId(one.peer)
        if person not in homes:
            problems.append(Problem(f"/peers/{place}/peer", "unknown-peer"))
        elif person in found:
            problems.append(Problem(f"/peers/{place}/peer", "duplicate"))
        else:
            found[person] = Lending(agency_id, homes[person], person, one.designated_from, one.designated_to)
    if problems:
        raise Refused("pool-invalid", 422, tuple(problems))
    return list(found.values())


async def _relist(
    tx: Transaction, keyring: Keyring, borrowers: Mapping[AgencyId, Agency], lendings: Sequence[Lending]
) -> None:
    """Bring the copies of these agencies, which are locked, to what the originals are now."""
    homes = {one.home_agency for one in lendings}
    # An agency out of view would look like one that has left the pool.
    tx.must_see(homes)
    originals = await store.originals(tx, homes, [one.home_person for one in lendings])
    records = await _records(tx, keyring, originals.values())
    key = keyring.derived("index")
    entries: dict[AgencyId, list[Entry]] = defaultdict(list)
    for one in lendings:
        record = records.get(one.home_person)
        if record and one.agency_id in borrowers and takes_part(borrowers[one.agency_id]):
            entries[one.agency_id].append(listed(key, one, originals[one.home_person], record))
    # sql-in-loop: agency by agency, each with a key and facts of its own; a round has few
    for agency_id in sorted(borrowers):
        known = await people.known_people(tx, agency_id, lent=True)
        plan = compare(known, entries[agency_id])
        if plan.changes:
            await apply_plan(tx, keyring, borrowers[agency_id], plan)
            await names.again(tx, [agency_id])


async def concerned(db: Database, fired: Sequence[Fired]) -> set[AgencyId]:
    """Every agency that has to be in view in these rounds: whoever borrows something, and whoever lends to those."""
    own = {one.agency_id for one in fired}
    async with db.transaction(own) as tx:
        borrowers = {one.agency_id for one in await store.lendings(tx, own)}
    async with db.transaction(own | borrowers) as tx:
        lent = await store.lendings(tx, borrowers)
    return own | {side for one in lent if one.agency_id in borrowers for side in (one.agency_id, one.home_agency)}


async def fire(tx: Transaction, fired: Sequence[Fired], *, keyring: Keyring) -> None:
    """Rounds: every agency that borrows from these, or is one of them, has its copies as the originals are now."""
    own = {one.agency_id for one in fired}
    borrowers = {one.agency_id for one in await store.lendings(tx, own)}
    homes = {one.home_agency for one in await store.lendings(tx, borrowers) if one.agency_id in borrowers}
    # Whoever has come to it since they were looked for is out of view, and would seem to have nobody: another round.
    tx.must_see(borrowers | homes)
    locked = await agency_store.lock_agencies(tx, borrowers | homes)
    lendings = [one for one in await store.lendings(tx, borrowers) if one.agency_id in borrowers]
    await _relist(tx, keyring, {one: locked[one] for one in borrowers if one in locked}, lendings)
