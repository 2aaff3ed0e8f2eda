"""When somebody is there otherwise than their hours say: leave, an extra time, a swap, written by a coordinator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from services.intake.actions import availability
from services.intake.domain.calendars import Calendar, Entry, Means, calendar_in, ical_of
from services.intake.routes.ask import Fields, one
from services.intake.routes.team_person import NO_TIMES, stands
from services.intake.routes.team_room import Opened, Room
from shared.errors import Refused

Writes = Callable[[Opened, str], Awaitable[None]]
"""What a form makes of the times of the person of this reference. Raises `Refused`, `ValidationError`."""


def add_times(routes: APIRouter, room: Room) -> None:
    """`/a/{slug}/team/away`, `shift`, `swap`, `unsaid` and `calendar`, each of which leads back to the person."""
    desk = room.sheets.desk

    async def change(opened: Opened, ref: str, wanted: Callable[[Calendar], Calendar]) -> None:
        await availability.change(
            desk.db,
            desk.keyring,
            wanted,
            agency_id=opened.who.agency_id,
            person_ref=ref,
            actor=opened.who.credential_id,
        )

    async def away(opened: Opened, ref: str) -> None:
        if one(opened.fields, "act") == "clear":
            await change(opened, ref, lambda has: has.without("away"))
        else:
            entry = _entry(opened.fields, "away")
            await change(opened, ref, lambda has: has.also(entry))

    async def shift(opened: Opened, ref: str) -> None:
        entry = _entry(opened.fields, "away" if one(opened.fields, "act") == "off" else "there")
        await change(opened, ref, lambda has: has.also(entry))

    async def swap(opened: Opened, ref: str) -> None:
        await availability.swap(
            desk.db,
            desk.keyring,
            agency_id=opened.who.agency_id,
            gives=ref,
            takes=one(opened.fields, "takes"),
            entry=_entry(opened.fields, "away"),
            actor=opened.who.credential_id,
        )

    async def unsaid(opened: Opened, ref: str) -> None:
        try:
            entry = Entry.model_validate_json(one(opened.fields, "entry"))
        except ValidationError:
            raise Refused("form-malformed", HTTPStatus.BAD_REQUEST) from None
        await change(opened, ref, lambda has: has.but(entry))

    for name, writes in (("away", away), ("shift", shift), ("swap", swap), ("unsaid", unsaid)):
        room.posts(routes, name, _form(room, writes))
    _calendars(routes, room)


def _calendars(routes: APIRouter, room: Room) -> None:
    desk = room.sheets.desk

    async def calendar(opened: Opened, ref: str) -> None:
        fields = opened.fields

        def wanted(zone: str) -> Calendar:
            means: Means = "away" if one(fields, "means") == "away" else "there"
            return calendar_in(opened.file, zone, means=means, alone=one(fields, "alone") == "yes")

        def matches(stands: int) -> None:
            if str(stands) != one(fields, "read"):
                raise Refused("changed-meanwhile", HTTPStatus.PRECONDITION_FAILED)

        await availability.put(
            desk.db,
            desk.keyring,
            wanted,
            agency_id=opened.who.agency_id,
            person_ref=ref,
            actor=opened.who.credential_id,
            matches=matches,
        )

    async def download(opened: Opened) -> Response:
        ref = opened.request.query_params.get("ref", "")
        shown = await availability.read(desk.db, desk.keyring, opened.who.agency_id, ref)
        # A name of its own, so that nothing of whoever it is about stands in a list of downloads.
        kept = {"Content-Disposition": 'attachment; filename="calendar.ics"'}
        return Response(ical_of(shown.calendar, shown.zone), media_type="text/calendar", headers=kept)

    room.gets(routes, "/calendar", download)
    room.uploads(routes, "calendar", _form(room, calendar))


def _form(room: Room, writes: Writes) -> Callable[[Opened], Awaitable[Response]]:
    async def form(opened: Opened) -> Response:
        ref, say = one(opened.fields, "ref"), room.say(opened.request)
        typed = {name: one(opened.fields, name) for name in NO_TIMES}
        try:
            await writes(opened, ref)
        except ValidationError as error:
            return await stands(room, opened, ref, _wrong(say, error), typed=typed)
        except Refused as refused:
            return await stands(room, opened, ref, [_why(say, refused, swaps="takes" in opened.fields)], typed=typed)
        return room.again(opened, person=ref)

    return form


def _entry(fields: Fields, means: str) -> Entry:
    """Raises `ValidationError`."""
    return Entry.model_validate({"means": means, "start": one(fields, "start"), "end": one(fields, "end")})


def _wrong(say: Mapping[str, str], error: ValidationError) -> list[str]:
    """Which of both times has to be looked at; what concerns the whole is one that does not end after it begins."""
    places = {str(problem["loc"][0]) if problem["loc"] else "times" for problem in error.errors()}
    return [say[f"wrong_{name}"] for name in ("start", "end", "times") if name in places] or [say["not_done"]]


def _why(say: Mapping[str, str], refused: Refused, *, swaps: bool) -> str:
    """Who takes a swap may be nobody, or the same person; the times of one person may be too many."""
    if refused.slug == "changed-meanwhile":
        return say["calendar_changed"]
    places = {problem.pointer for problem in refused.problems}
    if swaps and (refused.slug == "not-found" or "/takes" in places):
        return say["wrong_takes"]
    if "/entries" in places:
        return say["times_full"]
    return say["calendar_unreadable"] if refused.slug == "calendar-invalid" else say["not_done"]
