"""The desk behind the links: PINs, sessions, what a page shows, and the answers given there.

Opening a link does nothing and shows nothing. A right PIN opens a session of 15 minutes, bound to the link and so to
the person it was sent to. An unknown link costs the same statements and the same hash as a known one. Pages of an
emergency, and the word of danger, wait for no connection and no hash of anything else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from services.notify.actions import board, contacts, showing, writing
from services.notify.actions.book import Cases
from services.notify.actions.sending import Office
from services.notify.actions.showing import Opened, Shown
from services.notify.actions.writing import Problems, Said
from services.notify.domain import pins
from services.notify.domain.contacts import Person, verified
from services.notify.domain.intents import Purpose
from services.notify.domain.matters import Word
from services.notify.store import links, people
from services.notify.store.people import Pin
from services.notify.store.sending import Link
from shared import audit, clock, doors, faults
from shared.casework import Input, fold
from shared.db import Database, Transaction
from shared.doors import Door
from shared.types import REGION, CaseId, PersonId

SESSION_FOR = timedelta(minutes=15)
SALT_BYTES = 16
SETTLED_WITHIN_S, SETTLED_POLL_S = 2.0, 0.1
PIN_COST = 2**14
HASHES_AT_ONCE = 2
"""An scrypt of these parameters takes a core for about 50 ms and 16 MiB: a flood of PINs must not take them all."""
CRISIS_HASHES_AT_ONCE = 1
"""Beside those: a PIN at an emergency's page does not stand in line behind the others."""


class PinHash:
    """scrypt (RFC 7914; n = 2^14, r = 8, p = 1) over a PIN that was mixed with a pepper kept outside the database."""

    def __init__(self, pepper: bytes, *, cost: int = PIN_COST) -> None:
        """`pepper` comes from the keyring; `cost` is scrypt's n."""
        self._pepper, self._cost = pepper, cost
        self._slots, self._crisis = asyncio.Semaphore(HASHES_AT_ONCE), asyncio.Semaphore(CRISIS_HASHES_AT_ONCE)

    async def of(self, pin: str, salt: bytes, *, crisis: bool = False) -> bytes:
        """The hash that is kept; computed in a thread. With `crisis` in a slot of its own."""
        mixed = hmac.new(self._pepper, pin.encode(), hashlib.sha256).digest()
        async with self._crisis if crisis else self._slots:
            return await asyncio.to_thread(hashlib.scrypt, mixed, salt=salt, n=self._cost, r=8, p=1, dklen=32)


@dataclass(frozen=True, repr=False)
class Entered:
    """A right PIN: `session` is the value of the cookie."""

    session: str
    shown: Shown


@dataclass(frozen=True)
class Denied:
    """Why a PIN opened nothing: one of wrong, locked, blocked, gone."""

    why: str


@dataclass(frozen=True, repr=False)
class Answered:
    """Whether the answer was taken, and what the page shows now. `problems`: why what was written cannot be taken."""

    taken: bool
    shown: Shown
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class _Tried:
    """A PIN as it was tried: against which salt, and what came out."""

    salt: bytes
    computed: bytes


class Desk:
    """Everything that the pages can do."""

    def __init__(
        self, db: Database, office: Office, *, crisis: Database | None = None, pin_cost: int = PIN_COST
    ) -> None:
        """Keys come from the office; emergencies come in through `crisis`. `pin_cost` is that of `PinHash`."""
        self._db, self._crisis, self._office = db, crisis or db, office
        self._pepper = office.pepper
        self._hash = PinHash(office.keyring.derived("pin"), cost=pin_cost)

    async def enter(self, purpose: Purpose, token: str, pin: str) -> Entered | Denied:
        """Try a PIN at a link. Wrong ones are counted for the person, whichever link they were tried at."""
        db = self._reached(purpose)
        door = await self._door(db, f"link:{purpose}", token)
        agencies = {REGION, door.agency_id if door else REGION}
        async with db.transaction(agencies) as tx:
            link = await links.load(tx, door.subject if door else clock.random_id())
            known = await people.pins(tx, [_person(link)])
        kept = next(iter(known.values()), None)
        salt = kept.salt if kept else secrets.token_bytes(SALT_BYTES)
        tried = _Tried(salt, await self._hash.of(pin, salt, crisis=purpose == "page"))
        async with db.transaction(agencies) as tx:
            return await self._enter(tx, door, tried)

    async def _enter(self, tx: Transaction, door: Door | None, tried: _Tried) -> Entered | Denied:
        link = await links.load(tx, door.subject if door else clock.random_id())
        person, pin = await self._owner(tx, link)
        if door is None or link is None or link.case_id is None or person is None or pin is None:
            return Denied("gone")
        if not await _admitted(tx, person, pin, link, link.case_id):
            return Denied("gone")
        now = await tx.now()
        right = pin.salt == tried.salt and hmac.compare_digest(pin.hash, tried.computed)
        guard, verdict = pins.tried(pin.guard, right=right, now=now)
        if guard != pin.guard:
            await people.save_pin(tx, (person.person_id, person.agency_id), replace(pin, guard=guard))
            await contacts.save(tx, [(person, replace(person, blocked=True) if guard.blocked else person)])
        if verdict != "right":
            return Denied(verdict)
        session = clock.token()
        await links.drop_old_sessions(tx, link.link_id)
        opened = Door(link.agency_id, "session", link.link_id, door.key)
        await doors.add(tx, [(doors.keyed_hash(self._pepper, "session", session), opened, now + SESSION_FOR)])
        shown = await self._shown(tx, link, link.case_id, reveal=True)
        return Entered(session, shown)

    async def _owner(self, tx: Transaction, link: Link | None) -> tuple[Person | None, Pin | None]:
        """Lock the person a link was sent to: of the link's agency, or of the region."""
        person = _person(link)
        found = await people.lock(tx, [person])
        points = await people.points(tx, [person])
        kept = await people.pins(tx, [person])
        if link is None:
            return None, None
        for agency in (link.agency_id, REGION):
            key = person, agency
            if key in found:
                return replace(found[key], points=points.get(key, {})), kept.get(key)
        return None, None

    async def _open_to(self, tx: Transaction, link_id: UUID) -> Link | None:
        """The link of a session, while its person may still use it: a session must not outlive that."""
        link = await links.load(tx, link_id)
        person, pin = await self._owner(tx, link)
        if link is None or link.case_id is None or person is None or pin is None or person.blocked:
            return None
        return link if await _admitted(tx, person, pin, link, link.case_id) else None

    async def look(self, purpose: Purpose, token: str, session: str) -> Shown | None:
        """What the page shows to an open session of this very link; None where there is none. Changes nothing."""
        db = self._reached(purpose)
        link = await self._of_session(db, purpose, token, session)
        if link is None:
            return None
        async with db.transaction({link.agency_id, REGION}) as tx:
            found = await self._open_to(tx, link.subject)
            if found is None or found.case_id is None:
                return None
            return await self._shown(tx, found, found.case_id, reveal=False)

    async def look_settled(self, purpose: Purpose, token: str, session: str) -> Shown | None:
        """As `look`, but while somebody has yet to say what came of an answer, that is waited for a moment."""
        until = clock.monotonic() + SETTLED_WITHIN_S
        shown = await self.look(purpose, token, session)
        # sql-in-loop: one look at a time, for as long as a person would wait for a page
        while shown is not None and shown.view.waiting and clock.monotonic() < until:
            await asyncio.sleep(SETTLED_POLL_S)
            shown = await self.look(purpose, token, session)
        return shown

    async def answer(
        self, purpose: Purpose, token: str, session: str, said: Said, *, traceparent: str | None
    ) -> Answered | None:
        """Give an answer in an open session. The reply and its event are one transaction; a second changes nothing."""
        db = self._reached(purpose, said.verb)
        door = await self._of_session(db, purpose, token, session)
        if door is None:
            return None
        async with db.transaction({door.agency_id, REGION}) as tx:
            link = await self._open_to(tx, door.subject)
            if link is None or link.case_id is None:
                return None
            if traceparent:
                tx.traces[link.case_id] = traceparent
            answered = await self._answered(tx, link, link.case_id, said)
        faults.reached("after-commit", "answer")
        return answered

    async def _answered(self, tx: Transaction, link: Link, case: CaseId, said: Said) -> Answered | None:
        keyring, page = self._office.keyring, await showing.load(tx, link, case)
        now = await showing.shown(tx, keyring, page, reveal=False)
        if said.verb not in now.view.verbs:
            return Answered(taken=False, shown=now)
        given = await writing.sealed(tx, keyring, page, said)
        if isinstance(given, Problems):
            return Answered(taken=False, shown=now, problems=given.told)
        states = await fold(tx, [Input(link.agency_id, case, given, given.reply_id)], Cases(await tx.now()))
        if case not in states:
            return None
        taken = given.reply_id in states[case].replies
        if not taken:
            await writing.forgotten(tx, given)
        page = await showing.load(tx, link, case)
        return Answered(taken, await showing.shown(tx, keyring, page, reveal=False))

    async def outreach(self, token: str) -> Opened | None:
        """The page behind the link of an outreach, which needs no PIN: it tells nothing about anybody."""
        door = await self._door(self._db, "link:outreach", token)
        if door is None:
            return None
        async with self._db.transaction({door.agency_id}) as tx:
            link = await links.load(tx, door.subject)
            if link is None or link.case_id is None:
                return None
            return showing.outreach(await links.matter(tx, link.subject, link.case_id))

    async def verify(self, token: str, pin: str) -> str:
        """The owner of a contact point has opened its link: verified, used, wrong or gone.

        Whoever has a PIN enters that one: otherwise whoever changes an address could take over what is sent to it.
        Only a person without one, or with a blocked one, sets it here.
        """
        door = await self._door(self._db, "link:verify", token)
        agencies = {door.agency_id if door else REGION}
        async with self._db.transaction(agencies) as tx:
            link = await links.load(tx, door.subject if door else clock.random_id())
            known = await people.pins(tx, [_person(link)])
        kept = next(iter(known.values()), None)
        salt = kept.salt if kept and not kept.guard.blocked else secrets.token_bytes(SALT_BYTES)
        tried = _Tried(salt, await self._hash.of(pin, salt))
        async with self._db.transaction(agencies) as tx:
            return await self._verify(tx, door.subject if door else clock.random_id(), tried)

    async def _verify(self, tx: Transaction, link_id: UUID, tried: _Tried) -> str:
        link = await links.load(tx, link_id)
        person, pin = await self._owner(tx, link)
        if link is None or person is None:
            return "gone"
        # Again, now that the person is locked: the same link may be used twice at the same moment.
        link = await links.load(tx, link_id)
        if link is None or link.wrong >= pins.LINK_TRIES or not person.active:
            return "gone"
        if link.used_at is not None:
            return "used"
        now = await tx.now()
        after = verified(person, link.subject, now)
        if after is person:
            return "gone"
        if pin is not None and not pin.guard.blocked:
            if pin.salt != tried.salt or not hmac.compare_digest(pin.hash, tried.computed):
                await links.count_wrong(tx, link_id)
                return "wrong"
        else:
            key = person.person_id, person.agency_id
            # Whoever sets a new PIN need not be the one whom the old messages were for.
            replaced = now if pin is not None else None
            await people.save_pin(tx, key, Pin(tried.salt, tried.computed, pins.Guard(), replaced))
            if replaced is not None:
                await links.void(tx, *key)
        await links.used(tx, link_id, now)
        await contacts.save(tx, [(person, after)])
        await audit.record(tx, [audit.Entry(link.agency_id, "contact_verified", subject=person.person_id)])
        return "verified"

    def _reached(self, purpose: Purpose, verb: Word | None = None) -> Database:
        """The database as the doors of emergencies reach it, or as all the others do."""
        return self._crisis if purpose == "page" or verb == "danger" else self._db

    async def _door(self, db: Database, kind: str, token: str) -> Door | None:
        async with db.door() as connection:
            found = await doors.find(connection, doors.keyed_hash(self._pepper, kind, token))
        return found if found is not None and found.kind == kind else None

    async def _of_session(self, db: Database, purpose: Purpose, token: str, session: str) -> Door | None:
        opened = await self._door(db, "session", session)
        link = await self._door(db, f"link:{purpose}", token)
        if opened is None or link is None or opened.subject != link.subject:
            return None
        return opened

    async def _shown(self, tx: Transaction, link: Link, case: CaseId, *, reveal: bool) -> Shown:
        if link.purpose == "team":
            return await board.shown(tx, link, case)
        return await showing.shown(tx, self._office.keyring, await showing.load(tx, link, case), reveal=reveal)


async def _admitted(tx: Transaction, person: Person, pin: Pin, link: Link, case: CaseId) -> bool:
    """Whether this person may open a link of this case: still there, and told of it only since the PIN is theirs."""
    if not (person.active and person.listed):
        return False
    if link.purpose == "team":
        # What its page counts is asked of every single thing instead: it is about more than this one case.
        return person.coordinates
    if pin.replaced_at is None:
        return True
    since = await links.told_since(tx, person.person_id, case)
    return since is not None and since > pin.replaced_at


def _person(link: Link | None) -> PersonId:
    return link.person if link else PersonId(clock.random_id())
