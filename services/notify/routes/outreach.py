"""`/o/{token}`: the one page without a PIN. It says plainly what there is, and tells nothing about anybody."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.notify.routes.look import Look, wanted_language


def add(routes: APIRouter, look: Look) -> None:
    """The one door of an outreach. Whoever opens it, and whether anybody does, is kept nowhere."""

    @routes.api_route("/o/{token}", methods=["GET", "HEAD"])
    async def show(request: Request, token: str) -> Response:
        """What help there is, for somebody whom a caller worries about; no PIN."""
        look.slow_down(request, token)
        opened = await look.desk.outreach(token)
        if opened is None:
            # Also whoever comes late is told whom to call.
            return look.page(
                "outreach",
                language=wanted_language(request),
                status=HTTPStatus.NOT_FOUND,
                told="gone",
                there=None,
            )
        return look.page(
            "outreach", language=opened.language, told="outreach", there=f"{look.intake_url}/a/{opened.slug}"
        )
