"""A small browser for people of a local region: follows links, keeps cookies, fills in the forms of a page.

It runs no scripts, so whatever it can do works without JavaScript. The demo walks with it, and so do journey tests.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

ANSWER_WITHIN_S = 30.0
MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
FORM = "application/x-www-form-urlencoded"
# What is never shown.
UNSEEN = frozenset({"script", "style", "title"})


@dataclass(frozen=True)
class Form:
    """A form of a page: where it goes, the values it already has, and its buttons as (name, value, what they say)."""

    action: str
    method: str
    values: Mapping[str, str]
    names: frozenset[str]
    buttons: tuple[tuple[str, str, str], ...]

    def button(self, value: str) -> bool:
        """Whether one of its buttons has this value."""
        return any(found == value for _, found, _ in self.buttons)


@dataclass(frozen=True)
class Answer:
    """What came back: final address, status, headers (lower-case names) and the body's text."""

    url: str
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:  # noqa: ANN401 - a document of somebody else
        """The body as JSON."""
        return json.loads(self.text)

    @property
    def forms(self) -> list[Form]:
        """The page's forms, in their order."""
        return _read(self).forms

    @property
    def seen(self) -> str:
        """What a person reads on the page, in one line."""
        return " ".join(" ".join(_read(self).words).split())

    def form(self, *, button: str = "", has: str = "") -> Form:
        """The form with a button of this value, or with a field of this name. Raises `NoForm`."""
        for form in self.forms:
            if (not button or form.button(button)) and (not has or has in form.names):
                return form
        raise NoForm(f"{self.status} without a form with {button or has or 'anything'}")


class NoForm(Exception):
    """The page has no such form; the text tells the status and what was looked for, nothing of the page."""


class _Reader(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._base = base
        self._open: dict[str, Any] | None = None
        self._button: list[str] | None = None
        self._unseen = 0
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._unseen += tag in UNSEEN
        if tag == "form":
            # A fragment says where to look in the answer, and is never sent.
            action = urldefrag(urljoin(self._base, given.get("action") or self._base)).url
            method = given.get("method", "get").upper()
            self._open = {"action": action, "method": method, "values": {}, "names": set(), "buttons": []}
        elif self._open is not None:
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        form = self._open or {}
        kind = given.get("type", "text" if tag == "input" else "submit").lower()
        if tag == "button" or (tag == "input" and kind == "submit"):
            form["buttons"].append([given.get("name", ""), given.get("value", ""), given.get("value", "")])
            self._button = form["buttons"][-1] if tag == "button" else None
        elif tag in {"input", "textarea", "select"} and given.get("name"):
            form["names"].add(given["name"])
            self._select = given["name"] if tag == "select" else ""
            if tag == "input" and (kind not in {"checkbox", "radio"} or "checked" in given):
                form["values"][given["name"]] = given.get("value", "")
        elif tag == "option" and self._select and ("selected" in given or self._select not in form["values"]):
            form["values"][self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._unseen -= 1
        elif tag == "button":
            self._button = None
        elif tag == "form" and self._open is not None:
            buttons = tuple((name, value, " ".join(says.split())) for name, value, says in self._open["buttons"])
            names = frozenset(self._open["names"])
            self.forms.append(Form(self._open["action"], self._open["method"], self._open["values"], names, buttons))
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        self.words.append(data)
        if self._button is not None:
            self._button[2] = data if self._button[2] == self._button[1] else f"{self._button[2]} {data}"


def _read(answer: Answer) -> _Reader:
    reader = _Reader(answer.url)
    reader.feed(answer.text)
    reader.close()
    return reader


@dataclass
class Browser:
    """One person's browser: cookies per host, redirects followed, nothing cached."""

    language: str = "en"
    _cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Open an address. Raises OSError when nobody answers there."""
        return await self.request("GET", url, headers=headers)

    async def submit(self, form: Form, given: Mapping[str, str] | None = None, *, button: str = "") -> Answer:
        """Send a form with these fields filled in, by the button of that value (the first one when not named)."""
        values = {**form.values, **(given or {})}
        pressed = next((one for one in form.buttons if not button or one[1] == button), None)
        if pressed and pressed[0]:
            values[pressed[0]] = pressed[1]
        body = urlencode(values)
        if form.method == "GET":
            return await self.request("GET", f"{form.action.partition('?')[0]}?{body}")
        return await self.request("POST", form.action, body=body.encode(), headers={"Content-Type": FORM})

    async def request(
        self, method: str, url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask and follow redirects as a browser does: with GET, except after 307 and 308."""
        for _ in range(MAX_REDIRECTS):
            answer = await asyncio.to_thread(self._once, method, url, body, dict(headers or {}))
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or not target:
                return answer
            if answer.status not in {307, 308}:
                method, body, headers = "GET", None, None
            url = urljoin(url, target)
        return answer

    async def api(self, method: str, url: str, document: object = None, *, bearer: str = "", **headers: str) -> Answer:
        """Ask an API: JSON there and back. `headers` with underscores for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Accept"] = "application/json"
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        body = None
        if document is not None:
            body = json.dumps(document).encode()
            sent["Content-Type"] = "application/json"
        return await self.request(method, url, body=body, headers=sent)

    def _once(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        parts = urlsplit(url)
        host, jar = parts.netloc, self._cookies.setdefault(parts.netloc, {})
        sent = {"Accept": "text/html", "Accept-Language": self.language} | headers
        if method != "GET":
            sent["Origin"] = f"{parts.scheme}://{host}"
        if jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        connection = http.client.HTTPConnection(host, timeout=ANSWER_WITHIN_S)
        try:
            path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
            self._keep(jar, response.headers.get_all("Set-Cookie") or [])
            return Answer(url, response.status, {k.lower(): v for k, v in response.getheaders()}, text)
        except http.client.HTTPException as error:
            raise ConnectionError(type(error).__name__) from None
        finally:
            connection.close()

    def _keep(self, jar: dict[str, str], lines: list[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    jar.pop(name, None)
                else:
                    jar[name] = morsel.value
