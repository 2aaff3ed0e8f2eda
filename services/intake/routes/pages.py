"""The requester's pages: no login, no script, nothing from anywhere else. The lines stand above everything."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.intake.actions import requester
from services.intake.actions.requester import Peer, View
from services.intake.domain import codes
from services.intake.domain.acts import Act, Another, Choose, Close, Release, Wait
from services.intake.domain.request import Request as Asking
from services.intake.routes import ask, session
from services.intake.routes.ask import Fields, one
from services.intake.routes.desk import PAGES, Desk, local_time
from services.intake.routes.requester import led_by, opened, seen
from services.intake.routes.session import Session
from services.intake.routes.taking import Taking
from shared import clock
from shared.doors import Door
from shared.errors import Refused
from shared.http.forms import check_nonce, nonce, read_form
from shared.http.idempotency import checked_key, digest
from shared.http.sessions import SessionCookie
from shared.types import AgencyId, PersonId, Relation

ACTS: Mapping[str, Act] = {
    "release": Release(),
    "another-peer": Another(),
    "close": Close(),
    "wait": Wait(),
    "anyone": Choose(None),
}
"""What a button does, by the last segment of its address; choosing a person, reach and withdrawal stand apart."""

ONCE = frozenset({"release", "another-peer", "close"})
"""Buttons that a second tap must not repeat."""


@dataclass(frozen=True)
class Sheets:
    """The templates, and what all of them are given."""

    desk: Desk
    taking: Taking
    templates: Environment
    cookie: SessionCookie

    def page(self, request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A page with the lines of its agency above everything."""
        shared: dict[str, Any] = {
            "title": self.desk.manners.title,
            "words": self.desk.words,
            "resources": self.desk.resources(request),
            "slug": request.path_params.get("slug"),
            "problems": (),
        }
        return HTMLResponse(self.templates.get_template(template).render(shared | values), status_code=status)

    def words_for(self, slug: str) -> str:
        """The sentence for a refusal."""
        problems = self.desk.words["problems"]
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
        says=sheets.words_for(slug),
        contact_line=sheets.desk.manners.contact_line,
    )


def router(sheets: Sheets) -> APIRouter:
    """The pages under `/a/{slug}`, the style sheet and the quick exit."""
    routes = APIRouter(include_in_schema=False)
    _around(routes, sheets)
    _asking(routes, sheets)
    _entering(routes, sheets)
    _acting(routes, sheets)
    return routes


def _around(routes: APIRouter, sheets: Sheets) -> None:
    style = (PAGES / "assets" / "page.css").read_text("utf-8")

    @routes.get("/assets/page.css")
    async def styles() -> Response:
        return Response(style, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})

    @routes.get("/leave")
    async def leave() -> Response:
        """Away from here, with nothing left behind in this browser."""
        response = RedirectResponse(sheets.desk.manners.exit_url, HTTPStatus.SEE_OTHER)
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
        sheets.cookie.clear(response)
        return response


# --- asking


def _asking(routes: APIRouter, sheets: Sheets) -> None:
    @routes.get("/a/{slug}")
    async def start(slug: str, request: Request) -> Response:
        await sheets.desk.agency(slug)
        return _screen_one(sheets, request, codes.code_from(secrets.token_bytes(codes.CODE_BYTES)), {})

    @routes.post("/a/{slug}")
    async def screen(slug: str, request: Request) -> Response:
        fields = await read_form(request)
        code = one(fields, "code")
        if not codes.looks_like_code(code):
            raise Refused("form-malformed", HTTPStatus.BAD_REQUEST)
        sheets.require_nonce(fields, code, f"ask:{slug}")
        match one(fields, "screen"):
            case "emergency":
                return await _sent(sheets, request, slug, ask.emergency_of(fields), code)
            case "one":
                return await _after_one(sheets, request, slug, fields)
            case "two":
                return await _after_two(sheets, request, slug, fields)
            case "three":
                return await _after_three(sheets, request, slug, fields)
            case _:
                raise Refused("form-malformed", HTTPStatus.BAD_REQUEST)


def _screen_one(
    sheets: Sheets, request: Request, code: str, fields: Fields, problems: Sequence[str] = ()
) -> HTMLResponse:
    slug = request.path_params["slug"]
    urgencies = {name: text for name, text in sheets.desk.words["urgency"].items() if name != "emergency"}
    return sheets.page(
        request,
        "ask_one.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        code=code,
        nonce=sheets.nonce(code, f"ask:{slug}"),
        fields=fields,
        urgencies=urgencies,
        problems=problems,
    )


async def _after_one(sheets: Sheets, request: Request, slug: str, fields: Fields) -> Response:
    await sheets.desk.agency(slug)
    try:
        ask.request_of(fields)
    except ValidationError as error:
        return _screen_one(sheets, request, one(fields, "code"), fields, ask.told(error, sheets.desk.words["fields"]))
    return sheets.page(request, "ask_two.html", kept=ask.kept(fields), fields={})


async def _after_two(sheets: Sheets, request: Request, slug: str, fields: Fields) -> Response:
    try:
        wanted = ask.request_of(fields)
    except ValidationError as error:
        own = {"choose", "channel", "address", "safe_times", "leave_message", "release", "avoid_people", "supervisor"}
        own |= {"unit", "prefer", "topics"}
        return sheets.page(
            request,
            "ask_two.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            kept={name: values for name, values in ask.kept(fields).items() if name not in own},
            fields=fields,
            problems=ask.told(error, sheets.desk.words["fields"]),
        )
    return await _screen_three(sheets, request, slug, fields, wanted.relation)


async def _screen_three(
    sheets: Sheets, request: Request, slug: str, fields: Fields, relation: Relation, *, problem: str = ""
) -> Response:
    agency = await sheets.desk.agency(slug)
    notice = sheets.desk.notices.current(agency.jurisdiction, relation, agency.languages[0])
    return sheets.page(
        request,
        "ask_three.html",
        status=HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        kept=ask.kept(fields),
        notice=notice,
        shown_code=codes.spaced(one(fields, "code")),
        problems=[problem] if problem else (),
    )


async def _after_three(sheets: Sheets, request: Request, slug: str, fields: Fields) -> Response:
    try:
        wanted = ask.request_of(fields)
    except ValidationError as error:
        return _screen_one(sheets, request, one(fields, "code"), fields, ask.told(error, sheets.desk.words["fields"]))
    try:
        return await _sent(sheets, request, slug, wanted, one(fields, "code"))
    except Refused as refused:
        if refused.slug != "notice-changed":
            raise
        problem = sheets.words_for(refused.slug)
        return await _screen_three(sheets, request, slug, fields, wanted.relation, problem=problem)


async def _sent(sheets: Sheets, request: Request, slug: str, wanted: Asking, code: str) -> Response:
    receipt = await sheets.taking.take(request, slug, wanted)
    agency = await sheets.desk.agency(slug)
    response = sheets.page(
        request,
        "sent.html",
        status=HTTPStatus.OK if receipt.replayed else HTTPStatus.CREATED,
        emergency=wanted.emergency,
        by=local_time(receipt.next_by, agency),
        reference=receipt.reference,
        shown_code=codes.spaced(code),
        notice=receipt.notice,
    )
    sheets.remember(response, slug, code)
    return response


# --- coming back


def _entering(routes: APIRouter, sheets: Sheets) -> None:
    @routes.get("/a/{slug}/case")
    async def case(slug: str, request: Request) -> Response:
        await sheets.desk.agency(slug)
        found = sheets.session(request, slug)
        if found is None:
            return sheets.page(request, "enter.html")
        try:
            door = await led_by(sheets.desk, request, found.code)
        except Refused as refused:
            return _enter_again(sheets, request, refused)
        return await _case_page(sheets, request, door, found.code)

    @routes.post("/a/{slug}/case")
    async def enter(slug: str, request: Request) -> Response:
        agency = await sheets.desk.agency(slug)
        typed = codes.readings(one(await read_form(request), "code"))
        code = await _meant(sheets.desk, typed, agency.agency_id)
        try:
            await led_by(sheets.desk, request, code, within=agency.agency_id)
        except Refused as refused:
            return _enter_again(sheets, request, refused)
        response = RedirectResponse(f"/a/{slug}/case", HTTPStatus.SEE_OTHER)
        sheets.remember(response, slug, code)
        return response


async def _meant(desk: Desk, typed: Sequence[str], agency_id: AgencyId) -> str:
    """Which reading of what was typed leads somewhere at this agency's page; another agency's case is nowhere here."""
    first, *others = typed
    if not others:
        return first
    door = await requester.door_of(desk.db, desk.keyring, first)
    return first if door is not None and door.agency_id == agency_id else others[0]


def _enter_again(sheets: Sheets, request: Request, refused: Refused) -> Response:
    response = sheets.page(request, "enter.html", status=refused.status, problems=[sheets.words_for(refused.slug)])
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    sheets.cookie.clear(response)
    return response


async def _case_page(
    sheets: Sheets, request: Request, door: Door, code: str, *, problem: str = "", status: int = 200
) -> Response:
    desk = sheets.desk
    view: View = await seen(desk, request, door)
    peers: list[Peer] = []
    if "choose" in view.can:
        async with opened(desk, request, door) as tx:
            peers = await requester.peers(tx, desk.keyring, door)
    ask_of = view.case.ask
    notice = None if view.noticed else desk.notices.current(view.jurisdiction, ask_of.relation, ask_of.language)
    return sheets.page(
        request,
        "case.html",
        status=status,
        says=desk.says(view.says, by=view.next_by, agency=view.agency),
        can=view.can,
        who=view.who,
        coordinator=view.coordinator,
        peers=peers,
        reachable=view.case.reach is not None,
        reference=view.reference,
        notice=notice,
        nonce=sheets.nonce(code, f"case:{request.path_params['slug']}"),
        key=secrets.token_urlsafe(16),
        problems=[problem] if problem else (),
    )


def _acting(routes: APIRouter, sheets: Sheets) -> None:
    @routes.post("/a/{slug}/case/{name}")
    async def act(slug: str, name: str, request: Request) -> Response:
        desk = sheets.desk
        await desk.agency(slug)
        fields = await read_form(request)
        found = sheets.session(request, slug)
        if found is None:
            return _enter_again(sheets, request, Refused("session-over", HTTPStatus.UNAUTHORIZED))
        sheets.require_nonce(fields, found.code, f"case:{slug}")
        try:
            door = await led_by(desk, request, found.code)
        except Refused as refused:
            return _enter_again(sheets, request, refused)
        try:
            over = await _done(sheets, request, door, name, fields)
        except Refused as refused:
            problem = sheets.words_for(refused.slug)
            return await _case_page(sheets, request, door, found.code, problem=problem, status=refused.status)
        except ValidationError:
            problem = desk.words["fields"]["reach"]
            return await _case_page(sheets, request, door, found.code, problem=problem, status=422)
        if name == "withdraw":
            response: Response = sheets.page(request, "over.html", over=over)
            sheets.cookie.clear(response)
            return response
        response = RedirectResponse(f"/a/{slug}/case", HTTPStatus.SEE_OTHER)
        sheets.remember(response, slug, found.code)
        return response


async def _done(sheets: Sheets, request: Request, door: Door, name: str, fields: Fields) -> str:
    """Do it; returns the sentence to end with, which only a withdrawal has."""
    desk = sheets.desk
    async with opened(desk, request, door) as tx:
        if name == "withdraw":
            return await requester.withdraw(tx, door)
        if name == "reach":
            await requester.set_reach(tx, desk.keyring, door, ask.reach_of(fields))
        elif name == "choose":
            await requester.act(tx, door, Choose(_person(fields)))
        elif name in ACTS:
            pepper = desk.keyring.derived("idempotency")
            keyed = (
                requester.keyed_post(pepper, door, checked_key(one(fields, "key")), digest(pepper, name.encode()))
                if name in ONCE
                else None
            )
            await requester.act(tx, door, ACTS[name], keyed=keyed)
        else:
            raise Refused("not-found", HTTPStatus.NOT_FOUND)
    return ""


def _person(fields: Fields) -> PersonId:
    try:
        return PersonId(UUID(one(fields, "person")))
    except ValueError:
        raise Refused("form-malformed", HTTPStatus.BAD_REQUEST) from None
