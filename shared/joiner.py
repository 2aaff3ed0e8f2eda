"""Concurrent acts at a door share a transaction: what arrives while one commits goes into the next.

Commits and round trips are what a door costs. Nothing waits for company: a lone act is run at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.db import UNAVAILABLE

T = TypeVar("T")
R = TypeVar("R")

MOST = 64
"""Acts in one transaction, at most."""


class Joiner(Generic[T, R]):
    """Runs `work` on batches of what `do` is given, at most `abreast` of them at a time."""

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, abreast: int = 2) -> None:
        """`work` answers every item in order, in one transaction. When it raises, each item is run alone.

        Unless the database is not there: then nobody is to wait for it once more.
        """
        self._work, self._abreast = work, abreast
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def do(self, item: T) -> R:
        """The answer to one item; raises what `work` raises for it alone."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        self._start()
        return await answer

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._abreast:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            task = asyncio.create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _run(self, batch: Sequence[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._work([item for item, _ in batch])
        except BaseException as error:
            if len(batch) == 1 or isinstance(error, UNAVAILABLE):
                # Nobody's fault: run alone, each would wait for the database once more.
                for _, future in batch:
                    _fail(future, error)
            else:
                # One act that is refused must not refuse its neighbours.
                await asyncio.gather(*(self._run([one]) for one in batch))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _fail(future: asyncio.Future[R], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
