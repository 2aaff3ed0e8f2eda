"""Topic prefixes from a pool that is used again and again: a broker for tests holds only a few thousand partitions."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from shared.broker import COMPACTED_SETTINGS, declare_topics
from shared.events import TOPICS
from tests.harness.databases import Cluster
from tests.harness.waiting import eventually

PARTITIONS = 2
_LOCK_SPACE = 0x746F7069
REST_S = 12.0
"""A static member that is gone without a word keeps its partitions for the session time-out of 10 s."""


@dataclass
class Topics:
    """All topics of the region under a prefix, empty. Consumer groups of the prefix may have been used before."""

    kafka: str
    prefix: str
    partitions: int = PARTITIONS
    tired: bool = field(default=False)
    """Set it when a consumer may have gone without leaving its group: the prefix then rests before its next use."""

    def named(self, topic: str) -> str:
        """The name on the broker of a logical topic."""
        return self.prefix + topic


class Pool:
    """Hands out prefixes `t0.`, `t1.`, ...; two test runs on the same engines never hold the same one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rested_at: dict[int, float] = {}

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Topics]:
        """A prefix whose topics are empty."""
        connection = await self._cluster.superuser()
        try:
            number = await self._lock(connection)
            topics = Topics(self._cluster.endpoints.kafka, f"t{number}.")
            await emptied(topics)
            yield topics
            if topics.tired:
                self._rested_at[number] = time.monotonic() + REST_S
        finally:
            await connection.close()

    @asynccontextmanager
    async def unused(self) -> AsyncIterator[Topics]:
        """A prefix whose topics begin at offset 0, as those of a region of its own do; they are deleted afterwards."""
        topics = Topics(self._cluster.endpoints.kafka, f"u{secrets.token_hex(4)}.")
        await emptied(topics)
        yield topics
        admin = AIOKafkaAdminClient(bootstrap_servers=topics.kafka)
        await admin.start()
        try:
            await admin.delete_topics([topics.named(name) for name in TOPICS])
        finally:
            await admin.close()

    async def _lock(self, connection: Any) -> int:
        for number in count():
            if self._rested_at.get(number, 0.0) <= time.monotonic() and await connection.fetchval(
                "SELECT pg_try_advisory_lock($1, $2)", _LOCK_SPACE, number
            ):
                return number
        raise AssertionError


async def emptied(topics: Topics) -> None:
    """Declare the topics of a prefix where they are missing, and delete all records."""
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.kafka)
    await admin.start()
    try:
        names = {topics.named(name) for name in TOPICS}
        if not names <= set(await admin.list_topics()):
            await declare_topics(topics.kafka, prefix=topics.prefix, partitions=topics.partitions)
            await _let_delete(admin, (topics.named(one.name) for one in TOPICS.values() if one.compacted))
        every = [TopicPartition(name, part) for name in names for part in range(topics.partitions)]
        wanted = {place: RecordsToDelete(before_offset=-1) for place in every}

        async def deleted() -> bool:
            try:
                await admin.delete_records(wanted, timeout_ms=5000)
            except KafkaError:
                # A topic made a moment ago has no leader or its settings yet.
                return False
            return True

        await eventually(deleted, what=f"empty topics under {topics.prefix}")
    finally:
        await admin.close()


async def _let_delete(admin: AIOKafkaAdminClient, names: Iterable[str]) -> None:
    # Records of a topic that is only compacted cannot be deleted on request.
    settings = dict(COMPACTED_SETTINGS) | {"cleanup.policy": "compact,delete"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=settings) for name in names])
