"""The OpenAPI documents of the two services that have doors, as their apps say them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

FOLDER = Path("docs/api")
SERVICES = ("intake", "notify")


def document(app: ASGIApp) -> dict[str, Any]:
    """The document of an app, whether it serves it or not."""
    if not isinstance(app, FastAPI):
        raise TypeError("a service with doors is a FastAPI app")
    return app.openapi()
