"""A case as its requester sees it: where it stands, who owns it until when. Values only; `course` says how it moves.

No names, ever: people are opaque ids. Sources: the house's data plan (states, times), `domain.md` 1.5 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal, assert_never
from uuid import UUID

from pydantic import Field, TypeAdapter

from services.intake.domain import clinical as clinical_side
from services.intake.domain.clinical import Clinical, Consent
from shared.events.intake import Ask
from shared.types import PersonId, Urgency

SLACK = timedelta(minutes=1)
"""Another service speaks when its own time is up, and is heard a moment later."""

Outcome = Literal["helped", "not_reached", "withdrawn"]
NoPath = Literal["no_clinician", "advisor_only", "nobody_left"]


@dataclass(frozen=True)
class Choice:
    """One peer to choose from."""

    person: PersonId
    available: bool
    there_from: datetime | None = None


@dataclass(frozen=True)
class Open:
    """An offer that has not been answered."""

    offer: UUID
    expires: datetime


@dataclass(frozen=True)
class Support:
    """The peer who accepted."""

    assignment: UUID
    person: PersonId
    contact_by: datetime


@dataclass(frozen=True)
class Searching:
    """Peers are being looked for, or will be asked in a moment. `waits`: for the one whom the requester has picked."""

    due: datetime
    waits: bool = False
    name: Literal["searching"] = "searching"


@dataclass(frozen=True)
class Choosing:
    """The requester picks; nobody is picked silently.

    `reminded`: the first time for it has passed; `counted`: the second one too, and the coordinators hear of it.
    """

    due: datetime
    reminded: bool = False
    counted: bool = False
    name: Literal["choosing"] = "choosing"


@dataclass(frozen=True)
class Asked:
    """One or more peers have been asked and not answered yet."""

    offers: tuple[Open, ...]
    name: Literal["asked"] = "asked"


@dataclass(frozen=True)
class Accepted:
    """A peer has accepted and waits for the requester's OK (`release: ask_me`), with times as for `Choosing`."""

    support: Support
    due: datetime
    reminded: bool = False
    counted: bool = False
    name: Literal["accepted"] = "accepted"


@dataclass(frozen=True)
class Released:
    """The peer may see how to reach the requester; `overdue`: was silent for too long, others are asked beside."""

    support: Support
    due: datetime
    overdue: bool = False
    name: Literal["released"] = "released"


@dataclass(frozen=True)
class InContact:
    """They have spoken, as the peer reports it. It may last a year."""

    support: Support
    due: datetime
    name: Literal["in_contact"] = "in_contact"


@dataclass(frozen=True)
class Unserved:
    """Nobody suitable is left to ask, the search goes on at `due`. `told`: there are coordinators to tell of it."""

    due: datetime
    told: bool = False
    name: Literal["unserved"] = "unserved"


@dataclass(frozen=True)
class NoPeer:
    """No peer is looked for: the case is between the requester and a clinician, whose part has its own times.

    `rest`: that part is over without having helped; the requester may ask for somebody else until `due`.
    """

    due: datetime
    rest: bool = False
    name: Literal["no_peer"] = "no_peer"


@dataclass(frozen=True)
class Closing:
    """Over; the grace runs until the key is destroyed and everything purged."""

    until: datetime
    name: Literal["closing"] = "closing"


@dataclass(frozen=True)
class Withdrawn:
    """Taken back by the requester; everything stops at once."""

    until: datetime
    name: Literal["withdrawn"] = "withdrawn"
    moved: bool = False
    """It goes on with another agency; here it never was."""


@dataclass(frozen=True)
class Closed:
    """Nothing of it is left."""

    name: Literal["closed"] = "closed"


Stage = (
    Searching | Choosing | Asked | Accepted | Released | InContact | Unserved | NoPeer | Closing | Withdrawn | Closed
)
Helped = Accepted | Released | InContact
"""Stages in which a peer stands by."""
Over = Closing | Withdrawn | Closed


@dataclass(frozen=True)
class Taker:
    """Somebody who took a page; what they are shown of the requester goes by the ladder."""

    person: PersonId
    ladder: UUID


@dataclass(frozen=True)
class Alarm:
    """What really happened of an emergency's pages. A page counts as sent only when the mail server has taken it.

    It is about one ladder, the newest: whatever is still heard of `earlier` ones changes nothing. `late`: somebody
    took it, others are being paged all the same.
    """

    ladder: UUID | None = None
    planned: int = 0
    accepted: int = 0
    failed: int = 0
    takers: tuple[Taker, ...] = ()
    late: bool = False
    contact: bool = False
    ended: Literal["contact", "ended", "nobody"] | None = None
    earlier: tuple[UUID, ...] = ()

    @property
    def over(self) -> bool:
        """Whether danger that is reported now begins anew."""
        return self.contact or self.ended is not None


@dataclass(frozen=True)
class Case:
    """One case. `turn` counts the timers that were set for it: an older one does nothing any more.

    `shortlist` stands as long as the requester may pick from it, even when the first pick has not answered.
    `ended` are assignments that are over, so that whatever is still heard of them changes nothing.
    `given` are the kinds of resources that were given, `no_path` why the program leads to no clinician.
    `reach` is sealed under the case's key, field `reach`; it is kept in a column of its own.
    """

    ask: Ask
    stage: Annotated[Stage, Field(discriminator="name")]
    turn: int = 0
    shortlist: tuple[Choice, ...] = ()
    refused: tuple[PersonId, ...] = ()
    ended: tuple[UUID, ...] = ()
    served: bool = False
    alarm: Alarm | None = None
    clinical: Annotated[Clinical | None, Field(discriminator="name")] = None
    consents: tuple[Consent, ...] = ()
    given: tuple[str, ...] = ()
    no_path: NoPath | None = None
    wished: bool = False
    """Their peer has said that they want a clinician, and referral has not taken that up yet."""
    reach: Annotated[bytes | None, Field(exclude=True)] = field(default=None, repr=False)


@dataclass(frozen=True)
class Unknown:
    """Not heard of: it never was, or is gone."""


UNKNOWN = Unknown()
Known = Case | Unknown

_CASE = TypeAdapter(Case)


def to_json(case: Case) -> str:
    """A case without its reach, as it is kept."""
    return _CASE.dump_json(case, exclude={"reach"}).decode()


def from_json(text: str | bytes, reach: bytes | None) -> Case:
    """A case as it was kept."""
    kept = _CASE.validate_json(text)
    object.__setattr__(kept, "reach", reach)
    return kept


@dataclass(frozen=True)
class Stands:
    """The name of where a case stands, its owner (None: terminal) and by when something is due."""

    name: str
    owner: str | None = None
    due: datetime | None = None


def stands(case: Known) -> Stands:
    """Where a case stands. Everything open has an owner and a due time."""
    if isinstance(case, Unknown):
        raise TypeError("only a known case stands somewhere")
    match case.stage:
        case Searching(due=due) | Unserved(due):
            return Stands(case.stage.name, "matching", due + SLACK)
        case Asked(offers):
            return Stands(case.stage.name, "matching", max(one.expires for one in offers) + SLACK)
        case Choosing(due, counted=counted) | Accepted(_, due, counted=counted):
            return Stands(case.stage.name, "coordinator" if counted else "requester", due + SLACK)
        case Released(_, due, overdue):
            return Stands(case.stage.name, "matching" if overdue else "peer", due + SLACK)
        case InContact(_, due):
            return Stands(case.stage.name, "peer", due + SLACK)
        case NoPeer(due):
            return _clinical_stands(case.clinical, due)
        case Closing(until) | Withdrawn(until):
            return Stands(case.stage.name, "intake", until + SLACK)
        case Closed():
            return Stands(case.stage.name)
        case never:
            assert_never(never)


def _clinical_stands(clinical: Clinical | None, due: datetime) -> Stands:
    match clinical:
        case clinical_side.Requested(due=answer_by):
            return Stands("no_peer", "referral", answer_by + SLACK)
        case clinical_side.Accepted(due=handoff_by) | clinical_side.OnHold(due=handoff_by):
            return Stands("no_peer", "clinician", handoff_by + SLACK)
        case clinical_side.InProgress():
            return Stands("no_peer", "clinician", due + SLACK)
        case clinical_side.Asking() | clinical_side.Ended() | None:
            return Stands("no_peer", "requester", due + SLACK)
        case never:
            assert_never(never)


def next_by(case: Case) -> datetime | None:
    """By when the requester can expect something to have happened; None when nothing is expected of anybody."""
    match case.stage:
        case Searching(due=due) | Unserved(due) | Choosing(due=due) | Accepted(due=due) | Released(due=due):
            return due
        case Asked(offers):
            return max(one.expires for one in offers)
        case NoPeer(due, rest):
            if isinstance(case.clinical, clinical_side.Requested | clinical_side.Accepted | clinical_side.OnHold):
                return case.clinical.due
            return due if rest else None
        case InContact() | Closed():
            return None
        case Closing(until) | Withdrawn(until):
            return until
        case never:
            assert_never(never)


def may_choose(case: Case) -> bool:
    """Whether a pick means something: there is a list, and nobody has accepted, or who has is silent."""
    stage = case.stage
    silent = isinstance(stage, Released) and stage.overdue
    return bool(case.shortlist) and (silent or isinstance(stage, Choosing | Searching | Asked | Unserved))


def support_of(case: Case) -> Support | None:
    """The peer who stands by, if any."""
    stage = case.stage
    return stage.support if isinstance(stage, Helped) else None


def is_emergency(case: Case) -> bool:
    """Released at once, paged over the crisis lane."""
    return case.ask.urgency is Urgency.EMERGENCY


def outcome_of(case: Case) -> Outcome:
    """What its one statistic says."""
    if isinstance(case.stage, Withdrawn):
        return "withdrawn"
    return "helped" if case.served else "not_reached"
