"""The agency's door to its conflicts of interest: one can only write there. What stands there is told to nobody."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.intake.actions import conflicts
from services.intake.domain.conflicts import Conflict, Conflicts
from services.intake.routes.keyed import Allowed, matching, tag
from shared.db import Database
from shared.http import etags
from shared.http.documented import schema_of
from shared.vault import Keyring

CONFLICTS = "/v1/agency/conflicts"
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(Conflicts)}}}
}
_ONE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(Conflict)}}}
}


def add_conflicts(routes: APIRouter, db: Database, keyring: Keyring, allowed: Allowed) -> None:
    """`PUT` and `POST /v1/agency/conflicts`."""

    @routes.put(CONFLICTS, openapi_extra=_BODY | etags.DESCRIBED)
    async def put(request: Request) -> JSONResponse:
        """Replace the list of who has a conflict with whom. It is never read back: only how many stand in it is told.

        Whoever is listed is barred where the requester is one of the same conflict or names the incident; whoever
        evaluates fitness or discipline is barred from every request. Open cases obey at once. The list's tag is shown
        at `GET /v1/agency` as `conflicts_tag`.
        """
        who = await allowed(request, "conflicts:write")
        wanted = Conflicts.model_validate_json(await request.body())
        kept = await conflicts.put_conflicts(
            db, keyring, wanted, agency_id=who.agency_id, actor=who.credential_id, matches=matching(request)
        )
        return JSONResponse({"conflicts": kept.conflicts, "people": kept.people}, headers=tag(kept.revision))

    @routes.post(CONFLICTS, status_code=HTTPStatus.NO_CONTENT, openapi_extra=_ONE)
    async def add(request: Request) -> Response:
        """Add one conflict to the list, which otherwise stays as it is. The same again is kept once.

        An investigation and relatives take two people at least. The answer's tag is the list's, as `PUT` wants it.
        """
        who = await allowed(request, "conflicts:write")
        wanted = Conflict.model_validate_json(await request.body())
        revision = await conflicts.add_conflict(db, keyring, wanted, agency_id=who.agency_id, actor=who.credential_id)
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=tag(revision))
