"""The list of destroyed keys as a file: what was written is read again, as far back as a backup can reach."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from uuid import uuid4

import pytest

from shared import clock
from shared.db import Transaction
from shared.forgetting import TIMER, Listing, read
from shared.timers import Fired
from shared.types import AgencyId, Lane
from shared.vault import Kind, Subject


def fired(one: Subject) -> Fired:
    now = clock.now()
    return Fired(uuid4(), one.agency_id, Lane.BULK, TIMER[one.kind], one.agency_id, one.subject_id, 0, now, 1, 1, None)


def subject(kind: Kind = "case") -> Subject:
    return Subject(AgencyId(uuid4()), kind, uuid4())


async def written(path: Path | None, *subjects: Subject) -> None:
    # The list is outside of the database: what writes it asks nothing of it.
    await Listing(path).fire(Transaction(None, frozenset()), [fired(one) for one in subjects])  # type: ignore[arg-type]


async def test_what_was_written_is_read_again_once(tmp_path: Path) -> None:
    path, one, other = tmp_path / "destroyed", subject(), subject("consult")
    await written(path, one, other)
    await written(path, other)
    assert read([path]) == [one, other]


async def test_a_torn_line_is_left_out_and_takes_no_other_with_it(tmp_path: Path) -> None:
    path, one, other = tmp_path / "destroyed", subject(), subject()
    await written(path, one)
    path.write_text(path.read_text() + path.read_text()[:40])
    assert read([path]) == [one]
    await written(path, other)
    assert read([path]) == [one, other]


def test_the_list_is_read_from_its_beginning_however_old_its_lines(tmp_path: Path) -> None:
    path, one = tmp_path / "destroyed", subject()
    path.write_text(f"2020-01-01 case {one.agency_id} {one.subject_id}\n")
    assert read([path]) == [one]


async def test_a_full_disk_is_an_error_and_the_line_is_written_when_there_is_room(tmp_path: Path) -> None:
    path, one, other = tmp_path / "destroyed", subject(), subject()
    await written(path, one)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            await written(path, other)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read([path]) == [one]
    await written(path, other)
    assert read([path]) == [one, other]


async def test_nothing_is_written_where_the_region_keeps_no_list(tmp_path: Path) -> None:
    await written(None, subject())
    assert not any(os.scandir(tmp_path))


async def test_a_list_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="destroyed"):
        await written(tmp_path / "nowhere" / "destroyed", subject())


async def test_only_its_owner_reads_the_list(tmp_path: Path) -> None:
    path = tmp_path / "destroyed"
    await written(path, subject())
    assert path.stat().st_mode & 0o077 == 0
