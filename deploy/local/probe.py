"""Questions that tell whether a process serves; each answers within seconds and never raises."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Probe = Callable[[], Awaitable[bool]]
ANSWER_SECONDS = 2.0
API_VERSIONS, CORRELATION = 18, 7


@asynccontextmanager
async def _connection(host: str, port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _answers(question: Callable[[], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await question()
    except (OSError, EOFError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


def http_probe(url: str) -> Probe:
    """Whether a GET of the URL answers 2xx."""
    parts = urlsplit(url)
    host, port, path = parts.hostname or "127.0.0.1", parts.port or 80, parts.path or "/"

    async def asked() -> bool:
        async with _connection(host, port) as (reader, writer):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            status = (await reader.readline()).split()
            return len(status) > 1 and status[1].startswith(b"2")

    return lambda: _answers(asked)


def kafka_probe(host: str, port: int) -> Probe:
    """Whether a broker answers an ApiVersions request: it accepts connections before it serves them."""
    body = struct.pack(">hhih", API_VERSIONS, 0, CORRELATION, -1)

    async def asked() -> bool:
        async with _connection(host, port) as (reader, writer):
            writer.write(struct.pack(">i", len(body)) + body)
            _, correlation, error = struct.unpack(">iih", await reader.readexactly(10))
            return (correlation, error) == (CORRELATION, 0)

    return lambda: _answers(asked)


def postgres_probe(host: str, port: int, password: str) -> Probe:
    """Whether the superuser can log in."""

    async def asked() -> bool:
        connection = await asyncpg.connect(
            host=host, port=port, user="postgres", password=password, database="postgres", ssl=False
        )
        await connection.close()
        return True

    return lambda: _answers(asked)
