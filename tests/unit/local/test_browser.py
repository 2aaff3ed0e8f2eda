"""The small browser: forms with their values, buttons and fields; what a reader sees and what not."""

from __future__ import annotations

import asyncio
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs

import pytest

from deploy.local.browser import Answer, Browser, NoForm

PAGE = """<!doctype html><title>unseen</title><style>p{}</style>
<p>Somebody &amp; somebody</p>
<form method="post" action="/answer"><input type="hidden" name="nonce" value="n1">
  <input name="pin" inputmode="numeric"><input type="checkbox" name="box" value="1">
  <select name="language"><option value="en">English</option><option value="es" selected>Español</option></select>
  <button name="verb" value="accept">Yes, I will</button><button name="verb" value="decline"> No </button></form>
<form action="/quit"><input type="submit" value="Leave"></form>"""


def answer(text: str = PAGE) -> Answer:
    return Answer("http://127.0.0.1:1/m/token", 200, {}, text)


def test_what_a_form_says_of_where_to_look_is_not_part_of_where_it_goes() -> None:
    (form,) = answer('<form method="post" action="/answer#problem"></form>').forms
    assert form.action.endswith("/answer")


def test_a_form_has_its_values_fields_and_buttons() -> None:
    form = answer().form(button="accept")
    assert form.values == {"nonce": "n1", "pin": "", "language": "es"}
    assert form.names == {"nonce", "pin", "box", "language"}
    assert form.buttons == (("verb", "accept", "Yes, I will"), ("verb", "decline", "No"))


def test_a_form_is_found_by_its_field_and_goes_where_it_says() -> None:
    form = answer().form(has="pin")
    assert (form.method, form.action) == ("POST", "http://127.0.0.1:1/answer")
    assert answer().forms[1].action == "http://127.0.0.1:1/quit"


def test_a_form_that_is_not_there_is_an_error_that_quotes_nothing_of_the_page() -> None:
    with pytest.raises(NoForm) as raised:
        answer().form(button="contacted")
    assert "Somebody" not in str(raised.value)


def test_a_reader_sees_the_words_and_not_the_machinery() -> None:
    assert answer().seen == "Somebody & somebody English Español Yes, I will No"


class _Server(BaseHTTPRequestHandler):
    got: ClassVar[list[tuple[str, dict[str, list[str]], str]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.got.append((self.path, parse_qs(body), self.headers.get("Cookie", "")))
        self.send_response(303)
        self.send_header("Location", "/next")
        self.send_header("Set-Cookie", "s=secret; HttpOnly; SameSite=Strict; Path=/")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/quit":
            self.send_header("Set-Cookie", "s=; Max-Age=0; Path=/")
        self.end_headers()
        cookie = self.headers.get("Cookie", "none")
        self.wfile.write(PAGE.replace("Somebody", cookie).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> object:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_submitting_follows_the_redirect_and_keeps_the_cookie_until_it_is_cleared(url: str) -> None:
    browser = Browser()
    page = await browser.get(f"{url}/m/x")
    inside = await browser.submit(page.form(has="pin"), {"pin": "123456"}, button="decline")
    assert inside.url == f"{url}/next"
    assert "s=secret" in inside.seen
    path, fields, _ = _Server.got[-1]
    assert (path, fields["pin"], fields["verb"], fields["nonce"]) == ("/answer", ["123456"], ["decline"], ["n1"])
    await browser.get(f"{url}/quit")
    assert "none" in (await browser.get(f"{url}/m/x")).seen


async def test_two_browsers_share_no_cookie(url: str) -> None:
    first, second = Browser(), Browser()
    await first.submit((await first.get(f"{url}/m/x")).form(has="pin"))
    pages = await asyncio.gather(first.get(f"{url}/m/x"), second.get(f"{url}/m/x"))
    assert ["s=secret" in page.seen for page in pages] == [True, False]


async def test_nobody_there_is_a_refused_connection() -> None:
    with pytest.raises(ConnectionRefusedError):
        await Browser().get("http://127.0.0.1:9/")
