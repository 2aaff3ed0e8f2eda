"""notify, driven step by step, with a mail server of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.harness.databases import TestDatabase
from tests.integration.notify.stand import Stand, standing


@pytest_asyncio.fixture
async def stand(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(database, tmp_path) as opened:
        yield opened
