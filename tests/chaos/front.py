"""One address before the replicas of a service, as any region with two of them has: it leads to one that is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle

from deploy.local.ports import LOOPBACK
from deploy.local.probe import http_probe

LOOK_EVERY_S = 0.5


class Front:
    """Use `start` and `stop`. Where no replica is ready any of them is asked: it says so itself, with crisis lines."""

    def __init__(self, port: int, behind: Sequence[int]) -> None:
        self._port, self._behind = port, list(behind)
        self._ready = set(behind)
        self._turn = cycle(self._behind)
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None] | None] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self._port)
        self._tasks = [asyncio.create_task(self._look(port)) for port in self._behind]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()

    async def _look(self, port: int) -> None:
        ready = http_probe(f"http://{LOOPBACK}:{port}/health/ready")
        while True:
            (self._ready.add if await ready() else self._ready.discard)(port)
            await asyncio.sleep(LOOK_EVERY_S)

    def _order(self) -> list[int]:
        """The replicas in the order in which this connection tries them."""
        first = next(self._turn)
        turned = sorted(self._behind, key=lambda port: port != first)
        return sorted(turned, key=lambda port: port not in self._ready)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # asyncio holds only a weak reference to what it runs for a connection.
        self._serving.add(task := asyncio.current_task())
        try:
            there, back = await self._led()
            try:
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
            finally:
                back.transport.abort()
        except OSError:
            writer.transport.abort()
        finally:
            writer.close()
            self._serving.discard(task)

    async def _led(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for port in self._order():
            with suppress(OSError):
                return await asyncio.open_connection(LOOPBACK, port)
        raise ConnectionRefusedError


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while read := await source.read(65_536):
            sink.write(read)
            await sink.drain()
        sink.write_eof()
        return
    sink.transport.abort()
