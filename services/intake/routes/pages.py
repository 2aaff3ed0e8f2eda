"""The requester's pages: no login, no script, nothing from anywhere else. The lines stand above everything."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.intake.actions import requester
from services.intake.actions.moving import may_move
from services.intake.actions.requester import Peer, View
from services.intake.domain import codes
from services.intake.domain.acts import Act, Another, AskPeer, Choose, Close, Emergency, Release, Unconsented, Wait
from services.intake.domain.agency import Agency
from services.intake.domain.case import Asked, Choosing, Searching, Unserved
from services.intake.domain.wishes import wished
from services.intake.routes import ask
from services.intake.routes.ask import Fields, one
from services.intake.routes.asking import add_asking
from services.intake.routes.desk import PAGES, Desk
from services.intake.routes.requester import coaching_of, led_by, opened, seen
from services.intake.routes.sheets import Sheets
from services.intake.routes.speech import local_time
from services.intake.store.cases import Keyed
from shared import clock
from shared.doors import Door
from shared.errors import Refused
from shared.http.forms import read_form
from shared.http.idempotency import checked_key, digest
from shared.types import AgencyId, PersonId

ACTS: Mapping[str, Act] = {
    "release": Release(),
    "another-peer": Another(),
    "close": Close(),
    "wait": Wait(),
    "anyone": Choose(None),
    "peer": AskPeer(),
    "refuse-consent": Unconsented(),
    "emergency": Emergency(),
}
"""What a button does, by the last segment of its address; those that need more than that stand apart."""

BEFORE_A_PEER = Searching, Choosing, Asked, Unserved
"""As long as nobody has said yes, the page says what was wished for."""

ONCE = frozenset({"release", "another-peer", "close", "peer", "clinician", "emergency"})
"""Buttons that a second tap must not repeat."""


def router(sheets: Sheets) -> APIRouter:
    """The pages under `/a/{slug}`, the style sheet and the quick exit."""
    routes = APIRouter(include_in_schema=False)
    _around(routes, sheets)
    add_asking(routes, sheets)
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


# --- coming back


def _entering(routes: APIRouter, sheets: Sheets) -> None:
    @routes.get("/a/{slug}/case")
    async def case(slug: str, request: Request) -> Response:
        agency = await sheets.desk.agency(slug)
        sheets.speak(request, agency)
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
        fields = await read_form(request)
        sheets.speak(request, agency, fields)
        typed = codes.readings(one(fields, "code"))
        code = await _meant(sheets.desk, typed, agency.agency_id)
        try:
            await led_by(sheets.desk, request, code, within=agency.agency_id)
        except Refused as refused:
            return _enter_again(sheets, request, refused)
        response = _to_case(slug, fields)
        sheets.remember(response, slug, code)
        return response


def _to_case(slug: str, fields: Fields) -> Response:
    chosen = f"?{urlencode({'lang': one(fields, 'lang')})}" if one(fields, "lang") else ""
    return RedirectResponse(f"/a/{slug}/case{chosen}", HTTPStatus.SEE_OTHER)


async def _meant(desk: Desk, typed: Sequence[str], agency_id: AgencyId) -> str:
    """Which reading of what was typed leads somewhere at this agency's page; another agency's case is nowhere here."""
    first, *others = typed
    if not others:
        return first
    door = await requester.door_of(desk.db, desk.keyring, first)
    return first if door is not None and door.agency_id == agency_id else others[0]


def _enter_again(sheets: Sheets, request: Request, refused: Refused) -> Response:
    response = sheets.page(
        request, "enter.html", status=refused.status, problems=[sheets.words_for(request, refused.slug)]
    )
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    sheets.cookie.clear(response)
    return response


async def _case_page(
    sheets: Sheets,
    request: Request,
    door: Door,
    code: str,
    *,
    problem: str = "",
    status: int = 200,
    spoken: bool = False,
) -> Response:
    desk = sheets.desk
    view: View = await seen(desk, request, door)
    if not request.query_params.get("lang") and not spoken:
        sheets.speak(request, view.agency, wished=view.case.ask.language)
    peers: list[Peer] = []
    if "choose" in view.can:
        async with opened(desk, request, door) as tx:
            peers = await requester.peers(tx, desk.keyring, door)
    ask_of = view.case.ask
    language = sheets.language(request)
    notice = None if view.noticed else desk.notices.current(view.jurisdiction, ask_of.relation, language)
    return sheets.page(
        request,
        "case.html",
        status=status,
        says=desk.says(view.says, by=view.next_by, agency=view.agency, language=language),
        can=view.can,
        who=view.who,
        on_duty=view.on_duty,
        clinician=view.clinician,
        coaching=coaching_of(view.case.ask, sheets.words(request)),
        wished=wished(view.case.ask.wishes) if isinstance(view.case.stage, BEFORE_A_PEER) else (),
        kinds=view.case.given,
        given=view.given,
        today=clock.now().date(),
        peers=[(peer, _there_from(sheets, peer, view.agency, language)) for peer in peers],
        reachable=view.case.reach is not None,
        movable=may_move(view.case),
        reference=view.reference,
        notice=notice,
        nonce=sheets.nonce(code, f"case:{request.path_params['slug']}"),
        key=secrets.token_urlsafe(16),
        problems=[problem] if problem else (),
    )


def _there_from(sheets: Sheets, peer: Peer, agency: Agency, language: str) -> str:
    """When somebody who is not there now is there again, in words; "" for one who is, or of whom nobody knows."""
    if peer.available or peer.there_from is None:
        return ""
    return local_time(peer.there_from, agency, sheets.desk.speech.of(language))


def _acting(routes: APIRouter, sheets: Sheets) -> None:
    @routes.post("/a/{slug}/case/{name}")
    async def act(slug: str, name: str, request: Request) -> Response:
        desk = sheets.desk.for_emergency() if name == "emergency" else sheets.desk
        agency = await desk.agency(slug)
        fields = await read_form(request)
        sheets.speak(request, agency, fields)
        found = sheets.session(request, slug)
        if found is None:
            return _enter_again(sheets, request, Refused("session-over", HTTPStatus.UNAUTHORIZED))
        sheets.require_nonce(fields, found.code, f"case:{slug}")
        try:
            door = await led_by(desk, request, found.code)
        except Refused as refused:
            return _enter_again(sheets, request, refused)
        try:
            over = await _done(desk, request, door, name, fields)
        except Refused as refused:
            problem = sheets.words_for(request, refused.slug)
            return await _case_page(
                sheets, request, door, found.code, problem=problem, status=refused.status, spoken=True
            )
        except ValidationError:
            problem = sheets.words(request)["fields"]["reach"]
            return await _case_page(sheets, request, door, found.code, problem=problem, status=422, spoken=True)
        if name == "withdraw":
            response: Response = sheets.page(request, "over.html", over=over)
            sheets.cookie.clear(response)
            return response
        response = _to_case(slug, fields)
        sheets.remember(response, slug, found.code)
        return response


async def _done(desk: Desk, request: Request, door: Door, name: str, fields: Fields) -> str:
    """Do it; returns the sentence to end with, which only a withdrawal has."""
    async with opened(desk, request, door) as tx:
        match name:
            case "withdraw":
                return await requester.withdraw(tx, door)
            case "reach":
                await requester.set_reach(tx, desk.keyring, door, ask.reach_of(fields))
            case "choose":
                await requester.act(tx, door, Choose(_person(fields)))
            case "wait-for":
                await requester.act(tx, door, Choose(_person(fields), wait=True))
            case "consent":
                await requester.consent(tx, door)
            case "clinician":
                await requester.ask_clinician(tx, door, keyed=_keyed(desk, door, name, fields))
            case _ if name in ACTS:
                keyed = _keyed(desk, door, name, fields) if name in ONCE else None
                await requester.act(tx, door, ACTS[name], keyed=keyed)
            case _:
                raise Refused("not-found", HTTPStatus.NOT_FOUND)
    return ""


def _keyed(desk: Desk, door: Door, name: str, fields: Fields) -> Keyed:
    pepper = desk.keyring.derived("idempotency")
    return requester.keyed_post(pepper, door, checked_key(one(fields, "key")), digest(pepper, name.encode()))


def _person(fields: Fields) -> PersonId:
    try:
        return PersonId(UUID(one(fields, "person")))
    except ValueError:
        raise Refused("form-malformed", HTTPStatus.BAD_REQUEST) from None
