"""Who else there is, right now, without this software: in every answer that a requester can get. Pure, from memory.

Sources: 988 Suicide & Crisis Lifeline (988lifeline.org), CopLine (copline.org), an agency's own lines as it set them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from services.intake.domain.agency import Line


class Resource(TypedDict):
    """One line to call. `call` and `text` are as dialled, "" where there is none; `when` is as people read it."""

    name: str
    what: str
    call: str
    text: str
    when: str


GENERAL: tuple[Resource, ...] = (
    Resource(
        name="988 Suicide & Crisis Lifeline",
        what="Call or text 988 to reach a trained counselor, free and confidential.",
        call="988",
        text="988",
        when="24 hours, every day",
    ),
    Resource(
        name="911",
        what="When somebody is in immediate danger.",
        call="911",
        text="",
        when="24 hours, every day",
    ),
    Resource(
        name="CopLine",
        what="Retired officers who listen; for officers and their families, independent of any agency.",
        call="1-800-267-5463",
        text="",
        when="24 hours, every day",
    ),
)


def resources_with(lines: Sequence[Line]) -> list[Resource]:
    """The crisis lines, then the agency's own in the order in which it set them."""
    own = [
        Resource(name=line.name, what="", call=line.phone, text="", when=line.hours or "24 hours, every day")
        for line in lines
    ]
    return [*GENERAL, *own]
