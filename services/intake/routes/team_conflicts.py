"""Who must not meet, as a coordinator writes it down: kept, obeyed, and shown to nobody, not here either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from services.intake.actions import agencies, conflicts
from services.intake.domain.conflicts import MAX_PEOPLE, Conflict, Conflicts, Kind
from services.intake.routes.ask import Fields, one
from services.intake.routes.team_room import Opened, Room
from shared.errors import Problem, Refused

WRITES = "conflicts:write"
KINDS: Sequence[Kind] = ("relatives", "incident", "investigation", "evaluator")
BLANK: Mapping[str, str] = {"kind": "", "people": "", "reference": "", "until": ""}
MOST_NAMED = 5


def add_conflicts(routes: APIRouter, room: Room) -> None:
    """`/a/{slug}/team/conflicts`: one more; `/a/{slug}/team/conflicts/none`: forget them all."""
    desk = room.sheets.desk

    async def page(opened: Opened) -> Response:
        return await _shown(room, opened)

    async def add(opened: Opened) -> Response:
        say, people = room.say(opened.request), _people(opened.fields)
        typed = {name: one(opened.fields, name) for name in BLANK}
        try:
            wanted = Conflict.model_validate(
                {name: value or None for name, value in typed.items()} | {"people": people[: MAX_PEOPLE + 1]}
            )
            await conflicts.add_conflict(
                desk.db,
                desk.keyring,
                wanted,
                agency_id=opened.who.agency_id,
                actor=opened.who.credential_id,
                by_name=True,
            )
        except ValidationError as error:
            return await _shown(room, opened, typed, problems=_wrong(say, error))
        except Refused as refused:
            return await _shown(room, opened, typed, problems=_unclear(say, refused.problems, people))
        return await _shown(room, opened, told=say["conflict_kept"])

    async def none(opened: Opened) -> Response:
        say = room.say(opened.request)
        if one(opened.fields, "sure") != "yes":
            return await _shown(room, opened, problems=[say["conflicts_not_sure"]])

        def matches(stands: int) -> None:
            # Pressed again from an old page it would take away what was written since.
            if str(stands) != one(opened.fields, "read"):
                raise Refused("changed-meanwhile", HTTPStatus.PRECONDITION_FAILED)

        try:
            await conflicts.put_conflicts(
                desk.db,
                desk.keyring,
                Conflicts(conflicts=()),
                agency_id=opened.who.agency_id,
                actor=opened.who.credential_id,
                matches=matches,
            )
        except Refused as refused:
            if refused.slug != "changed-meanwhile":
                raise
            return await _shown(room, opened, problems=[say["conflicts_changed"]])
        return await _shown(room, opened, told=say["conflicts_forgotten"])

    room.gets(routes, "/conflicts", page, needs=WRITES)
    room.posts(routes, "conflicts", add, needs=WRITES)
    room.posts(routes, "conflicts/none", none, needs=WRITES)


def _people(fields: Fields) -> list[str]:
    """One on each line."""
    lines = (line.strip() for line in one(fields, "people").splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def _wrong(say: Mapping[str, str], error: ValidationError) -> list[str]:
    """Each field that has to be looked at. What concerns the whole is an incident without its name, or the reverse."""
    named = {str(problem["loc"][0]) if problem["loc"] else "reference" for problem in error.errors()}
    return [say[f"wrong_{name}"] for name in BLANK if name in named]


def _unclear(say: Mapping[str, str], problems: Sequence[Problem], people: Sequence[str]) -> list[str]:
    """What the list could not keep, with the people as they were just typed."""
    lines = []
    for code in ("unknown-person", "several-people"):
        places = [int(problem.pointer.rpartition("/")[2]) for problem in problems if problem.code == code]
        if places:
            lines.append(say[f"conflict_{code}"].format(names="; ".join(people[at] for at in places[:MOST_NAMED])))
    return lines or [say.get(f"conflict_{problems[0].code}", say["not_done"]) if problems else say["not_done"]]


async def _shown(
    room: Room, opened: Opened, typed: Mapping[str, str] = BLANK, *, told: str = "", problems: Sequence[str] = ()
) -> Response:
    """The empty form, or what was typed when it has to be looked at once more; never anything that is kept.

    The list's revision goes up with everything that is written, so that it tells nothing.
    """
    agency, _ = await agencies.present(room.sheets.desk.db, opened.who.agency_id)
    return room.sheets.page(
        opened.request,
        "team_conflicts.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        say=room.say(opened.request),
        typed=typed,
        kinds=KINDS,
        told=told,
        read=agency.conflicts_revision,
        nonce=room.sheets.nonce(opened.key, f"team:{opened.slug}"),
        problems=problems,
    )
