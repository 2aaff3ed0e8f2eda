"""The ground of every measurement: engines of its own with the settings of `make up`, gone afterwards."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.engines import Endpoints, Engines, forget, free_ports
from deploy.local.ports import Ports
from deploy.local.settings import checkout
from deploy.local.supervisor import Program, Supervisor
from tests.harness.waiting import eventually

WARM_BYTES = 4096


@dataclass(frozen=True)
class Stand:
    """Running engines, a folder for files, and the supervisor that takes further processes into its care."""

    endpoints: Endpoints
    ports: Ports
    supervisor: Supervisor
    folder: Path

    @property
    def superuser(self) -> dict[str, Any]:
        """How to connect to PostgreSQL as its superuser, but for the database."""
        return {
            "host": self.endpoints.postgres_host,
            "port": self.endpoints.postgres_port,
            "user": "postgres",
            "password": self.endpoints.postgres_password,
        }

    async def settings(self) -> dict[str, Any]:
        """What the engines say of themselves, as far as it decides what a commit and a record cost."""
        connection = await asyncpg.connect(**self.superuser, database="postgres")
        try:
            rows = await connection.fetch(
                "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)",
                ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "server_version"],
            )
        finally:
            await connection.close()
        kafka = (self.folder / "kafka" / "server.properties").read_text().splitlines()
        chosen = [line.split("=", 1) for line in kafka if line.startswith("log.flush.")]
        return {"postgres": {row["name"]: row["setting"] for row in rows}, "kafka": dict(chosen)}


@asynccontextmanager
async def standing() -> AsyncIterator[Stand]:
    """Kafka, PostgreSQL and the mailbox as `make up` starts them (durable), on free ports; removed at the end."""
    state = checkout() / ".peerline" / f"load-{os.getpid()}"
    ports = free_ports()
    engines = Engines(state=state, ports=ports, with_zipkin=False, durable=True, on_progress=say)
    try:
        async with engines:
            yield Stand(await engines.start(), ports, engines.supervisor, state)
    finally:
        forget(state)


def say(sentence: str) -> None:
    """Progress goes to standard error; standard output is for the table."""
    sys.stderr.write(f"{sentence}\n")


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a module of this checkout."""
    return (sys.executable, "-m", module, *arguments)


def bare_environment() -> dict[str, str]:
    """What a process of ours needs of this one's environment."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}


async def start_ready(stand: Stand, commands: Mapping[str, tuple[str, ...]], env: Mapping[str, str]) -> None:
    """Start processes by name that say they are ready by making the file named in PEERLINE_READY."""
    programs = []
    for name, argv in commands.items():
        file = stand.folder / f"{name}.ready"
        file.unlink(missing_ok=True)
        own = {**env, "PEERLINE_READY": str(file)}
        programs.append(Program(name=name, argv=argv, ready=_exists(file), env=own, cwd=checkout()))
    await stand.supervisor.start(*programs)


def _exists(file: Path) -> Any:
    async def asked() -> bool:
        return await asyncio.to_thread(file.exists)

    return asked


async def database(stand: Stand, name: str) -> asyncpg.Connection[Any]:
    """A new empty database, and a superuser's connection to it."""
    connection = await asyncpg.connect(**stand.superuser, database="postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    fresh: asyncpg.Connection[Any] = await asyncpg.connect(**stand.superuser, database=name)
    return fresh


async def topics(stand: Stand, names: Sequence[str], *, partitions: int, settings: Mapping[str, str]) -> None:
    """Create topics with the settings of the region's, and wait until all partitions have a leader."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stand.endpoints.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(settings)) for name in names])

        async def led() -> bool:
            return all(_led(one, partitions) for one in await admin.describe_topics(list(names)))

        await eventually(led, 30, what="a leader of every partition")
    finally:
        await admin.close()


def _led(topic: Mapping[str, Any], partitions: int) -> bool:
    found = topic["partitions"]
    return len(found) == partitions and all(one["leader"] >= 0 for one in found)


async def warm(producer: AIOKafkaProducer, names: Sequence[str], partitions: int) -> None:
    """A message of 4 KB to every partition: the first one into each costs the broker milliseconds."""
    for name in names:
        await asyncio.gather(
            *(producer.send_and_wait(name, b"\0" * WARM_BYTES, partition=number) for number in range(partitions))
        )
