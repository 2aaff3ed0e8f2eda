"""The mailbox in a browser: a list, one mail, and the same as JSON. Reads only, escapes everything."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape
from starlette.middleware.trustedhost import TrustedHostMiddleware

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from deploy.local.mailbox.store import MailStore

LINK = re.compile(r"(https?://[^\s<>\"']+[^\s<>\"'.,;:!?)])")
LISTED, HIGHEST_LIMIT = 200, 100_000
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def linked(text: str) -> Markup:
    """The text escaped, with its web addresses as links."""
    parts = LINK.split(text)
    shown = (
        Markup('<a href="{0}" rel="noreferrer noopener">{0}</a>').format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )
    return Markup().join(shown)


def build(store: MailStore) -> FastAPI:
    """The application over a store; answers only when asked as localhost, so that no foreign page can read mails."""
    app = FastAPI(title="Local mailbox", docs_url=None, redoc_url=None, openapi_url=None)
    pages = Environment(loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True)
    pages.filters["linked"] = linked
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = await call_next(request)
        answer.headers.update(HEADERS)
        return answer

    @app.get("/health")
    async def health() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/api/mails")
    async def mails(
        to: str | None = None, limit: Annotated[int, Query(ge=1, le=HIGHEST_LIMIT)] = HIGHEST_LIMIT
    ) -> JSONResponse:
        return JSONResponse([asdict(mail) for mail in store.newest(to=to, limit=limit)])

    @app.get("/")
    async def index(to: str | None = None) -> HTMLResponse:
        return HTMLResponse(
            pages.get_template("list.html").render(mails=store.newest(to=to, limit=LISTED), to=to or "")
        )

    @app.get("/mail/{mail_id}")
    async def one(mail_id: str) -> HTMLResponse:
        mail = store.get(mail_id)
        return HTMLResponse(pages.get_template("mail.html").render(mail=mail), status_code=200 if mail else 404)

    return app
