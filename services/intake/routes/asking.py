"""The pages of asking: at most three screens, and the emergency's one button above them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.intake.domain import codes
from services.intake.domain.request import Request as Asking
from services.intake.domain.wishes import GROUPS, wished
from services.intake.routes import ask
from services.intake.routes.ask import Fields, one
from services.intake.routes.sheets import Sheets
from services.intake.routes.speech import local_time
from shared.errors import Refused
from shared.events.policy import Capabilities
from shared.http.forms import read_form
from shared.types import Relation


def add_asking(routes: APIRouter, sheets: Sheets) -> None:
    """`/a/{slug}`."""

    @routes.get("/a/{slug}")
    async def start(slug: str, request: Request) -> Response:
        code = codes.code_from(secrets.token_bytes(codes.CODE_BYTES))
        return await _screen_one(sheets, request, slug, {}, code=code)

    @routes.post("/a/{slug}")
    async def screen(slug: str, request: Request) -> Response:
        fields = await read_form(request)
        code = one(fields, "code")
        # An emergency waits for nothing, so its language is settled from the form alone.
        request.state.language = sheets.desk.speech.tongue(one(fields, "lang"))
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
            case "back_to_one":
                return await _screen_one(sheets, request, slug, fields, code=code)
            case "back_to_two":
                return await _screen_two(sheets, request, slug, fields)
            case _:
                raise Refused("form-malformed", HTTPStatus.BAD_REQUEST)


async def _screen_one(
    sheets: Sheets,
    request: Request,
    slug: str,
    fields: Fields,
    *,
    code: str,
    problems: Sequence[str] = (),
    status: int = HTTPStatus.OK,
) -> HTMLResponse:
    agency, program = await sheets.desk.program(slug)
    sheets.speak(request, agency, fields)
    urgencies = {name: text for name, text in sheets.words(request)["urgency"].items() if name != "emergency"}
    return sheets.page(
        request,
        "ask_one.html",
        status=status,
        code=code,
        nonce=sheets.nonce(code, f"ask:{slug}"),
        fields=fields,
        urgencies=urgencies,
        direct=_direct(program),
        kept=ask.of_screen_two(fields),
        problems=problems,
    )


def _direct(program: Capabilities) -> list[str]:
    """To whom a clinician of this program is open without a peer in between."""
    return [one.value for one in Relation if program.direct(one)]


async def _one_again(sheets: Sheets, request: Request, slug: str, fields: Fields, error: ValidationError) -> Response:
    problems = ask.told(error, sheets.words(request)["fields"])
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return await _screen_one(sheets, request, slug, fields, code=one(fields, "code"), problems=problems, status=status)


async def _no_clinician(sheets: Sheets, request: Request, slug: str, fields: Fields) -> Response:
    """Said honestly, and the way to a peer stands open: everything that was typed is still there."""
    problems = [sheets.words_for(request, "no-clinician-in-program")]
    peer = {**fields, "want": ["peer"]}
    status = HTTPStatus.CONFLICT
    return await _screen_one(sheets, request, slug, peer, code=one(fields, "code"), problems=problems, status=status)


async def _after_one(sheets: Sheets, request: Request, slug: str, fields: Fields) -> Response:
    agency, program = await sheets.desk.program(slug)
    sheets.speak(request, agency, fields)
    try:
        # What comes back from the second screen is looked at when that one is sent.
        wanted = ask.request_of(ask.kept(fields, but=ask.of_screen_two(fields)))
    except ValidationError as error:
        return await _one_again(sheets, request, slug, fields, error)
    if wanted.direct and not program.direct(wanted.relation):
        return await _no_clinician(sheets, request, slug, fields)
    return await _screen_two(sheets, request, slug, fields)


async def _screen_two(
    sheets: Sheets,
    request: Request,
    slug: str,
    fields: Fields,
    *,
    problems: Sequence[str] = (),
    status: int = HTTPStatus.OK,
) -> HTMLResponse:
    _, program = await sheets.desk.program(slug)
    drawn = ask.drawn(fields)
    return sheets.page(
        request,
        "ask_two.html",
        status=status,
        kept=ask.kept(fields, but=drawn),
        fields=drawn,
        wishes=GROUPS,
        chosen=ask.chosen(fields),
        clinician=one(fields, "relation") in _direct(program),
        problems=problems,
    )


async def _after_two(sheets: Sheets, request: Request, slug: str, fields: Fields) -> Response:
    try:
        wanted = ask.request_of(fields)
    except ValidationError as error:
        problems = ask.told(error, sheets.words(request)["fields"])
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return await _screen_two(sheets, request, slug, fields, problems=problems, status=status)
    return await _screen_three(sheets, request, slug, fields, wanted)


async def _screen_three(
    sheets: Sheets, request: Request, slug: str, fields: Fields, wanted: Asking, *, problem: str = ""
) -> Response:
    agency = await sheets.desk.agency(slug)
    sheets.speak(request, agency, fields)
    notice = sheets.desk.notices.current(agency.jurisdiction, wanted.relation, sheets.language(request))
    return sheets.page(
        request,
        "ask_three.html",
        status=HTTPStatus.CONFLICT if problem else HTTPStatus.OK,
        kept=ask.kept(fields),
        wished=() if wanted.direct else wished(wanted.preferences.wishes),
        notice=notice,
        shown_code=codes.spaced(one(fields, "code")),
        problems=[problem] if problem else (),
    )


async def _after_three(sheets: Sheets, request: Request, slug: str, fields: Fields) -> Response:
    try:
        wanted = ask.request_of(fields)
    except ValidationError as error:
        return await _one_again(sheets, request, slug, fields, error)
    try:
        return await _sent(sheets, request, slug, wanted, one(fields, "code"))
    except Refused as refused:
        if refused.slug == "no-clinician-in-program":
            return await _no_clinician(sheets, request, slug, fields)
        if refused.slug != "notice-changed":
            raise
        problem = sheets.words_for(request, refused.slug)
        return await _screen_three(sheets, request, slug, fields, wanted, problem=problem)


async def _sent(sheets: Sheets, request: Request, slug: str, wanted: Asking, code: str) -> Response:
    receipt = await sheets.taking.take(request, slug, wanted)
    desk = sheets.desk.for_emergency() if wanted.emergency else sheets.desk
    agency = await desk.agency(slug)
    sheets.speak(request, agency, wished=wanted.language or "")
    other = wanted.about == "someone_else"
    response = sheets.page(
        request,
        "sent.html",
        status=HTTPStatus.OK if receipt.replayed else HTTPStatus.CREATED,
        emergency=wanted.emergency,
        other=other,
        outreach=other and wanted.outreach is not None and not wanted.emergency,
        by=local_time(receipt.next_by, agency, sheets.words(request)),
        reference=receipt.reference,
        shown_code=codes.spaced(code),
        notice=receipt.notice,
    )
    sheets.remember(response, slug, code)
    return response
