"""Every no of a door as problem+json, with crisis resources where a requester may read it. Source: RFC 9457, RFC 6901.

Nothing that was sent comes back, and nothing of it is logged: an answer holds pointers and codes, a log line the
class of the error and the places in our own code.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.db import UNAVAILABLE
from shared.errors import Problem, Refused, places_of

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
"""What a client is told to wait when the database is not there."""

MAX_PROBLEMS = 1000
"""So many problems of one body are named, the others only counted (`more`)."""

Resources = Callable[[Request], list[dict[str, object]]]
"""From memory, without waiting: the crisis lines for whoever reads the answer to this request; [] for machines."""

Page = Callable[[Request, Mapping[str, object]], Response | None]
"""Shows a problem document to a browser, or returns None where JSON is wanted."""

_SLUGS = {
    400: "malformed",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    413: "body-too-large",
    415: "unsupported-media-type",
    422: "invalid",
    429: "too-many-requests",
    500: "internal",
    503: "unavailable",
}
# What a caller typed as the name of a field is input too: these errors are told of the place it stands in.
_NAMED_BY_CALLER = frozenset({"extra_forbidden", "json_invalid", "unexpected_keyword_argument"})
_OWN = {"type", "title", "status", "errors", "more", "resources"}


def pointer_to(loc: Sequence[int | str], kind: str = "") -> str:
    """The JSON pointer of a pydantic location: into the body, or `/query/...`, `/path/...`, `/header/...`."""
    parts = list(loc[1:] if loc and loc[0] == "body" else loc)
    if kind in _NAMED_BY_CALLER:
        parts = parts[:-1]
    if parts and parts[-1] == "[key]":
        parts = parts[:-2]
    return "".join(f"/{_escaped(part)}" for part in parts)


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def problems_of(error: ValidationError | RequestValidationError) -> tuple[Problem, ...]:
    """Where and what, of a validation error: never a value. Models of requests have no maps with free keys."""
    found = (
        error.errors(include_input=False, include_url=False, include_context=False)
        if isinstance(error, ValidationError)
        else error.errors()
    )
    return tuple(Problem(pointer_to(one["loc"], one["type"]), str(one["type"])) for one in found)


def _refusal_of_status(error: HTTPException) -> Refused:
    return Refused(_SLUGS.get(error.status_code, "refused"), error.status_code)


def _collapsed(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def refusal_of(error: BaseException) -> Refused:
    """What an exception is to whoever asked. Anything unforeseen is a 500 that says nothing."""
    match _collapsed(error):
        case Refused() as refused:
            return refused
        case RequestValidationError() | ValidationError() as invalid:
            return Refused("invalid", HTTPStatus.UNPROCESSABLE_ENTITY, problems_of(invalid))
        case HTTPException() as refused_by_framework:
            return _refusal_of_status(refused_by_framework)
        case gone if isinstance(gone, UNAVAILABLE):
            return Refused("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, retry_after=RETRY_AFTER_S)
        case _:
            return Refused("internal", HTTPStatus.INTERNAL_SERVER_ERROR)


def document_of(refused: Refused) -> dict[str, object]:
    """The problem document, without resources. `extra` never replaces a member of ours."""
    document: dict[str, object] = {
        "type": f"/problems/{refused.slug}",
        "title": refused.slug.replace("-", " ").capitalize(),
        "status": int(refused.status),
    }
    if refused.problems:
        named = refused.problems[:MAX_PROBLEMS]
        document["errors"] = [{"pointer": one.pointer, "code": one.code} for one in named]
        if len(refused.problems) > MAX_PROBLEMS:
            document["more"] = len(refused.problems) - MAX_PROBLEMS
    return document | {name: value for name, value in refused.extra.items() if name not in _OWN}


class Answers:
    """Turns exceptions into answers; one per app, at `app.state.answers`."""

    def __init__(self, resources: Resources | None = None, page: Page | None = None) -> None:
        self._resources, self._page = resources, page

    def resources(self, request: Request) -> list[dict[str, object]]:
        """The crisis resources for this request; a failure to name them never hides the answer itself."""
        if self._resources is None:
            return []
        try:
            return self._resources(request)
        except Exception as error:  # noqa: BLE001 - the answer must go out
            log.error("resources could not be named: %s at %s", type(error).__name__, places_of(error))
            return []

    def to(self, request: Request, error: BaseException) -> Response:
        """The answer to a request that ended with `error`; what was unforeseen is logged by class and place."""
        refused = refusal_of(error)
        if refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            inner = _collapsed(error)
            request.scope.setdefault("state", {})["failed"] = type(inner).__name__
            log.error("%s answered for %s at %s", refused.status, type(inner).__name__, places_of(inner))
        document = document_of(refused)
        if lines := self.resources(request):
            document["resources"] = lines
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        if refused.retry_after is not None:
            headers["Retry-After"] = str(refused.retry_after)
        return self._rendered(request, document, headers)

    def _rendered(self, request: Request, document: dict[str, object], headers: dict[str, str]) -> Response:
        response = self._page(request, document) if self._page else None
        if response is None:
            status = int(str(document["status"]))
            response = JSONResponse(document, status_code=status, media_type="application/problem+json")
        response.headers.update(headers)
        return response


def answers_of(scope: Scope) -> Answers:
    """The `Answers` of the app that this request came to; plain ones where `install` was not called."""
    app = scope.get("app")
    found = getattr(getattr(app, "state", None), "answers", None)
    return found if isinstance(found, Answers) else Answers()


class CatchAll:
    """ASGI middleware: whatever is raised becomes a problem document, and the server never sees (nor logs) it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the app when it raises; an answer that has begun is cut off."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the outermost door
            response = answers_of(scope).to(Request(scope), error)
            if not begun:
                await response(scope, receive, send)


def install(app: FastAPI, *, resources: Resources | None = None, page: Page | None = None) -> None:
    """From now on every error of `app` is a problem document, with `resources` where there are any.

    Call it before middleware that shall also see errors (headers, tracing) is added.
    """
    answers = Answers(resources, page)
    app.state.answers = answers

    async def answer(request: Request, error: Exception) -> Response:
        return answers.to(request, error)

    # FastAPI has answers of its own for these two, and they quote the input.
    app.add_exception_handler(RequestValidationError, answer)
    app.add_exception_handler(HTTPException, answer)
    app.add_middleware(CatchAll)
