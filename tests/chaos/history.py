"""What a run leaves behind: what was asked, done and broken, and what databases, topics and mailbox hold at the end.

Plain values, so that the checker can be given any history, also one that never happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID


@dataclass
class Request:
    """What somebody has asked for. `accepted_at` is when the first 2xx was there; times are the machine's, in s."""

    number: int
    story: str
    slug: str
    urgency: str
    sent_at: float
    accepted_at: float | None = None
    case: UUID | None = None
    ended: str = ""
    """How its requester has ended it for sure: `withdrawn`, or `gone` where nothing answers to its code any more."""


@dataclass(frozen=True)
class Act:
    """One try to do something at a door, and what was answered: a status, or what went wrong on the way."""

    at: float
    what: str
    case: UUID | None
    answer: int | str
    took_s: float


@dataclass
class Stroke:
    """What went wrong, when, until when, and how long after that the region was whole again."""

    what: str
    families: frozenset[str]
    single: bool
    began: float
    ended: float
    whole_after_s: float | None = None


@dataclass(frozen=True)
class Said:
    """A row that was committed to an outbox. `number` follows the commit order of its key."""

    service: str
    number: int
    event: UUID
    topic: str
    key: UUID
    type: str
    at: float


@dataclass(frozen=True)
class Record:
    """A record as Kafka holds it."""

    topic: str
    part: int
    offset: int
    event: UUID
    key: UUID
    type: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """An inbox row: which transaction claimed the event, and when."""

    at: float
    transaction: str


@dataclass(frozen=True)
class Intent:
    """A planned message, as notify's last word about it stands."""

    intent: UUID
    case: UUID | None
    person: UUID
    template: str
    subject: UUID
    expires: float
    state: str


@dataclass
class Attempt:
    """One call to the mail server. `at` is when its row was written, `started` what that row says."""

    attempt: UUID
    intent: UUID
    case: UUID | None
    at: float
    started: float
    outcome: str = ""
    ended: float | None = None


@dataclass(frozen=True)
class Letter:
    """A mail in the mailbox. Of one with a link, the attempt that wrote the link; `copy` tells its own number."""

    mail: str
    at: float
    to: str
    number: str
    attempt: UUID | None = None


@dataclass(frozen=True)
class Open:
    """A row of a service's view of open things."""

    service: str
    id: UUID | None
    state: str
    owner: str | None
    due: float | None


@dataclass(frozen=True)
class Rest:
    """The region when everything has come to rest."""

    now: float
    at_rest: bool
    """Whether it came to rest in the time that it had."""
    outbox: Mapping[str, int]
    parked: tuple[str, ...]
    inbox: Mapping[str, Mapping[UUID, Taken]]
    open: tuple[Open, ...]
    cases: Mapping[str, frozenset[UUID]]
    accepted: Mapping[UUID, int]
    """Accepted offers per case."""
    audited: frozenset[UUID]
    """The cases whose beginning stands in intake's audit."""
    keys: frozenset[UUID]
    """The cases whose data key is not destroyed."""


@dataclass
class History:
    """All of it. `stops` is when notify first wrote down the end of a case; `heard` are the topics of each service."""

    seed: int
    heard: Mapping[str, frozenset[str]]
    requests: list[Request] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    intents: dict[UUID, Intent] = field(default_factory=dict)
    attempts: dict[UUID, Attempt] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    stops: dict[UUID, float] = field(default_factory=dict)
    rest: Rest | None = None

    def written(self, folder: Path) -> None:
        """Keep it as JSON, one file for each kind."""
        for name, value in asdict(self).items():
            (folder / f"{name}.json").write_text(json.dumps(_plain(value), indent=1, default=str))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, frozenset | set | tuple | list):
        return [_plain(one) for one in value]
    return value
