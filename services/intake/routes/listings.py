"""Doors to the directory of resources: an agency keeps its own; everybody may read, by API or on a page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse

from services.intake.actions import listings
from services.intake.domain.listing import Kind, Listing
from services.intake.domain.listing_upload import Wanted
from services.intake.routes.desk import PAGES, Desk
from services.intake.routes.keyed import Allowed, matching, parsed, tag
from services.intake.routes.sheets import Sheets
from services.intake.routes.speech import read_words
from shared import clock
from shared.db import Database
from shared.http import etags
from shared.http.documented import schema_of
from shared.types import REGION, Relation

RESOURCES = "/v1/agency/resources"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["resources"],
                    "properties": {"resources": {"type": "array", "items": schema_of(Wanted)}},
                }
            }
        },
    }
}


def add_resources(routes: APIRouter, db: Database, allowed: Allowed) -> None:
    """`GET` and `PUT /v1/agency/resources`."""

    @routes.get(RESOURCES)
    async def read(request: Request) -> JSONResponse:
        """The agency's own resources, as they were set."""
        who = await allowed(request, "resources:read")
        revision, listed = await listings.own_resources(db, who.agency_id)
        return JSONResponse(_own(listed), headers=tag(revision))

    @routes.put(RESOURCES, openapi_extra=_BODY | etags.DESCRIBED)
    async def put(request: Request) -> JSONResponse:
        """Replace the agency's own resources, all of them. Those of kind crisis stand in every answer from then on."""
        who = await allowed(request, "resources:write")
        document = parsed(await request.body())
        revision, listed = await listings.put_resources(
            db, who.agency_id, document, actor=who.credential_id, matches=matching(request)
        )
        return JSONResponse(_own(listed), headers=tag(revision))


def _own(listed: Sequence[Listing]) -> dict[str, object]:
    today = clock.now().date()
    return {"resources": [one.document() for one in listed], "stale": sum(one.stale(today) for one in listed)}


def router(sheets: Sheets) -> APIRouter:
    """`GET /v1/resources` and the page `/a/{slug}/resources`."""
    routes, desk = APIRouter(), sheets.desk
    words = read_words(PAGES / "listings.toml")

    @routes.get("/v1/resources", tags=["public"])
    async def listed(
        request: Request,
        agency: Annotated[str | None, Query(max_length=41)] = None,
        kind: Kind | None = None,
        relation: Relation | None = None,
    ) -> JSONResponse:
        """What help there is besides the program: the region's, and an agency's own; stale ones are marked."""
        request.state.slug = agency
        found = await _found(desk, agency, (kind,) if kind else (), relation)
        today = clock.now().date()
        return JSONResponse({"listed": [_shown(one, today) for one in found], "resources": desk.resources(request)})

    @routes.get("/a/{slug}/resources", include_in_schema=False)
    async def page(slug: str, request: Request) -> HTMLResponse:
        found = await _found(desk, slug, (), None)
        today = clock.now().date()
        sheets.speak(request, await desk.agency(slug))
        spoken = words[sheets.language(request)]
        return sheets.page(
            request,
            "resources.html",
            say=spoken,
            groups=_groups([_shown(one, today) for one in found]),
        )

    return routes


async def _found(desk: Desk, slug: str | None, kinds: Sequence[str], relation: Relation | None) -> list[Listing]:
    if slug is None:
        async with desk.db.transaction([REGION]) as tx:
            return await listings.resources_for(tx, REGION, kinds, relation)
    agency = await desk.agency(slug)
    async with desk.db.transaction([agency.agency_id]) as tx:
        return await listings.resources_for(tx, agency.agency_id, kinds, relation)


def _shown(one: Listing, today: date) -> dict[str, Any]:
    whose = "region" if one.agency_id == REGION else "agency"
    return one.document() | {"of": whose, "stale": one.stale(today)}


def _groups(shown: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in shown:
        groups.setdefault(one["kind"], []).append(one)
    return groups
