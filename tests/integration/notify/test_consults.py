"""A question for advice from the peer's page to the adviser's and back, behind PINs and under a key of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from shared import clock, vault
from shared.events.intake import CaseClosed, ContactReleased
from shared.events.matching import AssignmentEnded
from shared.events.notify import ConsultAsked, ConsultReplied, DangerReported, ResourcesOffered
from shared.events.referral import (
    AnswerSettled,
    ConsultAnswered,
    ConsultExpired,
    ConsultOpened,
    ConsultReassigned,
    ConsultReminded,
)
from shared.types import CaseId
from tests.integration.notify.stand import Assigned, Browser, Stand, text_of
from tests.unit.shared.asgi import Answer

PEER, ADVISER, SECOND = "ana@example.org", "ben@example.org", "cara@example.org"
REACH = (
    b'{"channel": "call", "address": "+18015550142", "name": "Mar\\u00eda", "safe_times": "", "leave_message": true}'
)
QUESTION = "They have not slept for 3 nights. What helps?"


async def begun(stand: Stand) -> tuple[Assigned, Browser]:
    """A peer at the page of a case whose program has a coordinator and peers to ask."""
    assigned = await stand.assigned(PEER, REACH, advisers=("coordinator", "peer"))
    browser = stand.browser()
    await browser.enter(assigned.path)
    return assigned, browser


async def ask(browser: Browser, path: str, text: str = QUESTION, **more: Any) -> Answer:
    page = await browser.get(f"{path}/advice")
    return await browser.press(path, page, "advice", **{"to": "coordinator", "code": ["sleep"], "text": text, **more})


async def opened(stand: Stand, at: Assigned, address: str = ADVISER) -> tuple[ConsultAsked, str]:
    """An adviser has been asked the question that was asked last; the path of the adviser's page."""
    asked = (await stand.said(ConsultAsked))[-1]
    adviser = await stand.peer(address)
    due = await stand.now() + timedelta(hours=4)
    fact = ConsultOpened(
        consult=asked.consult, adviser=adviser, role=asked.to, topics=asked.topics, sealed=asked.sealed, due=due
    )
    await stand.hear(at.case, AnswerSettled(reply=asked.reply, outcome="noted"), fact)
    await stand.send()
    return asked, stand.mailman.link(address)


async def test_the_form_of_a_question_needs_no_script_and_opening_it_changes_nothing(stand: Stand) -> None:
    at, browser = await begun(stand)
    page = await browser.get(f"{at.path}/advice")
    assert (page.status, b"<script" in page.body) == (200, False)
    assert {b'value="coordinator"' in page.body, b'value="peer"' in page.body} == {True}
    assert b'value="clinician"' not in page.body
    assert "PIN" in text_of(await stand.browser().get(f"{at.path}/advice"))
    assert (await browser.get(f"{at.path}/close")).status == 404
    assert await stand.sql.fetchval("SELECT count(*) FROM consults") == 0


async def test_a_question_is_asked_once_and_nothing_of_it_is_readable_in_the_event(stand: Stand) -> None:
    at, browser = await begun(stand)
    form = await browser.get(f"{at.path}/advice")
    said = {"to": "coordinator", "code": ["sleep", "grief"], "text": QUESTION}
    first = await browser.press(at.path, form, "advice", **said)  # type: ignore[arg-type]
    second = await browser.press(at.path, form, "advice", **said)  # type: ignore[arg-type]
    assert (first.status, second.status) == (303, 409)
    (asked,) = await stand.said(ConsultAsked)
    assert (asked.person, asked.to, asked.topics) == (at.person, "coordinator", ("sleep", "grief"))
    assert b"slept" not in asked.model_dump_json().encode()
    assert await stand.sql.fetchval("SELECT count(*) FROM vault.data_keys WHERE kind = 'consult'") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MARIA does not sleep", "leave out their name"),
        ("call 801 555 0142 please", "leave out telephone numbers"),
        ("badge 1177 does not sleep", "leave out badge numbers"),
        ("zq@example.org", "leave out email addresses"),
        ("x" * 1001, "at most 1000"),
        (" ", "write your question"),
    ],
)
async def test_a_question_that_tells_who_it_is_is_refused_and_never_shown_again(
    stand: Stand, text: str, said: str
) -> None:
    at, browser = await begun(stand)
    answer = await ask(browser, at.path, text)
    assert answer.status == 422
    assert said in text_of(answer)
    assert text.strip() == "" or text not in answer.body.decode()
    assert await stand.said(ConsultAsked) == []
    assert await stand.sql.fetchval("SELECT count(*) FROM vault.data_keys WHERE kind = 'consult'") == 0


@pytest.mark.parametrize("text", ["Maria does not sleep.", "It ends in oh one four two.", "Zoe does not sleep."])
async def test_a_name_that_was_shown_before_the_requester_changed_it_is_refused_too(stand: Stand, text: str) -> None:
    at, browser = await begun(stand)
    async with stand.intake.transaction({stand.agency}) as tx:
        key = (await vault.load(tx, stand.keyring, "case", [at.case]))[at.case]
    sealed = key.seal("reach", b'{"channel": "call", "address": "+18015550177", "name": "Zoe"}')
    again = ContactReleased(assignment=at.assignment, recipient=at.person, sealed=sealed, advisers=("coordinator",))
    await stand.hear(at.case, again)
    assert "leave out their name" in text_of(await ask(browser, at.path, text))
    assert (await ask(browser, at.path)).status == 303


async def test_nobody_is_asked_whom_the_program_does_not_have(stand: Stand) -> None:
    at, browser = await begun(stand)
    assert (await ask(browser, at.path, to="clinician")).status == 422
    assert await stand.said(ConsultAsked) == []


async def test_the_adviser_reads_the_question_only_in_answer_to_the_pin_and_answers_once(stand: Stand) -> None:
    at, browser = await begun(stand)
    await ask(browser, at.path)
    asked, path = await opened(stand, at)
    assert path.startswith("/c/")
    adviser = stand.browser()
    page = await adviser.enter(path)
    assert QUESTION in text_of(page)
    assert QUESTION not in text_of(await adviser.get(path))
    assert (await adviser.press(path, page, "answer", text="x" * 2001)).status == 422
    first = await adviser.press(path, page, "answer", text="Ask about rest first.")
    second = await adviser.press(path, page, "answer", text="Another.")
    assert (first.status, second.status) == (303, 409)
    (replied,) = await stand.said(ConsultReplied)
    assert (replied.consult, replied.verb) == (asked.consult, "answer")
    assert await opens(stand, asked, replied.sealed) == "Ask about rest first."


async def opens(stand: Stand, asked: ConsultAsked, sealed: bytes) -> str | None:
    async with stand.db.transaction({stand.agency}) as tx:
        keys = await vault.load(tx, stand.keyring, "consult", [asked.consult])
    return keys[asked.consult].open("answer", sealed).decode() if keys else None


async def test_the_peer_reads_the_answer_behind_the_pin(stand: Stand) -> None:
    at, browser = await begun(stand)
    await ask(browser, at.path)
    asked, path = await opened(stand, at)
    adviser = stand.browser()
    await adviser.press(path, await adviser.enter(path), "answer", text="Ask about rest first.")
    replied = (await stand.said(ConsultReplied))[0]
    await stand.hear(at.case, answered(asked, replied))
    await stand.send()
    news = stand.mailman.link(PEER)
    assert "rest first" not in stand.mailman.text(PEER)
    assert "Ask about rest first." in text_of(await stand.browser().enter(news))
    assert "rest first" not in text_of(await browser.get(at.path))
    assert QUESTION not in text_of(await adviser.enter(path))


def answered(asked: ConsultAsked, replied: ConsultReplied) -> ConsultAnswered:
    assert replied.sealed is not None
    return ConsultAnswered(
        consult=asked.consult,
        assignment=asked.assignment,
        asked_by=asked.person,
        adviser=replied.person,
        sealed=replied.sealed,
    )


async def test_a_second_adviser_is_too_late_and_told_so(stand: Stand) -> None:
    at, browser = await begun(stand)
    await ask(browser, at.path)
    asked, path = await opened(stand, at)
    slow = stand.browser()
    page = await slow.enter(path)
    await stand.hear(at.case, ConsultReassigned(consult=asked.consult, before=asked.person))
    _, other = await opened(stand, at, SECOND)
    quick = stand.browser()
    await quick.press(other, await quick.enter(other), "answer", text="Listen.")
    await stand.hear(at.case, answered(asked, (await stand.said(ConsultReplied))[0]))
    late = await slow.press(path, page, "answer", text="Also.")
    assert late.status == 409
    assert "Already covered" in text_of(late)


async def test_an_adviser_who_cannot_says_so_and_is_not_reminded(stand: Stand) -> None:
    at, browser = await begun(stand)
    await ask(browser, at.path)
    asked, path = await opened(stand, at)
    adviser_id = await stand.sql.fetchval("SELECT person_id FROM matters WHERE kind = 'consult'")
    reminded = ConsultReminded(consult=asked.consult, adviser=adviser_id)
    await stand.hear(at.case, reminded)
    await stand.send()
    assert len(stand.mailman.to(ADVISER)) == 3
    adviser = stand.browser()
    assert (await adviser.press(path, await adviser.enter(path), "cannot")).status == 303
    await stand.hear(at.case, reminded)
    await stand.send()
    assert len(stand.mailman.to(ADVISER)) == 3


async def test_nobody_has_answered_is_said_plainly(stand: Stand) -> None:
    at, browser = await begun(stand)
    await ask(browser, at.path)
    asked, _ = await opened(stand, at)
    await stand.hear(at.case, ConsultExpired(consult=asked.consult, assignment=at.assignment, asked_by=at.person))
    await stand.send()
    assert "Nobody has answered in time" in text_of(await stand.browser().enter(stand.mailman.link(PEER)))
    assert await opens(stand, asked, asked.sealed) is None


async def test_an_answer_opens_for_as_long_as_the_support_in_which_it_was_asked(stand: Stand) -> None:
    at, browser = await begun(stand)
    await ask(browser, at.path)
    asked, path = await opened(stand, at)
    adviser = stand.browser()
    await adviser.press(path, await adviser.enter(path), "answer", text="Listen.")
    told = answered(asked, (await stand.said(ConsultReplied))[0])
    await stand.hear(at.case, told)
    assert await opens(stand, asked, told.sealed) == "Listen."
    await stand.hear(at.case, AssignmentEnded(assignment=at.assignment, person=at.person, how="closed"))
    assert await opens(stand, asked, told.sealed) is None
    assert await stand.sql.fetchval("SELECT answer FROM consults") is None


async def test_suggestions_for_help_outside_are_asked_without_a_question(stand: Stand) -> None:
    at, _ = await begun(stand)
    consult, adviser = clock.random_id(), await stand.peer(ADVISER)
    due = await stand.now() + timedelta(hours=4)
    fact = ConsultOpened(
        consult=consult, adviser=adviser, role="clinician", kind="outside_help", topics=("grief",), due=due
    )
    await stand.hear(at.case, fact)
    await stand.send()
    path, browser = stand.mailman.link(ADVISER), stand.browser()
    page = await browser.enter(path)
    assert "takes nobody on" in text_of(page)
    assert (await browser.press(path, page, "answer", text="The clinic by the lake.")).status == 303
    (replied,) = await stand.said(ConsultReplied)
    assert replied.sealed is not None


# --- scenarios


async def test_scenario_09_a_coordinator_is_asked_without_a_name_and_no_clinician_is_offered(stand: Stand) -> None:
    at, browser = await begun(stand)
    form = await browser.get(f"{at.path}/advice")
    assert (b'value="coordinator"' in form.body, b'value="clinician"' in form.body) == (True, False)
    assert (await ask(browser, at.path, "Mar\u00eda drinks before her shift", code=["alcohol"])).status == 422
    await ask(browser, at.path, "They drink before the shift. How do I raise it?", code=["alcohol"])
    asked, path = await opened(stand, at)
    page = text_of(await stand.browser().enter(path))
    assert asked.to == "coordinator"
    assert ("raise it" in page, "Alcohol" in page, "María" in page, "0142" in page) == (True, True, False, False)
    given = await browser.press(at.path, await browser.get(f"{at.path}/resources"), "resources", code=["medical"])
    assert given.status == 303
    assert [one.kinds for one in await stand.said(ResourcesOffered)] == [("medical",)]


async def test_scenario_10_an_advisor_answers_about_nobody_and_no_chart_is_left(stand: Stand) -> None:
    at = await stand.assigned(PEER, REACH, advisers=("clinician", "coordinator", "peer"), clinical="outside")
    browser = stand.browser()
    await browser.enter(at.path)
    await ask(browser, at.path, "Nightmares since a call with a child.", to="clinician", code=["grief"])
    asked, path = await opened(stand, at)
    adviser = stand.browser()
    page = await adviser.enter(path)
    assert ("Nightmares" in text_of(page), "María" in text_of(page), "0142" in text_of(page)) == (True, False, False)
    await adviser.press(path, page, "answer", text="Keep it regular.")
    (replied,) = await stand.said(ConsultReplied)
    answered = ConsultAnswered(
        consult=asked.consult,
        assignment=at.assignment,
        asked_by=at.person,
        adviser=replied.person,
        sealed=replied.sealed or b"",
    )
    await stand.hear(at.case, AnswerSettled(reply=replied.reply, outcome="noted"), answered)
    assert await stand.sql.fetchval("SELECT count(*) FROM consults WHERE question IS NOT NULL") == 0
    assert "Nightmares" not in text_of(await stand.browser().enter(path))
    mine = await stand.browser().enter(at.path)
    assert ("Keep it regular." in text_of(mine), b'value="contacted"' in mine.body) == (True, True)


async def test_scenario_35_a_peer_who_waits_for_an_advisor_reports_danger_without_waiting(stand: Stand) -> None:
    at, browser = await begun(stand)
    await ask(browser, at.path)
    page = await browser.get(at.path)
    answer = await browser.press(at.path, page, "danger")
    assert (answer.status, b'href="tel:988"' in answer.body) == (200, True)
    assert [one.assignment for one in await stand.said(DangerReported)] == [at.assignment]
    _, path = await opened(stand, at)
    assert QUESTION in text_of(await stand.browser().enter(path))


async def test_with_the_case_the_key_of_its_question_goes_and_nothing_opens_any_more(stand: Stand) -> None:
    at, browser = await begun(stand)
    await ask(browser, at.path)
    asked, path = await opened(stand, at)
    await stand.hear(at.case, CaseClosed())
    assert await stand.sql.fetchval("SELECT wrapped FROM vault.data_keys WHERE kind = 'consult'") is None
    assert await opens(stand, asked, asked.sealed) is None
    assert await stand.sql.fetchval("SELECT count(*) FROM consults") == 0
    assert (await stand.browser().enter(path)).status == 404


async def test_notify_can_neither_make_nor_destroy_a_key_of_another_kind(stand: Stand) -> None:
    case = CaseId(clock.random_id())
    await stand.sealed_reach(case, b"{}")
    async with stand.db.transaction({stand.agency}) as tx:
        assert await vault.destroy(tx, "case", [case]) == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with stand.db.transaction({stand.agency}) as tx:
            await vault.create(tx, stand.keyring, [vault.Subject(stand.agency, "case", CaseId(clock.random_id()))])
