"""Somebody with a phone: opens pages in a real Chromium and looks whether they are sound."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response, Route
from playwright.async_api import ViewportSize as Size

PHONE: Size = {"width": 390, "height": 844}
SMALL_PHONE: Size = {"width": 320, "height": 640}
SMALLEST_TARGET = 44
"""CSS pixels high: WCAG 2.2 asks for 24 each way, a thumb in the dark for 44."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTROLS = "a[href], button, summary, select, textarea, input:not([type=hidden])"

_LOOK = (Path(__file__).parent / "look.js").read_text("utf-8")


@dataclass
class Visitor:
    """One person's browser. `strayed`: requests to anywhere but the hosts it was sent to; `said`: the console.

    `language`: in which every page has to come. `mirror`: where a copy of a page is looked at with scripts, for who
    visits without.
    """

    context: BrowserContext
    page: Page
    shots: str
    language: str
    mirror: Page | None = None
    strayed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    answered: Response | None = None
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

    def got(self, response: Response) -> None:
        """Every answer; the last one that is a page is kept."""
        if response.request.is_navigation_request() and not 300 <= response.status < 400:
            self.answered = response

    def heard(self, message: ConsoleMessage) -> None:
        """Every complaint of the browser, but for the icon that it looks for, and for a page that is a refusal."""
        icon = message.location["url"].endswith("/favicon.ico")
        if not icon and not message.text.startswith("Failed to load resource: the server responded"):
            self.said.append(message.text)

    @property
    def url(self) -> str:
        """Where this person is, without the place on the page."""
        return self.page.url.partition("#")[0]

    async def press(self, name: str) -> None:
        """Press the button or follow the link of this name, and wait for what comes."""
        target = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name)).first
        async with self.page.expect_navigation():
            await target.click()

    # --- with the keyboard alone

    async def tab_to(self, target: Locator) -> None:
        """Press Tab until this has the focus."""
        wanted = await target.element_handle()
        for _ in range(200):
            if await self.page.evaluate("one => document.activeElement === one", wanted):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"no Tab leads to {await target.text_content()}")

    async def enter(self, name: str) -> None:
        """Tab to the button or link of this name, press Enter, and wait for what comes."""
        found = self.page.get_by_role("button", name=name, exact=True)
        await self.tab_to(found.or_(self.page.get_by_role("link", name=name, exact=True)).first)
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")

    async def type(self, label: str, text: str) -> None:
        """Tab to the field of this label and type."""
        await self.tab_to(self.page.get_by_label(label, exact=True))
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def tick(self, label: str) -> None:
        """Tab to the box of this label and press the space bar."""
        await self.tab_to(self.page.get_by_label(label, exact=True))
        await self.page.keyboard.press("Space")

    async def pick(self, label: str, choice: str) -> None:
        """Tab to the list of this label and go down to the choice."""
        wanted = self.page.get_by_label(label, exact=True)
        await self.tab_to(wanted)
        for _ in range(10):
            if await self.picked(label) == choice:
                return
            await self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"no arrow leads to {choice} of {label}")

    async def picked(self, label: str) -> str:
        """What stands in the list of this label."""
        wanted = self.page.get_by_label(label, exact=True)
        return (await wanted.locator("option:checked").inner_text()).strip()

    async def choose(self, label: str) -> None:
        """Tab into the group of this radio button and go down until it is chosen."""
        wanted = self.page.get_by_label(label, exact=True).first
        name = await wanted.get_attribute("name")
        await self.tab_to(self.page.locator(f"input[type=radio][name='{name}']:checked").first)
        for _ in range(20):
            if await wanted.is_checked():
                return
            await self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"no arrow leads to {label}")

    # --- looking

    async def sound(self, name: str) -> None:
        """Nothing is wrong with the page as it stands: for the eye, the thumb, the keyboard, a reader, the network."""
        name = f"{name}-{self.language}"
        await self._tabbed_through(name)
        await self._kept(name)
        await self._axe(name)
        found = await self.page.evaluate(_LOOK, {"controls": CONTROLS, "least": SMALLEST_TARGET, "says": self.language})
        assert found == [], f"{name}: {found}"
        for size in (SMALL_PHONE, PHONE):
            await self.page.set_viewport_size(size)
            wide = await self.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"], f"{name} is {wide} px wide on {size['width']} px"
        assert "peerline" not in (await self.page.title()).lower()
        assert await self.page.get_attribute("html", "lang") == self.language, name
        assert (self.strayed, self.said) == ([], []), name
        await self._guarded(name)

    async def _guarded(self, name: str) -> None:
        """What is sent along: nothing is kept, referred, loaded from elsewhere or run."""
        assert self.answered is not None
        headers = await self.answered.all_headers()
        policy = headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy, name
        assert not [one for one in policy if "script" in one or "unsafe" in one or "http" in one], name
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer"), name

    async def _tabbed_through(self, name: str) -> None:
        """Tab reaches every control, in the order in which they stand, and the focus can be seen at each."""
        waiting: list[str] = await self.page.evaluate(
            """controls => [...document.querySelectorAll(controls)].map((one, at) => {
                one.dataset.at = at;
                // Of a group Tab reaches the one that is chosen, or the first.
                const group = `input[type=radio][name="${one.name}"]`;
                const rest = one.type === 'radio' && one !== (document.querySelector(`${group}:checked`)
                    || document.querySelector(group));
                return rest ? '' : `${one.tagName} ${one.name || one.textContent.trim().slice(0, 30)}`;
            })""",
            CONTROLS,
        )
        reached: list[int] = []
        for _ in range(4 * len(waiting) + 3):
            await self.page.keyboard.press("Tab")
            at, shown, closed = await self.page.evaluate(
                """() => { const one = document.activeElement, style = getComputedStyle(one);
                    const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
                    return [Number(one.dataset.at ?? -1), shown,
                        one.tagName === 'SUMMARY' && !one.parentElement.open]; }"""
            )
            if at < 0:
                # Past the last control the browser begins anew.
                continue
            if reached and at == reached[-1]:
                # A date has a stop for its day, its month and its year.
                continue
            if at in reached:
                break
            assert shown, f"{name}: the focus cannot be seen at {waiting[at]}"
            reached.append(at)
            if closed:
                await self.page.keyboard.press("Enter")
                assert await self.page.evaluate("document.activeElement.parentElement.open"), name
        missed = [told for at, told in enumerate(waiting) if told and at not in reached]
        # With something to put right Tab begins there, so what stands above it comes last.
        first = reached.index(min(reached)) if reached else 0
        assert (missed, reached[first:] + reached[:first]) == ([], sorted(reached)), name

    async def _axe(self, name: str) -> None:
        page = self.page
        if self.mirror is not None:
            page, html = self.mirror, await self.page.content()

            async def copy(route: Route) -> None:
                await route.fulfill(body=html, content_type="text/html; charset=utf-8")

            await page.route(self.url, copy)
            await page.goto(self.url)
            await page.unroute(self.url)
        found = (await Axe().run(page, options={"runOnly": RULES})).response["violations"]
        assert not found, f"{name}: {json.dumps([_told(one) for one in found], indent=1)}"

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

    async def visitor(
        self, *, language: str = "en-US", scripts: bool = True, dark: bool = False, shown_in: str = ""
    ) -> Visitor:
        """Another person with a browser of their own, which asks for `language`; pages have to come in `shown_in`."""
        context = await self._context(language, scripts=scripts, dark=dark)
        page = await context.new_page()
        mirror = None if scripts else await (await self._context(language, scripts=True, dark=dark)).new_page()
        visitor = Visitor(context, page, self.shots, shown_in or language.partition("-")[0], mirror)
        page.on("request", visitor.seen)
        page.on("response", visitor.got)
        page.on("console", visitor.heard)
        return visitor

    async def _context(self, language: str, *, scripts: bool, dark: bool) -> BrowserContext:
        return await self.browser.new_context(
            viewport=PHONE,
            locale=language,
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
            service_workers="block",
        )

    async def close(self) -> None:
        """End it."""
        await self.browser.close()
