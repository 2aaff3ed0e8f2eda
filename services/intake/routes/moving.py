"""This is not my agency: the requester has a request go on with another one, by the API or on the page."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from services.intake.actions import moving
from services.intake.actions.requests import Receipt
from services.intake.domain import codes
from services.intake.domain.request import Acknowledged, CodeHash
from services.intake.routes.ask import one
from services.intake.routes.desk import Desk, source_of
from services.intake.routes.public import answer_to
from services.intake.routes.requester import admitted, led_by, seen
from services.intake.routes.sheets import Sheets
from services.intake.routes.speech import local_time
from shared.doors import Door
from shared.errors import Refused
from shared.http.forms import read_form
from shared.http.tracing import work_of
from shared.types import REGION


class Moved(BaseModel):
    """Where the request goes on: the other agency, its notice that was read, and the hash of a new code."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    agency: str = Field(min_length=1, max_length=64)
    notice: Acknowledged
    code_hash: CodeHash


async def _moved(desk: Desk, request: HttpRequest, door: Door, wanted: Moved) -> Receipt:
    desk.admit(source_of(request), wanted.agency, emergency=False)
    to = await desk.agency_id(wanted.agency)
    async with desk.db.transaction({door.agency_id, to, REGION}) as tx:
        return await moving.move(
            tx,
            desk.keyring,
            desk.notices,
            door,
            to=to,
            code_hash=wanted.code_hash,
            notice=wanted.notice.version,
            traceparent=work_of(request).traceparent,
        )


def router(desk: Desk) -> APIRouter:
    """`PUT /v1/case/agency`."""
    routes = APIRouter(prefix="/v1/case", tags=["requester"])

    @routes.put("/agency", status_code=HTTPStatus.CREATED)
    async def move(request: HttpRequest, body: Moved) -> JSONResponse:
        """Ask the same of another agency, under a new code of your making; here everything is erased, and not counted.

        Nobody here learns where it goes, nobody there where it came from. The old code opens nothing any more. Not in
        an emergency: then people are on their way to a phone.
        """
        door = await admitted(desk, request)
        receipt = await _moved(desk, request, door, body)
        return JSONResponse(
            answer_to(receipt) | {"resources": desk.lines.of(body.agency)}, status_code=HTTPStatus.CREATED
        )

    return routes


def pages(sheets: Sheets) -> APIRouter:
    """`/a/{slug}/elsewhere`: first the other agency's notice and a new code, then it goes on there."""
    routes, desk = APIRouter(include_in_schema=False), sheets.desk

    @routes.post("/a/{slug}/elsewhere")
    async def elsewhere(slug: str, request: HttpRequest) -> Response:
        fields = await read_form(request)
        sheets.speak(request, await desk.agency(slug), fields)
        found = sheets.session(request, slug)
        if found is None:
            raise Refused("session-over", HTTPStatus.UNAUTHORIZED)
        sheets.require_nonce(fields, found.code, f"case:{slug}")
        door = await led_by(desk, request, found.code)
        there = one(fields, "agency").strip().lower()
        agency = await desk.agency(there)
        if one(fields, "screen") != "move":
            view = await seen(desk, request, door)
            notice = desk.notices.current(agency.jurisdiction, view.case.ask.relation, sheets.language(request))
            code = codes.code_from(secrets.token_bytes(codes.CODE_BYTES))
            return sheets.page(
                request,
                "elsewhere.html",
                other=agency.name,
                there=there,
                notice=notice,
                code=code,
                shown_code=codes.spaced(code),
                nonce=sheets.nonce(found.code, f"case:{slug}"),
            )
        code = one(fields, "code")
        wanted = Moved.model_validate(
            {"agency": there, "notice": {"version": one(fields, "version")}, "code_hash": codes.hash_of(code)}
        )
        receipt = await _moved(desk, request, door, wanted)
        request.state.slug = there
        response = sheets.page(
            request,
            "sent.html",
            status=HTTPStatus.CREATED,
            slug=there,
            emergency=False,
            other=False,
            outreach=False,
            by=local_time(receipt.next_by, agency, sheets.words(request)),
            reference=receipt.reference,
            shown_code=codes.spaced(code),
            notice=receipt.notice,
        )
        sheets.remember(response, there, code)
        return response

    return routes
