"""`python -m tools.contracts [write] [part ...]`: whether what is published is what the code says, or publish it.

Parts: events (schemas and their index), samples (the list of golden samples), asyncapi and openapi (with their
linters). What would break a published version is never written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.contracts import index, published, samples
from tools.contracts.schemas import event_schemas
from tools.lint.tree import ROOT, report

Documents = Mapping[Path, str]


@dataclass(frozen=True)
class Part:
    """One kind of contract: what forbids it, and its files by their place in the checkout."""

    refused: Callable[[Path], Iterator[str]]
    documents: Callable[[Path], Documents]


def _events_refused(root: Path) -> Iterator[str]:
    schemas = event_schemas()
    yield from published.refusals(published.committed(root), schemas)
    yield from published.strays(schemas)


def _events(root: Path) -> Documents:
    del root
    return published.documents() | {published.FOLDER / "README.md": index.page(event_schemas())}


def _samples_refused(root: Path) -> Iterator[str]:
    yield from samples.refusals(samples.listed(root), samples.present(root))


def _samples(root: Path) -> Documents:
    return {samples.LIST: samples.document(samples.listed(root), samples.present(root))}


PARTS: Mapping[str, Part] = {
    "events": Part(_events_refused, _events),
    "samples": Part(_samples_refused, _samples),
}


def drift(root: Path, documents: Documents) -> Iterator[str]:
    """Files that are not what the code says."""
    for place, text in documents.items():
        path = root / place
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield f"{place}: is not what the code says; run `.venv/bin/python -m tools.contracts write`"


def main(words: Sequence[str]) -> Iterator[str]:
    """Check or write; yields what is wrong."""
    chosen = [PARTS[word] for word in words if word != "write"] or list(PARTS.values())
    for part in chosen:
        refused = list(part.refused(ROOT))
        yield from refused
        documents = part.documents(ROOT)
        if "write" not in words:
            yield from drift(ROOT, documents) if not refused else ()
        elif not refused:
            for place, text in documents.items():
                (ROOT / place).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / place).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    report("contracts", main(sys.argv[1:]))
