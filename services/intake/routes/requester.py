"""What the requester does with the code: `Authorization: Bearer <code>`. Nothing here needs a login."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from services.intake.domain.acts import Act, Another, Choose, Close, Release, Wait
from services.intake.domain.codes import looks_like_code
from services.intake.domain.request import Reach
from services.intake.routes.desk import Desk, source_of
from services.intake.store.directory import PersonCard
from shared.db import Transaction
from shared.doors import Door
from shared.http.idempotency import digest, key_of
from shared.http.tracing import work_of
from shared.types import REGION, AgencyId, PersonId


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Chosen(_Body):
    """Exactly one: a person of the shortlist, or anyone, or more time."""

    person: UUID | None = None
    anyone: Literal[True] | None = None
    wait: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Chosen:
        if sum(one is not None for one in (self.person, self.anyone, self.wait)) != 1:
            raise ValueError("exactly one of person, anyone, wait")
        return self

    def act(self) -> Act:
        """What the requester means."""
        if self.wait:
            return Wait()
        return Choose(PersonId(self.person) if self.person else None)


class NewReach(_Body):
    """How to reach the requester from now on; null: the requester calls."""

    reach: Reach | None


POSTS: dict[str, Act] = {"release": Release(), "another-peer": Another(), "close": Close()}
"""What a POST under `/v1/case` does, by its last segment."""


def router(desk: Desk) -> APIRouter:
    """The doors under `/v1/case`."""
    routes = APIRouter(prefix="/v1/case", tags=["requester"])
    _reading(routes, desk)
    _choosing(routes, desk)
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
        return JSONResponse(
            {"state": "withdrawn", "says": [desk.words["says"][over]], "resources": _lines(desk, request)}
        )

    @routes.get("/peers")
    async def peers(request: Request) -> JSONResponse:
        """The shortlist, best first; empty when there is nothing to choose."""
        door = await admitted(desk, request)
        async with opened(desk, request, door) as tx:
            found = await requester.peers(tx, desk.keyring, door)
        listed = [{"person": str(one.person), "available": one.available} | card_of(one.card) for one in found]
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


def _posting(routes: APIRouter, desk: Desk, name: str) -> None:
    async def post(request: Request) -> JSONResponse:
        door = await admitted(desk, request)
        pepper = desk.keyring.derived("idempotency")
        body = digest(pepper, name.encode() + b"\0" + await request.body())
        keyed = requester.keyed_post(pepper, door, key_of(request), body)
        async with opened(desk, request, door) as tx:
            await requester.act(tx, door, POSTS[name], keyed=keyed)
        return JSONResponse(await shown(desk, request, door))

    post.__doc__ = POSTS[name].__doc__
    routes.add_api_route(f"/{name}", post, methods=["POST"], name=name, operation_id=name.replace("-", "_"))


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
    answer: dict[str, Any] = {
        "reference": view.reference,
        "state": case.stage.name,
        "says": desk.says(view.says, by=view.next_by, agency=view.agency),
        "next_by": view.next_by.isoformat() if view.next_by else None,
        "urgency": case.ask.urgency.value,
        "help": [one.value for one in case.ask.help],
        "release": case.ask.release,
        "reachable": case.reach is not None,
        "can": list(view.can),
        "who": card_of(view.who) if view.who else None,
        "emergency": _emergency(view),
        "resources": _lines(desk, request),
    }
    if not view.noticed:
        notice = desk.notices.current(view.jurisdiction, case.ask.relation, case.ask.language)
        answer["notice"] = notice.shown() | {"digest": notice.digest}
    return answer


def card_of(card: PersonCard) -> dict[str, Any]:
    """What is shown of a person; `shows` is the number or hint that they chose themselves."""
    return {
        "name": card.name,
        "shows": card.shows,
        "hours": card.hours,
        "language": card.language,
        "attributes": list(card.attributes),
    }


def _emergency(view: View) -> dict[str, Any] | None:
    alarm = view.alarm
    if alarm is None:
        return None
    return {
        "paged": alarm.accepted,
        "acknowledged": alarm.acknowledged_by is not None,
        "contact": alarm.contact,
        "who": card_of(view.coordinator) if view.coordinator else None,
    }


def _lines(desk: Desk, request: Request) -> list[dict[str, object]]:
    return desk.resources(request)
