"""The agency's door to its program structure: what is in force, what it resolves to, what is planned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from services.intake.actions import agencies, structures
from services.intake.domain.agency import Agency
from services.intake.domain.policy import capabilities_at
from services.intake.domain.structure import EVER, Program, Wanted, next_change, program_at
from services.intake.routes.keyed import Allowed, matching, tag
from shared.db import Database
from shared.http import etags
from shared.http.documented import schema_of

STRUCTURE = "/v1/agency/structure"
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(Wanted)}}}
}


def add_structure(routes: APIRouter, db: Database, allowed: Allowed) -> None:
    """`GET` and `PUT /v1/agency/structure`."""

    @routes.get(STRUCTURE)
    async def read(request: Request) -> JSONResponse:
        """The structure in force with its contract, what it allows right now, and what is planned."""
        who = await allowed(request, "structure:read")
        agency, now = await agencies.present(db, who.agency_id)
        return JSONResponse(structure_document(agency, now), headers=tag(agency.structure_revision))

    @routes.put(STRUCTURE, openapi_extra=_BODY | etags.DESCRIBED)
    async def put(request: Request) -> JSONResponse:
        """Set the structure from now or a later moment on; what was planned for then or later is given up.

        Cases that are open keep what they began with; new acts of a clinician stop when the structure ends.
        """
        who = await allowed(request, "structure:write")
        # Read by hand: FastAPI would judge the body before anybody has shown a key.
        wanted = Wanted.model_validate_json(await request.body())
        agency, now = await structures.put_structure(
            db, who.agency_id, wanted, actor=who.credential_id, matches=matching(request)
        )
        return JSONResponse(structure_document(agency, now), headers=tag(agency.structure_revision))


def structure_document(agency: Agency, now: datetime) -> dict[str, Any]:
    """What an agency is told of its structure at this moment."""
    changes = next_change(agency.programs, agency.time_zone, now)
    return _program_document(program_at(agency.programs, now)) | {
        "capabilities": capabilities_at(agency, now).model_dump(),
        "changes_at": changes.isoformat() if changes else None,
        "planned": [_program_document(one) for one in agency.programs if one.effective_from > now],
    }


def _program_document(program: Program) -> dict[str, Any]:
    contract = program.contract
    return {
        "structure": program.structure.value,
        "effective_from": program.effective_from.isoformat() if program.effective_from > EVER else None,
        "contract": contract.document() if contract else None,
        "on_call": program.on_call,
        "direct_retiree": program.direct_retiree,
    }
