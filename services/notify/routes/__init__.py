"""notify's pages: neutral, for a phone, without JavaScript. Opening one does nothing and shows nothing about a case."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from services.notify.routes import links, outreach, verify
from services.notify.routes.look import Look


def router(look: Look) -> APIRouter:
    """Every page."""
    routes = APIRouter(tags=["pages"], default_response_class=HTMLResponse)
    look.add_style(routes)
    verify.add(routes, look)
    links.add(routes, look)
    outreach.add(routes, look)
    return routes


__all__ = ["Look", "router"]
