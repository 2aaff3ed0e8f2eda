"""How much and how often something may come in, and what goes out with every answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from shared.errors import Refused
from shared.http import foundation
from shared.http.limits import Throttle
from tests.unit.shared.asgi import call

KIB = 1024
LARGER = {"/large": 64 * KIB, "/of/*/large": 64 * KIB}


def application() -> FastAPI:
    app = FastAPI()

    @app.post("/small")
    @app.post("/large")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.post("/parsed")
    async def parsed(body: dict[str, str]) -> int:
        return len(body)

    @app.post("/swallows")
    async def swallows(request: Request) -> str:
        try:
            await request.body()
        except Exception:  # noqa: BLE001 - a careless handler
            return "fine"
        return "read"

    @app.get("/own")
    async def own() -> Response:
        return Response("x", headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "max-age=60"})

    foundation(app, resources=lambda _: [{"call": "988"}], larger_bodies=LARGER, https=True)
    return app


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/small", 32 * KIB, 200),
        ("/small", 32 * KIB + 1, 413),
        ("/large", 64 * KIB, 200),
        ("/large", 64 * KIB + 1, 413),
        ("/nowhere", 32 * KIB + 1, 413),
        ("/of/somebody/large", 64 * KIB, 404),
        ("/of/somebody/large", 64 * KIB + 1, 413),
        ("/of/somebody/else/large", 32 * KIB + 1, 413),
        ("/of/somebody/small", 32 * KIB + 1, 413),
    ],
)
async def test_a_declared_body_may_reach_its_limit_and_not_pass_it(path: str, size: int, status: int) -> None:
    answer = await call(application(), "POST", path, body=b"x" * size)
    assert answer.status == status


@pytest.mark.parametrize("path", ["/small", "/parsed", "/swallows"])
async def test_a_streamed_body_is_refused_when_it_passes_the_limit(path: str) -> None:
    answer = await call(application(), "POST", path, body=[b'"' + b"x" * KIB] * 33)
    assert (answer.status, answer.json["type"]) == (413, "/problems/body-too-large")
    assert answer.json["resources"] == [{"call": "988"}]
    assert answer.headers["connection"] == "close"


async def test_a_streamed_body_within_the_limit_passes() -> None:
    assert (await call(application(), "POST", "/small", body=[b"x" * KIB] * 32)).json == 32 * KIB


@pytest.mark.parametrize("declared", ["-1", "ten", "²", "9" * 5000])
async def test_a_senseless_length_is_refused(declared: str) -> None:
    answer = await call(application(), "POST", "/small", headers={"Content-Length": declared})
    assert answer.status in {400, 413}


async def test_every_answer_has_the_headers_of_the_house() -> None:
    headers = (await call(application(), "GET", "/nowhere")).headers
    assert headers["cache-control"] == "no-store"
    assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("no-referrer", "nosniff")
    assert headers["strict-transport-security"].startswith("max-age=")


async def test_a_route_may_have_headers_of_its_own() -> None:
    headers = (await call(application(), "GET", "/own")).headers
    assert (headers["content-security-policy"], headers["cache-control"]) == ("default-src 'self'", "max-age=60")


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        await server.shutdown()


async def test_a_real_server_refuses_a_chunked_flood_and_goes_on() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * KIB

    async with served(application()) as address, aiohttp.ClientSession() as session:
        async with session.post(f"{address}/small", data=chunks()) as refused:
            assert refused.status == 413
        async with session.post(f"{address}/small", data=b"xx") as fine:
            assert await fine.json() == 2


def test_a_burst_passes_and_the_next_one_waits() -> None:
    throttle = Throttle(60, 3)
    assert [throttle.take("a", 100.0) for _ in range(4)] == [None, None, None, 1]
    assert throttle.take("b", 100.0) is None


def test_tokens_come_back_with_time() -> None:
    throttle = Throttle(6, 1)
    assert throttle.take("a", 0.0) is None
    assert throttle.take("a", 5.0) == 5
    assert throttle.take("a", 10.0) is None


def test_a_clock_that_steps_back_gives_nothing() -> None:
    throttle = Throttle(60, 1)
    throttle.take("a", 100.0)
    assert [throttle.take("a", now) for now in (50.0, 99.0, 100.0)] == [1, 1, 1]
    assert throttle.take("a", 101.0) is None


def test_memory_is_bounded_and_the_busy_key_stays() -> None:
    throttle = Throttle(60, 1, most_keys=10)
    for number in range(1000):
        throttle.take("busy", 0.0)
        throttle.take(str(number), 0.0)
    assert len(throttle) == 10
    assert throttle.take("busy", 0.0) == 1


def test_who_must_wait_is_told_how_long() -> None:
    throttle = Throttle(1, 1)
    throttle.require("a", 0.0)
    with pytest.raises(Refused) as refused:
        throttle.require("a", 0.0)
    assert (refused.value.status, refused.value.slug, refused.value.retry_after) == (429, "too-many-requests", 60)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=200), st.integers(1, 10), st.integers(1, 600))
def test_never_more_than_burst_and_rate_allow(pauses: list[float], burst: int, rate: int) -> None:
    throttle, now, passed = Throttle(rate, burst), 0.0, 0
    for pause in pauses:
        now += pause
        passed += throttle.take("a", now) is None
    assert passed <= burst + now * rate / 60 + 1e-6


@given(st.integers(1, 600))
def test_whoever_waits_as_told_passes(rate: int) -> None:
    throttle = Throttle(rate, 1)
    throttle.take("a", 0.0)
    wait = throttle.take("a", 0.0)
    assert wait is not None
    assert throttle.take("a", float(wait)) is None
