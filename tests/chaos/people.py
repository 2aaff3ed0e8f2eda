"""People under load: requesters who ask whether or not earlier ones were answered, and whoever reads their mail.

An open loop: a request is due at its moment. Peers accept, decline, are silent, press twice and answer late; advisers
answer, clinicians take on or reject, whoever is paged comes or cannot; requesters close, withdraw, or wait. Everybody
tries again when nobody answers, as people do. Every try and its answer goes into the history.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from deploy.local import walk
from deploy.local.browser import Answer, Browser, NoForm
from deploy.local.cast import LAKESIDE, RIVERTON, SUMMIT, Town
from deploy.local.demo import DemoError
from deploy.local.walk import Requester
from services.intake.store.cases import CODE_DOOR
from shared.doors import keyed_hash
from tests.chaos.history import Act, History, Request
from tests.chaos.mail import Opened
from tests.chaos.witness import Eye
from tests.trust.town import hash_of

UNANSWERED = (OSError, http.client.HTTPException, TimeoutError)
TRIES, PAUSE_S = 40, 1.0
NOT_NOW = 500
"""From this status on it is tried again."""
CANARY = "canary"

STORIES: Mapping[str, tuple[int, Mapping[str, object]]] = {
    "peer closes": (24, {}),
    "requester closes": (12, {}),
    "withdrawn at once": (10, {}),
    "withdrawn later": (8, {}),
    "emergency": (12, {"urgency": "emergency"}),
    "danger in an open case": (4, {}),
    "silence": (8, {"urgency": "routine"}),
    "nobody": (5, {"preferences": {"require": ["language:zz"]}}),
    "advice": (6, {}),
    "referral": (6, {}),
    "direct": (5, {"relation": "family", "want": "clinician", "help": ["counselling"]}),
}
"""What requesters are about: how often each comes, and how it differs in what is asked."""
TOWNS_OF: Mapping[str, tuple[Town, ...]] = {"advice": (LAKESIDE, SUMMIT), "referral": (SUMMIT,), "direct": (SUMMIT,)}
LEFT_OPEN = frozenset({"silence", "nobody"})
"""Stories that nobody ends: their cases stay open, with an owner and a due time."""
REACH = {"channel": "call", "address": "801-555-0142", "safe_times": "after 18:00", "leave_message": False}
ADVICE = "Nightmares since a call with a child. What helps?"


@dataclass(eq=False)
class Visit:
    """One requester: what they are about, their code, and the case once it is known."""

    request: Request
    chance: random.Random
    code: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    accepted: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as soon as the case is known."""

    @property
    def story(self) -> str:
        return self.request.story


class People:
    """Everybody. `arrived` is told of every mail; `begin` and `ended` are the requesters' side."""

    def __init__(self, eye: Eye, intake: str, pin: str, pepper: bytes, history: History) -> None:
        self._eye, self._intake, self._pin, self._pepper, self.history = eye, intake, pin, pepper, history
        self.visits: list[Visit] = []
        self._by_case: dict[UUID, Visit] = {}
        self._notices: dict[tuple[str, str], str] = {}
        self._at_work: set[asyncio.Task[None]] = set()
        self.answering = True
        """Whether mails are answered; at the end nobody does any more."""

    def spawn(self, doing: Awaitable[None]) -> None:
        """Do this beside everything else."""

        async def done() -> None:
            await doing

        task = asyncio.create_task(done())
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def gone(self) -> None:
        """Everybody stops where they are."""
        for task in list(self._at_work):
            task.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)

    def begin(self, seed: int, story: str = "", town: Town | None = None) -> Visit:
        """Somebody asks now, and goes on as the story wants it."""
        number = len(self.visits)
        chance = random.Random(f"{seed}/{number}")
        story = story or chance.choices(list(STORIES), [weight for weight, _ in STORIES.values()])[0]
        town = town or chance.choice(TOWNS_OF.get(story, (RIVERTON, RIVERTON, LAKESIDE, SUMMIT)))
        changes = dict(STORIES[story][1]) if story in STORIES else {}
        urgency = str(changes.pop("urgency", chance.choice(("routine", "soon", "soon", "urgent"))))
        visit = Visit(Request(number, story, town.slug, urgency, time.time()), chance)
        self.visits.append(visit)
        self.history.requests.append(visit.request)
        self.spawn(self._visited(visit, changes))
        return visit

    async def _visited(self, visit: Visit, changes: Mapping[str, object]) -> None:
        await self.ask(visit, changes)
        if visit.request.case is not None:
            await self._go_on(visit)

    async def ask(self, visit: Visit, changes: Mapping[str, object]) -> None:
        """Send the same request until it is accepted or refused, and find out which case it has become."""
        request = visit.request
        body: dict[str, object] = {
            "relation": "officer",
            "help": ["talk"],
            "urgency": request.urgency,
            "choose": "anyone",
            "release": "on_accept",
            "reach": REACH,
            "code_hash": hash_of(visit.code),
        } | dict(changes)
        version = await self._notice(request.slug, str(body["relation"]))
        body["notice"] = {"version": version}
        url = f"{self._intake}/v1/agencies/{request.slug}/requests"
        answer = await self._tried("ask", visit, lambda: Browser().api("POST", url, body))
        if answer is None or answer.status not in {200, 201}:
            return
        request.accepted_at = time.time()
        hashed = keyed_hash(self._pepper, CODE_DOOR, hash_of(visit.code))
        found = await self._eye.value("SELECT subject FROM intake.doors WHERE hash = $1", hashed)
        if found is not None:
            request.case = found
            self._by_case[found] = visit
            visit.accepted.set()

    async def _notice(self, slug: str, relation: str) -> str:
        while (slug, relation) not in self._notices:
            url = f"{self._intake}/v1/agencies/{slug}/notice?relation={relation}&language=en"
            try:
                shown = await Browser().api("GET", url)
                self._notices[slug, relation] = json.loads(shown.text)["version"]
            except (*UNANSWERED, ValueError, KeyError):
                await asyncio.sleep(PAUSE_S)
        return self._notices[slug, relation]

    async def _tried(self, what: str, visit: Visit | None, do: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Do it until there is a definite answer; every try is kept."""
        for _ in range(TRIES):
            began, answer = time.time(), None
            told: int | str
            try:
                answer = await do()
                told = answer.status
            except (*UNANSWERED, NoForm, DemoError) as error:
                told = type(error).__name__
            case = visit.request.case if visit else None
            self.history.acts.append(Act(began, what, case, told, time.time() - began))
            if answer is not None and answer.status < NOT_NOW:
                return answer
            if told in {"NoForm", "DemoError"}:
                return None
            await asyncio.sleep(PAUSE_S * random.uniform(0.5, 1.5))
        return None

    def _requester(self, visit: Visit) -> Requester:
        return Requester(self._intake, visit.code, "")

    async def _go_on(self, visit: Visit) -> None:
        """What the requester does of themselves."""
        requester, wait = self._requester(visit), visit.chance.uniform
        match visit.story:
            case "withdrawn at once":
                await asyncio.sleep(wait(0, 2))
                await self.withdraw(visit)
            case "withdrawn later":
                await asyncio.sleep(wait(4, 15))
                await self.withdraw(visit)
            case "requester closes" | "emergency" | "advice":
                await asyncio.sleep(wait(12, 25))
                await self._tried("close", visit, lambda: requester.act("POST", "/close"))
            case "danger in an open case":
                await asyncio.sleep(wait(3, 8))
                await self._tried("emergency", visit, lambda: requester.act("POST", "/emergency"))
            case "referral":
                await asyncio.sleep(wait(6, 12))
                await self._consenting(visit)
            case _:
                return

    async def _consenting(self, visit: Visit) -> None:
        """Say yes as soon as a consent is asked for."""
        for _ in range(TRIES):
            answer = await self._tried("look", visit, lambda: self._requester(visit).act("GET"))
            clinical = answer.json().get("clinical") if answer and answer.status == 200 else None
            if clinical and clinical["state"] == "consent_asked":
                break
            await asyncio.sleep(PAUSE_S)
        await self._tried("consent", visit, lambda: self._requester(visit).act("PUT", "/consents/clinician"))

    async def withdraw(self, visit: Visit) -> None:
        """Take everything back; what is gone already is as good."""
        answer = await self._tried("withdraw", visit, lambda: self._requester(visit).act("DELETE"))
        if answer is not None and answer.status == 200:
            visit.request.ended = "withdrawn"
        elif answer is not None and answer.status == 404:
            visit.request.ended = "gone"

    async def ended(self) -> None:
        """Whoever has not left their case open on purpose takes it back now, a few at a time."""
        gate = asyncio.Semaphore(8)

        async def one(visit: Visit) -> None:
            async with gate:
                await self.withdraw(visit)

        due = [one for one in self.visits if one.request.accepted_at and one.story not in LEFT_OPEN]
        await asyncio.gather(*(one(visit) for visit in due if not visit.request.ended))

    def arrived(self, mail: Opened) -> None:
        """A mail with a link has come to somebody."""
        visit = self._by_case.get(mail.case) if mail.case else None
        if visit is not None and visit.story != CANARY and self.answering:
            self.spawn(self._answered(visit, mail))

    async def _answered(self, visit: Visit, mail: Opened) -> None:
        await asyncio.sleep(visit.chance.uniform(0.2, 2.5))
        match mail.purpose:
            case "offer":
                await self._offered(visit, mail)
            case "page":
                await self._paged(visit, mail)
            case "case":
                await self._supporting(visit, mail)
            case "consult":
                await self._write(visit, mail, {"text": "Keep it regular and ask about sleep."}, verb="answer")
            case "referral":
                await self._referred(visit, mail)
            case _:
                return

    async def press(self, visit: Visit, mail: Opened, verb: str) -> Answer | None:
        """Follow the link, give the PIN, press the button; nothing where there is no such button."""

        async def once() -> Answer:
            browser, page = await walk.opened(mail.link, self._pin)
            return await walk.pressed(browser, page, verb)

        return await self._tried(verb, visit, once)

    async def _offered(self, visit: Visit, mail: Opened) -> None:
        roll = visit.chance.random()
        if visit.story == "silence" or roll < 0.06:
            return
        if roll < 0.16:
            await self.press(visit, mail, "decline")
        elif roll < 0.26:
            await asyncio.gather(self.press(visit, mail, "accept"), self.press(visit, mail, "accept"))
        else:
            # A late one is behind whatever has happened to the offer meanwhile.
            await asyncio.sleep(visit.chance.uniform(5, 40) if roll < 0.34 else 0)
            await self.press(visit, mail, "accept")

    async def _paged(self, visit: Visit, mail: Opened) -> None:
        roll = visit.chance.random()
        if roll < 0.2:
            return
        await self.press(visit, mail, "cannot" if roll < 0.3 else "acknowledge")
        if roll > 0.45:
            await asyncio.sleep(visit.chance.uniform(0.5, 3))
            await self.press(visit, mail, "contact_confirmed")

    async def _supporting(self, visit: Visit, mail: Opened) -> None:
        await self.press(visit, mail, "contacted")
        if visit.story == "peer closes":
            await asyncio.sleep(visit.chance.uniform(0.5, 4))
            await self.press(visit, mail, "close")
        elif visit.story == "advice":
            fields = {"to": "clinician", "code": "sleep", "text": ADVICE}
            await self._write(visit, mail, fields, page="/advice", verb="advice")
        elif visit.story == "referral":
            await self.press(visit, mail, "clinician")
            await asyncio.sleep(visit.chance.uniform(8, 16))
            await self.press(visit, mail, "handoff")

    async def _write(self, visit: Visit, mail: Opened, fields: dict[str, str], *, verb: str, page: str = "") -> None:
        async def once() -> Answer:
            browser, shown = await walk.opened(mail.link, self._pin)
            if page:
                shown = await browser.get(f"{mail.link}{page}")
            return await browser.submit(shown.form(has="text"), fields)

        await self._tried(verb, visit, once)

    async def _referred(self, visit: Visit, mail: Opened) -> None:
        if visit.chance.random() < 0.2:
            await self.press(visit, mail, "reject")
            return
        await self.press(visit, mail, "accept")
        await asyncio.sleep(visit.chance.uniform(2, 5))
        await self.press(visit, mail, "handoff")
        await asyncio.sleep(visit.chance.uniform(4, 8))
        await self.press(visit, mail, "complete")
