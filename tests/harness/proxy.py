"""A wire between a service and an engine that a test can make silent: connections stay, and nothing passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

LOOPBACK = "127.0.0.1"


class Proxy:
    """Forwards to a port of this machine while it flows. Use `between`."""

    def __init__(self, behind: int, cut: Collection[int] = (), *, posing: bool = False) -> None:
        self._behind, self._cut, self._posing = behind, frozenset(cut), posing
        self.taken = 0
        self._answers_left: int | None = None
        self._flowing = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def flow(self) -> None:
        """Everything passes, also what was held back."""
        self._flowing.set()

    def silence(self) -> None:
        """New connections are accepted and never answered; on old ones nothing comes any more."""
        self._flowing.clear()

    def silence_after(self, answers: int) -> None:
        """Fall silent by itself once so many pieces have come back from the engine."""
        self._answers_left = answers

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._flowing.set()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        if self.taken in self._cut:
            writer.transport.abort()
            return
        self._open.add(writer)
        await self._flowing.wait()
        with suppress(OSError):
            there, back = await asyncio.open_connection(LOOPBACK, self._behind)
            self._open.add(back)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer, self._posed))

    def _posed(self, read: bytes) -> bytes:
        """What a Kafka broker says of itself is a host and a port of four bytes: clients come back through here."""
        if self._answers_left is not None:
            self._answers_left -= 1
            if not self._answers_left:
                self._answers_left = None
                self.silence()
        if not self._posing:
            return read
        return read.replace(_address(self._behind), _address(self.port))

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, change: Callable[[bytes], bytes] = bytes
    ) -> None:
        with suppress(OSError):
            while read := await source.read(65_536):
                await self._flowing.wait()
                sink.write(change(read))
                await sink.drain()
        sink.close()


def _address(port: int) -> bytes:
    return LOOPBACK.encode() + port.to_bytes(4, "big")


@asynccontextmanager
async def between(
    behind: int, *, flowing: bool, cut: Collection[int] = (), posing: bool = False
) -> AsyncIterator[Proxy]:
    """A proxy in front of a port; the connections with the numbers in `cut` (from 1) are cut off at once.

    With `posing` it stands in the place of a Kafka broker: clients are told its own port wherever they ask.
    """
    proxy = Proxy(behind, cut, posing=posing)
    await proxy.start()
    if flowing:
        proxy.flow()
    try:
        yield proxy
    finally:
        await proxy.stop()
