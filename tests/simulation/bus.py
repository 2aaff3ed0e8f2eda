"""Kafka as a simulation has it: logs in memory, a producer at the place of the client, and who reads from where."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aiokafka.errors import KafkaTimeoutError

from shared.parking import Raw

PARTITIONS = 3
"""Few, so that cases share them."""
Place = tuple[str, int]
Mood = Literal["take", "refuse", "lose", "hold"]
"""What becomes of a batch: it is taken; or not; or taken and the answer is lost; or its sender freezes before it."""


@dataclass
class Logs:
    """Every record of every topic, in the order in which each partition has them."""

    of: dict[Place, list[Raw]] = field(default_factory=lambda: defaultdict(list))
    on_append: Callable[[Raw], None] | None = None

    def append(self, place: Place, key: bytes, headers: Sequence[tuple[str, bytes]], value: bytes) -> None:
        log = self.of[place]
        raw = Raw(place[0], place[1], len(log), key, tuple(headers), value)
        log.append(raw)
        if self.on_append is not None:
            self.on_append(raw)

    def end(self, place: Place) -> int:
        return len(self.of[place])


class Batch:
    """Records on their way to one partition."""

    MOST = 40

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes, Sequence[tuple[str, bytes]]]] = []

    def append(
        self, *, key: bytes, value: bytes, timestamp: int | None, headers: Sequence[tuple[str, bytes]]
    ) -> object | None:
        """Something, or None when the batch is full."""
        del timestamp
        if len(self.records) >= self.MOST:
            return None
        self.records.append((key, value, headers))
        return self

    def close(self) -> None:
        """Nothing more comes."""


@dataclass(frozen=True)
class Told:
    """Where a batch begins in its partition, as the broker tells it."""

    offset: int


class Producer:
    """What a relay needs of a publisher. `mood` is that of the next batch; then everything is taken again."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self.mood: Mood = "take"
        self.generation = 0
        self.frozen = asyncio.Event()
        self.thaw = asyncio.Event()

    async def reachable(self) -> bool:
        return True

    async def partitions_for(self, topic: str) -> set[int]:
        del topic
        return set(range(PARTITIONS))

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Told]:
        mood, self.mood = self.mood, "take"
        if mood == "hold":
            self.frozen.set()
            await self.thaw.wait()
        answer: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        offset = self._logs.end((topic, partition))
        if mood != "refuse":
            for key, value, headers in batch.records:
                self._logs.append((topic, partition), key, headers, value)
        if mood in {"refuse", "lose"}:
            answer.set_exception(KafkaTimeoutError())
        else:
            answer.set_result(Told(offset))
        return answer


@dataclass
class Reading:
    """How far one consumer group has come: `owner` reads, from `next`; `committed` is what Kafka remembers of it."""

    owner: int
    next: dict[Place, int] = field(default_factory=dict)
    committed: dict[Place, int] = field(default_factory=dict)
