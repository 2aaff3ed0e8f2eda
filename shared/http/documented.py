"""OpenAPI documents that say how our doors really answer: problem documents, bearers, ids that people can read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
PROBLEM: Schema = {
    "type": "object",
    "description": "Why not (RFC 9457). It holds pointers and codes, and never a value that was sent.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {**_TEXT, "format": "uri-reference", "description": "`/problems/` and a code that stays the same."},
        "title": _TEXT,
        "status": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code"],
                "properties": {"pointer": {**_TEXT, "format": "json-pointer"}, "code": _TEXT},
            },
        },
        "more": {"type": "integer", "description": "So many further errors, not named."},
        "resources": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Whom to call now, wherever a requester may read the answer.",
        },
    },
}
_REFERENCE: Schema = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")


def schema_of(model: type[BaseModel]) -> Schema:
    """The schema of a body that a door reads by hand, with its parts in their places: nothing to refer to is near."""
    made = model.model_json_schema()
    parts = made.pop("$defs", {})
    placed: Schema = _placed(made, parts)
    return placed


def _placed(value: Any, parts: Mapping[str, Schema]) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case {"$ref": str(ref), **beside}:
            return _placed(parts[ref.rpartition("/")[2]], parts) | _placed(beside, parts)
        case dict():
            return {name: _placed(one, parts) for name, one in value.items()}
        case list():
            return [_placed(one, parts) for one in value]
        case _:
            return value


class Documented(FastAPI):
    """A FastAPI app whose document is completed by what it cannot know of itself."""

    def __init__(
        self,
        *,
        tags: Mapping[str, str],
        parameters: Mapping[str, str],
        bearers: Mapping[str, str] | None = None,
        pages: bool = False,
        **options: Any,  # noqa: ANN401 - FastAPI's own
    ) -> None:
        """`tags` and `parameters` are described by name; `bearers` says whose token opens the doors of a tag.

        With `pages`, a browser gets a page instead of a problem document.
        """
        self._parameters, self._bearers, self._pages = parameters, bearers or {}, pages
        super().__init__(
            openapi_tags=[{"name": name, "description": text} for name, text in sorted(tags.items())],
            servers=[{"url": "/", "description": "Where this document comes from."}],
            generate_unique_id_function=_id_of,
            redoc_url=None,
            docs_url=None,
            **options,
        )

    def openapi(self) -> Schema:
        """The document; made once."""
        if self.openapi_schema is None:
            with warnings.catch_warnings():
                # A page answers HEAD as it answers GET; only one of them stays.
                warnings.filterwarnings("ignore", message="Duplicate Operation ID")
                made = super().openapi()
            self._complete(made)
        return self.openapi_schema or {}

    def _complete(self, made: Schema) -> None:
        components = made.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for name in _OF_FASTAPI:
            schemas.pop(name, None)
        schemas["Problem"] = PROBLEM
        if self._bearers:
            components["securitySchemes"] = {
                tag: {"type": "http", "scheme": "bearer", "description": text} for tag, text in self._bearers.items()
            }
        for operation in _operations(made):
            self._complete_one(operation)

    def _complete_one(self, operation: Schema) -> None:
        content = _REFERENCE | ({"text/html": {"schema": _TEXT}} if self._pages else {})
        answers = operation["responses"]
        answers.pop("422", None)
        answers["default"] = {"description": "Refused, or not possible now.", "content": content}
        for parameter in operation.get("parameters", ()):
            parameter.setdefault("description", self._parameters.get(parameter["name"], ""))
        for tag in self._bearers.keys() & set(operation.get("tags", ())):
            operation["security"] = [{tag: []}]


def _operations(made: Schema) -> Iterator[Schema]:
    for methods in made.get("paths", {}).values():
        if "get" in methods:
            methods.pop("head", None)
        yield from methods.values()


def _id_of(route: APIRoute) -> str:
    """Such as `put_agency_policy`: method and path, without the version and the names of parameters."""
    method = min((route.methods or {"GET"}) - {"HEAD"} or {"HEAD"}).lower()
    words = (part.strip("{}").replace("-", "_").replace(".", "_") for part in route.path_format.split("/"))
    return "_".join([method, *(word for word in words if word and word != "v1")])
