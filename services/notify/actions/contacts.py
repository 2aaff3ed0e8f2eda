"""Persons and their contact points, as the directory and the sealed contact topic tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.notify.actions.book import SEND
from services.notify.domain import contacts
from services.notify.domain.contacts import Person, Point
from services.notify.domain.intents import NEWS_WITHIN, TELL_WITHIN, VERIFY_WITHIN, Intent, Template
from services.notify.store import cases as rows
from services.notify.store import links, people, sending
from services.notify.store.people import Key
from shared import clock, outbox, timers
from shared.db import Transaction
from shared.delivery import Received
from shared.events import Fact
from shared.events.intake import RenewalDue, VerificationAsked
from shared.events.matching import CheckInDue
from shared.types import AgencyId, PersonId


@dataclass
class _Heard:
    """What a batch has come to so far: persons as they were and are, and whom to mail."""

    before: Mapping[Key, Person]
    after: dict[Key, Person]
    verify: dict[UUID, Key]
    tell: dict[UUID, Key]


async def locked(tx: Transaction, keys: Sequence[Key]) -> dict[Key, Person]:
    """Lock these persons and load them whole; those nobody here has heard of are made."""
    await people.place(tx, keys)
    ids = [person for person, _ in keys]
    found = await people.lock(tx, ids)
    points = await people.points(tx, ids)
    return {key: replace(person, points=points.get(key, {})) for key, person in found.items()}


async def save(tx: Transaction, pairs: Sequence[tuple[Person, Person]]) -> None:
    """Write (before, after) of locked persons, and say what others have to know."""
    changed = [(before, after) for before, after in pairs if before is not after]
    await people.save(tx, [after for _, after in changed])
    points: list[tuple[Person, Point]] = [
        (after, point)
        for before, after in changed
        for key, point in after.points.items()
        if before.points.get(key) is not point
    ]
    await people.save_points(tx, points)
    await outbox.emit(
        tx,
        [
            outbox.Draft(after.agency_id, after.person_id, fact)
            for before, after in changed
            for fact in contacts.announced(before, after)
        ],
    )


async def of_people(tx: Transaction, received: Sequence[Received]) -> None:
    """Bring records about persons to their effect, in order: full states, so that only newer ones count."""
    relevant = [(one, one.fact) for one in received if isinstance(one.fact, contacts.Heard)]
    if not relevant:
        return
    keys = [(PersonId(one.envelope.subject), one.envelope.agency_id) for one, _ in relevant]
    before = await locked(tx, keys)
    now = await tx.now()
    heard = _Heard(before, dict(before), {}, {})
    for key, (_, fact) in zip(keys, relevant, strict=True):
        change = contacts.heard(heard.after[key], fact, now)
        heard.after[key] = change.person
        heard.verify.update(dict.fromkeys(change.verify, key))
        heard.tell.update(dict.fromkeys(change.tell, key))
    await save(tx, [(before[key], after) for key, after in heard.after.items()])
    await _plan(tx, heard, now)


async def ask_again(tx: Transaction, received: Sequence[Received]) -> None:
    """Mail new links to unverified points, where none is on its way. The newest link is the only one that opens."""
    keys = [
        (PersonId(one.envelope.subject), one.envelope.agency_id)
        for one in received
        if isinstance(one.fact, VerificationAsked)
    ]
    if not keys:
        return
    before = await locked(tx, keys)
    points = {point: key for key in keys for point in contacts.unverified(before[key])}
    on_their_way = await sending.being_verified(tx, points)
    due = {point: key for point, key in points.items() if point not in on_their_way}
    await links.drop_verifications(tx, due)
    await _plan(tx, _Heard(before, before, due, {}), await tx.now())


async def words(tx: Transaction, received: Sequence[Received]) -> None:
    """Tell peers that something of theirs runs out, and coordinators that of their team; ask peers how they are."""
    wanted: dict[tuple[Key, Template], None] = {}
    for one in received:
        wanted |= dict.fromkeys(_word(one.fact, one.envelope.agency_id))
    if not wanted:
        return
    keys = list(dict.fromkeys(key for key, _ in wanted))
    people = await locked(tx, keys)
    now = await tx.now()
    await sending.forget_settled(tx, [person for person, _ in keys])
    planned = [_mail(template, key, None, now, NEWS_WITHIN) for key, template in wanted if people[key].reachable]
    await _send(tx, planned, now)


def _word(fact: Fact, agency: AgencyId) -> list[tuple[Key, Template]]:
    match fact:
        case RenewalDue(people=people, coordinators=coordinators):
            team: list[tuple[Key, Template]] = [((person, agency), "renew_team") for person in coordinators]
            return team + [((person, agency), "renew") for person in people]
        case CheckInDue(people=people):
            return [((person, agency), "check_in") for person in people]
        case _:
            return []


async def _plan(tx: Transaction, heard: _Heard, now: datetime) -> None:
    """Verifications to new points, the word about a change to old ones; links to removed points open nothing."""
    retired = [
        key
        for person in heard.after.values()
        for key, point in person.points.items()
        if not point.live and point is not heard.before[person.person_id, person.agency_id].points.get(key)
    ]
    await links.drop_verifications(tx, retired)
    await sending.forget_settled(tx, [person for person, _ in {*heard.verify.values(), *heard.tell.values()}])
    planned = [
        _mail("verify", key, point, now, VERIFY_WITHIN)
        for point, key in heard.verify.items()
        if _live(heard, key, point)
    ]
    planned += [_mail("changed", key, point, now, TELL_WITHIN) for point, key in heard.tell.items()]
    await _send(tx, planned, now)


async def _send(tx: Transaction, planned: Sequence[Intent], now: datetime) -> None:
    await rows.save_intents(tx, [(None, intent) for intent in planned])
    await timers.schedule(
        tx,
        [timers.Due(one.agency_id, one.lane, SEND, one.person, one.intent_id, one.version, now) for one in planned],
    )


def _live(heard: _Heard, key: Key, point: UUID) -> bool:
    """A later record of the same batch may have removed it again."""
    return heard.after[key].points[point].live


def _mail(template: Template, key: Key, point: UUID | None, now: datetime, within: timedelta) -> Intent:
    """To this contact point, or without one to the first that is verified; then it is about itself."""
    person, agency = key
    intent = clock.random_id()
    return Intent(
        intent_id=intent,
        agency_id=AgencyId(agency),
        person=person,
        template=template,
        klass="verify",
        subject=point or intent,
        expires_at=now + within,
        planned_at=now,
        point=point,
    )
