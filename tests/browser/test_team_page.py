"""What a coordinator meets behind a count, in a real Chromium on a phone's width."""

from __future__ import annotations

import pytest

from deploy.local.browser import Browser
from deploy.local.cast import RIVERTON
from tests.browser.visitor import Chromium
from tests.harness.town import Town
from tests.harness.waiting import eventually

COORDINATORS = [one.contact for one in RIVERTON.people if one.role == "coordinator"]
SAYS = {
    "en-US": ("Open", "PIN (6 digits)", "Requests for which nobody has been found: 1", "Nothing is waiting now."),
    "es-ES": (
        "Abrir",
        "PIN (6 cifras)",
        "Peticiones para las que no se ha encontrado a nadie: 1",
        "Ahora no hay nada en espera.",
    ),
}


@pytest.mark.parametrize("language", sorted(SAYS))
async def test_the_page_behind_a_count_is_sound_and_says_when_it_is_over(
    town: Town, chromium: Chromium, language: str
) -> None:
    opens, pin, waits, over = SAYS[language]
    name = f"team-{language[:2]}"
    await speaking(town, language.partition("-")[0])
    await slow_to_forget(town)
    requester = await town.ask(urgency="urgent", preferences={"require": ["language:zz"]})
    mail = await town.mail("/t/", to=COORDINATORS)
    visitor = await chromium.visitor(language=language, dark=language.startswith("es"))
    page = await visitor.open(mail.link)
    await visitor.sound(f"{name}-pin")
    await page.get_by_label(pin).fill(town.demo.pin)
    await visitor.press(opens)
    assert await page.get_by_role("heading", level=2, name=waits).count() == 1
    await visitor.sound(name)
    await requester.act("POST", "/close")

    async def nothing() -> bool:
        await page.reload()
        return over in await page.content()

    await eventually(nothing, what="the page says that nothing waits")
    await visitor.sound(f"{name}-over")


async def test_the_page_works_with_the_keyboard_alone_and_without_javascript(town: Town, chromium: Chromium) -> None:
    await town.ask(preferences={"require": ["language:zz"]})
    visitor = await chromium.visitor(scripts=False)
    page = await visitor.open((await town.mail("/t/", to=COORDINATORS)).link)
    await page.keyboard.press("Tab")
    await page.keyboard.type(town.demo.pin)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert await page.get_by_role("heading", level=2, name=SAYS["en-US"][2]).count() == 1
    await page.keyboard.press("Tab")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert await page.get_by_role("heading", level=1).inner_text() == "What waits now"


async def slow_to_forget(town: Town) -> None:
    """An hour passes before a case is purged, and the link with it."""
    url, key = f"{town.local.url('intake')}/v1/agency/policy", town.demo.key
    tag = (await Browser().api("GET", url, bearer=key)).headers["etag"]
    assert (await Browser().api("PUT", url, {"grace_s": 3600}, bearer=key, If_Match=tag)).status == 200


async def speaking(town: Town, language: str) -> None:
    """The coordinators read this language, as if their directory said so."""
    sql = await town.region.sql()
    await sql.execute("UPDATE notify.people SET language = $1 WHERE role = 'coordinator'", language)
