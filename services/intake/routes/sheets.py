"""The templates of the requester's pages and what all of them are given: lines, language, nonce, session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.intake.domain import codes
from services.intake.domain.agency import Agency
from services.intake.domain.resources import ALWAYS
from services.intake.routes import session
from services.intake.routes.ask import Fields, one
from services.intake.routes.desk import PAGES, Desk
from services.intake.routes.session import Session
from services.intake.routes.speech import Words
from services.intake.routes.taking import Taking
from shared import clock
from shared.errors import Refused
from shared.http.forms import check_nonce, nonce
from shared.http.languages import accepted
from shared.http.numbers import readable
from shared.http.sessions import SessionCookie


@dataclass(frozen=True)
class Sheets:
    """The templates, and what all of them are given."""

    desk: Desk
    taking: Taking
    templates: Environment
    cookie: SessionCookie

    def page(self, request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A page with the lines of its agency above everything."""
        language = self.language(request)
        other = self.desk.speech.other(language)
        shared: dict[str, Any] = {
            "title": self.desk.manners.title or self.words(request)["page"]["title"],
            "words": self.words(request),
            "language": language,
            "other_language": other,
            # What was posted would be lost: only a page that can be asked for again can be had in another language.
            "switch": f"{request.url.path}?lang={other}" if request.method == "GET" else None,
            "always": ALWAYS,
            "resources": self.desk.resources(request),
            "slug": request.path_params.get("slug"),
            "problems": (),
        }
        return HTMLResponse(self.templates.get_template(template).render(shared | values), status_code=status)

    def speak(self, request: Request, agency: Agency, fields: Fields | None = None, *, wished: str = "") -> None:
        """Settle the language of what is answered.

        Asked for in the address, chosen on the form, `wished`, what the browser asks for, or the agency's first.
        """
        chosen = one(fields, "lang") if fields is not None else ""
        asked = request.query_params.get("lang", "")
        request.state.language = self.desk.speech.tongue(asked, chosen, wished, *accepted(request), *agency.languages)

    def language(self, request: Request) -> str:
        """The language that was settled, or asked for by address or browser where nothing was yet."""
        settled = getattr(request.state, "language", None)
        return settled or self.desk.speech.tongue(request.query_params.get("lang", ""), *accepted(request))

    def words(self, request: Request) -> Words:
        """The words of this answer."""
        return self.desk.speech.of(self.language(request))

    def words_for(self, request: Request, slug: str) -> str:
        """The sentence for a refusal."""
        problems = self.words(request)["problems"]
        return problems.get(slug, problems["other"])

    def nonce(self, code: str, purpose: str) -> str:
        """What a form holds to show that it came from a page of this code."""
        return nonce(self.desk.keyring.derived("forms"), codes.hash_of(code), purpose)

    def require_nonce(self, fields: Fields, code: str, purpose: str) -> None:
        """Raises `Refused` 400 for a form that no page of this code has sent."""
        secret = self.desk.keyring.derived("forms")
        if not check_nonce(secret, codes.hash_of(code), purpose, one(fields, "nonce")):
            raise Refused("form-malformed", HTTPStatus.BAD_REQUEST)

    def remember(self, response: Response, slug: str, code: str) -> None:
        """Fifteen minutes from now the code has to be entered again."""
        value = session.sealed(self.desk.keyring.derived("cookie"), Session(slug, code), clock.now())
        self.cookie.put(response, value)

    def session(self, request: Request, slug: str) -> Session | None:
        """The session of this agency's page, if one is open."""
        value = self.cookie.read(request)
        found = session.opened(self.desk.keyring.derived("cookie"), value, clock.now()) if value else None
        return found if found is not None and found.slug == slug else None


def sheets_of(desk: Desk, taking: Taking) -> Sheets:
    """The templates of this house."""
    templates = Environment(
        loader=FileSystemLoader(PAGES / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.filters["readable"] = readable
    return Sheets(desk, taking, templates, SessionCookie(https=desk.manners.https))


def problem_page(sheets: Sheets, request: Request, document: Mapping[str, object]) -> Response | None:
    """A problem as a page, for whoever came to a page; None where JSON is wanted."""
    if not request.url.path.startswith("/a/"):
        return None
    slug = str(document["type"]).removeprefix("/problems/")
    return sheets.page(
        request,
        "problem.html",
        status=int(str(document["status"])),
        says=sheets.words_for(request, slug),
        nowhere=slug == "not-found",
        contact_line=sheets.desk.manners.contact_line or sheets.words(request)["page"]["contact_line"],
    )
