"""One person of the team, as a coordinator without a spreadsheet writes them down; and when they are away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from services.intake.actions import availability, team
from services.intake.domain.calendars import Entry
from services.intake.routes.ask import Fields, one
from services.intake.routes.team_room import Opened, Room
from shared.errors import Refused
from shared.types import Help

TEXTS = ("name", "contact", "unit", "supervisor_ref", "badge", "language", "hours", "time_zone", "shows", "attributes")
DAYS = ("designated_from", "designated_to", "trained_until")
ROLES = ("peer", "coordinator", "clinician", "member")
MOST_NAMED = 5
BLANK: Mapping[str, object] = {"role": "peer", "language": "en"}


def add_person(routes: APIRouter, room: Room) -> None:
    """`/a/{slug}/team/person` and what is done there."""
    desk = room.sheets.desk

    async def page(opened: Opened) -> Response:
        ref = opened.request.query_params.get("ref", "")
        return await stands(opened, ref) if ref else _shown(room, opened, BLANK)

    async def stands(opened: Opened, ref: str, problem: str = "") -> Response:
        """Somebody as they are now."""
        who = opened.who
        read, person = await team.person(desk.db, desk.keyring, ref, agency_id=who.agency_id, actor=who.credential_id)
        if person is None and problem:
            return await room.shown(opened, problem=problem)
        if person is None:
            raise Refused("not-found", HTTPStatus.NOT_FOUND)
        return _shown(room, opened, person, ref=ref, read=str(read), problems=[problem] if problem else ())

    async def save(opened: Opened) -> Response:
        ref, read, say = one(opened.fields, "was"), one(opened.fields, "read"), room.say(opened.request)
        person = None if one(opened.fields, "act") == "remove" else _person(opened.fields)
        try:
            await team.save_person(
                desk.db,
                desk.keyring,
                person,
                was=ref,
                read=int(read) if read.isdecimal() else None,
                agency_id=opened.who.agency_id,
                actor=opened.who.credential_id,
            )
        except Refused as refused:
            if refused.slug == "changed-meanwhile":
                return await stands(opened, ref, say["changed"])
            problems = _problems(say, refused)
            if person is None:
                return await stands(opened, ref, problems[0])
            return _shown(room, opened, person, ref=ref, read=read, problems=problems)
        return room.again(opened)

    async def away(opened: Opened) -> Response:
        fields = opened.fields
        try:
            entry = None if one(fields, "act") == "clear" else _leave(fields)
            await availability.change(
                desk.db,
                desk.keyring,
                lambda has: has.without("away") if entry is None else has.also(entry),
                agency_id=opened.who.agency_id,
                person_ref=one(fields, "ref"),
                actor=opened.who.credential_id,
            )
        except (Refused, ValidationError):
            return await room.shown(opened, problem=room.say(opened.request)["not_done"])
        return room.again(opened)

    room.gets(routes, "/person", page)
    room.posts(routes, "person", save)
    room.posts(routes, "away", away)


def _leave(fields: Fields) -> Entry:
    """Raises `ValidationError`."""
    return Entry.model_validate({"means": "away", "start": one(fields, "start"), "end": one(fields, "end")})


def _person(fields: Fields) -> dict[str, object]:
    """The row that a form comes to, as the directory's JSON has it."""
    listed = {name: one(fields, name).replace("|", " ").replace(",", " ").split() for name in ("contact", "attributes")}
    return {
        "person_ref": one(fields, "person_ref"),
        "role": one(fields, "role"),
        **{name: one(fields, name) for name in TEXTS if name not in listed},
        **{name: one(fields, name) or None for name in DAYS},
        **listed,
        "offers": [kind.value for kind in Help if kind.value in fields.get("offers", ())],
    }


def _problems(say: Mapping[str, str], refused: Refused) -> list[str]:
    """What to look at: fields of this person, or other people of the list who stand in the way."""
    if refused.slug == "others-invalid":
        named = refused.extra.get("people")
        names = [str(name) for name in named[:MOST_NAMED]] if isinstance(named, list) else []
        return [say["others"].format(names=", ".join(names))]
    fields = sorted({problem.pointer.rpartition("/")[2] for problem in refused.problems}) or ["other"]
    return [say["wrong"].format(field=say.get(f"field_{name}", say["field_other"])) for name in fields]


def _shown(
    room: Room,
    opened: Opened,
    person: Mapping[str, object],
    *,
    ref: str = "",
    read: str = "",
    problems: Sequence[str] = (),
) -> Response:
    return room.sheets.page(
        opened.request,
        "team_person.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        say=room.say(opened.request),
        ref=ref,
        read=read,
        texts={name: _text(person.get(name)) for name in ("person_ref", *TEXTS)},
        days={name: _text(person.get(name)) for name in DAYS},
        role=str(person.get("role")),
        roles=ROLES,
        offers=_chosen(person.get("offers")),
        kinds=[kind.value for kind in Help],
        nonce=room.sheets.nonce(opened.key, f"team:{opened.slug}"),
        problems=problems,
    )


def _text(value: object) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, (list, tuple)) else str(value or "")


def _chosen(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else []
