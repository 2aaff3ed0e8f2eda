"""The JSON Schema of every version of every event, with where it travels: what `docs/events` publishes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from shared.events import EARLIER, FACTS, Fact, source_of
from shared.events.envelope import Value

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TRAVEL = "x-peerline"
"""The member of a schema that says where an event travels."""


class _Plain(GenerateJsonSchema):
    """Without titles that only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401 - as the base has it
        del schema
        return False


def event_schemas() -> dict[str, Schema]:
    """The schema of each type name, those of earlier versions too."""
    models = {**FACTS, **{kind: one.model for kind, one in EARLIER.items()}}
    return {kind: schema_of(kind, models[kind]) for kind in sorted(models)}


def schema_of(kind: str, model: type[Fact]) -> Schema:
    """The published schema of one version. Fields are described by what stands under them in the code."""
    schema = model.model_json_schema(schema_generator=_Plain)
    described = {one.__name__: one for one in (model, *_parts(Value))}
    for name, part in [(model.__name__, schema), *schema.get("$defs", {}).items()]:
        _describe(part, described.get(name))
    top = {
        "$schema": DIALECT,
        "$id": f"/schemas/{kind}.json",
        "title": kind,
        "description": inspect.cleandoc(model.__doc__ or ""),
        TRAVEL: travel_of(kind, model),
    }
    return top | {name: value for name, value in schema.items() if name not in top}


def travel_of(kind: str, model: type[Fact]) -> Mapping[str, object]:
    """Who says it, where, under which key, and whether it passes by what is parked."""
    topic = model.TOPIC
    travel: dict[str, object] = {
        "source": source_of(topic),
        "topic": topic.name,
        "lane": topic.lane.name.lower(),
        "key": "case" if model.KEYED_BY_CASE else "subject",
        "stop": model.STOP,
    }
    return travel | ({"read_as": following(kind)} if kind in EARLIER else {})


def name_and_version(kind: str) -> tuple[str, int]:
    """The parts of `service.fact.vN`."""
    name, _, version = kind.rpartition(".v")
    return name, int(version)


def following(kind: str) -> str:
    """The type name of the next version."""
    name, version = name_and_version(kind)
    return f"{name}.v{version + 1}"


def _parts(model: type[Value]) -> Iterator[type[Value]]:
    for one in model.__subclasses__():
        yield one
        yield from _parts(one)


def _describe(schema: Schema, model: type[BaseModel] | None) -> None:
    said = _said(model) if model is not None else {}
    for name, text in said.items():
        if name in schema.get("properties", {}):
            schema["properties"][name].setdefault("description", text)


def _said(model: type[BaseModel]) -> Mapping[str, str]:
    """The string under each field of a model, as pydantic itself would read it, without its cost at every start."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body: Sequence[ast.stmt] = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else ()
    found = {}
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                found[name] = inspect.cleandoc(said)
            case _:
                pass
    return found
