"""A region with its services running, for tests of what must never be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.harness.region import Region
from tests.trust.town import Town


@pytest_asyncio.fixture
async def town(region: Region) -> AsyncIterator[Town]:
    made = Town(region)
    await made.start()
    yield made
