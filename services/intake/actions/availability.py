"""When people are there: said by their agency, told to the region as windows of time, and looked over for gaps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.intake.actions import following
from services.intake.domain.agency import Agency, day_of
from services.intake.domain.calendars import (
    Calendar,
    Entry,
    read_in,
    refuse_backwards,
    refuse_too_many,
    refuse_too_often,
    still_ahead,
    windows_of,
)
from services.intake.domain.directory import index_of, normalised
from services.intake.domain.policy import asks_training
from services.intake.domain.published import Told, person_set
from services.intake.store import agencies as agency_store
from services.intake.store import availability as store
from services.intake.store.availability import Change, Kept
from shared import audit, outbox
from shared.availability import Gap, Times, gaps, text_of, windows_in
from shared.db import Database, Transaction
from shared.errors import Problem, Refused
from shared.hours import parse_hours
from shared.outbox import Draft
from shared.types import AgencyId, PersonId
from shared.vault import Keyring


@dataclass(frozen=True)
class Shown:
    """A person's calendar as the agency reads it, the zone of its times, and the revision."""

    calendar: Calendar
    zone: str
    revision: int


def _calendar(kept: Kept) -> Calendar:
    return Calendar.model_validate_json(kept.calendar)


async def read(db: Database, keyring: Keyring, agency_id: AgencyId, person_ref: str) -> Shown:
    """Raises `Refused` 404 for somebody who is not in the agency's program."""
    found = await _found(db, keyring, agency_id, person_ref)
    if found is None:
        raise Refused("not-found", 404)
    return found[0]


async def ahead(db: Database, keyring: Keyring, agency_id: AgencyId, person_ref: str) -> Shown | None:
    """As `read`, without single times that are over. None for somebody who is not in the agency's program."""
    found = await _found(db, keyring, agency_id, person_ref)
    return replace(found[0], calendar=still_ahead(found[0].calendar, found[1])) if found else None


async def _found(db: Database, keyring: Keyring, agency_id: AgencyId, person_ref: str) -> tuple[Shown, datetime] | None:
    """A person's calendar whole, and the region's time."""
    index = index_of(keyring.derived("index"), agency_id, "ref", person_ref)
    async with db.transaction([agency_id]) as tx:
        kept, now = (await store.by_ref(tx, agency_id, [index])).get(index), await tx.now()
    return (Shown(_calendar(kept), kept.told.time_zone, kept.told.revision), now) if kept else None


async def put(
    db: Database,
    keyring: Keyring,
    wanted: Callable[[str], Calendar],
    *,
    agency_id: AgencyId,
    person_ref: str,
    actor: UUID,
    matches: Callable[[int], None],
) -> Shown:
    """Replace a person's calendar. `wanted` makes it for the person's zone; `matches` gets the person's revision.

    Raises `Refused`: 404, 422 `calendar-invalid`.
    """
    (shown,) = await _change(
        db,
        keyring,
        {person_ref: lambda _, zone: wanted(zone)},
        agency_id=agency_id,
        actor=actor,
        matches=lambda one: matches(one.revision),
    )
    return shown


async def swap(
    db: Database, keyring: Keyring, *, agency_id: AgencyId, gives: str, takes: str, entry: Entry, actor: UUID
) -> None:
    """For this time the one is away, and the other there. Raises as `put`, and where both are one person.

    `entry` is read by the clock of who gives; who takes may live in another zone.
    """
    if normalised("ref", gives) == normalised("ref", takes):
        raise Refused("calendar-invalid", 422, (Problem("/takes", "duplicate"),))
    away, there = (entry.model_copy(update={"means": means}) for means in ("away", "there"))
    zones: list[str] = []

    def given(has: Calendar, zone: str) -> Calendar:
        zones.append(zone)
        return has.also(away)

    def taken(has: Calendar, zone: str) -> Calendar:
        return has.also(read_in(there, zones[0], zone))

    await _change(
        db,
        keyring,
        {gives: given, takes: taken},
        agency_id=agency_id,
        actor=actor,
        matches=lambda _: None,
    )


async def change(
    db: Database,
    keyring: Keyring,
    wanted: Callable[[Calendar], Calendar],
    *,
    agency_id: AgencyId,
    person_ref: str,
    actor: UUID,
) -> None:
    """Make a person's calendar something else than it is. Raises as `put`."""
    await _change(
        db,
        keyring,
        {person_ref: lambda has, _: wanted(has)},
        agency_id=agency_id,
        actor=actor,
        matches=lambda _: None,
    )


_Made = Callable[[Calendar, str], Calendar]
"""From what somebody has, and their zone, to what they shall have."""


async def _change(
    db: Database,
    keyring: Keyring,
    wanted: Mapping[str, _Made],
    *,
    agency_id: AgencyId,
    actor: UUID,
    matches: Callable[[Told], None],
) -> list[Shown]:
    key = keyring.derived("index")
    made_of = {index_of(key, agency_id, "ref", person_ref): made for person_ref, made in wanted.items()}
    async with db.transaction([agency_id]) as tx:
        agency, now = await agency_store.lock_agency(tx, agency_id), await tx.now()
        found = await store.by_ref(tx, agency_id, made_of)
        if agency is None or len(found) < len(made_of):
            raise Refused("not-found", 404)
        pairs = []
        for index, made in made_of.items():
            kept = found[index]
            matches(kept.told)
            has = still_ahead(_calendar(kept), now)
            # A calendar file takes a while to read: another thread lets a crisis pass meanwhile.
            pairs.append((kept.told, await asyncio.to_thread(made, has, kept.told.time_zone)))
        for told, calendar in pairs:
            refuse_too_often(calendar)
            refuse_backwards(calendar, told.time_zone)
        changes = await _worked_out(pairs, now)
        for change in changes:
            refuse_too_many(windows_in(change.windows))
        await _save(tx, [told for told, _ in pairs], changes)
        await audit.record(
            tx, [audit.Entry(agency_id, "availability.set", actor=actor, subject=told.person_id) for told, _ in pairs]
        )
    return [Shown(calendar, told.time_zone, told.revision + 1) for told, calendar in pairs]


async def _worked_out(pairs: Sequence[tuple[Told, Calendar]], now: datetime) -> list[Change]:
    """What each calendar comes to. It takes a while for many: another thread lets a crisis pass meanwhile."""

    def work() -> list[Change]:
        return [
            Change(
                told.person_id,
                told.agency_id,
                calendar.model_dump_json(exclude_defaults=True),
                text_of(windows_of(calendar, told.time_zone, now)),
                calendar.alone,
            )
            for told, calendar in pairs
        ]

    return await asyncio.to_thread(work)


async def _save(tx: Transaction, people: Sequence[Told], changes: Sequence[Change]) -> None:
    await store.save(tx, changes)
    told = [
        replace(one, windows=change.windows, hours_alone=change.alone, revision=one.revision + 1)
        for one, change in zip(people, changes, strict=True)
    ]
    await outbox.emit(tx, [Draft(one.agency_id, one.person_id, person_set(one), route=one.agency_id) for one in told])
    await following.again(tx, {one.agency_id for one in told})


async def onward(tx: Transaction, people: Collection[PersonId]) -> None:
    """Work out once more what the calendars of these people come to, now that it is a day later, and tell what changed.

    The caller holds their agencies' locks.
    """
    kept = await store.with_calendar(tx, people)
    changes = await _worked_out([(one.told, _calendar(one)) for one in kept], await tx.now())
    moved = [
        (one.told, change) for one, change in zip(kept, changes, strict=True) if one.told.windows != change.windows
    ]
    if moved:
        await _save(tx, [told for told, _ in moved], [change for _, change in moved])


@dataclass(frozen=True)
class Coverage:
    """How many peers of an agency may be asked at all, and when fewer than `least` of them are there."""

    start: datetime
    end: datetime
    peers: int
    least: int
    gaps: Sequence[Gap]


async def coverage(db: Database, agency_id: AgencyId, *, hours: int, least: int) -> Coverage:
    """The agency's next hours. Raises `Refused` 404."""
    async with db.transaction([agency_id]) as tx:
        agency, now = await agency_store.load_agency(tx, agency_id), await tx.now()
        team = await store.team(tx, agency_id)
    if agency is None:
        raise Refused("not-found", 404)
    # From the full hour on: the same question has the same answer for a while.
    start = now.replace(minute=0, second=0, microsecond=0)
    end = start + timedelta(hours=hours)
    times = [_times(one) for one in team if _may_serve(one, agency, now)]
    found = await asyncio.to_thread(gaps, times, start, end, least)
    return Coverage(start, end, len(times), least, found)


def _times(one: store.OfTeam) -> Times:
    return Times(parse_hours(one.hours), one.time_zone, windows_in(one.windows), one.hours_alone)


def _may_serve(one: store.OfTeam, agency: Agency, now: datetime) -> bool:
    """As matching will decide it for a request that asks for nothing in particular."""
    # Designation and training end with a day of the agency, wherever the peer lives.
    today = day_of(now, agency.time_zone)
    begun = one.designated_from is not None and one.designated_from <= today
    designated = begun and (one.designated_to is None or today <= one.designated_to)
    trained = one.trained_until is not None and today <= one.trained_until
    return designated and (trained or not asks_training(agency, now))
