"""`/v/{token}`: the owner of a contact point confirms it and sets a PIN."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from services.notify.domain import pins
from services.notify.routes.look import Look, one, wanted_language
from shared.http.forms import read_form

PURPOSE = "pin:verify"


def add(routes: APIRouter, look: Look) -> None:
    """The two doors of a verification."""

    def form(request: Request, token: str, told: str | None, status: HTTPStatus = HTTPStatus.OK) -> Response:
        return look.page(
            "verify",
            language=wanted_language(request),
            status=status,
            told=told,
            here=look.path("v", token),
            pin_nonce=look.nonce(token, PURPOSE),
        )

    @routes.api_route("/v/{token}", methods=["GET", "HEAD"])
    async def show(request: Request, token: str) -> Response:
        """The form in which the owner of a contact point sets a PIN."""
        return form(request, token, None)

    @routes.post("/v/{token}")
    async def confirm(request: Request, token: str) -> Response:
        """Confirm the contact point and set the PIN: `nonce`, `pin`, `pin_again`."""
        look.slow_down(request, token)
        fields = await read_form(request)
        if not look.is_nonce(token, PURPOSE, one(fields, "nonce")):
            return form(request, token, "again", HTTPStatus.FORBIDDEN)
        pin = one(fields, "pin")
        if not pins.well_formed(pin):
            return form(request, token, "pin_shape", HTTPStatus.UNPROCESSABLE_ENTITY)
        if pin != one(fields, "pin_again"):
            return form(request, token, "pins_differ", HTTPStatus.UNPROCESSABLE_ENTITY)
        match await look.desk.verify(token, pin):
            case "verified":
                return look.note("verified", language=wanted_language(request))
            case "used":
                return look.note("link_used", language=wanted_language(request), status=HTTPStatus.CONFLICT)
            case "wrong":
                return form(request, token, "pin_wrong", HTTPStatus.FORBIDDEN)
            case _:
                return look.note("gone", language=wanted_language(request), status=HTTPStatus.NOT_FOUND)
