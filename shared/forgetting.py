"""Destroyed keys stay destroyed: each is also written down outside of the database, where no backup brings it back.

The list is a file that only grows: a line for each key, with the day on which it was destroyed (in a small agency a
time could name a person), its kind, agency and subject, all of them random ids. A timer set in the transaction that
destroys a key writes its line, so a process that dies in between loses none. A database that was restored from a
backup is told the list again before anything else.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import get_args
from uuid import UUID

from shared import clock, timers, vault
from shared.db import Transaction
from shared.timers import Due, Fired
from shared.types import AgencyId, Lane
from shared.vault import Kind, Subject

TIMER: dict[Kind, str] = {kind: f"forget_{kind}" for kind in get_args(Kind)}
"""The kinds of the timers that write a line."""


async def destroy(tx: Transaction, kind: Kind, subjects: Collection[UUID]) -> set[UUID]:
    """As `vault.destroy`, and each one is written down outside in a moment. Returns the destroyed ones."""
    destroyed = await vault.destroy(tx, kind, subjects)
    if destroyed:
        now = await tx.now()
        # The key of the timer is the agency: no case's, whose timers go when it is purged.
        await timers.schedule(
            tx, [Due(one.agency_id, Lane.BULK, TIMER[kind], one.agency_id, one.subject_id, 0, now) for one in destroyed]
        )
    return {one.subject_id for one in destroyed}


class Listing:
    """What the timers do: write to the list, or nothing where the region keeps none."""

    def __init__(self, path: Path | None) -> None:
        """`path` of the file; its folder is there."""
        self._path = path

    async def fire(self, tx: Transaction, fired: Sequence[Fired]) -> None:
        """Write these down; when this returns the disk has them. Raises OSError: then they are tried again."""
        del tx
        if self._path is not None and fired:
            kinds = {timer: kind for kind, timer in TIMER.items()}
            day = clock.now().date()
            lines = [f"{day} {kinds[one.kind]} {one.agency_id} {one.subject_id}\n" for one in fired]
            await asyncio.to_thread(_append, self._path, "".join(lines))


def _append(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # Several processes may append to the same file. What a full disk has torn must not swallow the next line.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        left = (b"\n" if torn else b"") + text.encode()
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(paths: Iterable[Path]) -> list[Subject]:
    """Whose keys these lists say are destroyed, from their beginning. A torn line is left out.

    Raises OSError for a list that cannot be read.
    """
    found = dict[Subject, None]()
    for path in paths:
        for line in path.read_text().splitlines():
            one = _subject(line.split())
            if one is not None:
                found[one] = None
    return list(found)


def _subject(words: Sequence[str]) -> Subject | None:
    try:
        day, kind, agency, subject = words
        known = next(one for one in get_args(Kind) if one == kind)
        date.fromisoformat(day)
        return Subject(AgencyId(UUID(agency)), known, UUID(subject))
    except (ValueError, StopIteration):
        return None
