"""Golden samples (`tests/contract/golden`) are added to and never edited: a list of their hashes holds that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from shared.errors import UnknownEvent, Unprocessable
from shared.events import EARLIER, FACTS, decode

FOLDER = Path("tests/contract/golden")
LIST = Path("tests/contract/golden.sha256")


def listed(root: Path) -> dict[str, str]:
    """The hash of each sample that was ever committed, by file name, as `sha256sum` writes it."""
    path = root / LIST
    lines = path.read_text().splitlines() if path.is_file() else []
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def present(root: Path) -> dict[str, bytes]:
    """The samples of a checkout, by file name."""
    return {path.name: path.read_bytes() for path in sorted((root / FOLDER).glob("*.json"))}


def refusals(known: Mapping[str, str], found: Mapping[str, bytes]) -> Iterator[str]:
    """Samples that were edited or are gone, events without one, and samples that are not read any more."""
    for name, digest in sorted(known.items()):
        if name not in found:
            yield f"{name}: this golden sample was published and is gone; put it back"
        elif _digest(found[name]) != digest:
            further = f"{name.removesuffix('.json').partition('+')[0]}+N.json"
            yield f"{name}: this golden sample was edited; put it back and show new fields in {further}"
    kinds = {_kind(name) for name in found}
    for kind in sorted((FACTS.keys() | EARLIER.keys()) - kinds):
        yield f"{kind}: has no golden sample; put one into {FOLDER}"
    for name, text in sorted(found.items()):
        if (why := _unread(_kind(name), text)) is not None:
            yield f"{name}: this golden sample is not read any more ({why})"


def document(known: Mapping[str, str], found: Mapping[str, bytes]) -> str:
    """The list with what is new in it; what it knows stays."""
    digests = {name: _digest(text) for name, text in found.items()} | dict(known)
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def _kind(name: str) -> str:
    return name.removesuffix(".json").partition("+")[0]


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _unread(kind: str, text: bytes) -> str | None:
    body = json.dumps(json.loads(text)["body"]).encode()
    try:
        fact = decode(kind, body)
    except (UnknownEvent, Unprocessable) as error:
        return f"{type(error).__name__} {error}".strip()
    return None if fact.type in FACTS else f"it becomes {fact.type}, which no service knows"
