"""What every door stands on, without any business: errors, limits, tracing, health, forms and sessions."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from shared.http.limits import BodyLimit, SecurityHeaders
from shared.http.problems import Page, Resources, install
from shared.http.tracing import Tracing


def foundation(
    app: FastAPI,
    *,
    resources: Resources | None = None,
    page: Page | None = None,
    larger_bodies: Mapping[str, int] | None = None,
    https: bool = False,
    trust_traceparent: bool = False,
) -> None:
    """Lay everything under `app` in the order that works.

    From outside: headers, span, body limit, then errors to answers. So a 413 and a 500 have headers, span and
    resources too. `larger_bodies` gives bytes per path, as `BodyLimit` reads it.
    """
    install(app, resources=resources, page=page)
    app.add_middleware(BodyLimit, larger=larger_bodies)
    app.add_middleware(Tracing, trusted=trust_traceparent)
    app.add_middleware(SecurityHeaders, https=https)


__all__ = ["BodyLimit", "SecurityHeaders", "Tracing", "foundation", "install"]
