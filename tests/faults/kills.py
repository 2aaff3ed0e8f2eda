"""Every step at which a service can die: which service, at which point, about which topic or kind, in which walk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shared.events.envelope import (
    CONTACTS,
    DIRECTORY,
    INTAKE,
    INTAKE_CRISIS,
    MATCHING,
    NOTIFY,
    NOTIFY_CRISIS,
    REFERRAL_CRISIS,
    TOPICS,
)
from shared.faults import Point

Step = Literal["ask", "expire", "acknowledge", "accept", "contacted", "close", "join"]
Walk = Literal["ordinary", "emergency", "directory"]

GROUPS: dict[str, dict[Walk, tuple[str, ...]]] = {
    "intake": {"ordinary": (MATCHING.name, NOTIFY.name), "emergency": (REFERRAL_CRISIS.name, NOTIFY_CRISIS.name)},
    "matching": {
        "ordinary": (INTAKE.name, NOTIFY.name),
        "emergency": (INTAKE_CRISIS.name,),
        "directory": (DIRECTORY.name,),
    },
    "referral": {"ordinary": (INTAKE.name,), "emergency": (INTAKE_CRISIS.name, NOTIFY_CRISIS.name)},
    "notify": {
        "ordinary": (INTAKE.name, MATCHING.name),
        "emergency": (INTAKE_CRISIS.name, REFERRAL_CRISIS.name),
        "directory": (CONTACTS.name, DIRECTORY.name),
    },
}
"""The topics of each consumer group. A test compares this with what the services really subscribe to."""
LANES: dict[Walk, str] = {"ordinary": "ordinary", "emergency": "crisis", "directory": "directory"}
"""The consumer group that a walk goes through."""
STEPS: dict[str, Step] = {
    INTAKE.name: "ask",
    MATCHING.name: "ask",
    NOTIFY.name: "accept",
    INTAKE_CRISIS.name: "ask",
    REFERRAL_CRISIS.name: "ask",
    NOTIFY_CRISIS.name: "acknowledge",
    DIRECTORY.name: "join",
    CONTACTS.name: "join",
}
"""The first step of a walk at which something surely travels on a topic."""
PUBLISHED: dict[Walk, tuple[str, ...]] = {
    "ordinary": (INTAKE.name, MATCHING.name, NOTIFY.name),
    "emergency": (INTAKE_CRISIS.name, REFERRAL_CRISIS.name, NOTIFY_CRISIS.name),
    "directory": (DIRECTORY.name, CONTACTS.name),
}
SECOND: dict[tuple[str, str], Step] = {
    # Two deaths of one process in one walk: the second topic of these groups is met again one step later.
    ("notify", MATCHING.name): "accept",
    ("notify", REFERRAL_CRISIS.name): "acknowledge",
}


@dataclass(frozen=True)
class Kill:
    """One death: at `step` the process is told to die when it comes to `point` with `what`, a topic or a kind."""

    service: str
    point: Point
    what: str
    step: Step
    lane: str = ""
    """Of the consumer group, where the point is one of a consumer's."""


@dataclass(frozen=True)
class Course:
    """One walk of one case, and the deaths of one service in it."""

    walk: Walk
    kills: tuple[Kill, ...] = ()
    copies: int = 1
    """So many copies of a page may be seen: two only after an attempt whose outcome nobody knows."""

    @property
    def emergency(self) -> bool:
        return self.walk == "emergency"

    @property
    def steps(self) -> dict[Step, Kill]:
        return {kill.step: kill for kill in self.kills}

    def __str__(self) -> str:
        first = self.kills[0]
        about = "" if first.lane else f"-{first.what.removeprefix('peerline.')}"
        return f"{first.service}-{first.point}-{self.walk}{about}"


def _consumers(walks: tuple[Walk, ...]) -> Iterator[Course]:
    points: tuple[Point, ...] = ("after-consume", "after-commit", "before-offset")
    for service, groups in GROUPS.items():
        for walk in walks:
            for point in points if walk in groups else ():
                kills = [
                    Kill(service, point, topic, SECOND.get((service, topic), STEPS[topic]), LANES[walk])
                    for topic in groups[walk]
                ]
                if walk == "directory":
                    yield from (Course(walk, (kill,)) for kill in kills)
                else:
                    yield Course(walk, tuple(kills))


def _relays(walks: tuple[Walk, ...]) -> Iterator[Course]:
    points: tuple[Point, ...] = ("before-publish", "after-publish")
    for walk in walks:
        for topic in PUBLISHED[walk]:
            for point in points:
                yield Course(walk, (Kill(TOPICS[topic].writer, point, topic, STEPS[topic]),))


def _sending() -> Iterator[Course]:
    walks: tuple[Walk, ...] = ("ordinary", "emergency")
    points: tuple[Point, ...] = ("after-consume", "after-attempt", "after-provider")
    for walk in walks:
        for point in points:
            yield Course(walk, (Kill("notify", point, "send", "ask"),), copies=1 if point == "after-consume" else 2)


def _timers() -> Iterator[Course]:
    points: tuple[Point, ...] = ("after-consume", "after-commit")
    for point in points:
        yield Course("ordinary", (Kill("intake", point, "grace", "close"),))
        yield Course("ordinary", (Kill("matching", point, "offer", "expire"),))


def _doors() -> Iterator[Course]:
    yield Course("ordinary", (Kill("intake", "after-commit", "request", "ask"),))
    yield Course("emergency", (Kill("intake", "after-commit", "request", "ask"),))
    yield Course("ordinary", (Kill("notify", "after-commit", "answer", "accept"),))


CASES: tuple[Course, ...] = (
    *_consumers(("ordinary", "emergency")),
    *_relays(("ordinary", "emergency")),
    *_sending(),
    *_timers(),
    *_doors(),
)
"""Deaths while a case is walked to its end."""
PEOPLE: tuple[Course, ...] = (*_consumers(("directory",)), *_relays(("directory",)))
"""Deaths while somebody new joins the directory."""
