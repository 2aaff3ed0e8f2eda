"""A relay in a process of its own, to be killed or frozen: `python -m tests.harness.relays` with its values as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from aiokafka.errors import LeaderNotAvailableError

from deploy.local.settings import checkout
from shared import broker
from shared.db import Login, Signals
from shared.migrate import app_of, loop_of
from shared.publisher import Publisher
from shared.relay import Relay
from shared.settings import Settings
from shared.types import Lane
from tests.harness.databases import TestDatabase
from tests.harness.engines import guarded
from tests.harness.topics import Topics
from tests.harness.waiting import eventually


def settings_of(
    database: TestDatabase, topics: Topics, service: str, *, replica: str = "0", kafka: str = ""
) -> Settings:
    """The settings that a service's process would have; `kafka` in the place of the broker itself."""
    cluster = database.cluster
    return Settings.model_validate(
        {
            "environment": "test",
            "kafka": kafka or topics.kafka,
            "topic_prefix": topics.prefix,
            "replica": replica,
            "database": database.name,
            "database_host": cluster.endpoints.postgres_host,
            "database_port": cluster.endpoints.postgres_port,
            "app_password": cluster.passwords[app_of(service)],
            "loop_password": cluster.passwords[loop_of(service)],
            "fingerprint_key": "fingerprint key of tests, 32 bytes and more",
            "http_port": 1,
        }
    )


class Freezing(Publisher):
    """A publisher whose process stops (SIGSTOP) with a batch in its hands: made, and not yet given to the client."""

    def __init__(self, settings: Settings, freeze_at: int) -> None:
        super().__init__(partial(broker.producer, settings))
        self._left = freeze_at

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[Any]:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
        return await super().send_batch(batch, topic, partition=partition)


async def _run(given: dict[str, str]) -> None:
    login = Login(**json.loads(given["login"]))
    settings = Settings.model_validate_json(given["settings"])
    publisher = Freezing(settings, int(given["freeze_at"]))
    await publisher.start()
    relay = Relay(login, Lane.ORDINARY, publisher, Signals(), prefix=settings.topic_prefix)
    running = asyncio.create_task(relay.run())
    await eventually(lambda: relay.shards)
    sys.stdout.write("locked\n")
    sys.stdout.flush()
    await running


@asynccontextmanager
async def process(
    database: TestDatabase, topics: Topics, service: str, *, freeze_at: int = 0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A relay of the ordinary lane that already holds its locks; killed at the end.

    It stops itself (SIGSTOP) with the batch of this number in its hands.
    """
    settings = settings_of(database, topics, service)
    shown = settings.model_dump(mode="json")
    secrets = {
        name: getattr(settings, name).get_secret_value()
        for name in ("app_password", "loop_password", "fingerprint_key")
    }
    secrets["fingerprint_key"] = secrets["fingerprint_key"].decode()
    given = {
        "login": json.dumps(asdict(database.login(loop_of(service), service))),
        "settings": json.dumps(shown | secrets),
        "freeze_at": str(freeze_at),
    }
    running = await asyncio.create_subprocess_exec(
        *guarded(sys.executable, "-m", "tests.harness.relays"),
        cwd=checkout(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(json.dumps(given).encode() + b"\n")
    await running.stdin.drain()
    async with asyncio.timeout(30):
        assert await running.stdout.readline() == b"locked\n"
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()
        running.stdin.close()


class Stuck(Publisher):
    """A publisher for which some partitions have no leader, as when one broker of several is gone."""

    def __init__(self, settings: Settings, partitions: Collection[int]) -> None:
        super().__init__(partial(broker.producer, settings))
        self._without = partitions

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[Any]:
        """As the real one, but for the partitions that take nothing."""
        if partition in self._without:
            raise LeaderNotAvailableError
        return await super().send_batch(batch, topic, partition=partition)


@asynccontextmanager
async def published_by(
    database: TestDatabase, topics: Topics, service: str, *, stuck: Collection[int] = (), kafka: str = ""
) -> AsyncIterator[tuple[Relay, Publisher]]:
    """A relay of the ordinary lane in this process, to a Kafka that takes nothing on the partitions in `stuck`.

    `kafka` in the place of the broker itself.
    """
    publisher = Stuck(settings_of(database, topics, service, kafka=kafka), stuck)
    await publisher.start()
    relay = Relay(database.login(loop_of(service), service), Lane.ORDINARY, publisher, Signals(), prefix=topics.prefix)
    running = asyncio.create_task(relay.run())
    try:
        yield relay, publisher
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await publisher.stop()


@asynccontextmanager
async def inside(
    database: TestDatabase, topics: Topics, service: str, *, stuck: Collection[int] = (), kafka: str = ""
) -> AsyncIterator[Relay]:
    """The same, for those who need the relay alone."""
    async with published_by(database, topics, service, stuck=stuck, kafka=kafka) as (relay, _):
        yield relay


def freeze(running: asyncio.subprocess.Process) -> None:
    """SIGSTOP: it is there, and does nothing."""
    running.send_signal(signal.SIGSTOP)


async def frozen(running: asyncio.subprocess.Process) -> bool:
    """Whether it is stopped by a signal now."""
    asked = await asyncio.create_subprocess_exec(
        "ps", "-o", "state=", "-p", str(running.pid), stdout=asyncio.subprocess.PIPE
    )
    return (await asked.communicate())[0].strip().startswith(b"T")


def thaw(running: asyncio.subprocess.Process) -> None:
    """SIGCONT: it goes on as if no time had passed."""
    running.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.stdin.readline())))
