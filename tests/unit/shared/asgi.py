"""Calls an ASGI app as a server does, without a socket."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterable[bytes] = b"",
) -> Answer:
    """One request. A body given as chunks is streamed: no Content-Length is declared."""
    whole = isinstance(body, bytes)
    chunks = [body] if isinstance(body, bytes) else list(body)
    named = {name.lower(): value for name, value in (headers or {}).items()}
    if whole:
        named.setdefault("content-length", str(len(chunks[0])))
    target, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "state": {},
    }
    incoming = iter(chunks)
    left = len(chunks)
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal left
        left -= 1
        if left < 0:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": next(incoming), "more_body": left > 0}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert [one["type"] for one in sent].count("http.response.start") == 1
    return Answer(
        status=sent[0]["status"],
        headers={name.decode(): value.decode() for name, value in sent[0]["headers"]},
        body=b"".join(one.get("body", b"") for one in sent[1:]),
    )


def as_json(value: Any) -> dict[str, Any]:
    """The keywords of `call` that send `value`."""
    return {"body": json.dumps(value).encode(), "headers": {"Content-Type": "application/json"}}
