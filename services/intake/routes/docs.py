"""The API's documentation as a plain page of our own: nothing is loaded from anybody else, no script."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from jinja2 import Environment
from starlette.responses import HTMLResponse


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
