"""Every directory is told again once a day, whole and with the revisions it has: who knows it all changes nothing.

So a consumer that lost something, or was built anew, comes to the same state within a day. An agency goes by pages,
each a timer of its own; an upload holds the agency's lock, and so does a page, so that facts leave in order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal
from uuid import UUID

from services.intake.actions import availability, following, names
from services.intake.actions.structures import agency_set
from services.intake.domain.published import facts_of, next_turn
from services.intake.store import agencies as agency_store
from services.intake.store import directory, renewals
from services.intake.store import people as store
from shared import outbox, timers
from shared.db import Transaction
from shared.events.intake import RenewalDue
from shared.outbox import Draft
from shared.timers import Due, Fired
from shared.types import REGION, AgencyId, Lane, PersonId

ROUND: Literal["republish"] = "republish"
"""A page of an agency's directory; the timer's subject is the last person of the page before."""
FIRST = UUID(int=0)
PAGE = 200
"""People: their calendars are worked out inside of one transaction, which must not stand idle for long."""


async def daily(tx: Transaction, agencies: Collection[AgencyId]) -> None:
    """Set the next turn of these agencies; one that is set already stays as it is."""
    now = await tx.now()
    turns = [(agency, next_turn(agency, now)) for agency in sorted(agencies)]
    await timers.schedule(
        tx, [Due(agency, Lane.BULK, ROUND, agency, FIRST, turn.toordinal(), turn) for agency, turn in turns]
    )


async def _renewals(tx: Transaction, people: Collection[PersonId]) -> None:
    """Tell whose training or designation runs out soon, and whoever coordinates there."""
    found = await renewals.due(tx, people)
    coordinators = await directory.coordinators_of(tx, found) if found else {}
    await outbox.emit(
        tx,
        [
            Draft(agency, agency, RenewalDue(people=tuple(listed), coordinators=coordinators.get(agency, ())))
            for agency, listed in sorted(found.items())
        ],
    )


async def fire(tx: Transaction, fired: Sequence[Fired], *, page: int = PAGE) -> None:
    """Pages of directories. With the first one of the day the next day's is set, and names are tried again."""
    locked = await agency_store.lock_agencies(tx, {one.agency_id for one in fired})
    now = await tx.now()
    begun = {one.agency_id for one in fired if one.subject_id == FIRST}
    await outbox.emit(
        tx,
        [
            Draft(agency.agency_id, agency.agency_id, agency_set(agency, now))
            for agency in locked.values()
            if agency.agency_id in begun and agency.agency_id != REGION
        ],
    )
    wanted = [(one.agency_id, one.subject_id) for one in fired]
    listed = await store.program_of(tx, wanted, page)
    ids = [person.person_id for people in listed for person in people]
    await availability.onward(tx, ids)
    await _renewals(tx, ids)
    pages = await store.program_of(tx, wanted, page)
    people = [person for one in pages for person in one]
    points = await store.sealed_points(tx, [person.person_id for person in people])
    await outbox.emit(
        tx,
        [
            Draft(person.agency_id, person.person_id, fact, route=person.agency_id)
            for person in people
            for fact in facts_of(person, points.get(person.person_id, ()))
        ],
    )
    full = [(one, listed[-1].person_id) for one, listed in zip(fired, pages, strict=True) if len(listed) == page]
    await timers.schedule(
        tx, [Due(one.agency_id, Lane.BULK, ROUND, one.agency_id, last, one.version, now) for one, last in full]
    )
    await following.again(tx, begun - {REGION})
    await daily(tx, begun)
    await names.again(tx, begun - {REGION})
