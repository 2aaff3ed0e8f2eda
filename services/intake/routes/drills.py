"""The agency's door to practice: a case like any other, but that it says what it is and is counted nowhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.intake.actions import drills
from services.intake.domain.drill import Drill
from services.intake.routes.desk import Desk
from services.intake.routes.keyed import allowed_by
from shared.http.documented import schema_of
from shared.http.idempotency import described, key_of

_BODY: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": schema_of(Drill)}}}}


def router(desk: Desk) -> APIRouter:
    """`POST /v1/agency/drills`."""
    routes, allowed = APIRouter(tags=["agency"]), allowed_by(desk.db, desk.keyring)

    @routes.post("/v1/agency/drills", status_code=HTTPStatus.CREATED, openapi_extra=_BODY | described())
    async def begin(request: Request) -> JSONResponse:
        """Begin a practice case: peers get real mails that say so, the answer's code opens the requester's page.

        It ends when somebody closes it, or after 24 hours by itself, and enters no statistic. Three may be under way.
        """
        who = await allowed(request, "directory:write")
        once = key_of(request)
        wanted = Drill.model_validate_json(await request.body() or b"{}")
        begun = await drills.begin(
            desk.db,
            desk.keyring,
            desk.notices,
            wanted,
            agency_id=who.agency_id,
            actor=who.credential_id,
            once=once,
        )
        told = {"code": begun.code, "reference": begun.reference, "page": f"/a/{begun.slug}/case"}
        return JSONResponse(told, status_code=HTTPStatus.CREATED)

    return routes
