"""A database that is down, or takes connections and says nothing: doors answer within seconds, and nothing hangs."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.harness.proxy import Proxy, between
from tests.harness.region import Region
from tests.harness.services import Service
from tests.harness.waiting import eventually

pytestmark = pytest.mark.engines
NOTHING_LISTENS = "9"
FEW_SECONDS = 8.0
BACK_WITHIN_S = 30.0
ASK = {"relation": "officer", "urgency": "emergency", "code_hash": secrets.token_urlsafe(32)}
REQUESTERS = (
    ("GET", "/v1/agencies/riverton", None),
    ("POST", "/v1/agencies/riverton/requests", ASK),
    ("GET", "/a/riverton", None),
    ("GET", "/v1/case", None),
)
MACHINES = (("GET", "/v1/agency", None),)


@pytest_asyncio.fixture
async def wire(region: Region) -> AsyncIterator[Proxy]:
    """In front of PostgreSQL; nothing passes at first."""
    async with between(region.endpoints.postgres_port, flowing=False) as proxy:
        yield proxy


async def started(region: Region, port: int | str, service: str = "intake") -> Service:
    """A service whose database is said to be at `port`; returns when its HTTP answers."""
    process = await region.start(service, env={"PEERLINE_DATABASE_PORT": str(port)}, ready=False)

    async def listens() -> bool:
        try:
            return await status(region, process, "/health/live") == 200
        except aiohttp.ClientConnectionError:
            return False

    await eventually(listens, 20)
    return process


async def status(region: Region, process: Service, path: str) -> int:
    async with region.http.get(f"{process.url}{path}") as answer:
        return answer.status


async def wrong(region: Region, process: Service) -> list[str]:
    """What is not as it should be while the database cannot be reached."""
    found = []
    for method, path, body in (*REQUESTERS, *MACHINES):
        limit = aiohttp.ClientTimeout(total=FEW_SECONDS)
        headers = {"Authorization": f"Bearer {secrets.token_urlsafe(32)}"}
        async with region.http.request(method, process.url + path, json=body, headers=headers, timeout=limit) as answer:
            text = await answer.text()
        said = answer.status, answer.headers.get("Retry-After", "").isdecimal(), "988" in text
        if said != (503, True, (method, path, body) not in MACHINES):
            found.append(f"{method} {path}: {said}")
    return found


async def test_without_a_database_every_door_is_open_and_says_so(region: Region) -> None:
    process = await started(region, NOTHING_LISTENS)
    assert await wrong(region, process) == []
    assert await status(region, process, "/health/ready") == 503
    assert await process.stop() == 0


async def test_a_silent_database_at_the_start_is_said_within_seconds_and_used_when_it_speaks(
    wire: Proxy, region: Region
) -> None:
    process = await started(region, wire.port)
    assert await wrong(region, process) == []
    assert await status(region, process, "/health/ready") == 503
    wire.flow()
    await process.ready(region.http, BACK_WITHIN_S)
    assert await status(region, process, "/v1/agencies/riverton") == 404


async def test_a_database_that_falls_silent_is_said_within_seconds_and_used_again(wire: Proxy, region: Region) -> None:
    wire.flow()
    process = await started(region, wire.port)
    await process.ready(region.http)
    assert await status(region, process, "/v1/agencies/riverton") == 404
    wire.silence()
    assert await wrong(region, process) == []
    assert (await status(region, process, "/health/live"), await status(region, process, "/health/ready")) == (200, 503)
    wire.flow()
    await process.ready(region.http, BACK_WITHIN_S)
    assert await status(region, process, "/v1/agencies/riverton") == 404


async def test_notifys_doors_do_not_hang_either(wire: Proxy, region: Region) -> None:
    wire.flow()
    process = await started(region, wire.port, "notify")
    await process.ready(region.http)
    link, limit = f"{process.url}/v/{secrets.token_urlsafe(24)}", aiohttp.ClientTimeout(total=FEW_SECONDS)
    async with region.http.get(link) as answer:
        nonce = re.findall(r'name="nonce" value="([^"]+)"', await answer.text())[0]
    wire.silence()
    form = {"nonce": nonce, "pin": "482913", "pin_again": "482913"}
    async with region.http.post(link, data=form, timeout=limit) as answer:
        assert (answer.status, answer.headers["Retry-After"].isdecimal()) == (503, True)


async def test_an_unsafe_login_is_named_as_soon_as_the_database_answers(wire: Proxy, region: Region) -> None:
    await (await region.sql()).execute("ALTER TABLE referral.cases OWNER TO referral_app")
    process = await started(region, wire.port, "referral")
    await eventually(lambda: "waiting for the database" in process.said(), 20)
    assert process.running
    wire.flow()
    assert await process.ended() != 0
    assert "UnsafeLogin: login referral_app owns cases" in process.said()
