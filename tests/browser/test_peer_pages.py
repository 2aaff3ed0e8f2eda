"""What a peer and whoever is paged meet behind a link, in a real Chromium on a phone's width."""

from __future__ import annotations

from deploy.local.mails import Mail
from tests.browser.visitor import Chromium, Visitor
from tests.harness.town import Town
from tests.harness.waiting import eventually


async def behind(town: Town, visitor: Visitor, mail: Mail, *, look: str = "") -> None:
    await visitor.open(mail.link)
    if look:
        await visitor.sound(look)
    await visitor.page.get_by_label("PIN (6 digits)").fill(town.demo.pin)
    await visitor.press("Open")


async def test_a_peer_accepts_and_closes_on_sound_pages(town: Town, chromium: Chromium) -> None:
    await town.ask()
    visitor = await chromium.visitor()
    offer = await town.mail("/m/")
    await behind(town, visitor, offer, look="peer-pin")
    await visitor.sound("peer-offer")
    await visitor.press("Yes, I can")
    await visitor.sound("peer-answered")
    await behind(town, visitor, await town.mail("/w/", to=[offer.to]))
    await visitor.sound("peer-case")
    await visitor.press("We have spoken")
    await visitor.press("This is finished")
    await visitor.sound("peer-sure")


async def test_whoever_is_paged_answers_on_sound_pages(town: Town, chromium: Chromium) -> None:
    await town.ask(urgency="emergency", notice=None)
    visitor = await chromium.visitor(dark=True)
    await behind(town, visitor, await town.mail("/p/", to=town.demo.paged), look="page-pin")
    await visitor.sound("page")
    await visitor.press("I take this")

    async def taken() -> bool:
        await visitor.page.reload()
        return "You have taken this" in await visitor.page.content()

    await eventually(taken, what="the page says that it is taken")
    await visitor.sound("page-taken")


async def test_the_pages_work_with_the_keyboard_alone_and_without_javascript(town: Town, chromium: Chromium) -> None:
    await town.ask()
    visitor = await chromium.visitor(scripts=False)
    page = await visitor.open((await town.mail("/m/")).link)
    await page.keyboard.press("Tab")
    await page.keyboard.type(town.demo.pin)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert await page.get_by_role("heading", level=1).inner_text() in {
        "One moment …",
        "Thank you: details follow in a second message.",
    }
