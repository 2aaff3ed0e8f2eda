"""The door at which an outside monitor asks how the region is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fastapi import FastAPI

from shared.checks import Pulse
from shared.http import health
from shared.http.health import Health
from tests.harness.health import nothing
from tests.unit.shared.asgi import call

CANARY = "canary-4711"


def app(pulses: Sequence[Pulse]) -> FastAPI:
    async def heard() -> Sequence[Pulse]:
        if not pulses:
            raise LookupError(CANARY)
        return pulses

    made = FastAPI()
    made.include_router(health.router(Health(nothing, heard)))
    return made


WELL, ILL = Pulse("intake", 3.14159, ()), Pulse("notify", None, ("outbox_old", "timers_overdue"))


@pytest.mark.parametrize(("pulses", "status"), [([WELL], 200), ([WELL, ILL], 503), ([ILL], 503)])
async def test_it_is_well_when_every_service_is(pulses: list[Pulse], status: int) -> None:
    answer = await call(app(pulses), "GET", "/health/deadman")
    assert (answer.status, answer.json["alive"]) == (status, status == 200)
    assert set(answer.json["services"]) == {one.service for one in pulses}


async def test_it_tells_ages_and_names_and_nothing_else() -> None:
    told = (await call(app([WELL, ILL]), "GET", "/health/deadman")).json
    assert told["services"] == {
        "intake": {"age_s": 3.1, "failed": []},
        "notify": {"age_s": None, "failed": ["outbox_old", "timers_overdue"]},
    }


async def test_who_cannot_ask_the_database_does_not_know_and_says_no_more() -> None:
    answer = await call(app([]), "GET", "/health/deadman")
    assert (answer.status, answer.json) == (503, {"alive": False, "services": {}})
