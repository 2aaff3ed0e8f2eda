"""Looks for planted texts in everything that is written down: files as bytes, in every shape in which a text hides."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

_CHUNK = 1 << 22


def shapes(text: str) -> set[bytes]:
    """The bytes by which a text can be recognised: UTF-8, UTF-16, hex, JSON-escaped, and base64 at each offset."""
    plain = text.encode()
    found = {plain, text.lower().encode(), text.encode("utf-16-le"), plain.hex().encode(), plain.hex().upper().encode()}
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + plain)
        # The first characters mix with what stands before the text, the last ones with what follows it.
        inner = coded[(0, 2, 3)[lead] + 0 :].rstrip(b"=")[:-1]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return {shape for shape in found if len(shape) >= len(plain) // 2}


def files_of(*roots: Path) -> Iterable[Path]:
    """Every regular file below these folders (or the files themselves)."""
    for root in roots:
        if root.is_file():
            yield root
        yield from (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def found_in_files(roots: Iterable[Path], texts: Mapping[str, str]) -> set[tuple[str, str]]:
    """Which of the named texts stand in which file: (name of the text, file name)."""
    wanted = [(name, shape) for name, text in texts.items() for shape in shapes(text)]
    overlap = max((len(shape) for _, shape in wanted), default=1) - 1
    return {(name, path.name) for path in files_of(*roots) for name in _names_in(path, wanted, overlap)}


def _names_in(path: Path, wanted: Iterable[tuple[str, bytes]], overlap: int) -> set[str]:
    names: set[str] = set()
    tail = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                block = tail + chunk
                names |= {name for name, shape in wanted if shape in block}
                tail = block[-overlap:] if overlap else b""
    except FileNotFoundError:
        # A database removes and renames files while it works.
        return names
    return names


def found_in_text(body: str, texts: Mapping[str, str]) -> set[str]:
    """Which of the named texts stand in a text."""
    raw = body.encode()
    return {name for name, text in texts.items() if any(shape in raw for shape in shapes(text))}
