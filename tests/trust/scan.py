"""Looks for planted texts in everything that is written down: files as bytes, in every shape in which a text hides."""

from __future__ import annotations

import base64
import errno
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from stat import S_ISLNK
from typing import BinaryIO
from urllib.parse import quote, quote_plus

_CHUNK = 1 << 22


def shapes(text: str) -> set[bytes]:
    """The bytes by which a text can be recognised.

    As it is, in small and in capital letters, UTF-16, hex, escaped as in JSON and in URLs, and base64 at each offset.
    What is compressed or encrypted is recognised by none of them.
    """
    plain = text.encode()
    found = {plain, text.lower().encode(), text.upper().encode(), text.encode("utf-16-le"), text.encode("utf-16-be")}
    found |= {plain.hex().encode(), plain.hex().upper().encode(), json.dumps(text)[1:-1].encode()}
    found |= {quote(text, safe="").encode(), quote_plus(text).encode(), text.encode("latin-1", "ignore")}
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + plain)
        # The first characters mix with what stands before the text, the last ones with what follows it.
        inner = coded[(0, 2, 3)[lead] + 0 :].rstrip(b"=")[:-1]
        found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return {shape for shape in found if len(shape) >= len(plain) // 2}


def files_of(*roots: Path, since: float = 0.0) -> Iterator[Path]:
    """Every regular file below these folders (or the files themselves) that was written to since that time.

    What vanishes meanwhile is left out.
    """
    for root in roots:
        if root.is_file():
            yield root
        for folder, _, names in os.walk(root):
            yield from (path for path in (Path(folder, name) for name in names) if _written(path, since))


def _written(path: Path, since: float) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return not S_ISLNK(found.st_mode) and found.st_mtime >= since


def found_in_files(
    roots: Iterable[Path], texts: Mapping[str, str], *, stems: Sequence[str] = (), since: float = 0.0
) -> set[str]:
    """The names of those texts that stand in any file written to since that time.

    `stems` are parts that many of the texts have in common: those are looked for first, which saves most of the time.
    """
    wanted = _Wanted(texts, stems)
    return {name for path in files_of(*roots, since=since) for name in _names_in(path, wanted)}


class _Wanted:
    """The shapes of texts, in groups of which each is looked at only where its stem was seen."""

    def __init__(self, texts: Mapping[str, str], stems: Sequence[str]) -> None:
        self.overlap = max((len(shape) for text in texts.values() for shape in shapes(text)), default=1) - 1
        of_stem = {stem: {name: text for name, text in texts.items() if stem in text} for stem in stems}
        covered = {name for group in of_stem.values() for name in group}
        self._groups = [(shapes(stem), _pairs(group)) for stem, group in of_stem.items() if group]
        self._single = _pairs({name: text for name, text in texts.items() if name not in covered})

    def names_in(self, block: bytes) -> set[str]:
        found = {name for name, shape in self._single if shape in block}
        for stem, pairs in self._groups:
            if any(shape in block for shape in stem):
                found |= {name for name, shape in pairs if shape in block}
        return found


def _pairs(texts: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, shape) for name, text in texts.items() for shape in shapes(text)]


def _names_in(path: Path, wanted: _Wanted) -> set[str]:
    names: set[str] = set()
    tail = b""
    try:
        with path.open("rb") as file:
            for chunk in _chunks(file):
                block = tail + chunk
                names |= wanted.names_in(block)
                tail = block[-wanted.overlap :] if wanted.overlap else b""
    except (FileNotFoundError, NotADirectoryError):
        # A database removes and renames files while it works.
        return names
    return names


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """What was written to a file. Kafka reserves files in advance: a hole in one is not read through."""
    position = 0
    while True:
        try:
            position = os.lseek(file.fileno(), position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            file.seek(position)
        chunk = os.read(file.fileno(), _CHUNK)
        if not chunk:
            return
        position += len(chunk)
        if chunk.count(0) < len(chunk):
            yield chunk


def found_in_text(body: str, texts: Mapping[str, str]) -> set[str]:
    """Which of the named texts stand in a text."""
    raw = body.encode()
    return {name for name, text in texts.items() if any(shape in raw for shape in shapes(text))}


def found_number(body: str, number: str) -> bool:
    """Whether a short number such as a PIN stands in a text by itself: not inside an id, a hash, a time or a span."""
    return re.search(rf'(?<!"duration":)(?<![0-9A-Fa-f.]){number}(?![0-9A-Fa-f])', body) is not None
