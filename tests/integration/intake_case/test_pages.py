"""The requester's pages as a browser without scripts uses them."""

import re

import pytest

from services.intake.actions.agencies import add_agency
from tests.integration.intake_case.front import LINE, Front, form_to, hidden, riverton
from tests.unit.shared.asgi import Answer

START = "/a/riverton"
CASE = "/a/riverton/case"


def text(page: Answer) -> str:
    return page.body.decode()


def cookie(page: Answer) -> str:
    return page.headers["set-cookie"].partition(";")[0]


async def sent(front: Front) -> tuple[Answer, list[tuple[str, str]]]:
    """Through the three screens; returns the last answer and the last form."""
    page = await front.page("GET", START)
    one = [*hidden(page, 1), ("relation", "officer"), ("urgency", "soon"), ("help", "talk"), ("help", "meals")]
    page = await front.page("POST", START, one)
    two = [*hidden(page, 0), ("choose", "anyone"), ("channel", "text"), ("address", "801 555 0123")]
    page = await front.page("POST", START, [*two, ("avoid_people", "Jane Roe\n4711"), ("release", "ask_me")])
    assert "Utah" in text(page)
    three = [*hidden(page, 0), ("read", "yes"), ("kept_code", "yes")]
    return await front.page("POST", START, three), three


async def test_three_screens_make_a_request(front: Front) -> None:
    page, _ = await sent(front)
    assert page.status == 201
    (case,) = await front.cases()
    (fact,) = await front.facts(case)
    asked = fact.model_dump()["ask"]
    assert (asked["manner"], asked["release"], len(asked["help"])) == ("text", "ask_me", 2)


async def test_sending_twice_is_one_request(front: Front) -> None:
    first, form = await sent(front)
    again = await front.page("POST", START, form)
    assert (first.status, again.status, len(await front.cases())) == (201, 200, 1)


async def test_the_lines_stand_above_everything(front: Front) -> None:
    for path in (START, CASE, "/a/nowhere"):
        page = text(await front.page("GET", path))
        assert page.index("tel:988") < page.index("<main>")
        assert page.count("<h1>") == 1
    assert f"tel:{LINE}" in text(await front.page("GET", START))


@pytest.mark.parametrize(
    ("path", "asks", "expected"),
    [
        (START, "", "en"),
        (START, "es-MX,es;q=0.9,en;q=0.8", "es"),
        (START, "fr,es;q=0.5", "es"),
        (f"{START}?lang=en", "es", "en"),
        (f"{CASE}?lang=es", "en", "es"),
        (f"{START}/resources", "es", "es"),
        (f"{START}/resources?lang=en", "es", "en"),
        ("/a/nowhere", "es", "es"),
        ("/a/nowhere?lang=en", "es", "en"),
    ],
)
async def test_a_page_speaks_what_was_chosen_or_else_what_the_browser_asks_for(
    front: Front, path: str, asks: str, expected: str
) -> None:
    page = await front.page("GET", path, asks=asks)
    assert f'<html lang="{expected}">' in text(page)


async def test_a_form_that_was_read_in_one_language_is_answered_in_it(front: Front) -> None:
    page = await front.page("GET", f"{START}?lang=en", asks="es")
    again = await front.page("POST", START, [*hidden(page, 1), ("relation", "officer")], asks="es")
    assert (again.status, '<html lang="en">' in text(again)) == (422, True)
    assert 'value="talk" checked' not in text(again)


async def test_the_code_written_down_opens_the_case_for_a_while(front: Front) -> None:
    page, _ = await sent(front)
    found = re.search(r'class="code">([^<]+)<', text(page))
    assert found is not None
    entered = await front.page("POST", CASE, [("code", found[1])])
    assert (entered.status, entered.headers["location"]) == (303, CASE)
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert "samesite=strict" in entered.headers["set-cookie"].lower()
    shown = await front.page("GET", CASE, cookie=cookie(entered))
    assert "We are looking for a peer" in text(shown)


async def test_a_wrong_code_is_told_plainly(front: Front) -> None:
    page = await front.page("POST", CASE, [("code", "not a code")])
    assert (page.status, "letter by letter" in text(page)) == (404, True)


async def test_a_cookie_of_another_agencys_page_opens_nothing(front: Front) -> None:
    await add_agency(front.operator, front.keyring, riverton(slug="lakeside"))
    page, _ = await sent(front)
    other = await front.page("GET", "/a/lakeside/case", cookie=cookie(page))
    assert "The code that you kept" in text(other)


async def test_everything_can_be_taken_back_on_the_page(front: Front) -> None:
    page, _ = await sent(front)
    session = cookie(page)
    shown = await front.page("GET", CASE, cookie=session)
    gone = await front.page("POST", f"{CASE}/withdraw", form_to(shown, "/withdraw"), cookie=session)
    assert "It is over" in text(gone)
    assert "The code that you kept" in text(await front.page("GET", CASE, cookie=session))
    assert await front.sql.fetchval("SELECT count(*) FROM requests") == 0


async def test_what_is_held_is_not_said_to_be_gone(front: Front) -> None:
    page, _ = await sent(front)
    await front.sql.execute("UPDATE vault.data_keys SET held = true WHERE kind = 'case'")
    shown = await front.page("GET", CASE, cookie=cookie(page))
    held = await front.page("POST", f"{CASE}/withdraw", form_to(shown, "/withdraw"), cookie=cookie(page))
    assert ("legal hold" in text(held), "Nothing that leads to you" in text(held)) == (True, False)


async def test_a_form_from_elsewhere_does_nothing(front: Front) -> None:
    page, _ = await sent(front)
    answer = await front.page("POST", f"{CASE}/withdraw", [("nonce", "forged")], cookie=cookie(page))
    assert answer.status == 400
    assert (await front.page("POST", f"{CASE}/withdraw", [])).status == 401
    assert await front.sql.fetchval("SELECT count(*) FROM requests") == 1


async def test_what_is_not_possible_now_is_said_on_the_page(front: Front) -> None:
    page, _ = await sent(front)
    shown = await front.page("GET", CASE, cookie=cookie(page))
    fields = form_to(shown, "/close")
    answer = await front.page("POST", f"{CASE}/another-peer", fields, cookie=cookie(page))
    assert (answer.status, "Nobody has said yes yet" in text(answer)) == (409, True)


async def test_a_mistake_in_the_form_is_named_and_nothing_is_lost(front: Front) -> None:
    page = await front.page("GET", START)
    page = await front.page(
        "POST", START, [*hidden(page, 1), ("relation", "family"), ("urgency", "soon"), ("help", "talk")]
    )
    wrong = [*hidden(page, 0), ("channel", "call"), ("address", "12"), ("avoid_people", "Jane Roe")]
    page = await front.page("POST", START, wrong)
    assert (page.status, "Check the number" in text(page), "Jane Roe" in text(page)) == (422, True, True)
    assert ("relation", "family") in hidden(page, 0)


async def test_one_button_asks_for_help_in_an_emergency(front: Front) -> None:
    page = await front.page("GET", START)
    answer = await front.page("POST", START, [*hidden(page, 0), ("address", "801 555 0123"), ("relation", "family")])
    assert answer.status == 201
    assert "nobody has been reached yet" in text(answer)
    assert "for families" in text(answer).lower()
    topic = await front.sql.fetchval("SELECT topic FROM outbox WHERE type = 'intake.crisis_raised.v1'")
    assert topic == "peerline.intake.crisis"


async def test_the_quick_exit_leaves_nothing_behind(front: Front) -> None:
    page = await front.page("GET", "/leave")
    assert (page.status, page.headers["location"]) == (303, front.settings.exit_url)
    assert "cookies" in page.headers["clear-site-data"]


async def test_pages_say_nothing_in_their_titles_and_load_nothing_from_elsewhere(front: Front) -> None:
    for path in (START, CASE):
        page = await front.page("GET", path)
        assert "<title>Messages</title>" in text(page)
        assert re.findall(r'(?:src|href)="(?!/|tel:|sms:)', text(page)) == []
        assert "script-src" not in page.headers["content-security-policy"]
    assert (await front.page("GET", "/assets/page.css")).headers["content-type"].startswith("text/css")


async def test_a_problem_on_a_page_is_a_page(front: Front) -> None:
    page = await front.page("GET", "/a/nowhere")
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is nothing here" in text(page)
