"""What all pages share: templates, texts, the nonces of forms, the cookie, and how often somebody may try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.notify.actions.desk import Desk
from services.notify.domain import texts
from shared import clock
from shared.http import forms
from shared.http.languages import accepted
from shared.http.limits import Throttle
from shared.http.numbers import readable
from shared.http.sessions import SessionCookie

PAGES = Path(__file__).resolve().parent.parent / "pages"
CSS_KEPT_S = 3600


@dataclass(frozen=True)
class Dress:
    """How pages are dressed: a neutral title, and the part of the public address that stands before every path.

    A title of "" is the neutral one of the page's language.
    `intake_url` is where the agencies' public pages are.
    """

    title: str
    base: str = ""
    intake_url: str = ""


@dataclass(frozen=True)
class Limits:
    """How often somebody may send a form: per link, and per source address."""

    per_link: Throttle = field(default_factory=lambda: Throttle(30, 30))
    per_source: Throttle = field(default_factory=lambda: Throttle(120, 60))


class Look:
    """Renders pages. Every answer that shows a form gives it a nonce."""

    def __init__(
        self, desk: Desk, dress: Dress, *, secret: bytes, cookie: SessionCookie, limits: Limits | None = None
    ) -> None:
        """`secret` makes the nonces."""
        self.desk, self.cookie, self.intake_url = desk, cookie, dress.intake_url
        self._dress, self._secret, self._limits = dress, secret, limits or Limits()
        self._templates = Environment(
            loader=FileSystemLoader(PAGES / "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._templates.filters["readable"] = readable
        self._style = (PAGES / "style.css").read_text()

    def page(
        self,
        template: str,
        *,
        language: str,
        status: HTTPStatus = HTTPStatus.OK,
        **values: object,
    ) -> HTMLResponse:
        """A page in this language."""
        content = self._templates.get_template(f"{template}.html").render(
            t=texts.page(language),
            language=texts.shown_in(language),
            title=self._dress.title or texts.page(language)["title"],
            base=self._dress.base,
            told=values.pop("told", None),
            also=values.pop("also", None),
            **values,
        )
        return HTMLResponse(content, status)

    def note(
        self, told: str, *, language: str, status: HTTPStatus = HTTPStatus.OK, also: str | None = None
    ) -> HTMLResponse:
        """A page that says one thing."""
        return self.page("note", language=language, status=status, told=told, also=also)

    def path(self, first: str, token: str) -> str:
        """The path of a link's page, as forms name it."""
        return f"{self._dress.base}/{first}/{token}"

    def nonce(self, bound_to: str, purpose: str) -> str:
        """The nonce of a form."""
        return forms.nonce(self._secret, bound_to, purpose)

    def is_nonce(self, bound_to: str, purpose: str, given: str) -> bool:
        """Whether a form came from a page of ours."""
        return forms.check_nonce(self._secret, bound_to, purpose, given)

    def slow_down(self, request: Request, token: str) -> None:
        """Raise `Refused` 429 when this link or this source has sent too much."""
        now = clock.monotonic()
        self._limits.per_link.require(token, now)
        self._limits.per_source.require(request.client.host if request.client else "", now)

    def problem(self, request: Request, document: Mapping[str, object]) -> Response | None:
        """The page that a browser gets instead of a problem document."""
        if request.url.path.startswith("/health/"):
            return None
        status = HTTPStatus(int(str(document["status"])))
        told = {HTTPStatus.NOT_FOUND: "gone", HTTPStatus.TOO_MANY_REQUESTS: "too_many"}.get(status, "problem")
        return self.note(told, language=wanted_language(request), status=status)

    def add_style(self, routes: APIRouter) -> None:
        """The one stylesheet, from memory."""

        @routes.api_route("/style.css", methods=["GET", "HEAD"], response_class=_Style)
        async def style() -> Response:
            """The one stylesheet of all pages."""
            kept = {"Cache-Control": f"public, max-age={CSS_KEPT_S}"}
            return Response(self._style, media_type="text/css", headers=kept)


class _Style(Response):
    media_type = "text/css"


def wanted_language(request: Request) -> str:
    """The first language that the browser asks for and that is spoken here: all that is known before a PIN."""
    return next((tag for tag in accepted(request) if texts.spoken(tag)), texts.FALLBACK)


def one(fields: Mapping[str, list[str]], name: str) -> str:
    """The one value of a field; "" when it is missing or given twice."""
    given = fields.get(name, [])
    return given[0] if len(given) == 1 else ""
