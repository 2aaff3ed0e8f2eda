"""The team from a spreadsheet: looked at first, then put in the place of the whole list."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from services.intake.actions import agencies, directory
from services.intake.actions.directory import Uploaded
from services.intake.domain.csvfile import COLUMNS
from services.intake.domain.upload import rows_of_file
from services.intake.routes.ask import one
from services.intake.routes.team_room import Opened, Room
from services.intake.routes.turns import Turns
from shared.errors import Problem, Refused

WITHIN_S = 60.0
MOST_NAMED = 20


def add_sheet(routes: APIRouter, room: Room) -> None:
    """`/a/{slug}/team/sheet`."""
    desk, turns = room.sheets.desk, Turns()
    slow = desk.db.within(WITHIN_S)

    async def page(opened: Opened) -> Response:
        return await shown(opened)

    async def shown(
        opened: Opened, problems: Sequence[str] = (), told: Uploaded | None = None, *, anew: bool = False
    ) -> Response:
        # Until a file is taken, or is said to be older than the list, the form goes by the list as it was opened.
        read = one(opened.fields, "read")
        if not read or anew:
            read = str((await agencies.present(desk.db, opened.who.agency_id))[0].directory_revision)
        return room.sheets.page(
            opened.request,
            "team_sheet.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
            say=room.say(opened.request),
            columns=COLUMNS,
            told=told,
            read=read,
            nonce=room.sheets.nonce(opened.key, f"team:{opened.slug}"),
            problems=problems,
        )

    async def take(opened: Opened) -> Response:
        say, fields, agency_id = room.say(opened.request), opened.fields, opened.who.agency_id

        def matches(stands: int) -> None:
            if str(stands) != one(fields, "read"):
                raise Refused("changed-meanwhile", HTTPStatus.PRECONDITION_FAILED)

        if not opened.file:
            return await shown(opened, [say["sheet_no_file"]])
        try:
            async with turns.of(agency_id), turns.place():
                rows = await asyncio.to_thread(rows_of_file, opened.file)
                told = await directory.check_directory(slow, desk.keyring, agency_id, rows)
                if one(fields, "act") != "put":
                    return await shown(opened, told=told)
                if told.removed and one(fields, "sure") != "yes":
                    return await shown(opened, [say["sheet_not_sure"].format(count=told.removed)], told)
                await directory.put_directory(
                    slow, desk.keyring, rows, agency_id=agency_id, actor=opened.who.credential_id, matches=matches
                )
        except Refused as refused:
            return await shown(opened, _lines(say, refused), anew=refused.slug == "changed-meanwhile")
        return room.again(opened)

    room.gets(routes, "/sheet", page)
    room.uploads(routes, "sheet", take)


def _lines(say: Mapping[str, str], refused: Refused) -> list[str]:
    """What to look at: columns, rows with their fields, or the file as a whole; never what stands in it."""
    if refused.slug == "changed-meanwhile":
        return [say["sheet_changed"]]
    rows = refused.extra.get("rows")
    if isinstance(rows, list) and rows:
        lines = [say["sheet_row"].format(row=one["row"], field=_field(say, str(one["field"]))) for one in rows]
        lines = list(dict.fromkeys(lines))
        return lines[:MOST_NAMED] + ([say["sheet_more"]] if len(lines) > MOST_NAMED else [])
    columns = [_column(one) for one in refused.problems if one.pointer.startswith("/columns/")]
    if columns:
        return [say["sheet_columns"].format(names=", ".join(columns[:MOST_NAMED]))]
    return [say["sheet_unreadable"]]


def _field(say: Mapping[str, str], name: str) -> str:
    return say.get(f"field_{name}", name)


def _column(problem: Problem) -> str:
    """A column that is missing by its name, one that nobody knows or that is there twice by its place."""
    last = problem.pointer.rpartition("/")[2]
    return str(int(last) + 1) if last.isdecimal() else last
