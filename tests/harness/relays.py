"""A relay in a process of its own, to be killed or frozen: `python -m tests.harness.relays` with its values as JSON."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import LeaderNotAvailableError

from deploy.local.settings import checkout
from shared import broker
from shared.db import Login, Signals
from shared.migrate import app_of, loop_of
from shared.relay import Relay
from shared.settings import Settings
from shared.types import Lane
from tests.harness.databases import TestDatabase
from tests.harness.engines import guarded
from tests.harness.topics import Topics
from tests.harness.waiting import eventually


def settings_of(database: TestDatabase, topics: Topics, service: str, *, replica: str = "0") -> Settings:
    """The settings that a service's process would have."""
    cluster = database.cluster
    return Settings.model_validate(
        {
            "environment": "test",
            "kafka": topics.kafka,
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


async def _run(given: dict[str, str]) -> None:
    login = Login(**json.loads(given["login"]))
    settings = Settings.model_validate_json(given["settings"])
    producer = broker.producer(settings)
    await producer.start()
    relay = Relay(login, Lane.ORDINARY, producer, Signals(), prefix=settings.topic_prefix)
    running = asyncio.create_task(relay.run())
    await eventually(lambda: relay.shards)
    sys.stdout.write("locked\n")
    sys.stdout.flush()
    await running


@asynccontextmanager
async def process(database: TestDatabase, topics: Topics, service: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A relay of the ordinary lane that already holds its locks; killed at the end."""
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


class Stuck:
    """A producer for which some partitions have no leader, as when one broker of several is gone."""

    def __init__(self, producer: AIOKafkaProducer, partitions: Collection[int]) -> None:
        self._producer, self._partitions = producer, partitions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        """As the real one, but for the partitions that take nothing."""
        if partition in self._partitions:
            raise LeaderNotAvailableError
        return await self._producer.send_batch(batch, topic, partition=partition)


@asynccontextmanager
async def inside(
    database: TestDatabase, topics: Topics, service: str, *, stuck: Collection[int] = ()
) -> AsyncIterator[Relay]:
    """A relay of the ordinary lane in this process, to a Kafka that takes nothing on the partitions in `stuck`."""
    producer = broker.producer(settings_of(database, topics, service))
    await producer.start()
    taking = Stuck(producer, stuck) if stuck else producer
    relay = Relay(database.login(loop_of(service), service), Lane.ORDINARY, taking, Signals(), prefix=topics.prefix)
    running = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await producer.stop()


def freeze(running: asyncio.subprocess.Process) -> None:
    """SIGSTOP: it is there, and does nothing."""
    running.send_signal(signal.SIGSTOP)


def thaw(running: asyncio.subprocess.Process) -> None:
    """SIGCONT: it goes on as if no time had passed."""
    running.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.stdin.readline())))
