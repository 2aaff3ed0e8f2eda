"""`/metrics` on a port of its own: what it tells is for the region's operator, and the doors' port is public."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from shared.db import UNAVAILABLE
from shared.metrics import CONTENT_TYPE


def app(read: Callable[[], Awaitable[str]]) -> Starlette:
    """Answers what `read` returns; 503 while the database is not there, so that an old value never looks new."""

    async def metrics(_: Request) -> PlainTextResponse:
        try:
            return PlainTextResponse(await read(), media_type=CONTENT_TYPE)
        except UNAVAILABLE:
            return PlainTextResponse("", status_code=HTTPStatus.SERVICE_UNAVAILABLE)

    return Starlette(routes=[Route("/metrics", metrics)])
