"""A real Chromium for the tests of pages: found on the machine, never downloaded."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserType, async_playwright

from tests.browser.tour import Tour, toured
from tests.browser.visitor import Chromium
from tests.harness import databases
from tests.harness import region as regions
from tests.harness.databases import Cluster
from tests.harness.topics import Pool

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    # A closed network refuses whatever a browser looks up on its own account.
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


Tours = dict[str, Tour]


def _found() -> str | None:
    named = [name for name in (os.environ.get("PEERLINE_CHROMIUM"), *NAMES) if name]
    return next((path for path in map(shutil.which, named) if path), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


async def _launched(kind: BrowserType, program: str) -> Chromium:
    # Root has no sandbox of its own to start one in.
    args = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return Chromium(await kind.launch(executable_path=program, args=args), os.environ.get("PEERLINE_SCREENSHOTS", ""))


@asynccontextmanager
async def _opened() -> AsyncIterator[Chromium]:
    program = _found()
    if program is None:
        if os.environ.get("PEERLINE_REQUIRE_BROWSER"):
            pytest.fail("PEERLINE_REQUIRE_BROWSER is set and no Chromium is on this machine")
        pytest.skip("no Chromium on this machine")
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("XDG_CONFIG_HOME", home)
        async with async_playwright() as playwright:
            opened = await _launched(playwright.chromium, program)
            try:
                yield opened
            finally:
                await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tours(cluster: Cluster, pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tours]:
    """One region and one browser for a whole module, with an agency for each language."""
    async with (
        _opened() as browser,
        databases.fresh(cluster) as database,
        pool.taken() as topics,
        regions.opened(database, topics, tmp_path_factory.mktemp("tour")) as region,
        toured(region, browser) as made,
    ):
        yield made


@pytest.fixture(params=["en", "es"])
def tour(request: pytest.FixtureRequest, tours: Tours) -> Tour:
    """The region for somebody who reads this language."""
    return tours[request.param]
