"""The pages for what is new: two languages, a clinician, danger, somebody else; without scripts as ever."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from shared.events.intake import (
    ConsentGiven,
    ConsentWithdrawn,
    CrisisRaised,
    DirectAsked,
    OutreachAsked,
    RequestSubmitted,
)
from shared.events.referral import ConsentAsked, NoClinicalPath
from tests.integration.intake_case.front import Front, form_to, hidden
from tests.integration.intake_case.test_clinical import LISTED, soon
from tests.integration.intake_case.test_pages import CASE, START, cookie, text
from tests.integration.intake_case.test_resources import put as put_resources
from tests.unit.shared.asgi import Answer

Fields = list[tuple[str, str]]
OFFICER: Fields = [("relation", "officer"), ("urgency", "soon"), ("help", "talk")]


async def through(front: Front, one: Fields, two: Fields = (), *, lang: str = "en") -> Answer:  # type: ignore[assignment]
    """The three screens; stops at the first that is refused."""
    page = await front.page("GET", f"{START}?lang={lang}")
    page = await front.page("POST", START, [*hidden(page, 1), *one])
    if page.status != 200:
        return page
    page = await front.page("POST", START, [*hidden(page, 0), ("channel", "none"), *two])
    if page.status != 200:
        return page
    return await front.page("POST", START, [*hidden(page, 0), ("read", "yes"), ("kept_code", "yes")])


async def press(front: Front, session: str, name: str) -> Answer:
    shown = await front.page("GET", CASE, cookie=session)
    return await front.page("POST", f"{CASE}/{name}", form_to(shown, f"/{name}"), cookie=session)


async def test_a_clinician_is_a_choice_only_where_the_program_has_one(front: Front) -> None:
    assert 'name="want"' not in text(await front.page("GET", START))
    await front.structured("clinical-supervisor")
    page = text(await front.page("GET", START))
    assert 'name="want"' in page
    hint = re.search(r"without a peer:(.*?)</p>", page)
    assert hint is not None
    assert "retired" not in hint[1]


async def test_a_clinician_is_asked_for_on_the_page_and_no_peer_is_spoken_of(front: Front) -> None:
    await front.structured("clinical-supervisor")
    page = await through(front, [*OFFICER, ("want", "clinician")])
    assert page.status == 201
    (case,) = await front.cases()
    assert [type(one) for one in await front.facts(case)] == [DirectAsked]
    shown = text(await front.page("GET", CASE, cookie=cookie(page)))
    assert "A clinician of this program is being asked" in shown
    assert "I want a peer as well" in shown


@pytest.mark.parametrize("structure", ["team-coordinator", "clinical-advisor"])
async def test_where_there_is_none_the_page_says_so_and_leads_to_a_peer(front: Front, structure: str) -> None:
    await front.structured(structure)
    page = await through(front, [*OFFICER, ("want", "clinician")])
    assert (page.status, "nobody can go straight to a clinician" in text(page)) == (409, True)
    again = await front.page("POST", START, [*hidden(page, 1), *OFFICER])
    assert again.status == 200
    assert await front.cases() == []


async def test_a_consent_is_given_and_taken_back_by_buttons(front: Front) -> None:
    await front.structured("clinical-supervisor")
    session = cookie(await through(front, OFFICER))
    (case,) = await front.cases()
    await front.hear(case, ConsentAsked(referral=uuid4(), remind_at=soon()))
    asked = text(await front.page("GET", CASE, cookie=session))
    assert asked.index("Would you like a clinician?") < asked.index("Yes, a clinician may reach me")
    assert (await press(front, session, "consent")).status == 303
    assert (await press(front, session, "refuse-consent")).status == 303
    assert [type(one) for one in await front.facts(case)][1:] == [ConsentGiven, ConsentWithdrawn]
    assert "You took back your yes" in text(await front.page("GET", CASE, cookie=session))


async def test_danger_and_a_peer_and_a_clinician_are_buttons(front: Front) -> None:
    await front.structured("clinical-supervisor")
    session = cookie(await through(front, [*OFFICER, ("want", "clinician")]))
    (case,) = await front.cases()
    assert (await press(front, session, "peer")).status == 303
    assert (await press(front, session, "emergency")).status == 303
    assert [type(one) for one in await front.facts(case)] == [DirectAsked, RequestSubmitted, CrisisRaised]
    other = cookie(await through(front, OFFICER))
    assert (await press(front, other, "clinician")).status == 303


async def test_information_that_was_given_stands_on_the_page(front: Front) -> None:
    await put_resources(front, LISTED, If_None_Match="*")
    session = cookie(await through(front, OFFICER))
    (case,) = await front.cases()
    await front.hear(case, NoClinicalPath(why="no_clinician", kinds=("counselling", "eap")))
    shown = text(await front.page("GET", CASE, cookie=session))
    assert "Information was given to you" in shown
    assert "River Center &lt;b&gt;" in shown
    assert "Counselling, Employee assistance" in shown


async def test_worried_about_somebody_else_is_coached_and_may_send_one_message(front: Front) -> None:
    worried = [*OFFICER, ("about", "someone_else")]
    page = await front.page("GET", START)
    two = await front.page("POST", START, [*hidden(page, 1), *worried])
    assert "What you can do for them" in text(two)
    sent = await through(front, worried, [("outreach", "pat@home.test")])
    assert (sent.status, "One neutral email is on its way" in text(sent)) == (201, True)
    (case,) = await front.cases()
    assert [type(one) for one in await front.facts(case)] == [RequestSubmitted, OutreachAsked]
    bad = await through(front, worried, [("outreach", "canary")])
    assert (bad.status, "Check the email address for the one message" in text(bad)) == (422, True)


async def test_the_emergency_form_can_be_about_somebody_else(front: Front) -> None:
    page = await front.page("GET", START)
    answer = await front.page("POST", START, [*hidden(page, 0), ("relation", "family"), ("about", "someone_else")])
    assert (answer.status, "Stay with them" in text(answer)) == (201, True)


async def test_everything_is_there_in_spanish_and_the_switch_is_seen(front: Front) -> None:
    english = text(await front.page("GET", START))
    assert 'href="/a/riverton?lang=es"' in english
    spanish = await front.page("GET", f"{START}?lang=es")
    assert '<html lang="es">' in text(spanish)
    assert "Hable con alguien que conoce el trabajo" in text(spanish)
    assert "En español: marque 2 o escriba AYUDA" in text(spanish)
    sent = await through(front, OFFICER, lang="es")
    assert "Su solicitud ha llegado" in text(sent)
    case = text(await front.page("GET", CASE, cookie=cookie(sent)))
    assert "Buscamos un compañero" in case
    assert 'href="/a/riverton/case?lang=en"' in case


async def test_the_notice_of_the_place_is_there_in_spanish(front: Front) -> None:
    page = await front.page("GET", f"{START}?lang=es")
    page = await front.page("POST", START, [*hidden(page, 1), *OFFICER])
    three = text(await front.page("POST", START, [*hidden(page, 0), ("channel", "none")]))
    assert "La ley de Utah protege" in three
    assert '<div class="notice" lang="es">' in three


async def test_the_status_is_read_in_the_language_of_the_request_or_of_the_question(front: Front) -> None:
    code, _ = await front.begun(language="es-MX", notice={"version": "us-ut-employee-es-1"})
    assert "Buscamos" in (await front.status(code))["says"][0]
    answer = await front.json("GET", "/v1/case?lang=en", code=code)
    assert "We are looking" in answer.json["says"][0]


async def test_a_name_to_call_them_by_stays_sealed(front: Front) -> None:
    await through(front, OFFICER, [("channel", "call"), ("address", "801 555 0123"), ("called", "Canary")])
    assert await front.sql.fetchval("SELECT count(*) FROM requests t WHERE t::text ILIKE '%canary%'") == 0
    assert await front.sql.fetchval("SELECT count(*) FROM requests WHERE reach IS NOT NULL") == 1
