"""The producer of a process: one at a time, replaced by a new one when it is of no use any more.

An idempotent producer numbers its batches per partition. Once one of them is refused for good the numbers have a hole,
and every later batch of that partition is refused as out of order, until the producer is another one. Source: aiokafka
0.14, `producer/sender.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)

RENEW_EVERY_S = 5.0
RENEW_WITHIN_S = 10.0
RETIRE_WITHIN_S = 60.0
ANSWER_WITHIN_S = 2.0


class Publisher:
    """Sends batches through the producer of the day. Relays may share it."""

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        """`make` gives a new producer, idempotent and with acks=all, that has not been started."""
        self._make, self._producer = make, make()
        self._renewed_at = float("-inf")
        self._renewing = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.generation = 0
        """How often the producer was replaced."""

    async def start(self) -> None:
        """Connect. Raises `KafkaError` where that cannot be done yet."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send what has been taken, and disconnect."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._producer.stop()

    async def partitions_for(self, topic: str) -> set[int]:
        """The partitions of a topic. Raises `KafkaError`."""
        found: set[int] = await self._producer.partitions_for(topic)
        return found

    def create_batch(self) -> Any:
        """An empty batch; `append` answers None where no more fits in."""
        return self._producer.create_batch()

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[Any]:
        """Take a batch; the future ends with its acknowledgement or its error. Raises `KafkaError`, `TimeoutError`."""
        producer = self._producer
        try:
            sent: asyncio.Future[Any] = await producer.send_batch(batch, topic, partition=partition)
        except KafkaError as error:
            self._judge(producer, error)
            raise
        sent.add_done_callback(lambda done: self._judge(producer, None if done.cancelled() else done.exception()))
        return sent

    async def reachable(self) -> bool:
        """Whether Kafka answers this process now."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._producer.client.fetch_all_metadata()
        except (KafkaError, OSError, TimeoutError):
            return False
        return True

    async def renew(self, spoiled: AIOKafkaProducer | None = None) -> bool:
        """Go on with a new producer, if Kafka answers it; only in the place of `spoiled` where that is said.

        What the old one has taken it still sends, and those who wait for that hear of it. The new one may have sent the
        same before it, and later events too: consumers know the ids and drop what comes again.
        """
        async with self._renewing:
            old, now = self._producer, asyncio.get_running_loop().time()
            if spoiled not in (None, old) or now - self._renewed_at < RENEW_EVERY_S:
                return False
            self._renewed_at = now
            fresh = self._make()
            starting = asyncio.get_running_loop().create_task(fresh.start())
            await asyncio.wait({starting}, timeout=RENEW_WITHIN_S)
            error = starting.exception() if starting.done() else TimeoutError()
            if error is not None:
                log.warning("no new producer yet: %s", type(error).__name__)
                self._keep(_given_up(starting, fresh))
                return False
            log.error("the producer was of no use any more; a new one goes on")
            self._producer = fresh
            self.generation += 1
        self._keep(_retired(old))
        return True

    def renew_soon(self) -> None:
        """As `renew`, beside whatever goes on."""
        self._keep(self.renew())

    def _judge(self, producer: AIOKafkaProducer, error: BaseException | None) -> None:
        if isinstance(error, KafkaError) and not error.retriable and producer is self._producer:
            self._keep(self.renew(producer))

    def _keep(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _given_up(starting: asyncio.Task[None], fresh: AIOKafkaProducer) -> None:
    """Let a start come to its own end, at the client's own limit: one that is cancelled leaves its connection open."""
    with suppress(KafkaError, OSError, TimeoutError):
        await starting
    await fresh.stop()


async def _retired(old: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(RETIRE_WITHIN_S):
            await old.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("the old producer did not stop in order: %s", type(error).__name__)
        await old.client.close()
