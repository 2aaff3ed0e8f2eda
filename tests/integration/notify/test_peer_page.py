"""What else a peer can do at the page of a case: danger, a clinician, resources. And the one outreach."""

from __future__ import annotations

from contextlib import suppress
from typing import get_args

import pytest

from shared import clock, vault
from shared.errors import SealBroken
from shared.events.intake import CaseWithdrawn, OutreachAsked
from shared.events.notify import ClinicianWanted, DangerReported, IntentSettled, ResourcesOffered
from shared.events.referral import AnswerSettled
from shared.types import REGION, CaseId
from shared.vault import Subject
from tests.integration.notify.stand import Assigned, Browser, Stand, text_of
from tests.unit.shared.asgi import Answer

LINK_BURST = 30
"""So many forms may be sent at one link at once."""
PEER, WORRIED_ABOUT = "ana@example.org", "friend@example.net"


async def begun(stand: Stand, **release: object) -> tuple[Assigned, Browser, Answer]:
    at = await stand.assigned(PEER, None, **release)
    browser = stand.browser()
    return at, browser, await browser.enter(at.path)


async def test_danger_is_one_press_and_the_same_answer_says_whom_to_call(stand: Stand) -> None:
    at, browser, page = await begun(stand)
    answer = await browser.press(at.path, page, "danger")
    assert answer.status == 200
    assert b'href="tel:988"' in answer.body
    assert b'href="tel:911"' in answer.body
    (fact,) = await stand.said(DangerReported)
    assert (fact.assignment, fact.person) == (at.assignment, at.person)
    again = await browser.press(at.path, page, "danger")
    assert b'href="tel:988"' in again.body
    assert len(await stand.said(DangerReported)) == 1


async def test_danger_said_without_a_session_still_says_whom_to_call(stand: Stand) -> None:
    at, _, page = await begun(stand)
    answer = await stand.browser().press(at.path, page, "danger")
    assert answer.status == 403
    assert b'href="tel:988"' in answer.body
    assert await stand.said(DangerReported) == []


async def test_danger_is_never_told_to_wait(stand: Stand) -> None:
    at, browser, page = await begun(stand)
    # On a slow machine some more may pass meanwhile.
    for _ in range(3 * LINK_BURST):
        if (await browser.press(at.path, page, "no such word")).status == 429:
            break
    else:
        pytest.fail("nobody is ever told to wait")
    answer = await browser.press(at.path, page, "danger")
    assert (answer.status, b'href="tel:988"' in answer.body) == (200, True)
    assert len(await stand.said(DangerReported)) == 1


async def test_in_a_program_without_a_clinician_the_wish_leads_to_information(stand: Stand) -> None:
    at, browser, page = await begun(stand)
    assert "I want advice" not in text_of(page)
    assert (await browser.get(f"{at.path}/advice")).status == 303
    assert (await browser.press(at.path, page, "clinician")).status == 303
    (fact,) = await stand.said(ClinicianWanted)
    await stand.hear(at.case, AnswerSettled(reply=fact.reply, outcome="information_given"))
    after = await browser.get(at.path)
    assert "no clinician who takes people on" in text_of(after)
    assert (await browser.press(at.path, after, "clinician")).status == 409


async def test_resources_of_each_kind_are_given_once(stand: Stand) -> None:
    at, browser, _ = await begun(stand)
    form = await browser.get(f"{at.path}/resources")
    assert (await browser.press(at.path, form, "resources")).status == 422
    assert (await browser.press(at.path, form, "resources", code=["group", "eap", "made_up"])).status == 303
    (fact,) = await stand.said(ResourcesOffered)
    assert fact.kinds == ("group", "eap")
    await stand.hear(at.case, AnswerSettled(reply=fact.reply, outcome="noted"))
    again = await browser.get(f"{at.path}/resources")
    assert b'value="group"' not in again.body
    assert "Groups" in text_of(await browser.get(at.path))


async def test_the_caller_who_worries_about_somebody_else_is_shown_as_such(stand: Stand) -> None:
    _, _, page = await begun(stand, about="someone_else")
    assert "worried about somebody else" in text_of(page)


async def test_a_page_speaks_the_language_of_its_person_and_before_that_of_the_browser(stand: Stand) -> None:
    at, browser, _ = await begun(stand)
    await stand.sql.execute("UPDATE people SET language = 'es'")
    page = await browser.enter(at.path)
    assert b'<html lang="es">' in page.body
    assert "Está en peligro" in text_of(page)
    asked = await browser.press(at.path, page, "close")
    assert b'<html lang="es">' in asked.body


async def asked_for(stand: Stand) -> OutreachAsked:
    """An outreach as intake says it, with the key that intake has made for it."""
    own = clock.random_id()
    async with stand.intake.transaction({stand.agency}) as tx:
        keys = await vault.create(tx, stand.keyring, [Subject(stand.agency, "outreach", own)])
    sealed = keys[own].seal("outreach", WORRIED_ABOUT.encode())
    return OutreachAsked(outreach=own, slug="mesa", language="es", sealed=sealed)


async def outreach(stand: Stand, case: CaseId) -> OutreachAsked:
    fact = await asked_for(stand)
    await stand.hear(case, fact)
    await stand.send()
    return fact


async def opened(stand: Stand, fact: OutreachAsked) -> list[bytes]:
    """What the record on the bus says to somebody who holds the keyring and every key that is left, and tries them."""
    told = []
    async with stand.intake.transaction({stand.agency, REGION}) as tx:
        kinds: tuple[vault.Kind, ...] = get_args(vault.Kind)
        for kind in kinds:
            ids = [row["subject_id"] for row in await stand.sql.fetch("SELECT subject_id FROM vault.data_keys")]
            # sql-in-loop: a handful of kinds, in a test
            for key in (await vault.load(tx, stand.keyring, kind, ids)).values():
                for field in ("outreach", "reach"):
                    with suppress(SealBroken):
                        told.append(key.open(field, fact.sealed))
    return told


async def test_an_outreach_is_mailed_once_in_its_language_and_its_address_is_gone(stand: Stand) -> None:
    case = CaseId(clock.random_id())
    await outreach(stand, case)
    await stand.send()
    assert len(stand.mailman.to(WORRIED_ABOUT)) == 1
    assert stand.mailman.to(WORRIED_ABOUT)[0]["Subject"] == "Un mensaje para usted"
    assert await stand.sql.fetchval("SELECT count(*) FROM matters WHERE sealed IS NOT NULL") == 0
    (settled,) = await stand.said(IntentSettled)
    assert settled.outcome == "accepted"


async def test_after_the_one_message_nothing_opens_the_address_not_even_the_record_on_the_bus(stand: Stand) -> None:
    case, fact = CaseId(clock.random_id()), await asked_for(stand)
    await stand.sealed(case, "reach", b"{}")
    await stand.hear(case, fact)
    assert await opened(stand, fact) == [WORRIED_ABOUT.encode()]
    stand.mailman.mood = "not_now"
    await stand.send()
    # Not handed over yet: it has to be read once more.
    assert await opened(stand, fact) == [WORRIED_ABOUT.encode()]
    stand.mailman.mood = "accept"
    await stand.leases_run_out()
    await stand.send()
    assert len(stand.mailman.to(WORRIED_ABOUT)) == 1
    assert await opened(stand, fact) == []
    assert await stand.sql.fetchval("SELECT count(*) FROM vault.data_keys WHERE destroyed_at IS NOT NULL") == 1


async def test_an_address_that_was_sealed_for_its_case_is_still_written_to(stand: Stand) -> None:
    case = CaseId(clock.random_id())
    sealed = await stand.sealed(case, "outreach", WORRIED_ABOUT.encode())
    await stand.hear(case, OutreachAsked(outreach=clock.random_id(), slug="mesa", language="es", sealed=sealed))
    await stand.send()
    assert len(stand.mailman.to(WORRIED_ABOUT)) == 1


async def test_the_page_of_an_outreach_needs_no_pin_and_leads_to_the_agency(stand: Stand) -> None:
    await outreach(stand, CaseId(clock.random_id()))
    path = stand.mailman.link(WORRIED_ABOUT)
    page = await stand.browser().get(path)
    assert (page.status, path.startswith("/o/")) == (200, True)
    assert b'href="http://127.0.0.1:18080/a/mesa"' in page.body
    assert b'href="tel:988"' in page.body
    assert b"pin" not in page.body
    unknown = await stand.browser().get("/o/unknown")
    assert (unknown.status, b'href="tel:988"' in unknown.body) == (404, True)


async def test_an_outreach_whose_answer_was_lost_is_never_sent_again(stand: Stand) -> None:
    stand.mailman.mood = "drop"
    fact = await outreach(stand, CaseId(clock.random_id()))
    stand.mailman.mood = "accept"
    await stand.leases_run_out()
    await stand.send()
    assert stand.mailman.offered == 1
    assert await stand.sql.fetchval("SELECT count(*) FROM matters WHERE sealed IS NOT NULL") == 0
    assert await opened(stand, fact) == []


async def test_an_outreach_of_a_withdrawn_case_is_not_sent(stand: Stand) -> None:
    case = CaseId(clock.random_id())
    fact = await asked_for(stand)
    await stand.hear(case, fact)
    await stand.hear(case, CaseWithdrawn())
    await stand.send()
    assert stand.mailman.to(WORRIED_ABOUT) == []
    assert await opened(stand, fact) == []
    assert await stand.sql.fetchval("SELECT count(*) FROM matters WHERE sealed IS NOT NULL") == 0
