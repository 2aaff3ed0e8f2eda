"""notify on a real database, with a real SMTP server that does as it is told, and a browser on its ASGI app."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import Message as Parsed
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI
from pydantic import SecretBytes, SecretStr

from services.notify import subscribers
from services.notify.actions.sender import Sender
from services.notify.app import notify_app, office_of, sender_of
from services.notify.settings import NotifySettings
from shared import clock, timers, vault
from shared.db import Database, open_pool
from shared.delivery import Delivery
from shared.events import Fact, decode
from shared.events.envelope import CONTACTS, DIRECTORY, INTAKE, INTAKE_CRISIS, MATCHING, REFERRAL, REFERRAL_CRISIS
from shared.events.intake import ContactPoint, ContactPointsSet, ContactReleased
from shared.events.matching import OfferMade
from shared.migrate import app_of
from shared.types import REGION, AgencyId, CaseId, Lane, PersonId, Role, Urgency
from shared.vault import Keyring, Subject
from tests.harness.databases import Sql, TestDatabase
from tests.harness.health import UNASKED
from tests.harness.probe import Sender as Relay
from tests.unit.shared.asgi import Answer, call

Mood = Literal["accept", "refuse", "not_now", "hang", "drop", "refuse_sender", "hang_up_once"]
PIN = "482915"
FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
_LINK = re.compile(r"http://\S+")
_HIDDEN = re.compile(r'name="nonce" value="([^"]+)"')


@dataclass
class Mailman:
    """A mail server of this test: keeps what it accepts, and otherwise behaves by `mood`."""

    mood: Mood = "accept"
    kept: list[tuple[str, Parsed]] = field(default_factory=list)
    offered: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del session, options
        if self.mood == "refuse_sender":
            return "451 try again later"
        if self.mood == "hang_up_once":
            self.mood = "accept"
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        del session
        self.offered += 1
        match self.mood:
            case "refuse":
                return "550 no such user"
            case "not_now":
                return "451 try again later"
            case "drop":
                assert isinstance(server.transport, asyncio.Transport)
                server.transport.abort()
                return "250 OK"
            case "hang":
                self.waiting.set()
                await self.release.wait()
            case _:
                pass
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.kept.append((envelope.rcpt_tos[0], message_from_bytes(content)))
        return "250 OK"

    def to(self, address: str) -> list[Parsed]:
        """What was accepted for an address."""
        return [mail for rcpt, mail in self.kept if rcpt == address]

    def text(self, address: str, number: int = -1) -> str:
        """The body of one mail, the latest when not said."""
        body = self.to(address)[number].get_payload(decode=True)
        assert isinstance(body, bytes)
        return body.decode()

    def link(self, address: str, number: int = -1) -> str:
        """The path of the link in a mail."""
        found = _LINK.findall(self.text(address, number))
        assert len(found) == 1
        return str(urlsplit(found[0]).path)


@dataclass
class Browser:
    """Keeps the one cookie, sends forms with their nonce."""

    app: FastAPI
    cookie: str = ""

    async def get(self, path: str, method: str = "GET") -> Answer:
        return await self._call(method, path)

    async def post(self, path: str, fields: Mapping[str, str | list[str]]) -> Answer:
        return await self._call("POST", path, headers=FORM, body=urlencode(fields, doseq=True).encode())

    async def _call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        sent = dict(headers or {"accept": "text/html"})
        if self.cookie:
            sent["cookie"] = self.cookie
        answer = await call(self.app, method, path, headers=sent, body=body)
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    async def enter(self, path: str, pin: str = PIN) -> Answer:
        """Open the page of a link anew, give the PIN, and follow where it leads."""
        self.cookie = ""
        return await self.followed(await self.post(path, {"pin": pin, "nonce": nonce_in(await self.get(path))}))

    async def press(self, path: str, page: Answer, verb: str, **more: str | list[str]) -> Answer:
        """Press a button of a page; the answer to the POST itself."""
        return await self.post(f"{path}/answer", {"verb": verb, "nonce": nonce_in(page), **more})

    async def followed(self, answer: Answer) -> Answer:
        return await self.get(answer.headers["location"]) if answer.status == 303 else answer

    async def verify(self, path: str, pin: str = PIN) -> Answer:
        page = await self.get(path)
        return await self.post(path, {"pin": pin, "pin_again": pin, "nonce": nonce_in(page)})


def nonce_in(answer: Answer) -> str:
    """The first nonce of a page."""
    found = _HIDDEN.search(answer.body.decode())
    assert found is not None, answer.body.decode()
    return found[1]


def text_of(answer: Answer) -> str:
    """The page without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.body.decode()).split())


@dataclass(frozen=True)
class Assigned:
    """The peer of a case, and the path of the page they have."""

    case: CaseId
    person: PersonId
    assignment: UUID
    path: str


@dataclass
class Stand:
    """One notify, driven step by step."""

    db: Database
    intake: Database
    sql: Sql
    keyring: Keyring
    senders: Mapping[Lane, Sender]
    app: FastAPI
    mailman: Mailman
    agency: AgencyId = field(default_factory=lambda: AgencyId(clock.random_id()))
    relay: Relay = field(default_factory=Relay)
    deliveries: dict[str, Delivery] = field(default_factory=dict)

    def browser(self) -> Browser:
        return Browser(self.app)

    async def hear(self, key: UUID, *facts: Fact, agency: AgencyId | None = None) -> None:
        """Facts reach notify as records of their topics, in one batch per consumer group."""
        groups: dict[str, list[Any]] = {}
        for fact in facts:
            raw = self.relay.raw(fact, key, agency=agency or self.agency)
            groups.setdefault(_group(raw.topic), []).append(raw)
        for group, raws in groups.items():
            await self.deliveries[group].take(raws)
        assert await self.sql.fetchval("SELECT count(*) FROM parked") == 0

    async def send(self, *, settle: bool = True) -> None:
        """Let every due timer of every lane fire once."""
        for lane in Lane:
            fired = await timers.claim(self.db, lane)
            if fired:
                await self.senders[lane].act(fired)
        if settle:
            await self.settled()

    async def settled(self) -> None:
        for sender in self.senders.values():
            await sender.settled()

    async def leases_run_out(self) -> None:
        await self.sql.execute("UPDATE timers SET leased_until = NULL")

    async def move_clock(self, by: timedelta) -> None:
        await self.sql.execute("UPDATE region.clock SET shift = shift + $1", by)

    async def now(self) -> datetime:
        found: datetime = await self.sql.fetchval("SELECT region.now()")
        return found

    async def said(self, of: type[Fact] | None = None) -> list[Any]:
        """Every fact emitted so far, in order."""
        rows = await self.sql.fetch("SELECT type, payload FROM outbox ORDER BY id")
        facts = [decode(row["type"], row["payload"]) for row in rows]
        return [fact for fact in facts if of is None or isinstance(fact, of)]

    async def states(self) -> list[str]:
        return [
            row["state"] for row in await self.sql.fetch("SELECT state FROM intents ORDER BY planned_at, intent_id")
        ]

    async def points(
        self, person: PersonId, addresses: Mapping[UUID, str], *, revision: int = 1, active: bool = True, **more: Any
    ) -> ContactPointsSet:
        """The record that intake would publish; the person's key is made where it is missing."""
        agency = more.get("agency", self.agency)
        async with self.intake.transaction({agency}) as tx:
            keys = await vault.load(tx, self.keyring, "person", [person])
            if person not in keys:
                keys = await vault.create(tx, self.keyring, [Subject(agency, "person", person)])
        sealed = [
            ContactPoint(point_id=point, channel="mail", sealed=keys[person].seal(f"contact:{point}", to.encode()))
            for point, to in addresses.items()
        ]
        role, language = more.get("role", Role.PEER), more.get("language", "en")
        return ContactPointsSet(revision=revision, active=active, role=role, language=language, points=tuple(sealed))

    async def peer(self, address: str, *, agency: AgencyId | None = None, **more: Any) -> PersonId:
        """Somebody who has verified an address and has the PIN; a peer when not said."""
        person = PersonId(clock.random_id())
        home = agency or self.agency
        fact = await self.points(person, {clock.random_id(): address}, agency=home, **more)
        await self.hear(person, fact, agency=home)
        await self.send()
        confirmed = await self.browser().verify(self.mailman.link(address))
        assert confirmed.status == 200, text_of(confirmed)
        return person

    async def offer(
        self, person: PersonId, *, case: CaseId | None = None, minutes: float = 60, urgency: Urgency = Urgency.SOON
    ) -> tuple[CaseId, UUID]:
        """An offer is heard of; it is not sent yet."""
        case, offer = case or CaseId(clock.random_id()), clock.random_id()
        expires = await self.now() + timedelta(minutes=minutes)
        fact = OfferMade(offer=offer, person=person, urgency=urgency, manner="call", expires=expires)
        await self.hear(case, fact)
        return case, offer

    async def sealed_reach(self, case: CaseId, text: bytes) -> bytes:
        """How to reach a requester, sealed as intake does."""
        return await self.sealed(case, "reach", text)

    async def sealed(self, case: CaseId, field: str, text: bytes) -> bytes:
        """A text of a case, sealed as intake does; its key is made."""
        async with self.intake.transaction({self.agency}) as tx:
            keys = await vault.create(tx, self.keyring, [Subject(self.agency, "case", case)])
        return keys[case].seal(field, text)

    async def assigned(self, address: str, reach: bytes | None, **release: Any) -> Assigned:
        """A peer who has accepted and got the second mail."""
        person = await self.peer(address)
        case, assignment = CaseId(clock.random_id()), clock.random_id()
        sealed = await self.sealed_reach(case, reach) if reach else None
        await self.hear(case, ContactReleased(assignment=assignment, recipient=person, sealed=sealed, **release))
        await self.send()
        return Assigned(case, person, assignment, self.mailman.link(address))


def _group(topic: str) -> str:
    if topic in {CONTACTS.name, DIRECTORY.name}:
        return "directory"
    return "crisis" if topic in {INTAKE_CRISIS.name, REFERRAL_CRISIS.name} else "ordinary"


def _deliveries(db: Database) -> dict[str, Delivery]:
    heard = {
        "ordinary": (subscribers.ordinary, [INTAKE.name, MATCHING.name, REFERRAL.name]),
        "crisis": (subscribers.crisis, [INTAKE_CRISIS.name, REFERRAL_CRISIS.name]),
        "directory": (subscribers.directory, [CONTACTS.name, DIRECTORY.name]),
    }
    return {
        name: Delivery(db, absorb, group=f"notify.{name}", topics=topics, fingerprint_key=b"k" * 32)
        for name, (absorb, topics) in heard.items()
    }


def settings_of(keyring: Path, smtp_port: int) -> NotifySettings:
    """As the process reads them; the time-out is short so that a hanging server costs a test little."""
    return NotifySettings(
        environment="test",
        app_password=SecretStr("-"),
        loop_password=SecretStr("-"),
        fingerprint_key=SecretBytes(b"k" * 32),
        keyring=keyring,
        smtp_port=smtp_port,
        smtp_timeout_s=4.0,
        mail_sender="messages@example.org",
    )


@asynccontextmanager
async def standing(database: TestDatabase, folder: Path) -> AsyncIterator[Stand]:
    """Everything but the bus."""
    path = folder / "keyring.json"
    vault.make_keyring(path)
    mailman = Mailman()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailman, hostname="localhost"), "127.0.0.1", 0)
    settings = settings_of(path, server.sockets[0].getsockname()[1])
    sql = await database.superuser()
    await sql.execute("SET search_path = notify")
    async with database.opened("notify") as db, database.opened("intake") as intake:
        office = office_of(settings)
        senders = {lane: sender_of(db, office, settings, lane) for lane in Lane}
        crisis = await open_pool(database.login(app_of("notify"), "notify"), size=2)
        app = notify_app(db, office, settings, UNASKED, crisis=db.beside(crisis))
        stand = Stand(db, intake, sql, office.keyring, senders, app, mailman, deliveries=_deliveries(db))
        stand.relay.agency = stand.agency
        try:
            yield stand
        finally:
            mailman.release.set()
            for sender in senders.values():
                await sender.drained()
            await crisis.close()
            server.close()
            await sql.close()


__all__ = ["PIN", "REGION", "Assigned", "Browser", "Mailman", "Stand", "nonce_in", "standing", "text_of"]
