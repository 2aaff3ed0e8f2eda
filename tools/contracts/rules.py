"""What may not change in a published version of an event, and why.

Both directions count. A newer release reads what an older one wrote: it lies in Kafka for a week, in parked records
and in a compacted topic for longer. And in a rolling upgrade an older release reads what a newer one writes. Unknown
fields are ignored on both sides and left-out ones take their default; nothing else bends. So a version may gain a
field that has a default, and its descriptions may change. All else is a new version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.contracts.schemas import TRAVEL, Schema

ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "$comment", "title", "description", "examples", TRAVEL})
STRUCTURE = frozenset({"$ref", "properties", "required", "enum", "const", "anyOf", "items", "prefixItems", "default"})
NAMES = {"stop": "whether it is a stop event", "key": "its key", "topic": "its topic"}
ABSENT = object()


@dataclass(frozen=True)
class Broken:
    """One rule broken at one place: a path of fields such as `ask.policy.grace_s`, "" for the event itself."""

    place: str
    rule: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}" if self.place else self.rule


def broken(old: Schema, new: Schema) -> list[Broken]:
    """Every way in which `new` is not what consumers and producers of `old` have been told."""
    return [*_travel(old[TRAVEL], new[TRAVEL]), *_Comparison(old, new).shape(old, new, "")]


def moved(old: Schema, new: Schema) -> list[Broken]:
    """What a new version of an event may not change either: where it travels. Elsewhere it is another event."""
    return list(_travel(old[TRAVEL], new[TRAVEL]))


def _travel(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Broken]:
    for name in sorted((old.keys() | new.keys()) - {"read_as"}):
        if old.get(name) != new.get(name):
            yield Broken("", f"{NAMES.get(name, f'its {name}')} was {old.get(name)} and is {new.get(name)}")


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old_defs, self._new_defs = old.get("$defs", {}), new.get("$defs", {})
        self._seen: set[tuple[str, str]] = set()

    def shape(self, old: Schema, new: Schema, place: str) -> Iterator[Broken]:
        """Compare two schemas at one place, and everything below."""
        pair = (old.get("$ref", ""), new.get("$ref", ""))
        if all(pair) and pair in self._seen:
            return
        self._seen.add(pair)
        old, new = _resolved(old, self._old_defs), _resolved(new, self._new_defs)
        if "anyOf" in old or "anyOf" in new:
            yield from self._choices(old, new, place)
            return
        yield from _values(old, new, place)
        yield from self._fields(old, new, place)
        yield from self._elements(old, new, place)
        yield from _keywords(old, new, place)

    def _fields(self, old: Schema, new: Schema, place: str) -> Iterator[Broken]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
        for name in before:
            here = f"{place}.{name}" if place else name
            if name not in after:
                yield Broken(here, "the field is gone or renamed; who reads it finds nothing or a default")
                continue
            if name in needed_after - needed_before:
                yield Broken(here, "was optional and is required; older records do not have it")
            if name in needed_before - needed_after:
                yield Broken(here, "was required and is optional; older consumers refuse records without it")
            elif not _same_default(before[name], after[name]):
                yield Broken(here, "another default; older records that leave it out would mean something else")
            yield from self.shape(before[name], after[name], here)
        for name in after.keys() - before.keys():
            if name in needed_after:
                here = f"{place}.{name}" if place else name
                yield Broken(here, "a new field is required; older records do not have it")

    def _choices(self, old: Schema, new: Schema, place: str) -> Iterator[Broken]:
        before, after = _branches(old), _branches(new)
        if (nullable := _NULL in before) != (_NULL in after):
            rule = "may be null no more; older records are" if nullable else "may be null; older consumers refuse that"
            yield Broken(place, rule)
        ours, theirs = [one for one in before if one != _NULL], [one for one in after if one != _NULL]
        if len(ours) != len(theirs):
            yield Broken(place, f"was one of {len(ours)} types and is one of {len(theirs)}")
            return
        for left, right in zip(ours, theirs, strict=True):
            yield from self.shape(left, right, place)

    def _elements(self, old: Schema, new: Schema, place: str) -> Iterator[Broken]:
        if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
            yield from self.shape(old["items"], new["items"], f"{place}[]")
        elif old.get("items") != new.get("items"):
            yield Broken(place, "other elements")
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        if len(before) != len(after):
            yield Broken(place, f"had {len(before)} fixed elements and has {len(after)}")
        for number, (left, right) in enumerate(zip(before, after, strict=False)):
            yield from self.shape(left, right, f"{place}[{number}]")
        left, right = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if isinstance(left, dict) and isinstance(right, dict):
            yield from self.shape(left, right, f"{place}.*")
        elif left != right:
            yield Broken(place, "other rules for unknown fields; they are ignored, so that a version can gain one")


_NULL: Schema = {"type": "null"}


def _same_default(old: Schema, new: Schema) -> bool:
    """A default that is an object grows with its fields."""
    before, after = old.get("default", ABSENT), new.get("default", ABSENT)
    if isinstance(before, dict) and isinstance(after, dict):
        return all(name in after and after[name] == value for name, value in before.items())
    return bool(before == after)


def _branches(schema: Schema) -> list[Schema]:
    found: list[Schema] = schema.get("anyOf", [schema])
    return found


def _resolved(schema: Schema, defs: Mapping[str, Schema]) -> Schema:
    if "$ref" not in schema:
        return schema
    beside = {name: value for name, value in schema.items() if name != "$ref"}
    return _resolved(defs[schema["$ref"].rpartition("/")[2]], defs) | beside


def _values(old: Schema, new: Schema, place: str) -> Iterator[Broken]:
    before, after = _enumerated(old), _enumerated(new)
    if (before is None) != (after is None):
        yield Broken(place, "a list of values came or went")
        return
    for value in sorted(set(before or ()) - set(after or ())):
        yield Broken(place, f"the value {value} is gone; older records have it")
    for value in sorted(set(after or ()) - set(before or ())):
        yield Broken(place, f"the value {value} is new; older consumers refuse it")


def _enumerated(schema: Schema) -> list[str] | None:
    values: list[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if values is None else [str(value) for value in values]


def _keywords(old: Schema, new: Schema, place: str) -> Iterator[Broken]:
    """Types, formats, limits, and any keyword that no rule above knows: what cannot be judged is refused."""
    judged = ANNOTATIONS | STRUCTURE | {"additionalProperties"}
    for name in sorted((old.keys() | new.keys()) - judged):
        if old.get(name, ABSENT) != new.get(name, ABSENT):
            yield Broken(place, f"{name} was {old.get(name, 'not set')} and is {new.get(name, 'not set')}")
