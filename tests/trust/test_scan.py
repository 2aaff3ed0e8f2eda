from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.trust.scan import found_in_files, found_in_text

PLANTED = {"name": "Quentin Zzyzx Hollenbeck"}


@pytest.mark.parametrize("lead", range(7))
def test_a_text_is_found_inside_base64_at_any_offset(lead: int) -> None:
    body = base64.b64encode(b"\x07" * lead + b'{"name": "Quentin Zzyzx Hollenbeck"}').decode()

    assert found_in_text(body, PLANTED) == {"name"}


def test_a_text_is_found_across_the_border_of_two_chunks(tmp_path: Path) -> None:
    file = tmp_path / "segment.log"
    file.write_bytes(b"\0" * ((1 << 22) - 9) + PLANTED["name"].encode() + b"\0" * 50)

    assert found_in_files([tmp_path], PLANTED) == {("name", "segment.log")}


@pytest.mark.parametrize("form", ["utf-16-le", "utf-8"])
def test_other_encodings_and_hex_are_found(tmp_path: Path, form: str) -> None:
    (tmp_path / "page").write_bytes(
        PLANTED["name"].encode(form).hex().encode() if form == "utf-8" else PLANTED["name"].encode(form)
    )

    assert found_in_files([tmp_path], PLANTED) == {("name", "page")}


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"Quentin Zzyzx Hollenbac" * 100)

    assert not found_in_files([tmp_path], PLANTED)
