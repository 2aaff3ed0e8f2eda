"""What the doors of an agency share: whose key came with a request, bodies read by hand, tags of revisions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.intake.actions import keys
from services.intake.actions.keys import Caller
from services.intake.domain.agency import Scope
from shared.db import Database
from shared.errors import Refused
from shared.http.etags import etag_of, require_match
from shared.vault import Keyring

Allowed = Callable[[Request, Scope], Awaitable[Caller]]
"""Whose key came with a request and may do this; asked before anything of the body is read. Raises 401 or 403."""


def allowed_by(db: Database, keyring: Keyring) -> Allowed:
    """The question that every door under `/v1/agency` asks first."""

    async def allowed(request: Request, scope: Scope) -> Caller:
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        who = await keys.authenticate(db, keyring, key.strip()) if kind.lower() == "bearer" else None
        if who is None:
            # Missing, unknown, revoked and of a closed agency: one answer for all of them.
            raise HTTPException(HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        if scope not in who.scopes:
            raise Refused("scope-missing", HTTPStatus.FORBIDDEN)
        return who

    return allowed


def tag(revision: int) -> dict[str, str]:
    """The header with a revision's tag; none where nothing was ever written."""
    return {"ETag": etag_of(revision)} if revision else {}


def matching(request: Request) -> Callable[[int], None]:
    """What an action calls with the revision that stands: has the caller read it? 0 where nothing stands yet."""

    def matches(revision: int) -> None:
        require_match(request, etag_of(revision) if revision else None)

    return matches


def parsed(body: bytes) -> object:
    """A body as JSON. Raises `Refused` 400."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("malformed", HTTPStatus.BAD_REQUEST) from None
