"""What the requester does with the code: `Authorization: Bearer <code>`. Nothing here needs a login."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, model_validator
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.intake.actions import requester
from services.intake.actions.requester import View
from services.intake.domain.acts import Act, Another, AskPeer, Choose, Close, Emergency, Release, Unconsented, Wait
from services.intake.domain.clinical import Ended
from services.intake.domain.codes import looks_like_code
from services.intake.domain.request import Reach
from services.intake.routes.desk import Desk, source_of
from services.intake.routes.speech import Words
from services.intake.store.cases import Keyed
from services.intake.store.directory import PersonCard
from shared.db import Transaction
from shared.doors import Door
from shared.errors import Refused
from shared.events.intake import Ask
from shared.http.idempotency import described, digest, key_of
from shared.http.tracing import work_of
from shared.types import REGION, AgencyId, PersonId, Urgency


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Chosen(_Body):
    """A person of the shortlist, now or (`wait`) when they are there; or anyone; or, with `wait` alone, more time."""

    person: UUID | None = None
    anyone: Literal[True] | None = None
    wait: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Chosen:
        if sum(one is not None for one in (self.person or self.wait, self.anyone)) != 1:
            raise ValueError("a person, or anyone, or wait")
        return self

    def act(self) -> Act:
        """What the requester means."""
        if self.person:
            return Choose(PersonId(self.person), wait=bool(self.wait))
        return Wait() if self.wait else Choose(None)


class NewReach(_Body):
    """How to reach the requester from now on; null: the requester calls."""

    reach: Reach | None


POSTS: dict[str, Act] = {
    "release": Release(),
    "another-peer": Another(),
    "peer": AskPeer(),
    "emergency": Emergency(),
    "close": Close(),
}
"""What a POST under `/v1/case` does, by its last segment."""


def router(desk: Desk) -> APIRouter:
    """The doors under `/v1/case`."""
    routes = APIRouter(prefix="/v1/case", tags=["requester"])
    _reading(routes, desk)
    _choosing(routes, desk)
    _clinical(routes, desk)
    for name in POSTS:
        _posting(routes, desk, name)
    return routes


def _reading(routes: APIRouter, desk: Desk) -> None:
    @routes.get("")
    async def status(request: Request) -> JSONResponse:
        """Where the case stands, in plain words and for machines."""
        door = await admitted(desk, request)
        return JSONResponse(await shown(desk, request, door))

    @routes.delete("")
    async def withdraw(request: Request) -> JSONResponse:
        """Everything stops at once and is erased, at any time and without a reason."""
        door = await admitted(desk, request)
        async with opened(desk, request, door) as tx:
            over = await requester.withdraw(tx, door)
        says = desk.speech.of(_asked_language(desk, request))["says"][over]
        return JSONResponse({"state": "withdrawn", "says": [says], "resources": _lines(desk, request)})

    @routes.get("/peers")
    async def peers(request: Request) -> JSONResponse:
        """The shortlist, best first; empty when there is nothing to choose."""
        door = await admitted(desk, request)
        async with opened(desk, request, door) as tx:
            found = await requester.peers(tx, desk.keyring, door)
        listed = [
            {
                "person": str(one.person),
                "available": one.available,
                "there_from": one.there_from.isoformat() if one.there_from else None,
            }
            | card_of(one.card)
            for one in found
        ]
        return JSONResponse({"peers": listed, "resources": _lines(desk, request)})


def _choosing(routes: APIRouter, desk: Desk) -> None:
    @routes.put("/choice")
    async def choose(request: Request, body: Chosen) -> JSONResponse:
        """Pick one of the shortlist, or anyone, or take more time."""
        door = await admitted(desk, request)
        async with opened(desk, request, door) as tx:
            await requester.act(tx, door, body.act())
        return JSONResponse(await shown(desk, request, door))

    @routes.put("/reach")
    async def reach(request: Request, body: NewReach) -> JSONResponse:
        """How to be reached from now on; whoever was shown the old way is shown the new one."""
        door = await admitted(desk, request)
        async with opened(desk, request, door) as tx:
            await requester.set_reach(tx, desk.keyring, door, body.reach)
        return JSONResponse(await shown(desk, request, door))


def _clinical(routes: APIRouter, desk: Desk) -> None:
    @routes.post("/clinician", status_code=HTTPStatus.ACCEPTED, openapi_extra=described())
    async def clinician(request: Request) -> JSONResponse:
        """A clinician of the program, without a peer in between; nobody else is told. Where there is none, says so."""
        door = await admitted(desk, request)
        keyed = await _keyed(desk, request, door, "clinician")
        async with opened(desk, request, door) as tx:
            await requester.ask_clinician(tx, door, keyed=keyed)
        return JSONResponse(await shown(desk, request, door), HTTPStatus.ACCEPTED)

    @routes.put("/consents/{recipient}")
    async def consent(request: Request, recipient: Literal["clinician"]) -> JSONResponse:
        """Yes: a clinician of the program may know how to reach me, for 30 days, for this referral."""
        del recipient
        door = await admitted(desk, request)
        async with opened(desk, request, door) as tx:
            await requester.consent(tx, door)
        return JSONResponse(await shown(desk, request, door))

    @routes.delete("/consents/{recipient}")
    async def unconsent(request: Request, recipient: Literal["clinician"]) -> JSONResponse:
        """No, or not any more, at any time and without a reason."""
        del recipient
        door = await admitted(desk, request)
        async with opened(desk, request, door) as tx:
            await requester.act(tx, door, Unconsented())
        return JSONResponse(await shown(desk, request, door))


def _posting(routes: APIRouter, ordinary: Desk, name: str) -> None:
    desk = ordinary.for_emergency() if name == "emergency" else ordinary

    async def post(request: Request) -> JSONResponse:
        door = await admitted(desk, request)
        keyed = await _keyed_unless_in_danger(desk, request, door, name)
        try:
            async with opened(desk, request, door) as tx:
                await requester.act(tx, door, POSTS[name], keyed=keyed)
        except Refused as refused:
            raise _with_a_way_on(desk, door, refused) from None
        return JSONResponse(await shown(desk, request, door))

    post.__doc__ = POSTS[name].__doc__
    routes.add_api_route(
        f"/{name}", post, methods=["POST"], name=name, openapi_extra=described(needed=name != "emergency")
    )


async def _keyed(desk: Desk, request: Request, door: Door, name: str) -> Keyed:
    pepper = desk.keyring.derived("idempotency")
    body = digest(pepper, name.encode() + b"\0" + await request.body())
    return requester.keyed_post(pepper, door, key_of(request), body)


async def _keyed_unless_in_danger(desk: Desk, request: Request, door: Door, name: str) -> Keyed | None:
    """Danger waits for no header; said again, it begins no second ladder while one lives."""
    try:
        return await _keyed(desk, request, door, name)
    except Refused:
        if name != "emergency":
            raise
        return None


def _with_a_way_on(desk: Desk, door: Door, refused: Refused) -> Refused:
    """Whoever is told that a case is over is told where to ask anew."""
    slug = desk.lines.slug_of(door.agency_id)
    if refused.slug != "case-over" or slug is None:
        return refused
    return replace(refused, extra={"ask": f"/v1/agencies/{slug}/requests", "page": f"/a/{slug}"})


async def admitted(desk: Desk, request: Request) -> Door:
    """Where the request's code leads. Raises 401 without one; 404 for any that leads nowhere, slower after many."""
    scheme, _, code = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not code.strip():
        raise HTTPException(HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
    return await led_by(desk, request, code.strip())


async def led_by(desk: Desk, request: Request, code: str, *, within: AgencyId | None = None) -> Door:
    """Where a code leads, at the page of an agency only to its own cases.

    One that could not be a code is looked for all the same: the answer takes as long.
    """
    door = await requester.door_of(desk.db, desk.keyring, code)
    if door is None or not looks_like_code(code) or within not in {None, door.agency_id}:
        desk.wrong_code(source_of(request))
    work_of(request).tag_case(door.subject)
    request.state.slug = desk.lines.slug_of(door.agency_id)
    return door


@asynccontextmanager
async def opened(desk: Desk, request: Request, door: Door) -> AsyncIterator[Transaction]:
    """A transaction for one case; the region is in view for whoever took an emergency's page."""
    async with desk.db.transaction([door.agency_id, REGION]) as tx:
        tx.traces[door.subject] = work_of(request).traceparent
        yield tx


async def seen(desk: Desk, request: Request, door: Door) -> View:
    """The case as it stands; its agency's lines are learnt."""
    async with opened(desk, request, door) as tx:
        view = await requester.view(tx, desk.keyring, door)
    desk.lines.learn(view.agency)
    request.state.slug = view.agency.slug
    return view


async def shown(desk: Desk, request: Request, door: Door) -> dict[str, Any]:
    """The case as an answer holds it."""
    view = await seen(desk, request, door)
    case = view.case
    language = desk.speech.tongue(request.query_params.get("lang", ""), case.ask.language)
    answer: dict[str, Any] = {
        "reference": view.reference,
        "state": case.stage.name,
        "says": desk.says(view.says, by=view.next_by, agency=view.agency, language=language),
        "next_by": view.next_by.isoformat() if view.next_by else None,
        "urgency": case.ask.urgency.value,
        "help": [one.value for one in case.ask.help],
        "release": case.ask.release,
        "reachable": case.reach is not None,
        "can": list(view.can),
        "who": card_of(view.who) if view.who else None,
        "emergency": _emergency(view),
        "clinical": _clinical_of(view),
        "given": {"kinds": list(case.given), "listed": [one.document() for one in view.given]},
        "coaching": list(coaching_of(case.ask, desk.speech.of(language)).values()),
        "resources": _lines(desk, request),
    }
    if not view.noticed:
        notice = desk.notices.current(view.jurisdiction, case.ask.relation, language)
        answer["notice"] = notice.shown() | {"digest": notice.digest}
    return answer


def coaching_of(ask: Ask, words: Words) -> Mapping[str, str]:
    """What helps somebody who is worried about somebody else; nothing for anybody else."""
    if ask.about != "someone_else":
        return {}
    return words["coaching_now" if ask.urgency is Urgency.EMERGENCY else "coaching"]


def _clinical_of(view: View) -> dict[str, Any] | None:
    clinical = view.case.clinical
    if clinical is None:
        return None
    consents = [one for one in view.case.consents if one.referral == clinical.referral]
    return {
        "state": clinical.how if isinstance(clinical, Ended) else clinical.name,
        "who": card_of(view.clinician) if view.clinician else None,
        "consents": [
            {
                "recipient": one.recipient,
                "purpose": one.purpose,
                "given": one.given.isoformat(),
                "expires": one.expires.isoformat(),
                "withdrawn": one.withdrawn.isoformat() if one.withdrawn else None,
            }
            for one in consents
        ],
    }


def _asked_language(desk: Desk, request: Request) -> str:
    return desk.speech.tongue(request.query_params.get("lang", ""))


def card_of(card: PersonCard) -> dict[str, Any]:
    """What is shown of a person; `shows` is the number or hint that they chose themselves."""
    return {
        "name": card.name,
        "shows": card.shows,
        "hours": card.hours,
        "time_zone": card.time_zone,
        "language": card.language,
        "attributes": list(card.attributes),
    }


def _emergency(view: View) -> dict[str, Any] | None:
    alarm = view.alarm
    if alarm is None:
        return None
    return {
        "paged": alarm.accepted,
        "acknowledged": bool(alarm.takers),
        "contact": alarm.contact,
        "who": card_of(view.on_duty[-1]) if view.on_duty else None,
    }


def _lines(desk: Desk, request: Request) -> list[dict[str, object]]:
    return desk.resources(request)
