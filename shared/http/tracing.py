"""A span for every request, named by the template of its route, never by its path: paths hold tokens."""

from __future__ import annotations

from typing import cast

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry


def work_of(request: Request) -> telemetry.ServerWork:
    """The work that this request is; its `traceparent` is what actions hand on. Only behind `Tracing`."""
    return cast("telemetry.ServerWork", request.state.work)


class Tracing:
    """ASGI middleware: opens `telemetry.server_work` and puts it at `request.state.work`.

    A caller's own traceparent is continued only with `trusted`: anybody could otherwise tie their trace to a case.
    Health checks are not traced.
    """

    def __init__(self, app: ASGIApp, *, trusted: bool = False) -> None:
        self._app, self._trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on inside its span."""
        if scope["type"] != "http" or scope["path"].startswith("/health/"):
            await self._app(scope, receive, send)
            return
        incoming = Headers(scope=scope).get("traceparent") if self._trusted else None
        work = telemetry.server_work(scope["method"], None, traceparent=incoming)
        state = scope.setdefault("state", {})
        state["work"] = work

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                work.status(message["status"])
            await send(message)

        error: str | None = None
        try:
            await self._app(scope, receive, noted)
        except BaseException as raised:
            error = type(raised).__name__
            raise
        finally:
            if template := getattr(scope.get("route"), "path", None):
                work.route(template)
            work.end(error=error or state.get("failed"))
