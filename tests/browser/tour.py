"""A region with one agency whose people read English and one whose people read Spanish, for a tour of every page."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from deploy.local import walk
from deploy.local.cast import SUMMIT, Town
from deploy.local.mails import Mail
from deploy.local.scenes.__main__ import staged
from deploy.local.scenes.stage import Stage
from deploy.local.walk import Requester
from services.intake.routes.desk import PAGES
from services.intake.routes.speech import Words, read_words
from services.notify.domain import texts
from tests.browser.visitor import Chromium, Visitor
from tests.harness.region import Region
from tests.harness.waiting import eventually

SPANISH_NAMES = (
    *("Abril Soto", "Bruno Paz", "Celia Rey", "Delia Mora", "Elvira Gil"),
    *("Fabio Luna", "Gloria Vega", "Ignacio Sol", "Julio Cano"),
)
CUMBRE = replace(
    SUMMIT,
    name="Policía de Cumbre",
    slug="cumbre",
    people=tuple(
        replace(one, name=name, language="es") for one, name in zip(SUMMIT.people, SPANISH_NAMES, strict=True)
    ),
    resources=(
        ("group", "Grupo de la tarde (demo)", "801-555-0431", 10),
        ("chaplain", "Capellanes (demo)", "801-555-0432", 400),
    ),
)
TOWNS: Mapping[str, Town] = {"en": SUMMIT, "es": CUMBRE}
BROWSER_ASKS = {"en": "en-US", "es": "es-MX"}
REACH = {"channel": "call", "address": "801-555-0142", "safe_times": "18:00 - 21:00", "leave_message": False}


@dataclass
class Tour:
    """The region, seen by people who read one language."""

    stage: Stage
    region: Region
    chromium: Chromium
    language: str

    @property
    def town(self) -> Town:
        """The agency whose people read this language."""
        return TOWNS[self.language]

    @property
    def home(self) -> str:
        """Where its requesters start."""
        return f"{self.stage.intake}/a/{self.town.slug}"

    @property
    def words(self) -> Words:
        """What a requester reads."""
        return read_words(PAGES / "words" / f"{self.language}.toml")

    @property
    def says(self) -> Mapping[str, str]:
        """What everybody else reads."""
        return texts.page(self.language)

    async def visitor(self) -> Visitor:
        """Somebody without JavaScript; who reads Spanish has a dark screen, so that both are seen."""
        return await self.chromium.visitor(
            language=BROWSER_ASKS[self.language], scripts=False, dark=self.language == "es"
        )

    async def stranger(self) -> Visitor:
        """Whose browser asks for the other language: the page follows the person, not the browser."""
        other = "es" if self.language == "en" else "en"
        return await self.chromium.visitor(language=BROWSER_ASKS[other], scripts=False, shown_in=self.language)

    async def ask(self, **changes: object) -> Requester:
        """Somebody asks over the API."""
        return await walk.ask(
            self.stage.intake,
            self.town.slug,
            **{"avoid_people": [], "reach": REACH, "language": self.language, **changes},
        )

    async def supported(self, **changes: object) -> tuple[Requester, Mail]:
        """A case in which a peer has accepted, and the mail that leads the peer to it."""
        requester = await self.ask(**changes)
        offer = await self.mail("/m/", "peer")
        await self.stage.answer(offer, "accept")
        await requester.until("released")
        return requester, await self.stage.mail("/w/", [offer.to])

    def contacts(self, role: str) -> list[str]:
        """Where the people of a role get their mail."""
        return [one.contact for one in self.town.people if one.role == role]

    async def mail(self, page: str, role: str) -> Mail:
        """The next mail to one of them that leads to a page."""
        return await self.stage.mail(page, self.contacts(role))

    async def behind(self, visitor: Visitor, mail: Mail, *, look: str = "") -> None:
        """Follow a link and type the PIN. The page before it is in the language that the browser asks for."""
        await visitor.open(mail.link)
        says = texts.page(await visitor.page.get_attribute("html", "lang") or "")
        if look:
            await visitor.sound(look)
        await visitor.type(says["pin"], self.stage.demo.pin)
        await visitor.enter(says["open"])

    async def settled(self, visitor: Visitor, *words: str) -> None:
        """Look again until the page says this."""

        async def said() -> bool:
            await visitor.page.goto(visitor.url)
            text = await visitor.page.inner_text("main")
            return all(one in text for one in words)

        await eventually(said, 30.0, what=f"a page that says {words}", every=0.1)

    async def case_page(self, requester: Requester) -> Visitor:
        """The requester comes back with the code."""
        visitor = await self.visitor()
        await visitor.open(f"{self.home}/case")
        await visitor.type(self.words["page"]["enter_label"], requester.code)
        await visitor.enter(self.words["page"]["enter_button"])
        return visitor

    def sentence(self, name: str) -> str:
        """What a requester reads under this name, up to the first time that stands in it."""
        return re.split(r"[{]", self.words["says"][name])[0].strip()

    async def over(self, requester: Requester) -> None:
        """Everything is taken back: the peers are free for the next."""
        await requester.act("DELETE")


@asynccontextmanager
async def toured(region: Region, chromium: Chromium) -> AsyncIterator[dict[str, Tour]]:
    """A tour in each language, on the services of `region`."""
    for service in ("intake", "matching", "referral", "notify"):
        more = {"PEERLINE_REQUESTS_PER_SOURCE": "200"} if service == "intake" else {}
        await region.start(service, ready=False, env=more)
    for (_, replica), one in list(region.services.items()):
        assert replica == "0"
        await one.ready(region.http)
    async with staged(region.local, print, list(TOWNS.values())) as stage:
        yield {language: Tour(stage, region, chromium, language) for language in TOWNS}
