"""Who else there is, right now, without this software: in every answer that a requester can get. Pure, from memory.

Sources: 988 Suicide & Crisis Lifeline (988lifeline.org), CopLine (copline.org), an agency's own lines as it set them,
and what region and agency list as crisis resources.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NotRequired, TypedDict

from services.intake.domain.agency import Line
from services.intake.domain.listing import Listing


class Resource(TypedDict):
    """One line to call. `call` and `text` are as dialled, "" where there is none; `when` is as people read it.

    Of a line from a directory also what `what` sums up: its area, for whom it is, and since when nobody has checked it.
    """

    name: str
    what: str
    call: str
    text: str
    when: str
    area: NotRequired[str]
    whom: NotRequired[list[str]]
    not_checked_since: NotRequired[str]


ALWAYS = "24 hours, every day"
GENERAL: tuple[Resource, ...] = (
    Resource(
        name="988 Suicide & Crisis Lifeline",
        what="Call or text 988 to reach a trained counselor, free and confidential.",
        call="988",
        text="988",
        when=ALWAYS,
    ),
    Resource(
        name="911",
        what="When somebody is in immediate danger.",
        call="911",
        text="",
        when=ALWAYS,
    ),
    Resource(
        name="CopLine",
        what="Retired officers who listen; for officers and their families, independent of any agency.",
        call="1-800-267-5463",
        text="",
        when=ALWAYS,
    ),
)


def resources_with(lines: Sequence[Line], crisis: Sequence[Listing] = (), *, today: date) -> list[Resource]:
    """The crisis lines, then the agency's own in the order in which it set them, then those of its directories.

    A number that stands there already does not come again.
    """
    own = [Resource(name=line.name, what="", call=line.phone, text="", when=line.hours or ALWAYS) for line in lines]
    first = [*GENERAL, *own]
    dialled = {_digits(one["call"]) for one in first}
    return first + [_resource(one, today) for one in crisis if _digits(one.phone) not in dialled]


def _resource(one: Listing, today: date) -> Resource:
    since = str(one.verified_on) if one.stale(today) else ""
    whom = f"for {', '.join(one.relations)}" if one.relations else ""
    what = "; ".join(
        part for part in (one.area, whom, one.hours, f"not checked since {since}" if since else "") if part
    )
    return Resource(
        name=one.name,
        what=what,
        call=one.phone,
        text="",
        when=one.hours,
        area=one.area,
        whom=[str(relation) for relation in one.relations],
        not_checked_since=since,
    )


def _digits(number: str) -> str:
    return "".join(sign for sign in number if sign.isdigit()).removeprefix("1")
