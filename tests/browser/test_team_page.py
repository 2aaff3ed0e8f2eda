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
@pytest.mark.parametrize("scripts", [True, False])
async def test_the_page_behind_a_count_is_sound_and_says_when_it_is_over(
    town: Town, chromium: Chromium, language: str, scripts: bool
) -> None:
    opens, pin, waits, over = SAYS[language]
    await speaking(town, language.partition("-")[0])
    await slow_to_forget(town)
    requester = await town.ask(urgency="urgent", preferences={"require": ["language:zz"]})
    mail = await town.mail("/t/", to=COORDINATORS)
    visitor = await chromium.visitor(language=language, scripts=scripts, dark=not scripts)
    page = await visitor.open(mail.link)
    name = f"team-{language[:2]}{'' if scripts else '-dark'}"
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


async def slow_to_forget(town: Town) -> None:
    """An hour passes before a case is purged, and the link with it."""
    url, key = f"{town.local.url('intake')}/v1/agency/policy", town.demo.key
    tag = (await Browser().api("GET", url, bearer=key)).headers["etag"]
    assert (await Browser().api("PUT", url, {"grace_s": 3600}, bearer=key, If_Match=tag)).status == 200


async def speaking(town: Town, language: str) -> None:
    """The coordinators read this language, as if their directory said so."""
    sql = await town.region.sql()
    await sql.execute("UPDATE notify.people SET language = $1 WHERE role = 'coordinator'", language)
