"""What a requester meets, in a real Chromium on a phone's width."""

from __future__ import annotations

import re

from deploy.local.cast import SLUG
from tests.browser.visitor import Chromium, Visitor
from tests.harness.town import Town


def home(town: Town) -> str:
    return f"{town.local.url('intake')}/a/{SLUG}"


async def asked(visitor: Visitor, *, look: bool = False) -> str:
    """Go through the three screens; returns the code."""
    page = visitor.page
    await visitor.press("Next (1 of 3)")
    if look:
        await visitor.sound("requester-two")
    await page.get_by_label("Call me").check()
    await page.get_by_label("Number or mail address").fill("801-555-0142")
    await visitor.press("Next (2 of 3)")
    if look:
        await visitor.sound("requester-three")
    code = await page.locator(".code").inner_text()
    for box in await page.get_by_role("checkbox").all():
        await box.check()
    await visitor.press("Send (3 of 3)")
    return re.sub(r"\s", "", code)


async def opened(visitor: Visitor, code: str) -> None:
    """Come back with the code, as from another day."""
    await visitor.context.clear_cookies()
    await visitor.press("See how it stands")
    await visitor.page.get_by_label("The code that you kept").fill(code)
    await visitor.press("Open")


async def test_every_page_of_asking_is_sound_on_a_phone(town: Town, chromium: Chromium) -> None:
    visitor = await chromium.visitor()
    await visitor.open(home(town))
    await visitor.sound("requester-one")
    code = await asked(visitor, look=True)
    await visitor.sound("requester-sent")
    await visitor.context.clear_cookies()
    await visitor.press("See how it stands")
    await visitor.sound("requester-enter")
    await visitor.page.get_by_label("The code that you kept").fill(code)
    await visitor.press("Open")
    await visitor.sound("requester-case")


async def test_the_crisis_lines_stand_above_everything(town: Town, chromium: Chromium) -> None:
    visitor = await chromium.visitor()
    page = await visitor.open(home(town))
    lines = await page.get_by_role("region", name="Lines that answer now").bounding_box()
    main = await page.get_by_role("main").bounding_box()
    assert lines is not None
    assert main is not None
    assert lines["y"] + lines["height"] <= main["y"]


async def test_somebody_can_ask_with_the_keyboard_alone(town: Town, chromium: Chromium) -> None:
    visitor = await chromium.visitor()
    page = await visitor.open(home(town))
    for button in ("Next (1 of 3)", "Next (2 of 3)"):
        await _tabbed_to(visitor, button)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
    for _ in range(2):
        await _tabbed_to(visitor, "", kind="checkbox")
        await page.keyboard.press("Space")
    await _tabbed_to(visitor, "Send (3 of 3)")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert await page.get_by_role("heading", level=1).inner_text() == "Your request is in"


async def _tabbed_to(visitor: Visitor, name: str, kind: str = "") -> None:
    """Press Tab until this has the focus, and see that the focus can be seen."""
    page = visitor.page
    for _ in range(120):
        await page.keyboard.press("Tab")
        at = "document.activeElement"
        if kind and await page.evaluate(f"{at}.type === '{kind}' && !{at}.checked"):
            return
        if name and await page.evaluate(f"{at}.textContent.trim()") == name:
            assert await page.evaluate(f"getComputedStyle({at}).outlineStyle") != "none"
            return
    raise AssertionError(f"no Tab leads to {name or kind}")


async def test_everything_works_without_javascript_and_in_the_dark(town: Town, chromium: Chromium) -> None:
    visitor = await chromium.visitor(scripts=False, dark=True)
    await visitor.open(home(town))
    await opened(visitor, await asked(visitor))
    assert await visitor.page.get_by_role("heading", level=1).inner_text() == "How it stands"
    assert visitor.strayed == []


async def test_leaving_goes_somewhere_harmless_and_the_way_back_shows_nothing(town: Town, chromium: Chromium) -> None:
    visitor = await chromium.visitor()
    await visitor.open(home(town))
    await opened(visitor, await asked(visitor))
    # Where it leads does not exist on this machine: that the browser tried to go there is enough.
    async with visitor.page.expect_event("requestfailed") as gone:
        await visitor.page.get_by_role("link", name="Leave this page").click(no_wait_after=True)
    assert not (await gone.value).url.startswith(town.local.url("intake"))
    assert await visitor.context.cookies(town.local.url("intake")) == []
    # A page of its own: this one is still on its way to somewhere that does not answer.
    back = await visitor.context.new_page()
    await back.goto(f"{home(town)}/case")
    assert "How it stands" not in await back.content()
