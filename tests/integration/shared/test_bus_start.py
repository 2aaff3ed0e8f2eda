"""Kafka goes down while a process joins the bus: what has started is not started a second time."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from services.referral import subscribers
from services.referral.settings import ReferralSettings
from shared.events.envelope import INTAKE, INTAKE_CRISIS
from shared.process import opened
from tests.harness.proxy import LOOPBACK, between
from tests.harness.region import Region

pytestmark = pytest.mark.engines
EVERY_START = 5
"""Connections by which the clients of two groups find Kafka: our producer, the shell's two, then a consumer each."""


def settings(region: Region, kafka: str) -> ReferralSettings:
    """As its process would read them."""
    values: dict[str, Any] = {
        name.removeprefix("PEERLINE_").lower(): value
        for name, value in region.environment("referral").items()
        if name.startswith("PEERLINE_")
    }
    return ReferralSettings.model_validate(values | {"kafka": kafka})


def clients() -> Counter[str]:
    """Loops that send and loops that consume, by the name of their coroutine."""
    names = (getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())
    return Counter(name for name in names if name in {"Sender._sender_routine", "Fetcher._fetch_requests_routine"})


async def test_a_start_that_failed_half_way_leaves_one_of_everything(region: Region) -> None:
    kafka = int(region.topics.kafka.rpartition(":")[2])
    async with (
        between(kafka, flowing=True, cut={EVERY_START}) as wire,
        opened("referral", settings(region, f"{LOOPBACK}:{wire.port}")) as process,
    ):
        process.consume("ordinary", [INTAKE.name], subscribers.ordinary)
        process.consume("crisis", [INTAKE_CRISIS.name], subscribers.crisis)
        await process.join_bus()
        try:
            assert wire.taken > EVERY_START
            assert clients() == {"Sender._sender_routine": 2, "Fetcher._fetch_requests_routine": 2}
        finally:
            await process.broker.stop()
            await process.publisher.stop()
