"""The list of destroyed keys as a file: what was written is read again, as far back as a backup can reach."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from shared import clock
from shared.db import Transaction
from shared.forgetting import KEPT, TIMER, Listing, read
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
    assert read([path], clock.now()) == [one, other]


async def test_a_line_older_than_any_backup_that_opens_and_a_torn_one_are_left_out(tmp_path: Path) -> None:
    path, one = tmp_path / "destroyed", subject()
    await written(path, one)
    path.write_text(path.read_text() + path.read_text()[:40])
    assert read([path], clock.now()) == [one]
    assert read([path], clock.now() + KEPT + timedelta(days=1)) == []


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
