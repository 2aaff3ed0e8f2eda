"""Forms within limits, nonces bound to session and purpose, and one cookie that gives nothing away."""

import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from shared.http import foundation
from shared.http.forms import check_nonce, nonce, read_form
from shared.http.sessions import SessionCookie
from tests.unit.shared.asgi import Answer, call

SECRET = b"s" * 32
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


async def posted(body: bytes | list[bytes], headers: dict[str, str] | None = None) -> Answer:
    app = FastAPI()

    @app.post("/")
    async def fields(request: Request) -> dict[str, list[str]]:
        return await read_form(request, max_fields=5, max_bytes=64)

    foundation(app)
    return await call(app, "POST", "/", body=body, headers=FORM if headers is None else headers)


async def test_fields_come_in_order_and_empty_ones_stay() -> None:
    answer = await posted(b"help=talk&help=ride&note=&name=Ren%C3%A9+M")
    assert answer.json == {"help": ["talk", "ride"], "note": [""], "name": ["René M"]}


async def test_an_empty_form_has_no_fields() -> None:
    assert (await posted(b"")).json == {}


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        (b"a=1&" * 6, 400, "form-malformed"),
        (b"a=%ff", 400, "form-malformed"),
        (b"a=\xc3\xa9", 400, "form-malformed"),
        (b"a=%00", 400, "form-malformed"),
        (b"a%00=1", 400, "form-malformed"),
        ([b"a=", b"x" * 40, b"x" * 40], 413, "body-too-large"),
    ],
)
async def test_a_bad_form_is_refused(body: bytes | list[bytes], status: int, slug: str) -> None:
    answer = await posted(body)
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{slug}")


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}, {"Content-Type": "multipart/form-data"}])
async def test_what_is_no_form_is_refused(headers: dict[str, str]) -> None:
    assert (await posted(b"a=1", headers)).status == 415


def test_a_nonce_opens_its_own_form_only() -> None:
    given_out = nonce(SECRET, "session", "accept")
    assert check_nonce(SECRET, "session", "accept", given_out)
    assert not check_nonce(SECRET, "session", "decline", given_out)
    assert not check_nonce(SECRET, "other", "accept", given_out)
    assert not check_nonce(b"t" * 32, "session", "accept", given_out)


@pytest.mark.parametrize("given_back", [None, "", "é", "\0"])
def test_no_nonce_is_a_wrong_nonce(given_back: str | None) -> None:
    assert not check_nonce(SECRET, "session", "accept", given_back)


@given(st.text(), st.text(), st.text(), st.text())
def test_no_two_bindings_share_a_nonce(one: str, two: str, three: str, four: str) -> None:
    same = nonce(SECRET, one, two) == nonce(SECRET, three, four)
    assert same == ((one, two) == (three, four))


def test_the_cookie_is_short_lived_and_stays_here() -> None:
    response = Response()
    SessionCookie(https=True).put(response, "value")
    assert response.headers["set-cookie"].split("; ") == [
        "__Host-s=value",
        "HttpOnly",
        "Max-Age=900",
        "Path=/",
        "SameSite=strict",
        "Secure",
    ]


def test_without_https_the_cookie_still_works() -> None:
    response = Response()
    SessionCookie(https=False, name="t").put(response, "value")
    assert response.headers["set-cookie"].startswith("t=value;")
    assert "Secure" not in response.headers["set-cookie"]


def test_clearing_forgets_it_at_once() -> None:
    response = Response()
    SessionCookie(https=True).clear(response)
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert response.headers["set-cookie"].startswith('__Host-s="";')


def test_what_the_browser_sent_is_read() -> None:
    scope = {"type": "http", "headers": [(b"cookie", b"a=1; s=abc")]}
    assert SessionCookie(https=False).read(Request(scope)) == "abc"
    assert SessionCookie(https=True).read(Request(scope)) is None
