"""How much may come in, how often, and the headers that go out with everything. Pure ASGI: nothing is copied."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Refused
from shared.http.problems import answers_of

DEFAULT_BODY_BYTES = 32 * 1024

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class _TooLarge(HTTPException):
    """Raised into the app while it reads; an HTTPException because FastAPI lets no other out of its body reader."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"Connection": "close"})


class BodyLimit:
    """ASGI middleware: 413 for a body above `default` bytes, or above `larger[path]`.

    That is for exactly this path, or for all below it where it ends with `/`; `*` stands for any one part of a path. A
    declared length is refused before anything is read, a streamed body as soon as it passes the limit.
    """

    def __init__(
        self, app: ASGIApp, *, default: int = DEFAULT_BODY_BYTES, larger: Mapping[str, int] | None = None
    ) -> None:
        self._app, self._default, self._larger = app, default, dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if not (declared.isascii() and declared.isdigit()):
            await answers_of(scope).to(Request(scope), Refused("malformed", 400))(scope, receive, send)
        elif len(declared) > len(str(limit)) + 1 or int(declared) > limit:
            await answers_of(scope).to(Request(scope), _TooLarge())(scope, receive, send)
        else:
            await _Counted(limit, receive, send).run(self._app, scope)

    def _limit(self, path: str) -> int:
        below = next(
            (size for name, size in self._larger.items() if name.endswith("/") and path.startswith(name)), None
        )
        exactly = self._larger.get(path)
        if exactly is None and any("*" in name for name in self._larger):
            exactly = next((size for name, size in self._larger.items() if _stands_for(name, path)), None)
        return exactly or below or self._default


def _stands_for(name: str, path: str) -> bool:
    """Whether a path is the one that a name with `*` in it means."""
    wanted, parts = name.split("/"), path.split("/")
    same = all(one in ("*", part) for one, part in zip(wanted, parts, strict=False))
    return "*" in wanted and len(wanted) == len(parts) and same


class _Counted:
    """One request whose body is being counted. Whatever the app makes of the refusal, the answer is 413."""

    def __init__(self, limit: int, receive: Receive, send: Send) -> None:
        self._left, self._receive, self._send = limit, receive, send
        self._over = self._begun = False

    async def _counting(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self._over = True
            raise _TooLarge
        return message

    async def _guarded(self, message: Message) -> None:
        if self._over and not self._begun:
            return
        self._begun = True
        await self._send(message)

    async def run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._counting, self._guarded)
        except _TooLarge:
            self._over = True
        if self._over and not self._begun:
            await answers_of(scope).to(Request(scope), _TooLarge())(scope, self._receive, self._send)


class Throttle:
    """A token bucket per key: `burst` at once, `rate_per_minute` in the long run.

    At most `most_keys` are remembered; the one untouched for longest is forgotten, which only ever lets one more in.
    """

    def __init__(self, rate_per_minute: float, burst: int, *, most_keys: int = 10_000) -> None:
        self._per_second, self._burst, self._most = rate_per_minute / 60, float(burst), most_keys
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> int | None:
        """Take a token at `now` (seconds that only go forward): None, or in how many whole seconds to come again."""
        tokens, then = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - then) * self._per_second)
        wait = None if tokens >= 1 else max(1, math.ceil((1 - tokens) / self._per_second))
        self._buckets[key] = (tokens - 1 if wait is None else tokens, max(then, now))
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait

    def require(self, key: str, now: float) -> None:
        """As `take`, raising `Refused` 429 `too-many-requests` with Retry-After."""
        wait = self.take(key, now)
        if wait is not None:
            raise Refused("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, retry_after=wait)


class SecurityHeaders:
    """ASGI middleware: nothing is kept, nothing sniffed, nothing referred, nothing loaded from elsewhere, no framing.

    A header that a route has set itself stays (the API's documentation page needs its own policy).
    `https` adds HSTS for a year.
    """

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self._app = app
        self._headers = {
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        }
        if https:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
