"""A directory as a spreadsheet writes it: byte order marks, code pages, separators, quotes, blank lines. Pure."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from shared.errors import Problem

COLUMNS = (
    "person_ref",
    "role",
    "name",
    "unit",
    "supervisor_ref",
    "badge",
    "contact",
    "language",
    "attributes",
    "designated_from",
    "designated_to",
    "trained_until",
    "hours",
    "time_zone",
    "offers",
    "shows",
)
REQUIRED = ("person_ref", "role", "name")
"""Columns without which no row can be read; all others may be missing, which is the same as being empty."""

_SEPARATORS = (",", ";", "\t")
_SEP_LINE = re.compile(r"^\s*\"?sep=(?P<separator>[,;\t|])\"?\s*(\r\n|\r|\n)", re.IGNORECASE)
_MAX_FIELD = 10_000
MAX_ROWS = 55_000
"""Rows of a file, blank ones too: more than any directory has. Nothing after them is read."""


_UTF8_LETTER = re.compile(rb"[\xc3-\xc5][\x80-\xbf]")
"""An accented letter in UTF-8. In the code page of Western Windows it would be a capital before a sign: "Ã©"."""


class BadFile(ValueError):
    """The file as a whole cannot be read; `problems` say why, by column or by row."""

    def __init__(self, problems: Sequence[Problem], row: int | None = None) -> None:
        super().__init__("csv")
        self.problems, self.row = tuple(problems), row


@dataclass(frozen=True)
class Cells:
    """One filled row: its number as the spreadsheet shows it (the header is row 1), and its cells by column."""

    row: int
    cells: dict[str, str]
    overflow: bool = False


def text_of(content: bytes) -> str:
    """The file's text: UTF-8 with or without a mark, UTF-16 with one, else the code page of Western Windows.

    Raises `BadFile` for bytes that are none of these.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decoded(content, ("utf-16",))
    if content.startswith(codecs.BOM_UTF8):
        return _decoded(content, ("utf-8-sig",))
    try:
        return content.decode()
    except UnicodeDecodeError:
        if _UTF8_LETTER.search(content):
            # Beside a byte that is none: read as a code page, every other accented name would be kept wrong.
            raise BadFile([Problem("", "encoding")]) from None
    return _decoded(content, ("cp1252",))


def _decoded(content: bytes, encodings: Iterable[str]) -> str:
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFile([Problem("", "encoding")])


def read_csv(content: bytes) -> list[Cells]:
    """The filled rows of a file. Raises `BadFile` when header or quoting make no sense."""
    text = text_of(content)
    named = _SEP_LINE.match(text)
    first = 1
    if named:
        # Excel takes this line for itself, but counts it.
        text, first = text[named.end() :], 2
    records = _records(text, named["separator"] if named else None, first)
    header_at = next((at for at, record in enumerate(records) if _named(record)), None)
    if header_at is None:
        raise BadFile([Problem("", "empty")])
    columns = _columns(records[header_at], row=first + header_at)
    return [
        _cells(number, columns, record)
        for number, record in enumerate(records[header_at + 1 :], start=first + header_at + 1)
        if any(cell.strip() for cell in record)
    ]


def _records(text: str, separator: str | None, first: int) -> list[list[str]]:
    chosen = separator or max(_SEPARATORS, key=lambda one: _known_names(text, one))
    # Universal newlines inside quotes stay as they are: one record is one row of the spreadsheet.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=chosen, strict=True)
    records: list[list[str]] = []
    try:
        # Strict: a quote that never ends would swallow every row after it, and nobody would miss them.
        records.extend(islice(reader, MAX_ROWS + 1))
    except csv.Error:
        raise BadFile([Problem("", "quoting")], row=len(records) + first) from None
    if len(records) > MAX_ROWS:
        raise BadFile([Problem("/people", "too-many")])
    return records


def _known_names(text: str, separator: str) -> int:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = next((record for record in reader if _named(record)), [])
    except csv.Error:
        return 0
    return sum(_column(cell) in COLUMNS for cell in header)


def _named(record: Sequence[str]) -> bool:
    # A line of separators alone is blank, whichever of them this file uses.
    return any(cell.strip(" ,;\t") for cell in record)


def _column(cell: str) -> str:
    return re.sub(r"[\s_-]+", "_", cell.strip().lower())


def _columns(header: Sequence[str], *, row: int) -> list[str]:
    names = [_column(cell) for cell in header]
    while names and not names[-1]:
        names.pop()
    # What stands in a header is the caller's text too: an unknown column is told by its place.
    problems = [Problem(f"/columns/{at}", "unknown-column") for at, name in enumerate(names) if name not in COLUMNS]
    problems += [
        Problem(f"/columns/{at}", "duplicate-column")
        for at, name in enumerate(names)
        if name in COLUMNS and name in names[:at]
    ]
    problems += [Problem(f"/columns/{name}", "missing-column") for name in REQUIRED if name not in names]
    if problems:
        raise BadFile(problems, row=row)
    return names


def _cells(row: int, columns: Sequence[str], record: Sequence[str]) -> Cells:
    overflow = any(cell.strip() for cell in record[len(columns) :])
    too_long = any(len(cell) > _MAX_FIELD for cell in record)
    return Cells(row, dict(zip(columns, record, strict=False)), overflow or too_long)
