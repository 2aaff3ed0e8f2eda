"""Requesters, many at a time: `python -m tests.load.client`, a process of its own, given a `Plan` in LOAD_PLAN.

An open loop: a request is due at its moment whether or not earlier ones were answered, and its time runs from that
moment. HTTP by hand over connections that stay open, so that the client takes little of the machine it measures.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from services.intake.domain.codes import CODE_BYTES, code_from, hash_of

HEAD_END = b"\r\n\r\n"
CREATED = 201


@dataclass(frozen=True)
class Plan:
    """What to send. `per_s` of 0 is all at once; `places` are (slug, notice version); `out` is where the log goes."""

    host: str
    port: int
    places: tuple[tuple[str, str], ...]
    count: int
    per_s: float
    connections: int
    out: str


@dataclass(frozen=True)
class Sent:
    """One request: its code's hash, when it was due and when the answer was there (machine's clock), and its status."""

    code_hash: str
    due: float
    answered: float
    status: int


def body_of(number: int, code_hash: str, version: str) -> dict[str, object]:
    """A request as the page sends it: reach, unit and somebody to avoid, all of which are sealed."""
    return {
        "relation": "officer",
        "urgency": "soon",
        "help": ["talk"],
        "choose": "anyone",
        "topics": ["stress"],
        "avoid_people": [f"Nobody Known {number % 97}"],
        "about_me": {"unit": f"Unit {number % 7}"},
        "reach": {"channel": "text", "address": f"+1303555{number % 10_000:04d}", "safe_times": "evenings"},
        "release": "on_accept",
        "notice": {"version": version},
        "code_hash": code_hash,
    }


def _request(plan: Plan, number: int) -> tuple[str, bytes]:
    """The hash of a new code, and the bytes of its request."""
    slug, version = plan.places[number % len(plan.places)]
    code_hash = hash_of(code_from(random.randbytes(CODE_BYTES)))
    body = json.dumps(body_of(number, code_hash, version)).encode()
    head = (
        f"POST /v1/agencies/{slug}/requests HTTP/1.1\r\nHost: {plan.host}:{plan.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return code_hash, head.encode() + body


class Connection:
    """One connection that stays open, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take over an open one."""
        self._reader, self._writer = reader, writer

    @classmethod
    async def opened(cls, plan: Plan) -> Connection:
        """A new one."""
        return cls(*await asyncio.open_connection(plan.host, plan.port))

    @property
    def hung_up(self) -> bool:
        """The server has closed it: it keeps no connection that is silent for seconds."""
        return self._reader.at_eof()

    async def ask(self, request: bytes) -> int:
        """Send, read the whole answer, return its status."""
        self._writer.write(request)
        head = (await self._reader.readuntil(HEAD_END)).lower()
        length = int(head.partition(b"content-length:")[2].split(maxsplit=1)[0])
        await self._reader.readexactly(length)
        return int(head.split(maxsplit=2)[1])


async def send(plan: Plan) -> list[Sent]:
    """Send everything, each at its moment or as soon as a connection is free."""
    requests = [_request(plan, number) for number in range(plan.count)]
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    for _ in range(plan.connections):
        free.put_nowait(await Connection.opened(plan))
    begun, tasks = time.time(), []

    async def one(number: int, due: float, connection: Connection) -> Sent:
        code_hash, request = requests[number]
        if connection.hung_up:
            connection = await Connection.opened(plan)
        status = await connection.ask(request)
        free.put_nowait(connection)
        return Sent(code_hash, due, time.time(), status)

    for number in range(plan.count):
        due = begun + (number / plan.per_s if plan.per_s else 0)
        await asyncio.sleep(max(0, due - time.time()))
        tasks.append(asyncio.create_task(one(number, due, await free.get())))
    return list(await asyncio.gather(*tasks))


def read(path: Path) -> list[Sent]:
    """The log of a client."""
    return [Sent(**row) for row in json.loads(path.read_text())]


def refused(sent: Sequence[Sent]) -> dict[int, int]:
    """How many requests were answered with what else than 201."""
    found: dict[int, int] = {}
    for one in sent:
        if one.status != CREATED:
            found[one.status] = found.get(one.status, 0) + 1
    return found


async def _main() -> None:
    given = json.loads(os.environ["LOAD_PLAN"])
    plan = Plan(**{**given, "places": tuple(map(tuple, given["places"]))})
    sent = await send(plan)
    await asyncio.to_thread(Path(plan.out).write_text, json.dumps([asdict(one) for one in sent]))


if __name__ == "__main__":
    uvloop.run(_main())
