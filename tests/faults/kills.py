"""Every step at which a service can die: which service, at which point, about which topic or kind, in which walk.

Many deaths share one walk, at most one at each of its steps: each is proven and survived before the next one comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

from shared.events.envelope import (
    CONTACTS,
    DIRECTORY,
    INTAKE,
    INTAKE_CRISIS,
    MATCHING,
    NOTIFY,
    NOTIFY_CRISIS,
    REFERRAL,
    REFERRAL_CRISIS,
    TOPICS,
)
from shared.faults import Point

Step = Literal["ask", "expire", "acknowledge", "accept", "contacted", "close", "join", "leave"]
Walk = Literal["ordinary", "emergency", "directory"]

GROUPS: dict[str, dict[Walk, tuple[str, ...]]] = {
    "intake": {
        "ordinary": (MATCHING.name, REFERRAL.name, NOTIFY.name),
        "emergency": (REFERRAL_CRISIS.name, NOTIFY_CRISIS.name),
    },
    "matching": {
        "ordinary": (INTAKE.name, NOTIFY.name),
        "emergency": (INTAKE_CRISIS.name,),
        "directory": (DIRECTORY.name,),
    },
    "referral": {
        "ordinary": (INTAKE.name, MATCHING.name, NOTIFY.name),
        "emergency": (INTAKE_CRISIS.name, NOTIFY_CRISIS.name),
        "directory": (DIRECTORY.name,),
    },
    "notify": {
        "ordinary": (INTAKE.name, MATCHING.name, REFERRAL.name),
        "emergency": (INTAKE_CRISIS.name, REFERRAL_CRISIS.name),
        "directory": (CONTACTS.name, DIRECTORY.name),
    },
}
"""The topics of each consumer group. A test compares this with what the services really subscribe to."""
LANES: dict[Walk, str] = {"ordinary": "ordinary", "emergency": "crisis", "directory": "directory"}
"""The consumer group that a walk goes through."""
STEPS: dict[str, tuple[Step, ...]] = {
    INTAKE.name: ("ask", "accept", "close"),
    MATCHING.name: ("ask", "accept", "contacted", "close"),
    NOTIFY.name: ("accept", "contacted", "close"),
    INTAKE_CRISIS.name: ("ask", "ask", "close"),
    REFERRAL_CRISIS.name: ("ask", "acknowledge"),
    NOTIFY_CRISIS.name: ("acknowledge",),
    DIRECTORY.name: ("join", "leave"),
    CONTACTS.name: ("join", "leave"),
}
"""The steps of a walk at which something surely travels on a topic; the deaths about it take turns among them.

Nothing travels on referral's ordinary topic in these walks: the agency has no clinician.
"""
PUBLISHED: dict[Walk, tuple[str, ...]] = {
    "ordinary": (INTAKE.name, MATCHING.name, NOTIFY.name),
    "emergency": (INTAKE_CRISIS.name, REFERRAL_CRISIS.name, NOTIFY_CRISIS.name),
    "directory": (DIRECTORY.name, CONTACTS.name),
}
CONSUMING: tuple[Point, ...] = ("after-consume", "after-commit", "before-offset")
PUBLISHING: tuple[Point, ...] = ("before-publish", "after-publish")
SENDING: tuple[Point, ...] = ("after-consume", "after-attempt", "after-provider")
TIMED: tuple[Point, ...] = ("after-consume", "after-commit")


@dataclass(frozen=True)
class Kill:
    """One death: at `step` the process is told to die when it comes to `point` with `what`, a topic or a kind."""

    service: str
    point: Point
    what: str
    step: Step
    lane: str = ""
    """Of the consumer group, where the point is one of a consumer's."""

    @property
    def takes(self) -> set[Step]:
        """The steps that this death has for itself: of a lost offer the walk waits for the end by itself."""
        return {self.step, "expire"} if self.what == "send" else {self.step}

    def __str__(self) -> str:
        return f"{self.service} dies {self.point} of {self.what} at {self.step}"


@dataclass(frozen=True)
class Course:
    """One walk, and the deaths in it."""

    walk: Walk
    number: int = 0
    kills: tuple[Kill, ...] = ()

    @property
    def emergency(self) -> bool:
        return self.walk == "emergency"

    @property
    def steps(self) -> dict[Step, Kill]:
        return {kill.step: kill for kill in self.kills}

    @property
    def copies(self) -> int:
        """So many copies of a page may be seen: two only after an attempt whose outcome nobody knows."""
        return 2 if any(kill.what == "send" and kill.point != "after-consume" for kill in self.kills) else 1

    def with_kill(self, kill: Kill) -> Course | None:
        """The same with one more death; None where its step is taken."""
        taken = {step for one in self.kills for step in one.takes}
        return None if taken & kill.takes else Course(self.walk, self.number, (*self.kills, kill))

    def __str__(self) -> str:
        return f"{self.walk}-{self.number}"


def kills_of(walk: Walk) -> list[Kill]:
    """Every death of a walk. Those that have but one step to choose from come first."""
    turns = {topic: cycle(steps) for topic, steps in STEPS.items()}
    lane = LANES[walk]
    consumers = [
        Kill(service, point, topic, next(turns[topic]), lane)
        for service, groups in GROUPS.items()
        for topic in groups.get(walk, ())
        if topic in STEPS
        for point in CONSUMING
    ]
    relays = [
        Kill(TOPICS[topic].writer, point, topic, next(turns[topic]))
        for topic in PUBLISHED[walk]
        for point in PUBLISHING
    ]
    return [*_of_cases(walk), *consumers, *relays]


def _of_cases(walk: Walk) -> Iterator[Kill]:
    """Deaths at doors, with timers, and with the mail server."""
    if walk == "directory":
        return
    yield Kill("intake", "after-commit", "request", "ask")
    yield from (Kill("notify", point, "send", "ask") for point in SENDING)
    if walk == "ordinary":
        yield Kill("notify", "after-commit", "answer", "accept")
        yield from (Kill("matching", point, "offer", "expire") for point in TIMED)
        yield from (Kill("intake", point, "grace", "close") for point in TIMED)


def courses(walk: Walk) -> list[Course]:
    """As few walks as hold all their deaths."""
    found: list[Course] = []
    for kill in kills_of(walk):
        fitting = ((at, more) for at, one in enumerate(found) if (more := one.with_kill(kill)))
        at, course = next(fitting, (len(found), Course(walk, len(found), (kill,))))
        found[at : at + 1] = [course]
    return found


CASES: tuple[Course, ...] = (*courses("ordinary"), *courses("emergency"))
"""Deaths while a case is walked to its end."""
PEOPLE: tuple[Course, ...] = tuple(courses("directory"))
"""Deaths while somebody new joins the directory and leaves it."""
