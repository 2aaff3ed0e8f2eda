"""The one cookie of a page: short-lived, unreadable to scripts, sent to no other site, named after nothing."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

MAX_AGE_S = 15 * 60


@dataclass(frozen=True)
class SessionCookie:
    """How a session is kept in a browser. With `https` it is Secure and bound to this host (`__Host-`, RFC 6265bis)."""

    https: bool
    name: str = "s"
    max_age_s: int = MAX_AGE_S

    @property
    def full_name(self) -> str:
        """The name as the browser knows it."""
        return f"__Host-{self.name}" if self.https else self.name

    def put(self, response: Response, value: str) -> None:
        """Begin or prolong: the browser forgets it after `max_age_s` seconds."""
        response.set_cookie(
            self.full_name,
            value,
            max_age=self.max_age_s,
            path="/",
            secure=self.https,
            httponly=True,
            samesite="strict",
        )

    def clear(self, response: Response) -> None:
        """The browser forgets it now."""
        response.delete_cookie(self.full_name, path="/", secure=self.https, httponly=True, samesite="strict")

    def read(self, request: Request) -> str | None:
        """The value that the browser sent, or None."""
        return request.cookies.get(self.full_name) or None
