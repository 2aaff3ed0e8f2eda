"""The agency's door to the region's pool of peers: whom others offer, and whom it has taken."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.intake.actions import pool
from services.intake.domain.pool import Borrowed
from services.intake.routes.keyed import Allowed, matching, tag
from shared.db import Database
from shared.http import etags
from shared.http.documented import schema_of
from shared.vault import Keyring

POOL = "/v1/agency/pool"
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(Borrowed)}}}
}


def add_pool(routes: APIRouter, db: Database, keyring: Keyring, allowed: Allowed) -> None:
    """`/v1/agency/pool`."""

    @routes.get(POOL)
    async def read(request: Request) -> JSONResponse:
        """Peers whom other agencies of the pool offer, and which of them this agency has taken.

        An agency takes part by its policy, `{"pool": true}`; its own peers are offered who have the attribute
        `regional`. Where it does not take part the list is empty.
        """
        who = await allowed(request, "directory:read")
        found = await pool.look(db, keyring, agency_id=who.agency_id, actor=who.credential_id)
        shown = {"takes_part": found.takes_part, "peers": [one.document() for one in found.peers]}
        return JSONResponse(shown, headers=tag(found.revision))

    @routes.put(POOL, openapi_extra=_BODY | etags.DESCRIBED)
    async def put(request: Request) -> JSONResponse:
        """Replace whom this agency has taken of the pool, each with the time for which it has designated them.

        Whoever is new is mailed to verify it, and is asked after the agency's own people and its retirees, or first
        of all by whoever wishes for another agency. Their own agency learns nothing of any request.
        """
        who = await allowed(request, "directory:write")
        wanted = Borrowed.model_validate_json(await request.body())
        revision = await pool.take(
            db, keyring, wanted, agency_id=who.agency_id, actor=who.credential_id, matches=matching(request)
        )
        return JSONResponse({"peers": len(wanted.peers)}, headers=tag(revision))
