"""The file of heads: what is appended, and that no line of it can be forged, changed, moved or taken out unseen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from shared import heads
from shared.chain import Head
from shared.heads import BadAnchor

KEY, AT, AGENCY = b"k" * 32, datetime(2026, 7, 1, 12, tzinfo=UTC), UUID(int=7)


def at_seq(seq: int, service: str = "intake") -> heads.Heads:
    return {service: {AGENCY: Head(seq, bytes([seq]) * 32)}}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "heads.jsonl"
    for seq in (1, 2, 3):
        assert heads.keep(path, at_seq(seq), KEY, AT) == 1
    return path


def test_what_is_appended_is_read_again_and_only_heads_that_moved_are(file: Path) -> None:
    kept = heads.read(file, KEY)
    assert kept.of("intake") == {AGENCY: {seq: bytes([seq]) * 32 for seq in (1, 2, 3)}}
    assert (kept.lines, kept.newest, kept.forged, kept.of("notify")) == (3, AT, [], {})
    assert heads.keep(file, at_seq(3), KEY, AT) == 0
    assert heads.keep(file, {**at_seq(3), **at_seq(1, "notify")}, KEY, AT) == 1


def test_a_chain_that_was_written_anew_is_appended_once_and_what_was_there_first_stays(file: Path) -> None:
    anew = {"intake": {AGENCY: Head(2, b"x" * 32)}}
    assert (heads.keep(file, anew, KEY, AT), heads.keep(file, anew, KEY, AT)) == (1, 0)
    assert heads.read(file, KEY).of("intake")[AGENCY][2] == bytes([2]) * 32


def test_the_file_is_its_owners_alone(file: Path) -> None:
    assert file.stat().st_mode & 0o077 == 0


def changed(lines: list[str]) -> list[str]:
    return [lines[0], json.dumps(json.loads(lines[1]) | {"hash": "00" * 32}), lines[2]]


def taken_out(lines: list[str]) -> list[str]:
    return [lines[0], lines[2]]


def moved(lines: list[str]) -> list[str]:
    return [lines[1], lines[0], lines[2]]


def spoilt(lines: list[str]) -> list[str]:
    return [lines[0], "{not json", lines[2]]


@pytest.mark.parametrize(("tamper", "forged"), [(changed, [2]), (taken_out, [2]), (moved, [1, 2, 3]), (spoilt, [3])])
def test_a_line_that_is_not_what_was_written_there_is_told(file: Path, tamper: object, forged: list[int]) -> None:
    assert callable(tamper)
    file.write_text("\n".join(tamper(file.read_text().splitlines())) + "\n")
    assert heads.read(file, KEY).forged == forged


def test_a_file_that_was_written_with_another_key_holds_nothing_that_is_believed(file: Path) -> None:
    kept = heads.read(file, b"x" * 32)
    assert (kept.forged, kept.of("intake")) == ([1, 2, 3], {})


def test_a_line_that_was_not_finished_forges_nothing_and_the_next_one_is_a_line(file: Path) -> None:
    file.write_text(file.read_text() + '{"at": "20')
    assert heads.keep(file, at_seq(4), KEY, AT) == 1
    kept = heads.read(file, KEY)
    assert (kept.lines, kept.forged) == (4, [])


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(BadAnchor):
        heads.read(tmp_path / "binary", KEY)
    with pytest.raises(BadAnchor):
        heads.keep(tmp_path / "nowhere" / "file", at_seq(1), KEY, AT)
    assert heads.read(tmp_path / "new", KEY).lines == 0
