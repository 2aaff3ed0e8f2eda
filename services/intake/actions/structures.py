"""An agency's structure: planned, in force, and told to the region at the moment when it begins or ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.intake.domain.agency import Agency
from services.intake.domain.policy import capabilities_at
from services.intake.domain.structure import Wanted, checked, next_change, program_at, replanned
from services.intake.store import agencies as store
from shared import audit, outbox, timers
from shared.db import Database, Transaction
from shared.errors import Refused
from shared.events.intake import AgencySet
from shared.outbox import Draft
from shared.timers import Due, Fired
from shared.types import AgencyId, Lane

TIMER = "structure"


def agency_set(agency: Agency, now: datetime) -> AgencySet:
    """The agency as the region knows it at this moment."""
    return AgencySet(
        revision=agency.revision,
        active=agency.active,
        kind=agency.kind,
        jurisdiction=agency.jurisdiction,
        structure=program_at(agency.programs, now).structure,
        capabilities=capabilities_at(agency, now),
        languages=agency.languages,
        time_zone=agency.time_zone,
    )


async def begun(tx: Transaction, agency: Agency, wanted: Wanted) -> Agency:
    """The first structure of an agency that has just been written. Raises `Refused` 422 `structure-invalid`."""
    now = await tx.now()
    planned = await _planned(tx, agency, wanted, now)
    await _tell(tx, [planned], now)
    return planned


async def put_structure(
    db: Database, agency_id: AgencyId, wanted: Wanted, *, actor: UUID | None, matches: Callable[[int], None]
) -> tuple[Agency, datetime]:
    """Set what holds from a moment on; what was planned for then or later is given up. Cases keep what they began with.

    `matches` gets the plan's revision under the lock. Returns the agency afterwards, and the region's time. Raises
    `Refused`: 404, 422 `structure-invalid`.
    """
    async with db.transaction([agency_id]) as tx:
        agency, now = await store.lock_agency(tx, agency_id), await tx.now()
        if agency is None:
            raise Refused("not-found", 404)
        matches(agency.structure_revision)
        planned = await _planned(tx, agency, wanted, now)
        await store.count_on(tx, [agency_id])
        planned = replace(planned, revision=agency.revision + 1)
        await _tell(tx, [planned], now)
        await audit.record(tx, [audit.Entry(agency_id, "structure.set", actor=actor)])
    return planned, now


async def _planned(tx: Transaction, agency: Agency, wanted: Wanted, now: datetime) -> Agency:
    program = checked(wanted, agency.time_zone, now)
    program = replace(program, revision=agency.structure_revision + 1)
    await store.replan(tx, agency.agency_id, program)
    return replace(agency, programs=replanned(agency.programs, program))


async def fire(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers: a structure or a contract begins or ends now. One that was set for an older plan does nothing."""
    if not fired:
        return
    set_for = {AgencyId(timer.subject_id): timer.version for timer in sorted(fired, key=lambda one: one.version)}
    agencies, now = await store.lock_agencies(tx, set_for), await tx.now()
    due = [one for one in agencies.values() if one.revision == set_for[one.agency_id]]
    await store.count_on(tx, [one.agency_id for one in due])
    await _tell(tx, [replace(one, revision=one.revision + 1) for one in due], now)


async def _tell(tx: Transaction, agencies: Iterable[Agency], now: datetime) -> None:
    """Publish these agencies as they are now, and wake when that changes by itself."""
    told = list(agencies)
    await outbox.emit(tx, [Draft(one.agency_id, one.agency_id, agency_set(one, now)) for one in told])
    coming = [(one, next_change(one.programs, one.time_zone, now)) for one in told]
    await timers.schedule(tx, [_due(one, at) for one, at in coming if at is not None])


def _due(agency: Agency, at: datetime) -> Due:
    whose = agency.agency_id
    return Due(whose, Lane.ORDINARY, TIMER, key=whose, subject_id=whose, version=agency.revision, due_at=at)
