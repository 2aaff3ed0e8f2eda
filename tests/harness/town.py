"""A region with the demo agency in it, made through the real doors, for stories that begin when somebody asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deploy.local import cast, demo, timeline, walk
from deploy.local.browser import Answer, Browser
from deploy.local.cast import RIVERTON
from deploy.local.demo import Demo
from deploy.local.mails import Mail, Mailbox
from deploy.local.region import LocalRegion, Secrets
from deploy.local.timeline import Watcher
from services.notify.domain.texts import PAGES
from tests.harness.region import Region
from tests.harness.waiting import eventually


@dataclass
class Town:
    """The demo agency on the services of one test, and everything published meanwhile."""

    region: Region
    local: LocalRegion
    demo: Demo
    mailbox: Mailbox
    seen: Watcher

    async def ask(self, **changes: object) -> walk.Requester:
        """Somebody asks for support."""
        return await walk.ask(self.local.url("intake"), RIVERTON.slug, **changes)

    async def mail(self, page: str, *, to: list[str] | None = None) -> Mail:
        """The next mail that leads to a page, to one of these (a peer when not said)."""
        return await self.mailbox.next(page, to or self.demo.contacts)

    async def behind(self, mail: Mail) -> tuple[Browser, Answer]:
        """The page behind a mail's link and the PIN."""
        return await walk.opened(mail.link, self.demo.pin)

    async def answer(self, mail: Mail, verb: str) -> Answer:
        """Follow a mail's link, give the PIN, press a button."""
        browser, page = await self.behind(mail)
        return await walk.press(browser, page, verb)

    async def saying(self, mail: Mail, *texts: str) -> str:
        """Open a mail's page until it says one of the pages' texts, in whatever language; returns which, by its key.

        A page that waits says "one moment" first.
        """
        browser, page = await self.behind(mail)
        wanted = {key: [told[key] for told in PAGES.values()] for key in texts}

        async def said() -> str:
            nonlocal page
            page = await browser.get(page.url)
            return next((key for key, ways in wanted.items() if any(way in page.seen for way in ways)), "")

        try:
            return await eventually(said, 30.0, what=f"a page that says {texts}")
        except AssertionError as error:
            error.add_note(f"instead it said, with {page.status}: {page.seen}")
            raise


@asynccontextmanager
async def opened(region: Region, agencies: Sequence[cast.Town] = (RIVERTON,)) -> AsyncIterator[Town]:
    """The demo region with these agencies on the services of `region`, all of them running."""
    local = LocalRegion(
        state=region.folder,
        endpoints=region.endpoints,
        ports=region.ports,
        secrets=Secrets(
            passwords=region.database.cluster.passwords,
            fingerprint_key=region.fingerprint_key,
        ),
        database=region.database.name,
        topic_prefix=region.topics.prefix,
        environment="test",
    )
    await region.start_all()
    people = await demo.seeded(local, print, agencies)
    async with timeline.watching(region.topics.kafka, region.topics.prefix) as seen:
        mailbox = demo.mailbox_of(local)
        await mailbox.forget_present()
        yield Town(region, local, people, mailbox, seen)
