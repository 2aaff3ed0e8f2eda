"""What an agency's own people and systems may do, with a key of theirs. Nothing here tells of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.intake.actions import agencies, directory, keys, verifications
from services.intake.domain.agency import Agency, Credential, Scope
from services.intake.domain.csvfile import COLUMNS
from services.intake.domain.policy import AT_HOME, OVERALL, PER_URGENCY, WEIGHTS, Bound, capabilities_at, law_of
from services.intake.domain.policy import resolve as resolve_policy
from services.intake.domain.structure import program_at
from services.intake.domain.upload import Row, refuse_too_many, rows_of_file, rows_of_json
from services.intake.routes.availability import AVAILABILITY, add_availability
from services.intake.routes.conflicts import CONFLICTS, add_conflicts
from services.intake.routes.keyed import Allowed, allowed_by, matching, parsed, tag
from services.intake.routes.listings import add_resources
from services.intake.routes.pool import POOL, add_pool
from services.intake.routes.structure import add_structure
from services.intake.routes.tally import add_tally
from services.intake.routes.turns import Turns
from shared.db import Database
from shared.errors import Problem, Refused
from shared.http import etags
from shared.http.documented import schema_of
from shared.http.idempotency import described, key_of
from shared.types import Urgency
from shared.vault import Keyring

DIRECTORY = "/v1/agency/directory"
VERIFICATIONS = f"{DIRECTORY}/verifications"
UPLOAD_WITHIN_S = 60.0
"""A whole directory is sealed and written in one transaction; everything else here has the time of a door."""
LARGER_BODIES: Mapping[str, int] = {
    DIRECTORY: 16 * 1024 * 1024,
    CONFLICTS: 1024 * 1024,
    POOL: 64 * 1024,
    f"{AVAILABILITY}/": 256 * 1024,
    "/a/*/team/sheet": 1024 * 1024,
    "/a/*/team/calendar": 256 * 1024,
}
"""Bytes that a body may have here, for `shared.http.foundation`."""

_CSV_TYPES = frozenset({"text/csv", "application/csv", "application/vnd.ms-excel"})
_TEXT: dict[str, Any] = {"type": "string"}
_PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["person_ref", "role", "name"],
    "properties": dict.fromkeys(COLUMNS, _TEXT)
    | {name: {"type": "array", "items": _TEXT} for name in ("contact", "attributes", "offers")},
}
_DIRECTORY_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"people": {"type": "array", "items": _PERSON}}}
            },
            "text/csv": {"schema": {"type": "string", "description": "First row: " + ", ".join(COLUMNS)}},
        },
    }
}
_POLICY_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}


class WantedKey(BaseModel):
    """What a further key shall be allowed: no more than the key that asks for it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    scopes: frozenset[Scope] = Field(min_length=1)


class AskedAgain(BaseModel):
    """Whom to mail once more: the person of a reference, or everybody who has verified nothing."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    person_ref: str | None = Field(default=None, min_length=1, max_length=200)


_ASKED_BODY: dict[str, Any] = {"requestBody": {"content": {"application/json": {"schema": schema_of(AskedAgain)}}}}
_KEY_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": schema_of(WantedKey)}}}
}


def router(db: Database, keyring: Keyring) -> APIRouter:
    """The doors under `/v1/agency`."""
    routes, allowed = APIRouter(tags=["agency"]), allowed_by(db, keyring)
    _about(routes, db, allowed)
    _directory(routes, db, keyring, allowed)
    _verifications(routes, db, keyring, allowed)
    _policy(routes, db, allowed)
    add_structure(routes, db, allowed)
    add_resources(routes, db, allowed)
    add_availability(routes, db, keyring, allowed)
    add_conflicts(routes, db, keyring, allowed)
    add_pool(routes, db, keyring, allowed)
    add_tally(routes, db, allowed)
    _keys(routes, db, keyring, allowed)
    return routes


def _about(routes: APIRouter, db: Database, allowed: Allowed) -> None:
    @routes.get("/v1/agency")
    async def about(request: Request) -> JSONResponse:
        """The agency itself, as the region keeps it."""
        who = await allowed(request, "agency:read")
        return JSONResponse(_agency_document(*await agencies.present(db, who.agency_id)))


def _agency_document(agency: Agency, now: datetime) -> dict[str, Any]:
    return {
        "name": agency.name,
        "slug": agency.slug,
        "kind": agency.kind,
        "jurisdiction": agency.jurisdiction,
        "structure": program_at(agency.programs, now).structure.value,
        "capabilities": capabilities_at(agency, now).model_dump(),
        "languages": list(agency.languages),
        "time_zone": agency.time_zone,
        "mail_domain": agency.mail_domain,
        "lines": [line.__dict__ for line in agency.lines],
        "directory_uploaded": agency.directory_revision > 0,
        "law": law_of(agency, now).document(),
        "conflicts_tag": etags.etag_of(agency.conflicts_revision) if agency.conflicts_revision else None,
    }


def _directory(routes: APIRouter, db: Database, keyring: Keyring, allowed: Allowed) -> None:
    slow, turns = db.within(UPLOAD_WITHIN_S), Turns()

    @routes.get(DIRECTORY)
    async def read(request: Request) -> JSONResponse:
        """The directory as it was uploaded, and who has verified a contact point."""
        who = await allowed(request, "directory:read")
        async with turns.of(who.agency_id), turns.place():
            revision, people = await directory.read_directory(
                slow, keyring, agency_id=who.agency_id, actor=who.credential_id
            )
        return JSONResponse({"people": people}, headers=tag(revision))

    @routes.put(DIRECTORY, openapi_extra=_DIRECTORY_BODY | etags.DESCRIBED)
    async def put(request: Request, *, check: bool = False) -> JSONResponse:
        """Replace the whole directory, as JSON or CSV; `check=true` only says what would happen."""
        who = await allowed(request, "directory:write")
        parse = _parser(request)
        async with turns.of(who.agency_id):
            body = await request.body()
            async with turns.place():
                rows = await asyncio.to_thread(parse, body)
                if check:
                    told = await directory.check_directory(slow, keyring, who.agency_id, rows)
                else:
                    told = await directory.put_directory(
                        slow, keyring, rows, agency_id=who.agency_id, actor=who.credential_id, matches=matching(request)
                    )
        return JSONResponse({"check": check} | told.document(), headers=tag(told.revision))


def _verifications(routes: APIRouter, db: Database, keyring: Keyring, allowed: Allowed) -> None:
    @routes.post(VERIFICATIONS, openapi_extra=_ASKED_BODY)
    async def ask_again(request: Request) -> JSONResponse:
        """Mail a new link to contact points that nobody has verified: of one person, or of everybody.

        Once an hour and five times a week per person; the same again changes nothing, so it needs no key of its own.
        """
        who = await allowed(request, "directory:write")
        wanted = AskedAgain.model_validate_json(await request.body() or b"{}")
        asked = await verifications.ask_again(
            db, keyring, who.agency_id, actor=who.credential_id, person_ref=wanted.person_ref
        )
        return JSONResponse(asked.document())


def _parser(request: Request) -> Callable[[bytes], list[Row]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _CSV_TYPES:
        return rows_of_file
    if kind == "application/json":
        return _json_rows
    raise Refused("unsupported-media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _json_rows(body: bytes) -> list[Row]:
    refuse_too_many(body)
    return rows_of_json(parsed(body))


def _policy(routes: APIRouter, db: Database, allowed: Allowed) -> None:
    @routes.get("/v1/agency/policy")
    async def read(request: Request) -> JSONResponse:
        """The agency's overrides, what they come to by urgency, and within what they may be set."""
        who = await allowed(request, "policy:read")
        agency, now = await agencies.present(db, who.agency_id)
        return JSONResponse(_policy_document(agency, now), headers=tag(agency.policy_revision))

    @routes.put("/v1/agency/policy", openapi_extra=_POLICY_BODY | etags.DESCRIBED)
    async def put(request: Request) -> JSONResponse:
        """Replace the agency's overrides; cases in flight keep the policy they began with."""
        who = await allowed(request, "policy:write")
        given = parsed(await request.body())
        if not isinstance(given, dict):
            raise Refused("policy-invalid", HTTPStatus.UNPROCESSABLE_ENTITY, (Problem("", "type"),))
        revision, overrides = await agencies.put_policy(db, who, given, matches=matching(request))
        return JSONResponse({"overrides": overrides}, headers=tag(revision))


def _policy_document(agency: Agency, now: datetime) -> dict[str, Any]:
    return {
        "overrides": dict(agency.policy),
        "resolved": {
            urgency.value: resolve_policy(agency, urgency, now).model_dump(mode="json") for urgency in Urgency
        },
        "bounds": _bounds(OVERALL)
        | _bounds(AT_HOME)
        | {"weights": _bounds(WEIGHTS)}
        | {urgency.value: _bounds(own) for urgency, own in PER_URGENCY.items()},
    }


def _bounds(bounds: Mapping[str, Bound[int]] | Mapping[str, Bound[float]]) -> dict[str, Any]:
    return {name: {"default": one.default, "least": one.least, "most": one.most} for name, one in bounds.items()}


def _keys(routes: APIRouter, db: Database, keyring: Keyring, allowed: Allowed) -> None:
    @routes.get("/v1/agency/keys")
    async def listed(request: Request) -> JSONResponse:
        """The agency's keys in force, without the keys."""
        who = await allowed(request, "keys:write")
        return JSONResponse({"keys": [_key_document(one) for one in await keys.list_keys(db, who)]})

    @routes.post("/v1/agency/keys", status_code=HTTPStatus.CREATED, openapi_extra=_KEY_BODY | described())
    async def make(request: Request) -> JSONResponse:
        """A further key, shown once (and again to a repeat with the same Idempotency-Key within 24 hours)."""
        who = await allowed(request, "keys:write")
        asked = (key_of(request), await request.body())
        # Read by hand: FastAPI would judge the body before anybody has shown a key.
        wanted = WantedKey.model_validate_json(asked[1])
        made, key = await keys.make_key(db, keyring, who, wanted.scopes, request=asked)
        return JSONResponse(_key_document(made) | {"key": key}, status_code=HTTPStatus.CREATED)

    @routes.delete("/v1/agency/keys/{credential_id}", status_code=HTTPStatus.NO_CONTENT)
    async def revoke(credential_id: UUID, request: Request) -> Response:
        """Revoke a key at once."""
        who = await allowed(request, "keys:write")
        await keys.revoke_key(db, who, credential_id)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _key_document(one: Credential) -> dict[str, Any]:
    return {"id": str(one.credential_id), "scopes": sorted(one.scopes), "created_at": one.created_at.isoformat()}
