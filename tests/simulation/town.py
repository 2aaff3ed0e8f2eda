"""The agencies of a simulated region and whoever is named there, made through the services' own actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from services.intake.actions import agencies, directory, duty, pool
from services.intake.actions.duty import DutyPerson
from services.intake.actions.keys import Caller
from services.intake.domain.agency import Agency
from services.intake.domain.pool import Borrowed
from services.intake.domain.structure import Dates, Wanted
from services.intake.domain.upload import rows_of_json
from services.notify.actions.desk import Desk
from shared import clock, doors
from shared.db import Database
from shared.types import AgencyId, PersonId, Structure
from shared.vault import Keyring
from tests.simulation.ground import operator
from tests.simulation.region import Region

PIN = "482915"
PIN_COST = 2
"""A PIN is tried thousands of times here: its hash costs next to nothing."""
PEERS, MEMBERS = 5, 4
LENT = PEERS - 1
"""This peer of every agency may be lent to others."""
PROGRAMS: Sequence[tuple[str, Structure, dict[str, Any]]] = (
    ("ash", Structure.TEAM_COORDINATOR, {"grace_s": 3600}),
    ("birch", Structure.CLINICAL_ADVISOR, {"grace_s": 0, "routine": {"answer_within_s": 600}}),
    ("cedar", Structure.CLINICAL_SUPERVISOR, {"grace_s": 7200, "urgent": {"offers_out": 3}}),
    ("dogwood", Structure.CLINICAL_SUPERVISOR, {"grace_s": 60, "open_cases_per_peer": 2, "soon": {"offers_out": 2}}),
)


@dataclass(frozen=True)
class Program:
    """An agency: its id, its structure, and whom a requester may not want to meet, by name."""

    agency_id: AgencyId
    slug: str
    structure: Structure
    people: dict[str, PersonId] = field(default_factory=dict)


@dataclass
class Town:
    """Every agency there is."""

    programs: list[Program] = field(default_factory=list)


def people_of(slug: str, structure: Structure) -> list[dict[str, Any]]:
    """A directory as it is uploaded: peers, two coordinators, members, and clinicians where the structure has them."""
    found: list[dict[str, Any]] = [
        {
            "person_ref": f"P{n}",
            "role": "peer",
            "name": f"Pat {slug} {'abcdefgh'[n]}",
            "unit": f"unit {n % 2}",
            "supervisor_ref": "C0",
            "contact": f"p{n}@{slug}.test",
            "designated_from": "2020-01-01",
            "trained_until": "2099-12-31",
            "offers": ["talk", "ride"],
            "attributes": ["regional"] if n == LENT else [],
        }
        for n in range(PEERS)
    ]
    found += [
        {"person_ref": f"C{n}", "role": "coordinator", "name": f"Cory {slug} {'ab'[n]}", "contact": f"c{n}@{slug}.test"}
        for n in range(2)
    ]
    found += [
        {"person_ref": f"M{n}", "role": "member", "name": f"Max {slug} {'abcd'[n]}", "unit": f"unit {n % 2}"}
        for n in range(MEMBERS)
    ]
    if structure is not Structure.TEAM_COORDINATOR:
        found += [
            {
                "person_ref": f"K{n}",
                "role": "clinician",
                "name": f"Kim {slug} {'ab'[n]}",
                "contact": f"k{n}@{slug}.test",
                "attributes": ["licence:us-ut", "on_call"],
            }
            for n in range(2)
        ]
    return found


async def build(region: Region) -> Town:
    """Take on the agencies, upload their directories, name duty coordinators, and let everybody verify."""
    db, keyring, town = region.replicas["intake"][0].db, region.office.keyring, Town()
    async with operator(region.database, "intake") as by_hand:
        for slug, structure, _ in PROGRAMS:
            agency_id = AgencyId(clock.random_id())
            await agencies.add_agency(by_hand, keyring, _agency(agency_id, slug), structure=_wanted(structure))
            town.programs.append(Program(agency_id, slug, structure))
        for n in range(2):
            await duty.add_duty(by_hand, keyring, DutyPerson(f"Drew {'ab'[n]}", f"d{n}@region.test", "en", "UTC"))
    for program, (slug, structure, policy) in zip(town.programs, PROGRAMS, strict=True):
        agency_id = program.agency_id
        await set_policy(db, agency_id, policy | {"pool": True})
        rows = rows_of_json({"people": people_of(slug, structure)})
        await directory.put_directory(
            db, keyring, rows, agency_id=agency_id, actor=clock.random_id(), matches=lambda _: None
        )
    for program in town.programs[:3]:
        offered = await pool.look(db, keyring, agency_id=program.agency_id, actor=program.agency_id)
        await borrow(db, keyring, program, [one.peer for one in offered.peers if one.original])
    region.stir_all()
    await region.settle()
    await _learn_names(region, town)
    desk = Desk(region.replicas["notify"][0].db, region.office, pin_cost=PIN_COST)
    for mail in [one for one in region.post.arrived if one.purpose == "verify"]:
        told = await desk.verify(mail.token, PIN)
        if told != "verified":
            raise RuntimeError(f"{mail.address} is {told}")
    region.stir_all()
    await region.settle()
    return town


async def _learn_names(region: Region, town: Town) -> None:
    """Which person a name of a directory stands for: whoever was asked to verify its address."""
    pepper = region.office.pepper
    mails = {doors.keyed_hash(pepper, "link:verify", one.token): one.address for one in region.post.arrived}
    rows = await region.sql.fetch(
        "SELECT d.hash, l.person_id, l.agency_id FROM notify.doors d JOIN notify.links l ON l.link_id = d.subject"
    )
    persons = {(mails[row["hash"]], row["agency_id"]): PersonId(row["person_id"]) for row in rows}
    every = [one for program in town.programs for one in people_of(program.slug, program.structure)]
    for program in town.programs:
        unwanted = [one for one in every if one["role"] in {"peer", "coordinator"}]
        found = {one["name"]: persons.get((one["contact"], program.agency_id)) for one in unwanted}
        program.people.update({name: person for name, person in found.items() if person is not None})


async def borrow(db: Database, keyring: Keyring, program: Program, peers: Sequence[PersonId]) -> None:
    """The agency has taken these of the pool from now on, and designated them."""
    wanted = Borrowed.model_validate({"peers": [{"peer": one, "designated_from": "2020-01-01"} for one in peers]})
    await pool.take(db, keyring, wanted, agency_id=program.agency_id, actor=program.agency_id, matches=lambda _: None)


def _agency(agency_id: AgencyId, slug: str) -> Agency:
    return Agency(
        agency_id=agency_id,
        revision=1,
        active=True,
        name=f"{slug} police",
        slug=slug,
        kind="police",
        jurisdiction="US-UT",
        languages=("en",),
        time_zone="America/Denver",
        mail_domain=None,
    )


def _wanted(structure: Structure) -> Wanted:
    contract = None if structure is Structure.TEAM_COORDINATOR else Dates.model_validate({"from": date(2020, 1, 1)})
    return Wanted(structure=structure, contract=contract)


async def set_policy(db: Database, agency_id: AgencyId, policy: dict[str, Any]) -> None:
    """What the agency sets instead of the defaults."""
    caller = Caller(agency_id, UUID(int=0), frozenset())
    await agencies.put_policy(db, caller, policy, matches=lambda _: None)
