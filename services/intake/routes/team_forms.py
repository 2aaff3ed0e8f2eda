"""Forms of the team's page: practice, and peers of the region's pool."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from services.intake.actions import agencies, drills, pool
from services.intake.domain.drill import Drill
from services.intake.domain.pool import Borrowing
from services.intake.routes.ask import Fields, one
from services.intake.routes.team_room import Opened, Room
from shared.errors import Refused
from shared.types import PersonId


def add_forms(routes: APIRouter, room: Room) -> None:
    """`/a/{slug}/team/drill`, `/a/{slug}/team/pool` and `/a/{slug}/team/pool/part`."""
    desk = room.sheets.desk

    async def drill(opened: Opened) -> Response:
        say = room.say(opened.request)
        try:
            begun = await drills.begin(
                desk.db,
                desk.keyring,
                desk.notices,
                Drill(),
                agency_id=opened.who.agency_id,
                actor=opened.who.credential_id,
                # Each page has another one, and a button that is pressed twice sends the same.
                once=one(opened.fields, "once"),
            )
        except Refused as refused:
            return await room.shown(opened, problem=say.get(refused.slug, say["not_done"]))
        return await room.shown(opened, told={"code": begun.code, "page": f"/a/{begun.slug}/case"})

    async def take(opened: Opened) -> Response:
        try:
            peer, wanted = _wanted(opened.fields)
            await pool.change(
                desk.db,
                desk.keyring,
                peer,
                wanted,
                agency_id=opened.who.agency_id,
                actor=opened.who.credential_id,
            )
        except (Refused, ValueError, ValidationError):
            return await room.shown(opened, problem=room.say(opened.request)["not_done"])
        return room.again(opened)

    async def part(opened: Opened) -> Response:
        try:
            await agencies.join_pool(desk.db, opened.who, joins=one(opened.fields, "act") == "join")
        except Refused:
            return await room.shown(opened, problem=room.say(opened.request)["not_done"])
        return room.again(opened)

    room.posts(routes, "drill", drill)
    room.posts(routes, "pool", take)
    room.posts(routes, "pool/part", part, needs="policy:write")


def _wanted(fields: Fields) -> tuple[PersonId, Borrowing | None]:
    """Whom the form is about, and for how long; None to let them go. Raises `ValueError`, `ValidationError`."""
    peer = PersonId(UUID(one(fields, "peer")))
    if one(fields, "act") != "take":
        return peer, None
    days = {name: one(fields, name) or None for name in ("designated_from", "designated_to")}
    return peer, Borrowing.model_validate({"peer": peer, **days})
