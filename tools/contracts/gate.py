"""`python -m tools.contracts.gate [write]`: the events alone, their schemas and their golden samples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.contracts import index, published, samples
from tools.contracts.parts import Documents, Part, run
from tools.contracts.schemas import event_schemas
from tools.lint.tree import ROOT, report


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


EVENTS = (Part(_events, _events_refused), Part(_samples, _samples_refused))

if __name__ == "__main__":
    report("events", run(ROOT, EVENTS, sys.argv[1:]))
