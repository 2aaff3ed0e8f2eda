"""What waits in a case for a coordinator, and the page that counts it: numbers alone, of nothing that could be named.

A wait stands for one person who was told of it. Whoever was not told, because they are barred, has none, and so their
page never counts it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.types import CaseId, PersonId, Role, Urgency

Kind = Literal["nobody_found", "choice", "handoff", "referral_failed"]
Key = tuple[Kind, UUID, PersonId]

KINDS: tuple[Kind, ...] = ("nobody_found", "choice", "handoff", "referral_failed")
"""In the order of the page."""

PRESSING: frozenset[Urgency] = frozenset({Urgency.URGENT, Urgency.EMERGENCY})


@dataclass(frozen=True)
class Thing:
    """What is waited for. `subject`: the referral, the assignment whose release is due, or the case itself."""

    kind: Kind
    subject: UUID
    urgent: bool = False


@dataclass(frozen=True)
class Wait:
    """One person was told, at `told_at` last, that this waits. Once it is over it stays, and counts no more."""

    thing: Thing
    person: PersonId
    told_at: datetime
    over: bool = False

    @property
    def key(self) -> Key:
        """What tells it from every other wait of its case."""
        return self.thing.kind, self.thing.subject, self.person


def told(waits: Mapping[Key, Wait], thing: Thing, people: Iterable[PersonId], now: datetime) -> Mapping[Key, Wait]:
    """These persons, and nobody else any more, are told that this waits: whoever is missing was barred or has left."""
    new = [Wait(thing, person, now) for person in people]
    same = {key: wait for key, wait in waits.items() if key[:2] == (thing.kind, thing.subject)}
    return {**waits, **closed(same), **{wait.key: wait for wait in new}}


def closed(waits: Mapping[Key, Wait]) -> dict[Key, Wait]:
    """The same, over; what is over already stays as it is."""
    return {key: wait if wait.over else replace(wait, over=True) for key, wait in waits.items()}


@dataclass(frozen=True)
class Told:
    """A wait as the page of its person finds it, from whatever case."""

    case_id: CaseId
    thing: Thing


@dataclass(frozen=True)
class Line:
    """One number of the page; `urgent` says for how many of them somebody is needed within the hour or now."""

    kind: Kind
    number: int
    urgent: int = 0


@dataclass(frozen=True)
class Staff:
    """How many of a role are there, and how many of them can be sent something and answer it."""

    role: Role
    number: int
    reachable: int


@dataclass(frozen=True)
class Board:
    """A coordinator's page. `regional`: its reader is the region's, and this is one agency of several."""

    lines: tuple[Line, ...] = ()
    staff: tuple[Staff, ...] = field(default=(Staff(Role.PEER, 0, 0),))
    regional: bool = False


def board(waits: Collection[Told], staff: Iterable[Staff], *, regional: bool) -> Board:
    """What the page says. Peers are counted even where there is none; clinicians only where there are any."""
    unserved = {one.case_id for one in waits if one.thing.kind == "nobody_found"}
    pressing = {one.case_id for one in waits if one.thing.kind == "nobody_found" and one.thing.urgent}
    # Of a request whose list has run empty there is nothing to choose: it counts as the one thing that it is.
    choices = {one.case_id for one in waits if one.thing.kind == "choice"} - unserved
    numbers: Mapping[Kind, int] = {
        "nobody_found": len(unserved),
        "choice": len(choices),
        "handoff": len({one.thing.subject for one in waits if one.thing.kind == "handoff"}),
        "referral_failed": len({one.thing.subject for one in waits if one.thing.kind == "referral_failed"}),
    }
    lines = tuple(
        Line(kind, numbers[kind], len(pressing) if kind == "nobody_found" else 0) for kind in KINDS if numbers[kind]
    )
    known = {one.role: one for one in staff}
    peers = known.get(Role.PEER, Staff(Role.PEER, 0, 0))
    clinicians = known.get(Role.CLINICIAN)
    return Board(lines, (peers, clinicians) if clinicians and clinicians.number else (peers,), regional)
