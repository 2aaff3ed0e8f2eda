"""The gate: what is committed in `docs/events` is published, and the code may not break it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.contracts.rules import broken, moved
from tools.contracts.schemas import TRAVEL, Schema, event_schemas, following, name_and_version

FOLDER = Path("docs/events")


def committed(root: Path) -> dict[str, Schema]:
    """The published schemas of a checkout, by type name."""
    return {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in (root / FOLDER).glob("*.json")}


def refusals(old: Mapping[str, Schema], new: Mapping[str, Schema]) -> Iterator[str]:
    """What the published schemas forbid of the new ones: one sentence each, with event, field and rule."""
    for kind in sorted(old):
        if kind not in new:
            yield f"{kind}: it is published and no model reads it any more; {_advice_for_gone(kind, new)}"
            continue
        for one in broken(old[kind], new[kind]):
            yield f"{kind}: {one}. {_advice(kind)}"


def strays(schemas: Mapping[str, Schema]) -> Iterator[str]:
    """Versions that do not follow each other: each but the newest is read as the next, and all travel alike."""
    for kind, schema in sorted(schemas.items()):
        name, version = name_and_version(kind)
        after, earlier = schemas.get(following(kind)), "read_as" in schema[TRAVEL]
        if earlier and after is None:
            yield f"{kind}: is read as {following(kind)}, which there is not"
        if not earlier and after is not None:
            yield f"{kind}: {following(kind)} is there, so this goes to shared/events/earlier.py {_step(kind)}"
        if after is not None:
            yield from (f"{following(kind)}: {one}; elsewhere it is another event" for one in moved(schema, after))
        if version > 1 and f"{name}.v{version - 1}" not in schemas:
            yield f"{kind}: there is no v{version - 1} before it; versions are counted from v1"


def documents() -> dict[Path, str]:
    """The schema files as the code says them, by their place in the checkout."""
    return {FOLDER / f"{kind}.json": as_text(schema) for kind, schema in event_schemas().items()}


def as_text(document: object) -> str:
    """A document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _step(kind: str) -> str:
    _, version = name_and_version(kind)
    return f"with a pure v{version}_to_v{version + 1}"


def _advice(kind: str) -> str:
    return f"Leave this version as it is and make {following(kind)} {_step(kind)} (docs/architecture/contracts.md)."


def _advice_for_gone(kind: str, new: Mapping[str, Schema]) -> str:
    if following(kind) in new:
        return f"keep its model in shared/events/earlier.py {_step(kind)}."
    return "records of it may be about for 14 days after its last producer."
