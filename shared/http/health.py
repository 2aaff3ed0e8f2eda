"""Whether this process lives, whether it can work, and whether the whole region is well: three doors for watchers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import JSONResponse

from shared.checks import Pulse

ANSWER_WITHIN_S = 5.0

Readiness = Callable[[], Awaitable[dict[str, bool]]]
"""What this process needs, by name, and whether it has it."""
Pulses = Callable[[], Awaitable[Sequence[Pulse]]]
"""How every service of the region is, as their auditors have said."""


@dataclass(frozen=True)
class Health:
    """What the doors are answered from."""

    ready: Readiness
    pulses: Pulses


async def _missing(ready: Readiness) -> list[str]:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            checks = await ready()
    except Exception:  # noqa: BLE001 - a check that cannot be made is a no
        return ["checks"]
    return sorted(name for name, fine in checks.items() if not fine)


async def _deadman(pulses: Pulses) -> JSONResponse:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            heard = await pulses()
    except Exception:  # noqa: BLE001 - who cannot ask does not know
        return JSONResponse({"alive": False, "services": {}}, status_code=HTTPStatus.SERVICE_UNAVAILABLE)
    alive = all(one.alive for one in heard)
    services = {
        one.service: {"age_s": None if one.age_s is None else round(one.age_s, 1), "failed": list(one.failed)}
        for one in heard
    }
    status = HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"alive": alive, "services": services}, status_code=status)


def router(health: Health) -> APIRouter:
    """`/health/live` (200 while the loop turns), `/health/ready` (503 naming what is missing) and `/health/deadman`.

    The last one tells of the region, whichever service is asked: seconds since each auditor's clean pass and the names
    of checks that fail, and 503 when one is silent or has found something. An outside monitor needs this one alone.
    """
    routes = APIRouter(prefix="/health", include_in_schema=False)

    @routes.get("/live")
    async def live() -> JSONResponse:
        return JSONResponse({"live": True})

    @routes.get("/ready")
    async def ready_now() -> JSONResponse:
        missing = await _missing(health.ready)
        status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        return JSONResponse({"ready": not missing, "missing": missing}, status_code=status)

    @routes.get("/deadman")
    async def deadman() -> JSONResponse:
        return await _deadman(health.pulses)

    return routes
