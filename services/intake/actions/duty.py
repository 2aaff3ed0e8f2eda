"""The regional duty coordinators: people of the reserved agency, verified like everyone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from services.intake.actions import names
from services.intake.actions.directory import apply_plan
from services.intake.domain.agency import Agency, known_zone, language_tag
from services.intake.domain.contact import BadAddress, mail_address
from services.intake.domain.directory import Person, compare, entry_of
from services.intake.store import agencies as store
from services.intake.store import people
from services.intake.store.directory import RECORD
from shared import audit, vault
from shared.db import Database
from shared.errors import Problem, Refused
from shared.types import REGION, PersonId, Role
from shared.vault import Keyring


@dataclass(frozen=True)
class DutyPerson:
    """A regional duty coordinator, as the operator names and sees them."""

    name: str
    contact: str
    language: str
    time_zone: str
    verified: bool = False


def _checked_duty(wanted: DutyPerson) -> DutyPerson:
    try:
        contact = mail_address(wanted.contact)
    except BadAddress:
        contact = ""
    name, language = " ".join(wanted.name.split()), language_tag(wanted.language)
    checks = {
        "/name": bool(name) and name.isprintable(),
        "/contact": bool(contact),
        "/language": language is not None,
        "/time_zone": known_zone(wanted.time_zone),
    }
    problems = tuple(Problem(pointer, "invalid") for pointer, fine in checks.items() if not fine)
    if problems:
        raise Refused("duty-invalid", 422, problems)
    return DutyPerson(name, contact, language or "", wanted.time_zone)


async def add_duty(db: Database, keyring: Keyring, wanted: DutyPerson) -> PersonId:
    """Name a regional duty coordinator, who is told to verify the contact point like everyone.

    The region itself is made as a reserved agency on first use. Raises `Refused`: 422 `duty-invalid`, 409
    `duty-exists` for an address that is one of theirs already.
    """
    duty = _checked_duty(wanted)
    person = Person(duty.contact, Role.DUTY, duty.name, duty.language, contacts=(duty.contact,))
    entry = entry_of(keyring.derived("index"), REGION, person)
    async with db.door() as connection:
        everywhere = {agency.agency_id for agency in await store.list_agencies(connection)} - {REGION}
    async with db.transaction([REGION, *everywhere]) as tx:
        await store.add_agency(tx, _region(duty))
        region = await store.lock_agency(tx, REGION)
        known = await people.known_people(tx, REGION)
        if region is None or entry.ref_index in known:
            raise Refused("duty-exists", 409, (Problem("/contact", "taken"),))
        plan = compare({}, [entry])
        await apply_plan(tx, keyring, region, plan, time_zone=duty.time_zone)
        # A requester of any agency may have named this person before.
        await names.again(tx, everywhere)
        await audit.record(tx, [audit.Entry(REGION, "duty.added")])
        added = (await people.known_people(tx, REGION))[entry.ref_index]
    return added.person_id


def _region(duty: DutyPerson) -> Agency:
    return Agency(
        agency_id=REGION,
        revision=1,
        active=True,
        name="Region",
        slug=None,
        kind="region",
        jurisdiction="US",
        languages=(duty.language,),
        time_zone=duty.time_zone,
        mail_domain=None,
    )


async def list_duty(db: Database, keyring: Keyring) -> list[DutyPerson]:
    """The regional duty coordinators, by name."""
    async with db.transaction([REGION]) as tx:
        listed = await people.list_people(tx, REGION)
        keys = await vault.load(tx, keyring, "person", [one.person_id for one in listed])
    opened = [_duty(one, keys[one.person_id].open(RECORD, one.sealed)) for one in listed]
    return sorted(opened, key=lambda one: one.name)


def _duty(one: people.Listed, opened: bytes) -> DutyPerson:
    record = json.loads(opened)
    return DutyPerson(record["name"], record["contact"][0], one.language, one.time_zone, one.verified)
