"""Somebody with a phone: opens pages in a real Chromium and looks whether they are sound."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, ViewportSize

PHONE: ViewportSize = {"width": 390, "height": 844}
SMALLEST_TARGET = 44
"""CSS pixels, each way: WCAG 2.2 asks for 24, a thumb in the dark for 44."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

_SMALL = """least => [...document.querySelectorAll('a[href], button, summary, select, input:not([type=hidden])')]
  .filter(one => one.offsetParent !== null)
  .map(one => [one, (one.closest('label') || one).getBoundingClientRect()])
  .filter(([one, box]) => box.height < least - 0.5 && !one.closest('p, dd, li.inline'))
  .map(([one, box]) => `${one.tagName} ${one.textContent.trim().slice(0, 30)} ${Math.round(box.height)}`)"""


@dataclass
class Visitor:
    """One person's browser. `strayed`: requests to anywhere but the hosts it was sent to; `said`: the console."""

    context: BrowserContext
    page: Page
    shots: str
    strayed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    _hosts: set[str] = field(default_factory=set)

    async def open(self, url: str) -> Page:
        """Go there."""
        self._hosts.add(urlsplit(url).netloc)
        await self.page.goto(url)
        return self.page

    def seen(self, request: Request) -> None:
        """Every request that the browser makes."""
        if urlsplit(request.url).netloc not in self._hosts:
            self.strayed.append(request.url)

    def heard(self, message: ConsoleMessage) -> None:
        """Every complaint of the browser, but for the icon that it looks for on its own account."""
        if not message.location["url"].endswith("/favicon.ico"):
            self.said.append(message.text)

    async def press(self, name: str) -> None:
        """Press the button or follow the link of this name, and wait for what comes."""
        target = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name)).first
        async with self.page.expect_navigation():
            await target.click()

    async def sound(self, name: str) -> None:
        """Nothing is wrong with the page as it stands: axe, width, targets, title, foreign requests, console."""
        await self._kept(name)
        found = (await Axe().run(self.page, options={"runOnly": RULES})).response["violations"]
        assert not found, f"{name}: {json.dumps([_told(one) for one in found], indent=1)}"
        wide = await self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], f"{name} is {wide} px wide on a phone"
        assert await self.page.evaluate(_SMALL, SMALLEST_TARGET) == [], name
        assert "peerline" not in (await self.page.title()).lower()
        assert await self.page.get_attribute("html", "lang")
        assert (self.strayed, self.said) == ([], []), name

    async def _kept(self, name: str) -> None:
        if self.shots:
            await self.page.screenshot(path=f"{self.shots}/{name}.png", full_page=True)


def _told(violation: dict[str, object]) -> dict[str, object]:
    nodes = violation["nodes"]
    where = [one["html"][:160] for one in nodes][:4] if isinstance(nodes, list) else []
    return {"rule": violation["id"], "help": violation["help"], "where": where}


@dataclass
class Chromium:
    """The browser program. `shots`: a folder for pictures of every page that was looked at, "" for none."""

    browser: Browser
    shots: str = ""

    async def visitor(self, *, language: str = "en-US", scripts: bool = True, dark: bool = False) -> Visitor:
        """Another person with a browser of their own."""
        context = await self.browser.new_context(
            viewport=PHONE,
            locale=language,
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            service_workers="block",
        )
        page = await context.new_page()
        visitor = Visitor(context, page, self.shots)
        page.on("request", visitor.seen)
        page.on("console", visitor.heard)
        return visitor

    async def close(self) -> None:
        """End it."""
        await self.browser.close()
