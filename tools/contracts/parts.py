"""What one kind of contract consists of, and how its files are compared with the code or brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Documents = Mapping[Path, str]
"""Texts by their place in the checkout."""


@dataclass(frozen=True)
class Part:
    """One kind of contract: its files as the code says them, what forbids them, and what others find in them."""

    documents: Callable[[Path], Documents]
    refused: Callable[[Path], Iterator[str]] = lambda _: iter(())
    found: Callable[[Path, Sequence[Path]], Iterator[str]] = lambda _root, _files: iter(())


def drift(root: Path, documents: Documents) -> Iterator[str]:
    """Files that are not what the code says."""
    for place, text in documents.items():
        path = root / place
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield f"{place}: is not what the code says; run .venv/bin/python -m tools.contracts write"


def write(root: Path, documents: Documents) -> None:
    """Bring the files up to date."""
    for place, text in documents.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text, encoding="utf-8")


def run(root: Path, parts: Sequence[Part], words: Sequence[str]) -> Iterator[str]:
    """Compare, or with the word `write` bring up to date what nothing forbids; yields what is wrong."""
    for part in parts:
        refused = list(part.refused(root))
        yield from refused
        if refused:
            continue
        documents = part.documents(root)
        if "write" in words:
            write(root, documents)
        else:
            yield from drift(root, documents)
        yield from part.found(root, list(documents))
