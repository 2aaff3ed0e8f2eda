"""What the region is told of a person of a directory: the whole state, with its revision. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from services.intake.domain.directory import PROGRAM
from shared.availability import windows_in
from shared.events.envelope import Fact
from shared.events.intake import ContactPoint, ContactPointsSet, DutySet, PersonSet, Span
from shared.types import AgencyId, Help, PersonId, Role

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Told:
    """A person as the region may know them: no name and nothing by which they could be recognised."""

    person_id: PersonId
    agency_id: AgencyId
    revision: int
    active: bool
    role: Role
    time_zone: str
    language: str
    attributes: tuple[str, ...] = ()
    offers: tuple[Help, ...] = ()
    designated_from: date | None = None
    designated_to: date | None = None
    trained_until: date | None = None
    hours: str = ""
    windows: str = ""
    hours_alone: bool = False
    bearer: PersonId | None = None


def facts_of(one: Told, points: Sequence[tuple[UUID, bytes]]) -> list[Fact]:
    """The facts about a person and their sealed contact points, in the order of use; none about members.

    Removal is a state: somebody inactive is told as such, without anything else, and nothing may be sent to them.
    """
    return _facts(one, points) if one.role in PROGRAM else []


def farewell(one: Told) -> list[Fact]:
    """The facts about somebody who is gone from the program. The role says whether as a member of the agency only."""
    return _facts(one, ())


def _facts(one: Told, points: Sequence[tuple[UUID, bytes]]) -> list[Fact]:
    sealed = tuple(ContactPoint(point_id=point, channel="mail", sealed=text) for point, text in points)
    contacts = ContactPointsSet(
        revision=one.revision,
        active=one.active,
        role=one.role,
        language=one.language,
        points=sealed if one.active else (),
    )
    return [_duty(one) if one.role is Role.DUTY else person_set(one), contacts]


def _duty(one: Told) -> DutySet:
    return DutySet(revision=one.revision, active=one.active, time_zone=one.time_zone, language=one.language)


def person_set(one: Told) -> PersonSet:
    """A person of an agency, whole."""
    if not one.active:
        return PersonSet(
            revision=one.revision,
            active=False,
            role=one.role,
            time_zone=one.time_zone,
            language=one.language,
            bearer=one.bearer,
        )
    return PersonSet(
        revision=one.revision,
        active=True,
        role=one.role,
        attributes=one.attributes,
        offers=one.offers,
        designated_from=one.designated_from,
        designated_to=one.designated_to,
        trained_until=one.trained_until,
        hours=one.hours,
        spans=tuple(Span(on=each.on, start=each.start, end=each.end) for each in windows_in(one.windows)),
        spans_alone=one.hours_alone,
        time_zone=one.time_zone,
        language=one.language,
        bearer=one.bearer,
    )


def next_turn(agency: AgencyId, now: datetime) -> datetime:
    """When this agency's directory is told again: once a day, at a second of the day (in `now`'s zone) of its own."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = midnight + timedelta(seconds=agency.int % int(DAY.total_seconds()))
    return today if today > now else today + DAY
