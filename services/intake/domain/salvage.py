"""An emergency is taken as far as it can be read: what cannot be is left out, and named. Pure.

Source: trust 27, an emergency is accepted before anything else is right about it. What is left out is always the
smallest part: one name that cannot be read must not take away the bars of the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from pydantic_core import ErrorDetails

from shared.types import Relation, Urgency

Path = tuple[int | str, ...]
NEEDED = frozenset({"code_hash"})
"""Without it nobody could ever ask how it stands."""
DEFAULTS: Mapping[str, str] = {"relation": Relation.OFFICER}
"""What stands for a part that a request has to have, as on the emergency page."""


FORM = ("urgency", "code_hash", "relation", "language")
"""What is taken of a form."""
MOST_FIELDS = 100
_SCANNED = {
    "urgency": re.compile(r'"urgency"\s*:\s*"(\s*emergency\s*)"', re.IGNORECASE),
    "code_hash": re.compile(r'"code_hash"\s*:\s*"([A-Za-z0-9_-]{43})"'),
}
"""What is found in JSON that cannot be read whole: that it is an emergency, and how it can be asked about."""
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class LeftOut:
    """A part that was not taken: where it stood, and why, without its value."""

    path: Path
    code: str


@dataclass
class _Cuts:
    """What is to be cut out of a body: parts, and the ends of lists that are too long."""

    parts: set[Path] = field(default_factory=set)
    longest: dict[Path, int] = field(default_factory=dict)

    def applied(self, value: object, path: Path = ()) -> object:
        if isinstance(value, dict):
            kept = {name: one for name, one in value.items() if (*path, name) not in self.parts}
            return {name: self.applied(one, (*path, name)) for name, one in kept.items()}
        if isinstance(value, list):
            most = self.longest.get(path, len(value))
            return [self.applied(one, (*path, n)) for n, one in enumerate(value[:most]) if (*path, n) not in self.parts]
        return value


def emergency_in(raw: object) -> dict[str, Any] | None:
    """The body of an emergency; None for anything else.

    It is one in whatever form it came: as JSON without the header that says so, in the code page of Western Windows,
    as a form, or as JSON that nothing can read whole.
    """
    if isinstance(raw, bytes):
        raw = _read(raw)
    if not isinstance(raw, dict) or not isinstance(urgency := raw.get("urgency"), str):
        return None
    if urgency.strip().lower() != Urgency.EMERGENCY:
        return None
    # A name that is no text has no place that an error could tell.
    return {name: one for name, one in raw.items() if _is_text(name)} | {"urgency": Urgency.EMERGENCY.value}


def _is_text(name: object) -> bool:
    return isinstance(name, str) and not _SURROGATE.search(name)


def _read(body: bytes) -> object:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _of_form(text) or {name: found[1] for name, one in _SCANNED.items() if (found := one.search(text))}


def _of_form(text: str) -> dict[str, str]:
    try:
        fields = parse_qs(text, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    return {name: fields[name][-1] for name in FORM if name in fields}


def without(raw: Mapping[str, Any], errors: Sequence[ErrorDetails]) -> tuple[dict[str, Any], list[LeftOut]] | None:
    """The body without what these errors are about, and what that was; None when it cannot do without."""
    if any(not one["loc"] or one["loc"][0] in NEEDED for one in errors):
        return None
    cuts, left, added = _Cuts(), [], {}
    for path, code, most in _named(raw, errors):
        left.append(LeftOut(path, code))
        if most is not None:
            cuts.longest[path] = most
        elif path[0] in DEFAULTS and len(path) == 1:
            added[str(path[0])] = DEFAULTS[str(path[0])]
        else:
            cuts.parts.add(path)
    kept = cuts.applied(dict(raw))
    return {**(kept if isinstance(kept, dict) else {}), **added}, left


def _named(raw: Mapping[str, Any], errors: Sequence[ErrorDetails]) -> Iterable[tuple[Path, str, int | None]]:
    """Where and what of each error, and how much of a list may stay that is only too long."""
    for one in errors:
        path = one["loc"]
        if one["type"] == "also_wanted":
            stated = raw[str(path[0])]
            wanted = {*stated.get("require", ()), *stated.get("prefer", ())}
            yield from (((*path, n), one["type"], None) for n, word in enumerate(stated["avoid"]) if word in wanted)
            continue
        if one["type"] == "missing" and len(path) > 1:
            # Half a part is none.
            path = path[:-1]
        yield path, one["type"], _most(raw, path, one) if one["type"] == "too_long" else None


def _most(raw: Mapping[str, Any], path: Path, error: ErrorDetails) -> int | None:
    value: Any = raw
    for step in path:
        value = value[step]
    return int(error.get("ctx", {}).get("max_length", 0)) if isinstance(value, list) else None
