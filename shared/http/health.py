"""Whether this process lives, and whether it can work: two doors for whoever starts and watches it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import JSONResponse

ANSWER_WITHIN_S = 5.0

Readiness = Callable[[], Awaitable[dict[str, bool]]]
"""What this process needs, by name, and whether it has it."""


async def _missing(ready: Readiness) -> list[str]:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            checks = await ready()
    except Exception:  # noqa: BLE001 - a check that cannot be made is a no
        return ["checks"]
    return sorted(name for name, fine in checks.items() if not fine)


def router(ready: Readiness) -> APIRouter:
    """`/health/live` (200 while the loop turns) and `/health/ready` (503 naming what is missing, names only)."""
    routes = APIRouter(prefix="/health", include_in_schema=False)

    @routes.get("/live")
    async def live() -> JSONResponse:
        return JSONResponse({"live": True})

    @routes.get("/ready")
    async def ready_now() -> JSONResponse:
        missing = await _missing(ready)
        status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        return JSONResponse({"ready": not missing, "missing": missing}, status_code=status)

    return routes
