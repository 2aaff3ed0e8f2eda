"""One person of the team, as a coordinator without a spreadsheet writes them down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from services.intake.actions import team
from services.intake.actions.team import Face
from services.intake.domain.pool import REGIONAL
from services.intake.routes.ask import Fields, one
from services.intake.routes.speech import Words, wall_time
from services.intake.routes.team_room import Opened, Room
from shared.errors import Refused
from shared.types import Help

TEXTS = ("name", "contact", "unit", "supervisor_ref", "badge", "language", "hours", "time_zone", "shows", "attributes")
DAYS = ("designated_from", "designated_to", "trained_until")
ROLES = ("peer", "coordinator", "clinician", "member")
MOST_NAMED = 5
MOST_TIMES = 50
NO_TIMES: Mapping[str, str] = {"act": "", "start": "", "end": "", "takes": ""}
BLANK: Mapping[str, object] = {"role": "peer", "language": "en"}


def add_person(routes: APIRouter, room: Room) -> None:
    """`/a/{slug}/team/person` and what is done there."""
    desk = room.sheets.desk

    async def page(opened: Opened) -> Response:
        ref = opened.request.query_params.get("ref", "")
        return await stands(room, opened, ref) if ref else _shown(room, opened, BLANK)

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
                return await stands(room, opened, ref, [say["changed"]])
            problems = _problems(say, refused)
            if person is None:
                return await stands(room, opened, ref, problems[:1])
            return _shown(room, opened, person, ref=ref, read=read, problems=problems)
        return room.again(opened)

    room.gets(routes, "/person", page)
    room.posts(routes, "person", save)


async def stands(
    room: Room, opened: Opened, ref: str, problems: Sequence[str] = (), *, typed: Mapping[str, str] = NO_TIMES
) -> Response:
    """Somebody as they are now; `typed`: what stands in the forms of their times."""
    desk, who = room.sheets.desk, opened.who
    face = await team.person(desk.db, desk.keyring, ref, agency_id=who.agency_id, actor=who.credential_id)
    if face is None and problems:
        return await room.shown(opened, problem=problems[0])
    if face is None:
        raise Refused("not-found", HTTPStatus.NOT_FOUND)
    return _shown(room, opened, face.person, ref=ref, read=str(face.read), problems=problems, face=face, typed=typed)


def _person(fields: Fields) -> dict[str, object]:
    """The row that a form comes to, as the directory's JSON has it."""
    listed = {name: one(fields, name).replace("|", " ").replace(",", " ").split() for name in ("contact", "attributes")}
    if fields.get("lent") and REGIONAL not in listed["attributes"]:
        listed["attributes"].append(REGIONAL)
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
    face: Face | None = None,
    typed: Mapping[str, str] = NO_TIMES,
) -> Response:
    """The form of a person, who may be new; below it their times, when it shows somebody as they are."""
    said = _chosen(person.get("attributes"))
    return room.sheets.page(
        opened.request,
        "team_person.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        say=room.say(opened.request),
        ref=ref,
        read=read,
        texts={name: _text(person.get(name)) for name in ("person_ref", *TEXTS)}
        | {"attributes": _text([one for one in said if one != REGIONAL])},
        lent=REGIONAL in said,
        days={name: _text(person.get(name)) for name in DAYS},
        role=str(person.get("role")),
        roles=ROLES,
        offers=_chosen(person.get("offers")),
        kinds=[kind.value for kind in Help],
        times=_times(face, room.sheets.words(opened.request)) if face else None,
        typed=typed,
        nonce=room.sheets.nonce(opened.key, f"team:{opened.slug}"),
        problems=problems,
    )


def _times(face: Face, words: Words) -> Mapping[str, object] | None:
    """When they are there or away beside their hours, the next first, and with whom they may swap."""
    if face.times is None:
        return None
    entries = sorted(face.times.calendar.entries, key=lambda one: one.start)
    return {
        "zone": face.times.zone,
        "read": face.times.revision,
        "more": len(entries[MOST_TIMES:]),
        "others": face.others,
        "listed": [
            {
                "means": one.means,
                "repeats": one.repeats is not None,
                "start": wall_time(one.start, words),
                "end": wall_time(one.end, words),
                "entry": one.model_dump_json(exclude_defaults=True),
            }
            for one in entries[:MOST_TIMES]
        ],
    }


def _text(value: object) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, (list, tuple)) else str(value or "")


def _chosen(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else []
