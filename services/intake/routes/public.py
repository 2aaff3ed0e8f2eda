"""Doors for everybody: who an agency is, its notice, and asking for support. No key and no login."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.routing import APIRoute
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from services.intake.actions.requests import Receipt
from services.intake.domain.agency import Agency
from services.intake.domain.request import Request
from services.intake.domain.salvage import emergency_in
from services.intake.routes.desk import Desk
from services.intake.routes.taking import Taking
from shared.http.problems import pointer_to
from shared.types import Help, Relation, Urgency


class _Readable(HttpRequest):
    """A request whose emergency is read even from JSON that nothing can read whole."""

    async def json(self) -> object:
        """The body; ValueError when it is no JSON, and no emergency either."""
        try:
            return await super().json()
        except (ValueError, RecursionError):
            found = emergency_in(await self.body())
            if found is None:
                raise
            return found


class _ReadAsFarAsItGoes(APIRoute):
    """A route that reads its requests so."""

    def get_route_handler(self) -> Callable[[HttpRequest], Coroutine[Any, Any, Response]]:
        """As FastAPI's, with a request of ours."""
        handle = super().get_route_handler()

        async def read(request: HttpRequest) -> Response:
            return await handle(_Readable(request.scope, request.receive))

        return read


def router(desk: Desk, taking: Taking) -> APIRouter:
    """The doors under `/v1/agencies/{slug}`."""
    routes = APIRouter(prefix="/v1/agencies/{slug}", tags=["public"], route_class=_ReadAsFarAsItGoes)

    @routes.get("")
    async def about(slug: str) -> JSONResponse:
        """What an agency offers to whom, and its lines."""
        agency = await desk.agency(slug)
        return JSONResponse(_about(agency) | {"resources": desk.lines.of(slug)})

    @routes.get("/notice")
    async def notice(
        slug: str, relation: Relation, language: Annotated[str | None, Query(max_length=35)] = None
    ) -> JSONResponse:
        """What has to be read before a request: confidentiality and its limits, for this kind of requester."""
        agency = await desk.agency(slug)
        current = desk.notices.current(agency.jurisdiction, relation, language or agency.languages[0])
        return JSONResponse(current.shown() | {"digest": current.digest, "resources": desk.lines.of(slug)})

    @routes.post("/requests", status_code=HTTPStatus.CREATED)
    async def ask(slug: str, body: Request, request: HttpRequest) -> JSONResponse:
        """Ask for support. The hash of the case code is the idempotency key: a repeat is answered as the first was.

        An emergency is taken without whatever cannot be read of it; `not_taken` says which parts those were.
        """
        receipt = await taking.take(request, slug, body)
        answer = (
            answer_to(receipt) | _for_somebody_else(desk, body, receipt.language) | {"resources": desk.lines.of(slug)}
        )
        if body.left_out:
            answer["not_taken"] = [
                {"pointer": pointer_to(one.path, one.code), "code": one.code} for one in body.left_out
            ]
        return JSONResponse(answer, HTTPStatus.OK if receipt.replayed else HTTPStatus.CREATED)

    return routes


def _about(agency: Agency) -> dict[str, Any]:
    return {
        "name": agency.name,
        "slug": agency.slug,
        "kind": agency.kind,
        "jurisdiction": agency.jurisdiction,
        "languages": list(agency.languages),
        "time_zone": agency.time_zone,
        "relations": [one.value for one in Relation],
        "urgencies": [one.value for one in Urgency],
        "help": [one.value for one in Help],
    }


def _for_somebody_else(desk: Desk, body: Request, language: str) -> dict[str, Any]:
    """What the caller can do for them, and what became of the one message; nothing for who asks for themselves."""
    if body.about != "someone_else":
        return {}
    words = desk.speech.of(desk.speech.tongue(language))
    answer: dict[str, Any] = {"coaching": list(words["coaching_now" if body.emergency else "coaching"].values())}
    if body.outreach is not None:
        answer["outreach"] = "not-in-an-emergency" if body.emergency else "asked"
    return answer


def answer_to(receipt: Receipt) -> dict[str, Any]:
    """What is answered to a request, without the lines."""
    answer: dict[str, Any] = {"reference": receipt.reference, "next_by": receipt.next_by.isoformat()}
    if receipt.notice is not None:
        answer["notice"] = receipt.notice.shown() | {"digest": receipt.notice.digest}
    return answer
