"""What may change in a published version, rule by rule: a small schema before, one after, and what the gate says."""

from typing import Any

import pytest

from tools.contracts.published import strays
from tools.contracts.rules import broken, moved
from tools.contracts.schemas import TRAVEL

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": 10}
TIME: Schema = {"type": "string", "format": "date-time"}
COLOUR: Schema = {"type": "string", "enum": ["red", "blue"]}
ONLY: Schema = {"type": "string", "const": "red"}
MAYBE: Schema = {"anyOf": [TEXT, {"type": "null"}], "default": None}
LIST: Schema = {"type": "array", "items": TEXT}
PAIR: Schema = {"type": "array", "prefixItems": [TEXT, NUMBER], "minItems": 2, "maxItems": 2}
MAP: Schema = {"type": "object", "additionalProperties": {"type": "number"}}
HOME: Schema = {"source": "/peerline/x", "topic": "peerline.x", "lane": "ordinary", "key": "case", "stop": False}


def one(field: Schema | None, *, needed: bool = True, **travel: object) -> Schema:
    """An event with one field, or with none."""
    fields = {} if field is None else {"field": field}
    return {
        TRAVEL: HOME | travel,
        "type": "object",
        "properties": {"id": TEXT} | fields,
        "required": ["id", *fields] if needed else ["id"],
    }


def within(part: Schema) -> Schema:
    """An event whose only field is a part of its own."""
    return one({"$ref": "#/$defs/Part"}) | {"$defs": {"Part": part}}


def part(fields: dict[str, Schema], *needed: str) -> Schema:
    return {"type": "object", "properties": fields, "required": list(needed)}


BROKEN: list[tuple[str, Schema, Schema, str]] = [
    ("removed", one(TEXT), one(None), "field: the field is gone"),
    ("removed though optional", one(MAYBE, needed=False), one(None), "field: the field is gone"),
    ("new and required", one(None), one(TEXT), "field: a new field is required"),
    ("optional becomes required", one(TEXT, needed=False), one(TEXT), "field: was optional and is required"),
    ("required becomes optional", one(TEXT), one(TEXT, needed=False), "field: was required and is optional"),
    ("another type", one(TEXT), one({"type": "integer"}), "field: type was string and is integer"),
    ("a wider type", one({"type": "integer"}), one({"type": "number"}), "field: type was integer and is number"),
    ("null allowed", one(TEXT), one({"anyOf": MAYBE["anyOf"]}), "field: may be null; older consumers"),
    ("null forbidden", one({"anyOf": MAYBE["anyOf"]}), one(TEXT), "field: may be null no more"),
    ("a further type", one(TEXT), one({"anyOf": [TEXT, NUMBER]}), "field: was one of 1 types and is one of 2"),
    ("another type in a choice", one(MAYBE), one({**MAYBE, "anyOf": [TIME, {"type": "null"}]}), "field: format was"),
    ("a value gone", one(COLOUR), one({**COLOUR, "enum": ["red"]}), "field: the value blue is gone"),
    ("a value more", one(COLOUR), one({**COLOUR, "enum": ["red", "blue", "green"]}), "field: the value green is new"),
    ("a second value", one(ONLY), one(COLOUR), "field: the value blue is new"),
    ("any value", one(COLOUR), one(TEXT), "field: a list of values came or went"),
    ("a list of values", one(TEXT), one(COLOUR), "field: a list of values came or went"),
    ("a format", one(TEXT), one(TIME), "field: format was not set and is date-time"),
    ("no format", one(TIME), one(TEXT), "field: format was date-time and is not set"),
    ("a higher minimum", one(NUMBER), one({**NUMBER, "minimum": 2}), "field: minimum was 1 and is 2"),
    ("a higher maximum", one(NUMBER), one({**NUMBER, "maximum": 11}), "field: maximum was 10 and is 11"),
    ("no maximum", one(NUMBER), one({"type": "integer", "minimum": 1}), "field: maximum was 10 and is not set"),
    ("a length", one(TEXT), one({**TEXT, "maxLength": 9}), "field: maxLength was not set and is 9"),
    ("a pattern", one(TEXT), one({**TEXT, "pattern": "^a"}), "field: pattern was not set and is ^a"),
    ("fewer elements", one(LIST), one({**LIST, "maxItems": 3}), "field: maxItems was not set and is 3"),
    ("other elements", one(LIST), one({**LIST, "items": TIME}), "field[]: format was not set"),
    ("any elements", one(LIST), one({"type": "array"}), "field: other elements"),
    ("a longer tuple", one(PAIR), one({**PAIR, "prefixItems": [TEXT, NUMBER, TEXT]}), "field: had 2 fixed elements"),
    ("other in a tuple", one(PAIR), one({**PAIR, "prefixItems": [TEXT, {**NUMBER, "maximum": 9}]}),
     "field[1]: maximum was 10"),
    ("other in a map", one(MAP), one({**MAP, "additionalProperties": TEXT}), "field.*: type was number"),
    ("a closed object", one(TEXT), one(TEXT) | {"additionalProperties": False}, "other rules for unknown fields"),
    ("another default", one({**TEXT, "default": "a"}, needed=False), one({**TEXT, "default": "b"}, needed=False),
     "field: another default"),
    ("no default", one({**TEXT, "default": "a"}, needed=False), one(TEXT, needed=False), "field: another default"),
    ("a keyword that nobody knows", one(TEXT), one({**TEXT, "contentEncoding": "x"}), "field: contentEncoding was not"),
    ("a part loses a field", within(part({"a": TEXT})), within(part({})), "field.a: the field is gone"),
    ("a part needs more", within(part({})), within(part({"a": TEXT}, "a")), "field.a: a new field is required"),
    ("a part's default", one({**MAP, "default": {"a": 1}}, needed=False),
     one({**MAP, "default": {"a": 2}}, needed=False), "field: another default"),
    ("another topic", one(TEXT), one(TEXT, topic="peerline.y"), "its topic was peerline.x and is peerline.y"),
    ("another key", one(TEXT), one(TEXT, key="subject"), "its key was case and is subject"),
    ("a stop event now", one(TEXT), one(TEXT, stop=True), "whether it is a stop event was False and is True"),
    ("another lane", one(TEXT), one(TEXT, lane="crisis"), "its lane was ordinary and is crisis"),
    ("another sender", one(TEXT), one(TEXT, source="/peerline/y"), "its source was /peerline/x and is /peerline/y"),
]  # fmt: skip

FINE: list[tuple[str, Schema, Schema]] = [
    ("the same", one(TEXT), one(TEXT)),
    ("a new field with a default", one(None), one({**TEXT, "default": ""}, needed=False)),
    ("a new field that may be null", one(None), one(MAYBE, needed=False)),
    ("a part gains one", within(part({})), within(part({"a": {**TEXT, "default": ""}}))),
    ("words about it", one(TEXT), one({**TEXT, "description": "What it is."}) | {"title": "x", "description": "y"}),
    ("another order of fields", part({"a": TEXT, "b": TEXT}) | {TRAVEL: HOME},
     part({"b": TEXT, "a": TEXT}) | {TRAVEL: HOME}),
    ("another order of values", one(COLOUR), one({**COLOUR, "enum": ["blue", "red"]})),
    ("a part by another name", within(part({"a": TEXT})),
     one({"$ref": "#/$defs/Other"}) | {"$defs": {"Other": part({"a": TEXT})}}),
    ("a part's default gains a field", one({**MAP, "default": {"a": 1}}, needed=False),
     one({**MAP, "default": {"a": 1, "b": 2}}, needed=False)),
    ("read as the next version", one(TEXT), one(TEXT, read_as="x.v2")),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_this_would_break_somebody_and_is_told_once_with_its_place(old: Schema, new: Schema, said: str) -> None:
    [told] = broken(old, new)
    assert str(told).startswith(said)


@pytest.mark.parametrize(("old", "new"), [row[1:] for row in FINE], ids=[row[0] for row in FINE])
def test_this_breaks_nobody(old: Schema, new: Schema) -> None:
    assert broken(old, new) == []


def test_a_part_that_holds_itself_is_compared_once() -> None:
    deep = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Part"}}, "required": []}
    assert broken(within(deep), within(deep)) == []


def test_a_new_version_may_have_other_fields_and_no_other_topic() -> None:
    assert moved(one(TEXT), one(NUMBER)) == []
    assert [str(rule) for rule in moved(one(TEXT), one(TEXT, topic="peerline.y"))] == [
        "its topic was peerline.x and is peerline.y"
    ]


FIRST, SECOND = one(TEXT, read_as="x.said.v2"), one(NUMBER)


@pytest.mark.parametrize(
    ("schemas", "said"),
    [
        ({"x.said.v1": SECOND}, []),
        ({"x.said.v1": FIRST, "x.said.v2": SECOND}, []),
        ({"x.said.v1": FIRST}, ["x.said.v1: is read as x.said.v2, which there is not"]),
        ({"x.said.v1": one(TEXT), "x.said.v2": SECOND}, ["x.said.v1: x.said.v2 is there, so this goes to"]),
        ({"x.said.v2": SECOND}, ["x.said.v2: there is no v1 before it"]),
        ({"x.said.v1": FIRST, "x.said.v2": one(NUMBER, stop=True)}, ["x.said.v2: whether it is a stop event was"]),
    ],
)
def test_versions_follow_each_other_and_travel_alike(schemas: dict[str, Schema], said: list[str]) -> None:
    found = list(strays(schemas))
    assert [line[: len(start)] for line, start in zip(found, said, strict=True)] == said
