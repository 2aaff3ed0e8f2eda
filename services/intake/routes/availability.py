"""The agency's doors to when its people are there: a calendar per person, swaps, and the gaps that are left."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.intake.actions import availability
from services.intake.actions.availability import Shown
from services.intake.domain.calendars import Calendar, Entry, Means, Wall, calendar_in, ical_of
from services.intake.routes.keyed import Allowed, matching, tag
from shared.db import Database
from shared.errors import Refused
from shared.http import etags
from shared.http.documented import schema_of
from shared.vault import Keyring

AVAILABILITY = "/v1/agency/availability"
ICAL = "text/calendar"
Ref = Annotated[str, Field(min_length=1, max_length=64)]


class Swap(BaseModel):
    """From `start` until `end`, by the clock on the wall, one person is away and another there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    gives: Ref
    takes: Ref
    start: Wall
    end: Wall


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schema_of(Calendar)}, ICAL: {"schema": {"type": "string"}}},
    }
}
_SWAP_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(Swap)}}}
}


def add_availability(routes: APIRouter, db: Database, keyring: Keyring, allowed: Allowed) -> None:
    """`/v1/agency/availability` and `/v1/agency/coverage`."""

    @routes.get(f"{AVAILABILITY}/{{person_ref}}")
    async def read(request: Request, person_ref: str) -> Response:
        """A person's calendar, as JSON or, with `Accept: text/calendar`, as iCalendar. Times are their zone's."""
        who = await allowed(request, "directory:read")
        shown = await availability.read(db, keyring, who.agency_id, person_ref)
        if ICAL in request.headers.get("accept", ""):
            return Response(ical_of(shown.calendar, shown.zone), media_type=ICAL, headers=tag(shown.revision))
        return _answer(shown)

    @routes.put(f"{AVAILABILITY}/{{person_ref}}", openapi_extra=_BODY | etags.DESCRIBED)
    async def put(request: Request, person_ref: str, means: Means = "there", *, alone: bool = False) -> JSONResponse:
        """Replace a person's calendar: leave, a rota, what is otherwise than the weekly hours. Obeyed at once.

        As iCalendar: `means` says what its events mean that have no category THERE or AWAY, `alone` that the person is
        there at these times only. Nothing of a calendar is kept but its times.
        """
        who = await allowed(request, "directory:write")
        body, kind = await request.body(), request.headers.get("content-type", "").partition(";")[0].strip().lower()

        def wanted(zone: str) -> Calendar:
            if kind == ICAL:
                return calendar_in(body, zone, means=means, alone=alone)
            if kind == "application/json":
                return Calendar.model_validate_json(body)
            raise Refused("unsupported-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)

        shown = await availability.put(
            db,
            keyring,
            wanted,
            agency_id=who.agency_id,
            person_ref=person_ref,
            actor=who.credential_id,
            matches=matching(request),
        )
        return _answer(shown)

    _swaps(routes, db, keyring, allowed)
    _coverage(routes, db, allowed)


def _swaps(routes: APIRouter, db: Database, keyring: Keyring, allowed: Allowed) -> None:
    @routes.post(f"{AVAILABILITY}/swaps", status_code=HTTPStatus.NO_CONTENT, openapi_extra=_SWAP_BODY)
    async def swap(request: Request) -> Response:
        """Two people change a time: whoever gives it is away then, whoever takes it is there. Twice is the same."""
        who = await allowed(request, "directory:write")
        asked = Swap.model_validate_json(await request.body())
        entry = Entry(means="away", start=asked.start, end=asked.end)
        await availability.swap(
            db,
            keyring,
            agency_id=who.agency_id,
            gives=asked.gives,
            takes=asked.takes,
            entry=entry,
            actor=who.credential_id,
        )
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _coverage(routes: APIRouter, db: Database, allowed: Allowed) -> None:
    @routes.get("/v1/agency/coverage")
    async def coverage(
        request: Request,
        hours: Annotated[int, Query(ge=1, le=24 * 14)] = 72,
        least: Annotated[int, Query(ge=1, le=50)] = 1,
    ) -> JSONResponse:
        """When fewer than `least` peers who may be asked are there, in the next hours (72 if nothing else is said)."""
        who = await allowed(request, "directory:read")
        found = await availability.coverage(db, who.agency_id, hours=hours, least=least)
        return JSONResponse(
            {
                "from": found.start.isoformat(),
                "until": found.end.isoformat(),
                "peers": found.peers,
                "least": found.least,
                "gaps": [
                    {"from": gap.start.isoformat(), "until": gap.end.isoformat(), "there": gap.there}
                    for gap in found.gaps
                ],
            }
        )


def _answer(shown: Shown) -> JSONResponse:
    return JSONResponse({"time_zone": shown.zone} | shown.calendar.model_dump(mode="json"), headers=tag(shown.revision))
