"""Whom notify can reach: persons, their contact points, and what a new list of points sets off.

A point whose id is new does nothing until its owner has verified it, and whoever had a verified one hears of it there:
the agency alone can never redirect a person's messages to itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from shared.events.envelope import Fact
from shared.events.intake import ContactPointsSet, DutySet, PersonSet
from shared.events.notify import ContactStopped, ContactVerified
from shared.types import AgencyId, PersonId, Role

Heard = ContactPointsSet | PersonSet | DutySet


@dataclass(frozen=True)
class Point:
    """One contact point; `sealed` is under the person's key. Lower positions are used first."""

    point_id: UUID
    channel: str
    sealed: bytes
    position: int
    verified_at: datetime | None = None
    retired_at: datetime | None = None

    @property
    def live(self) -> bool:
        """It is one that the agency lists now."""
        return self.retired_at is None

    @property
    def usable(self) -> bool:
        """It is listed, and its owner has verified it."""
        return self.live and self.verified_at is not None


@dataclass(frozen=True)
class Person:
    """A person as far as notify knows: by the contact points (`revision`) and by the directory (`listed_revision`)."""

    person_id: PersonId
    agency_id: AgencyId
    revision: int = -1
    active: bool = False
    role: str = ""
    language: str = "en"
    listed_revision: int = -1
    listed: bool = True
    blocked: bool = False
    """The PIN is blocked: nothing behind a link opens until a new verification."""
    points: Mapping[UUID, Point] = field(default_factory=dict)

    @property
    def coordinates(self) -> bool:
        """Of an agency, or of the region on duty: who hears a count."""
        return self.role in {Role.COORDINATOR, Role.DUTY}

    @property
    def reachable(self) -> bool:
        """Something can be sent and its answer read."""
        return self.active and self.listed and not self.blocked and any(p.usable for p in self.points.values())


@dataclass(frozen=True)
class Change:
    """A person after something was heard: points to be verified by a mail, and verified ones to be told of it."""

    person: Person
    verify: tuple[UUID, ...] = ()
    tell: tuple[UUID, ...] = ()


def heard(person: Person, fact: Heard, now: datetime) -> Change:
    """What a record of the directory or of the contact points changes. One that is not newer changes nothing."""
    if isinstance(fact, ContactPointsSet):
        return _points_set(person, fact, now) if fact.revision > person.revision else Change(person)
    if fact.revision <= person.listed_revision:
        return Change(person)
    return Change(replace(person, listed_revision=fact.revision, listed=fact.active))


def _points_set(person: Person, fact: ContactPointsSet, now: datetime) -> Change:
    points = {
        key: point if key in {p.point_id for p in fact.points} else replace(point, retired_at=point.retired_at or now)
        for key, point in person.points.items()
    }
    new: list[UUID] = []
    for position, given in enumerate(fact.points):
        known = person.points.get(given.point_id)
        if known is None or not known.live:
            # One that comes back after it was removed has to be verified again: its owner may have changed.
            new.append(given.point_id)
            known = Point(given.point_id, given.channel, given.sealed, position)
        points[given.point_id] = replace(known, sealed=given.sealed, position=position)
    changed = bool(new) or any(person.points[key].live and not points[key].live for key in person.points)
    tell = [p.point_id for p in person.points.values() if p.usable and p.point_id not in new] if changed else []
    after = replace(
        person, revision=fact.revision, active=fact.active, role=str(fact.role), language=fact.language, points=points
    )
    return Change(after, tuple(new) if fact.active else (), tuple(tell))


def verified(person: Person, point: UUID, now: datetime) -> Person:
    """The owner of a point has opened its link and entered a PIN. A point that is no longer listed stays as it is."""
    known = person.points.get(point)
    if known is None or not known.live:
        return person
    return replace(person, blocked=False, points={**person.points, point: replace(known, verified_at=now)})


def unverified(person: Person) -> tuple[UUID, ...]:
    """The points of a person who is there that are listed and that nobody has verified."""
    if not (person.active and person.listed):
        return ()
    return tuple(key for key, point in person.points.items() if point.live and point.verified_at is None)


def announced(before: Person, after: Person) -> tuple[Fact, ...]:
    """What others have to know: somebody can be reached from now on, or no longer."""
    if before.reachable == after.reachable:
        return ()
    if after.reachable:
        return (ContactVerified(revision=max(after.revision, 0)),)
    return (ContactStopped(revision=max(after.revision, 0)),)
