"""The agency's door to what is counted by hand."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.intake.actions import team
from services.intake.domain.tally import Month
from services.intake.routes.keyed import Allowed
from shared.db import Database
from shared.http.documented import schema_of

TALLY = "/v1/agency/tally"
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(Month)}}}
}


def add_tally(routes: APIRouter, db: Database, allowed: Allowed) -> None:
    """`GET` and `PUT /v1/agency/tally`."""

    @routes.get(TALLY)
    async def read(request: Request) -> JSONResponse:
        """Contacts outside of the region's cases, counted by hand, by month and kind; the last twelve months."""
        who = await allowed(request, "directory:read")
        found = await team.counts(db, who.agency_id)
        return JSONResponse({"months": [{"month": month.isoformat(), "counts": one} for month, one in found.items()]})

    @routes.put(TALLY, openapi_extra=_BODY)
    async def put(request: Request) -> JSONResponse:
        """Set the numbers of a month; kinds that are not named stay as they are. The same again changes nothing."""
        who = await allowed(request, "directory:write")
        counted = Month.model_validate_json(await request.body())
        await team.count(db, who.agency_id, counted, actor=who.credential_id)
        return JSONResponse({"month": counted.first.isoformat(), "counts": counted.counts})
