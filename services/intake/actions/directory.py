"""An agency's directory: replaced whole, read back, and told to the region as facts. Everything is set-based."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.intake.actions import availability, following, names, published
from services.intake.actions.agencies import present
from services.intake.actions.contacts import Points, plan_points
from services.intake.domain.agency import Agency
from services.intake.domain.directory import PROGRAM, Entry, Known, Person, Plan, compare, entry_of
from services.intake.domain.policy import asks_training, look_back_days
from services.intake.domain.published import Told, facts_of, farewell
from services.intake.domain.upload import MAX_NAMED, Reading, Remark, Row, read_people
from services.intake.store import agencies as agency_store
from services.intake.store import bars
from services.intake.store import people as store
from services.intake.store.directory import RECORD
from services.intake.store.people import PersonRow, Point
from shared import audit, clock, outbox, vault
from shared.db import Database, Transaction
from shared.errors import KeyDestroyed, Refused
from shared.events import Fact
from shared.outbox import Draft
from shared.types import AgencyId, PersonId
from shared.vault import DataKey, Keyring, Subject

_SEALED_FIELDS = ("person_ref", "name", "unit", "supervisor_ref", "badge", "shows")


@dataclass(frozen=True)
class Uploaded:
    """What came of an upload. `revision` is the directory's, after it (before it for a dry run)."""

    revision: int
    people: int
    added: int
    changed: int
    removed: int
    unchanged: int
    warnings: tuple[Remark, ...]

    def document(self) -> dict[str, object]:
        """The answer: counts, and what to look at, by row and field."""
        return {
            "people": self.people,
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "warnings": [one.document() for one in self.warnings[:MAX_NAMED]],
            "warning_count": len(self.warnings),
        }


def _uploaded(revision: int, plan: Plan, reading: Reading) -> Uploaded:
    return Uploaded(
        revision=revision,
        people=len(reading.people),
        added=len(plan.added),
        changed=len(plan.changed),
        removed=len(plan.removed),
        unchanged=plan.unchanged,
        warnings=reading.warnings,
    )


async def _read(keyring: Keyring, agency: Agency, rows: Sequence[Row], now: datetime) -> tuple[Reading, list[Entry]]:
    """Check and normalise rows. Thousands of them take a second: another thread lets a crisis pass meanwhile."""

    def work() -> tuple[Reading, list[Entry]]:
        reading = read_people(rows, agency, training_required=asks_training(agency, now))
        key = keyring.derived("index")
        return reading, [entry_of(key, agency.agency_id, person) for person in reading.required()]

    return await asyncio.to_thread(work)


async def check_directory(db: Database, keyring: Keyring, agency_id: AgencyId, rows: Sequence[Row]) -> Uploaded:
    """A dry run: what the upload would change. Raises `Refused` 422 with every problem; nothing is kept either way."""
    agency, now = await present(db, agency_id)
    reading, entries = await _read(keyring, agency, rows, now)
    async with db.transaction([agency_id]) as tx:
        plan = compare(await store.known_people(tx, agency_id), entries)
    return _uploaded(agency.directory_revision, plan, reading)


async def put_directory(
    db: Database,
    keyring: Keyring,
    rows: Sequence[Row],
    *,
    agency_id: AgencyId,
    actor: UUID,
    matches: Callable[[int], None],
) -> Uploaded:
    """Make the directory exactly these rows; who is absent becomes inactive. All of it, or nothing.

    `matches` gets the directory's revision under the agency's lock and raises `Refused` when the caller has not read
    what stands. Raises `Refused` 422 with every problem.
    """
    stands, now = await present(db, agency_id)
    reading, entries = await _read(keyring, stands, rows, now)
    async with db.transaction([agency_id]) as tx:
        agency = await agency_store.lock_agency(tx, agency_id)
        if agency is None:
            raise Refused("not-found", 404)
        matches(agency.directory_revision)
        plan = compare(await store.known_people(tx, agency_id), entries)
        revision = agency.directory_revision
        if plan.changes or not revision:
            revision = await agency_store.next_directory_revision(tx, agency_id)
            await _remember(tx, agency, plan)
            await apply_plan(tx, keyring, agency, plan)
            # Whoever was away from the list has a calendar that nobody has worked out meanwhile.
            await availability.onward(tx, [known.person_id for _, known in plan.changed])
            await names.again(tx, [agency_id])
            await following.again(tx, [agency_id])
            await published.daily(tx, [agency_id])
            await audit.record(tx, [audit.Entry(agency_id, "directory.replaced", actor=actor)])
    return _uploaded(revision, plan, reading)


async def _remember(tx: Transaction, agency: Agency, plan: Plan) -> None:
    """Under whom people were until now, for as long as the agency looks back."""
    above = [(known.person_id, entry.supervisor_ref_index) for entry, known in plan.changed]
    # A day that is not over everywhere is not over.
    today = (await tx.now() - timedelta(hours=12)).date()
    until = today + timedelta(days=look_back_days(agency))
    await bars.remember(tx, agency.agency_id, above, today=today, until=until)


@dataclass(frozen=True)
class _Written:
    """A person on the way into the tables: who, with which revision, and who they were before."""

    entry: Entry
    person_id: PersonId
    revision: int
    before: Known | None

    @property
    def was_told(self) -> bool:
        """Whether the region knows this person from earlier facts."""
        return self.before is not None and self.before.role in PROGRAM


async def apply_plan(
    tx: Transaction, keyring: Keyring, agency: Agency, plan: Plan, *, time_zone: str | None = None
) -> None:
    """Write a plan and tell the region. The caller holds the agency's lock, so that facts leave in order."""
    written = [_Written(entry, PersonId(clock.random_id()), 1, None) for entry in plan.added]
    written += [_Written(entry, known.person_id, known.revision + 1, known) for entry, known in plan.changed]
    keys = await _keys(tx, keyring, agency.agency_id, written)
    known_before = [known.person_id for _, known in plan.changed] + [known.person_id for known in plan.removed]
    old = await store.points_of(tx, agency.agency_id, known_before)
    # Of everybody who has no other one of their own.
    zone = time_zone or agency.time_zone
    rows, points = await asyncio.to_thread(_sealed, keyring.derived("index"), zone, written, keys, old)
    removed = [(known.person_id, known.revision + 1) for known in plan.removed]
    await store.save_people(tx, rows)
    await store.unverify(tx, agency.agency_id, points.unverified)
    await store.deactivate(tx, agency.agency_id, removed)
    await store.remove_points(tx, agency.agency_id, points.gone)
    await store.move_points(tx, agency.agency_id, points.moved)
    await store.add_points(tx, points.new)
    await outbox.emit(tx, await asyncio.to_thread(_drafts, agency.agency_id, zone, written, points, plan.removed))


def _drafts(
    agency_id: AgencyId, zone: str, written: Sequence[_Written], points: Points, removed: Sequence[Known]
) -> list[Draft]:
    facts = [
        (one.person_id, fact) for one in written for fact in _facts(agency_id, one, zone, points.of[one.person_id])
    ]
    facts += [(one.person_id, fact) for one in removed for fact in _farewell(agency_id, one, one.revision + 1, zone)]
    return [Draft(agency_id, key, fact, route=agency_id) for key, fact in facts]


async def _keys(
    tx: Transaction, keyring: Keyring, agency_id: AgencyId, written: Sequence[_Written]
) -> dict[UUID, DataKey]:
    new = [Subject(agency_id, "person", one.person_id) for one in written if one.before is None]
    known = [one.person_id for one in written if one.before is not None]
    keys = await vault.create(tx, keyring, new) | await vault.load(tx, keyring, "person", known)
    if len(keys) < len(written):
        raise KeyDestroyed("person")
    return keys


def _sealed(
    index_key: bytes, zone: str, written: Sequence[_Written], keys: Mapping[UUID, DataKey], old: Sequence[Point]
) -> tuple[list[PersonRow], Points]:
    """Every row sealed, and what happens to the contact points."""
    wanted = {one.person_id: one.entry.person.contacts for one in written}
    return [_row(one, zone, keys[one.person_id]) for one in written], plan_points(index_key, wanted, keys, old)


def _row(one: _Written, zone: str, key: DataKey) -> PersonRow:
    entry, person, lent = one.entry, one.entry.person, one.entry.lent
    return PersonRow(
        person_id=one.person_id,
        agency_id=key.subject.agency_id,
        revision=one.revision,
        role=person.role,
        digest=entry.digest,
        sealed=key.seal(RECORD, _record(person)),
        ref_index=entry.ref_index,
        name_index=entry.name_index,
        badge_index=entry.badge_index,
        unit_index=entry.unit_index,
        supervisor_ref_index=entry.supervisor_ref_index,
        attributes=person.attributes,
        offers=tuple(offer.value for offer in person.offers),
        designated_from=person.designated_from,
        designated_to=person.designated_to,
        trained_until=person.trained_until,
        hours=person.hours,
        time_zone=_zone_of(one, zone),
        language=person.language,
        windows=lent.windows if lent else "",
        hours_alone=lent is not None and lent.hours_alone,
        bearer=lent.bearer if lent else None,
    )


def _zone_of(one: _Written, zone: str) -> str:
    """In which zone the hours and the calendar of this person are read."""
    return one.entry.lent.time_zone if one.entry.lent else one.entry.person.time_zone or zone


def _record(person: Person) -> bytes:
    """What is sealed: everything by which a person could be recognised or reached."""
    named: dict[str, object] = {name: getattr(person, name) for name in _SEALED_FIELDS}
    return json.dumps(named | {"contact": person.contacts}).encode()


def _facts(agency_id: AgencyId, one: _Written, zone: str, points: Sequence[Point]) -> list[Fact]:
    person = one.entry.person
    if person.role not in PROGRAM:
        # Members stay in intake; whoever was a peer before has to be taken back, and gives back what they have.
        gone = replace(one.before, role=person.role) if one.before and one.was_told else None
        return _farewell(agency_id, gone, one.revision, zone) if gone else []
    lent, before = one.entry.lent, one.before
    kept = lent or before
    told = Told(
        person_id=one.person_id,
        agency_id=agency_id,
        revision=one.revision,
        active=True,
        role=person.role,
        time_zone=_zone_of(one, zone),
        language=person.language,
        attributes=person.attributes,
        offers=person.offers,
        designated_from=person.designated_from,
        designated_to=person.designated_to,
        trained_until=person.trained_until,
        hours=person.hours,
        windows=kept.windows if kept else "",
        hours_alone=kept is not None and kept.hours_alone,
        bearer=lent.bearer if lent else None,
    )
    return facts_of(told, [(point.point_id, point.sealed) for point in points])


def _farewell(agency_id: AgencyId, known: Known, revision: int, zone: str) -> list[Fact]:
    """A person is no longer in the program; nothing about one who never was."""
    gone = Told(
        known.person_id,
        agency_id,
        revision,
        active=False,
        role=known.role,
        time_zone=zone,
        language=known.language,
        bearer=known.bearer,
    )
    return farewell(gone)


async def read_directory(
    db: Database, keyring: Keyring, *, agency_id: AgencyId, actor: UUID
) -> tuple[int, list[dict[str, object]]]:
    """The directory as the agency uploaded it, and who is verified; nothing of requests. The reading is audited."""
    async with db.transaction([agency_id]) as tx:
        agency = await agency_store.load_agency(tx, agency_id)
        listed = await store.list_people(tx, agency_id)
        keys = await vault.load(tx, keyring, "person", [one.person_id for one in listed])
        opened = await asyncio.to_thread(_opened, listed, keys, agency.time_zone if agency else "")
        await audit.record(tx, [audit.Entry(agency_id, "directory.read", actor=actor)])
    return (agency.directory_revision if agency else 0), opened


def _opened(listed: Sequence[store.Listed], keys: Mapping[UUID, DataKey], zone: str) -> list[dict[str, object]]:
    people = [_shown(one, zone, json.loads(keys[one.person_id].open(RECORD, one.sealed))) for one in listed]
    return sorted(people, key=lambda person: str(person["person_ref"]))


def _shown(one: store.Listed, zone: str, record: Mapping[str, object]) -> dict[str, object]:
    days = {name: getattr(one, name) for name in ("designated_from", "designated_to", "trained_until")}
    return {
        **record,
        "role": one.role.value,
        "language": one.language,
        "attributes": list(one.attributes),
        "offers": list(one.offers),
        "hours": one.hours,
        "time_zone": one.time_zone if one.time_zone != zone else "",
        **{name: day.isoformat() if day else None for name, day in days.items()},
        "verified": one.verified,
    }
