"""The coordinator's page: behind a key of the agency, for fifteen minutes. It shows nothing of any request."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.intake.actions import team
from services.intake.domain.tally import KINDS, Month
from services.intake.routes.ask import one
from services.intake.routes.desk import PAGES
from services.intake.routes.sheets import Sheets
from services.intake.routes.speech import read_words
from services.intake.routes.team_conflicts import add_conflicts
from services.intake.routes.team_forms import add_forms
from services.intake.routes.team_person import add_person
from services.intake.routes.team_room import Opened, Room
from services.intake.routes.team_sheet import add_sheet
from services.intake.routes.team_times import add_times
from shared.http.forms import read_form
from shared.http.sessions import SessionCookie


def router(sheets: Sheets) -> APIRouter:
    """`/a/{slug}/team`."""
    routes = APIRouter(include_in_schema=False)
    cookie = SessionCookie(https=sheets.desk.manners.https, name="t")
    room = Room(sheets, cookie, read_words(PAGES / "team.toml"))

    @routes.post("/a/{slug}/team")
    async def enter(slug: str, request: Request) -> Response:
        fields = await read_form(request)
        sheets.speak(request, await sheets.desk.agency(slug), fields)
        key = one(fields, "key")
        return room.refused(request) if await room.caller(slug, key) is None else room.entered(slug, fields, key)

    async def tally(opened: Opened) -> Response:
        numbers = {kind: one(opened.fields, kind, "0") for kind in KINDS}
        try:
            counted = Month.model_validate({"month": one(opened.fields, "month"), "counts": numbers})
        except ValidationError:
            return await room.shown(opened, problem=room.say(opened.request)["numbers"])
        await team.count(sheets.desk.db, opened.who.agency_id, counted, actor=opened.who.credential_id)
        return room.again(opened)

    @routes.post("/a/{slug}/team/leave")
    async def leave(slug: str, request: Request) -> Response:
        await read_form(request)
        response = RedirectResponse(f"/a/{slug}/team", HTTPStatus.SEE_OTHER)
        cookie.clear(response)
        return response

    room.gets(routes, "", room.shown)
    room.posts(routes, "tally", tally)
    add_forms(routes, room)
    add_person(routes, room)
    add_times(routes, room)
    add_sheet(routes, room)
    add_conflicts(routes, room)
    return routes
