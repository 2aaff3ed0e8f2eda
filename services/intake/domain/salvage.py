"""An emergency is taken as far as it can be read: what cannot be is left out, and named. Pure.

Source: trust 27, an emergency is accepted before anything else is right about it. What is left out is always the
smallest part: one name that cannot be read must not take away the bars of the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import ErrorDetails

from shared.types import Relation, Urgency

Path = tuple[int | str, ...]
NEEDED = frozenset({"code_hash"})
"""Without it nobody could ever ask how it stands."""
DEFAULTS: Mapping[str, str] = {"relation": Relation.OFFICER}
"""What stands for a part that a request has to have, as on the emergency page."""


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
    """The body of an emergency, even when it came without the header that says it is JSON; None for anything else."""
    if isinstance(raw, bytes):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            return None
    if not isinstance(raw, dict) or not isinstance(urgency := raw.get("urgency"), str):
        return None
    return {**raw, "urgency": Urgency.EMERGENCY.value} if urgency.strip().lower() == Urgency.EMERGENCY else None


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
        if one["type"] == "missing" and len(path) > 1:
            # Half a part is none.
            path = path[:-1]
        yield path, one["type"], _most(raw, path, one) if one["type"] == "too_long" else None


def _most(raw: Mapping[str, Any], path: Path, error: ErrorDetails) -> int | None:
    value: Any = raw
    for step in path:
        value = value[step]
    return int(error.get("ctx", {}).get("max_length", 0)) if isinstance(value, list) else None
