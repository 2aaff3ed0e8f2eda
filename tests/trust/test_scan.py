from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.trust.scan import found_in_files, found_in_text, found_number

PLANTED = {"name": "Quentin Zzyzx Hollenbeck"}


@pytest.mark.parametrize("lead", range(7))
def test_a_text_is_found_inside_base64_at_any_offset(lead: int) -> None:
    body = base64.b64encode(b"\x07" * lead + b'{"name": "Quentin Zzyzx Hollenbeck"}').decode()

    assert found_in_text(body, PLANTED) == {"name"}


def test_a_text_is_found_across_the_border_of_two_chunks(tmp_path: Path) -> None:
    file = tmp_path / "segment.log"
    file.write_bytes(b"\0" * ((1 << 22) - 9) + PLANTED["name"].encode() + b"\0" * 50)

    assert found_in_files([tmp_path], PLANTED) == {"name"}


@pytest.mark.parametrize("form", ["utf-16-le", "utf-8"])
def test_other_encodings_and_hex_are_found(tmp_path: Path, form: str) -> None:
    (tmp_path / "page").write_bytes(
        PLANTED["name"].encode(form).hex().encode() if form == "utf-8" else PLANTED["name"].encode(form)
    )

    assert found_in_files([tmp_path], PLANTED) == {"name"}


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"Quentin Zzyzx Hollenbac" * 100)

    assert not found_in_files([tmp_path], PLANTED)


def test_a_text_behind_a_hole_in_a_file_is_found_by_its_stem(tmp_path: Path) -> None:
    file = tmp_path / "sparse.index"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 26)
        sparse.seek(1 << 25)
        sparse.write(PLANTED["name"].encode())

    assert found_in_files([tmp_path], {**PLANTED, "other": "Quentin Zzyzx Smith"}, stems=["Zzyzx"]) == {"name"}


@pytest.mark.parametrize(
    "body",
    ["Zo\\u00eb Zzyzx", "Zo%C3%AB%20Zzyzx", "zoë zzyzx", "ZOË ZZYZX", "name=Zo%C3%AB+Zzyzx"],
)
def test_a_text_is_found_however_it_was_escaped(body: str) -> None:
    assert found_in_text(body, {"name": "Zoë Zzyzx"}) == {"name"}


@pytest.mark.parametrize(("body", "found"), [("pin=482913&", True), ("a482913b", False), ("12:00:00.482913+00", False)])
def test_a_number_is_found_where_it_stands_by_itself(body: str, found: bool) -> None:
    assert found_number(body, "482913") is found


def test_a_file_that_nobody_has_written_to_since_is_not_searched(tmp_path: Path) -> None:
    file = tmp_path / "old"
    file.write_text(PLANTED["name"])
    written = file.stat().st_mtime

    assert found_in_files([tmp_path], PLANTED, since=written) == {"name"}
    assert not found_in_files([tmp_path], PLANTED, since=written + 1)
