"""The API's documentation as a plain page of our own: nothing is loaded from anybody else, no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, FastAPI
from jinja2 import Environment
from starlette.responses import HTMLResponse

ABOUT = (
    "Peer support for the people of police agencies: asking for it, following a case, keeping an agency's program."
    " Every refusal is a problem document (RFC 9457). Every answer to a requester holds `resources`: whom to call now."
)
TAGS: Mapping[str, str] = {
    "agency": "An agency's own people and systems, with a key of theirs. Nothing here tells of a request.",
    "public": "Everybody: what an agency offers, its notice, asking for support. No key and no login.",
    "requester": "Who has asked, with the code that their own device made.",
}
BEARERS: Mapping[str, str] = {
    "agency": "A key of the agency; it has scopes, and a refusal of a missing one says `scope-missing`.",
    "requester": "The case code: 256 random bits in base64url that only the requester's device knows.",
}
PARAMETERS: Mapping[str, str] = {
    "agency": "The agency's short name, as in its links; the region's own resources without one.",
    "alone": "Of an iCalendar file: the person is there at these times only, whatever the directory says.",
    "check": "Only say what would happen.",
    "credential_id": "The key's id, as listed.",
    "hours": "How far to look ahead.",
    "kind": "Resources of this kind alone.",
    "language": "A language tag such as `es`; the agency's first language without one.",
    "least": "How many peers shall be there.",
    "means": "Of an iCalendar file: what its events mean that have no category THERE or AWAY.",
    "person_ref": "The person's reference, as in the directory.",
    "recipient": "Whom the consent is for.",
    "relation": "Who the requester is to the agency.",
    "slug": "The agency's short name, as in its links.",
}


def router(app: FastAPI, templates: Environment) -> APIRouter:
    """`/docs`, drawn from `/openapi.json`."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(
            templates.get_template("docs.html").render(api=app.openapi(), groups=_groups(app.openapi()))
        )

    return routes


def _groups(api: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The operations of an OpenAPI document by their first tag."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            entry = {
                "method": method.upper(),
                "path": path,
                "what": operation.get("description") or operation.get("summary", ""),
                "parameters": operation.get("parameters", []),
                "fields": _fields(api, operation),
                "answers": sorted(operation.get("responses", {})),
            }
            groups.setdefault((operation.get("tags") or ["other"])[0], []).append(entry)
    return groups


def _fields(api: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """The fields of an operation's JSON body, by name; a schema is looked up by its reference."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    needed = set(schema.get("required", []))
    return {name: {"needed": name in needed, "schema": one} for name, one in schema.get("properties", {}).items()}
