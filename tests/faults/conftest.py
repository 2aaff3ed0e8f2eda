"""One region for all tests of a module, as long as each leaves it at rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from tests.faults import stand as stands
from tests.faults.stand import Stand
from tests.harness.databases import Cluster
from tests.harness.topics import Pool


@dataclass
class Keeper:
    """Hands out the stand of the last test, or a new one when that test did not leave it at rest."""

    cluster: Cluster
    pool: Pool
    folders: pytest.TempPathFactory
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    present: Stand | None = None

    async def fit(self) -> Stand:
        if self.present is None or self.present.spoiled:
            await self.stack.aclose()
            opened = stands.opened(self.cluster, self.pool.taken(), self.folders.mktemp("region"))
            self.present = await self.stack.enter_async_context(opened)
        return self.present


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keeper(cluster: Cluster, pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Keeper]:
    keeper = Keeper(cluster, pool, tmp_path_factory)
    yield keeper
    await keeper.stack.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def stand(keeper: Keeper) -> AsyncIterator[Stand]:
    stand = await keeper.fit()
    # A test that fails before its end leaves it so.
    stand.spoiled = True
    yield stand
