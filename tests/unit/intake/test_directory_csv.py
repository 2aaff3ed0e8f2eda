"""Directories as spreadsheets write them."""

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.csvfile import COLUMNS, BadFile, read_csv
from services.intake.domain.upload import MAX_PEOPLE

HEADER = "person_ref;role;name;unit"


def codes(error: BadFile) -> set[tuple[str, str]]:
    return {(one.pointer, one.code) for one in error.problems}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_every_dialect_of_a_spreadsheet_is_read(separator: str, encoding: str, newline: str) -> None:
    lines = [["person_ref", "role", "name"], ["P1", "peer", "Peña"], ["P2", "member", "Zoë"]]
    content = newline.join(separator.join(line) for line in lines).encode(encoding)
    assert [(one.row, one.cells["name"]) for one in read_csv(content)] == [(2, "Peña"), (3, "Zoë")]


def test_quotes_keep_separators_newlines_and_quotes_inside_a_cell() -> None:
    content = f'{HEADER}\r\nP1;peer;"Reyes; ""Ana""";"North\r\nSouth"\r\nP2;peer;Ben;\r\n'.encode()
    first, second = read_csv(content)
    assert (first.cells["name"], first.cells["unit"]) == ('Reyes; "Ana"', "North\r\nSouth")
    assert second.row == 3


def test_blank_lines_are_skipped_and_counted() -> None:
    content = f"\r\n;;;\r\n{HEADER}\r\n\r\n;;;\r\nP1;peer;Ana;\r\n".encode()
    assert [one.row for one in read_csv(content)] == [6]


def test_excels_own_line_about_the_separator_is_understood() -> None:
    content = b"sep=;\r\nperson_ref;role;name\r\nP1;peer;Reyes, Ana\r\n"
    assert [(one.row, one.cells["name"]) for one in read_csv(content)] == [(3, "Reyes, Ana")]


def test_header_names_are_found_in_any_case_and_with_blanks() -> None:
    content = b" Person Ref ;ROLE;Name;Designated-From;;\r\nP1;peer;Ana;3/14/2026;;\r\n"
    assert read_csv(content)[0].cells["designated_from"] == "3/14/2026"


def test_a_short_row_has_empty_cells_and_a_long_one_is_told() -> None:
    short, long = read_csv(f"{HEADER}\nP1;peer\nP2;peer;Ben;North;secret\n".encode())
    assert "name" not in short.cells
    assert not short.overflow
    assert long.overflow


def test_wrong_columns_are_named_by_place_and_never_quoted() -> None:
    with pytest.raises(BadFile) as caught:
        read_csv(b"person_ref;home address;role;role\nP1;x;peer;peer\n")
    assert codes(caught.value) == {
        ("/columns/1", "unknown-column"),
        ("/columns/3", "duplicate-column"),
        ("/columns/name", "missing-column"),
    }


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty"), (b"\r\n ; \r\n", "empty"), (b"person_ref\x81", "encoding"), (b"\xff\xfe\x00", "encoding")],
)
def test_what_is_no_table_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(BadFile) as caught:
        read_csv(content)
    assert ("", code) in codes(caught.value)


def test_a_quote_that_never_ends_swallows_nobody() -> None:
    with pytest.raises(BadFile) as caught:
        read_csv(f'{HEADER}\nP1;peer;"Ana;North\nP2;peer;Ben;South\n'.encode())
    assert codes(caught.value) == {("", "quoting")}
    assert caught.value.row == 2


# What a cell can hold in a spreadsheet: any text without NUL and surrogates.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=30)
ROWS = st.lists(st.tuples(*(CELLS for _ in COLUMNS)), max_size=8)


@given(ROWS, st.sampled_from(",;\t"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_whatever_a_spreadsheet_holds_comes_back(rows: list[tuple[str, ...]], separator: str, encoding: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *rows])
    read = read_csv(file.getvalue().encode(encoding))
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    assert [tuple(one.cells.values()) for one in read] == filled


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_but_parse_or_be_refused(content: bytes) -> None:
    with suppress(BadFile):
        assert all(one.row > 1 for one in read_csv(content))


def test_a_file_in_two_encodings_is_refused_and_not_guessed() -> None:
    with pytest.raises(BadFile) as caught:
        read_csv("person_ref,role,name\nP1,peer,Peña\n".encode() + "P2,peer,Zoë\n".encode("cp1252"))
    assert codes(caught.value) == {("", "encoding")}


def test_problems_name_the_row_that_the_spreadsheet_shows() -> None:
    with pytest.raises(BadFile) as quoting:
        read_csv(b'sep=;\r\nperson_ref;role;name\r\nP1;peer;"Ana\r\n')
    with pytest.raises(BadFile) as header:
        read_csv(b"sep=;\r\n;;\r\nperson_ref;home address;role\r\n")
    assert (quoting.value.row, header.value.row) == (3, 3)


def test_a_spreadsheet_may_hold_the_largest_directory() -> None:
    rows = b"".join(b"P%d,peer,Name %d\n" % (number, number) for number in range(MAX_PEOPLE))
    assert len(list(read_csv(b"person_ref,role,name\n" + rows))) == MAX_PEOPLE


def test_nothing_is_read_after_more_rows_than_any_directory_has() -> None:
    with pytest.raises(BadFile) as caught:
        read_csv(b"person_ref,role,name\n" + b"a\n" * 400_000 + b'"')
    assert codes(caught.value) == {("/people", "too-many")}
