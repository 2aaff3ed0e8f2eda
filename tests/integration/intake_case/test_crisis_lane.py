"""An emergency waits for nobody: not even when every ordinary connection is taken."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from tests.harness.databases import TestDatabase
from tests.integration.intake_case import front as fronts

ORDINARY = 4
"""Connections of the pool that `TestDatabase.opened` opens."""


async def test_an_emergency_is_taken_while_every_ordinary_connection_is_busy(
    database: TestDatabase, tmp_path: Path
) -> None:
    async with fronts.opened(database, tmp_path) as front, AsyncExitStack() as busy:
        for _ in range(ORDINARY):
            await busy.enter_async_context(front.db.transaction({front.agency.agency_id}))
        answer = await front.ask(front.code(), urgency="emergency")

        assert answer.status == 201
