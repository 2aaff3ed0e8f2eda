"""What a coordinator looks at: who is in the team, what runs out, when nobody is there, and what is counted by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, cast
from uuid import UUID

from services.intake.actions import availability, directory
from services.intake.actions.agencies import present
from services.intake.actions.availability import Coverage, Shown
from services.intake.domain.agency import Agency, day_of, month_of
from services.intake.domain.policy import asks_training
from services.intake.domain.pool import REGIONAL
from services.intake.domain.tally import Month, whole
from services.intake.domain.upload import rows_of_json
from services.intake.store import tally as store
from shared import audit
from shared.db import Database
from shared.errors import Refused
from shared.types import AgencyId, Role
from shared.vault import Keyring

Standing = Literal["ready", "soon", "unverified", "not_designated", "not_trained", "other"]
SOON = timedelta(days=60)
MONTHS = 12
_ORDER = (Role.PEER, Role.COORDINATOR, Role.CLINICIAN, Role.DUTY)


@dataclass(frozen=True)
class Mate:
    """One person of the program as the page lists them.

    `zone` is that of their hours, where it is not the agency's. `until`: when the first thing of theirs runs out.
    `lent`: other agencies of the region's pool may take them.
    """

    ref: str
    name: str
    role: str
    hours: str
    zone: str
    standing: Standing
    until: date | None
    lent: bool


@dataclass(frozen=True)
class Team:
    """The whole page."""

    agency: Agency
    today: date
    mates: Sequence[Mate]
    coverage: Coverage
    month: date
    counts: Mapping[str, int]
    earlier: Mapping[date, Mapping[str, int]]


async def look(db: Database, keyring: Keyring, *, agency_id: AgencyId, actor: UUID) -> Team:
    """As it stands now; that somebody has read the directory is audited. Raises `Refused` 404."""
    agency, now = await present(db, agency_id)
    _, people = await directory.read_directory(db, keyring, agency_id=agency_id, actor=actor)
    covered = await availability.coverage(db, agency_id, hours=72, least=1)
    month = month_of(now, agency.time_zone)
    async with db.transaction([agency_id]) as tx:
        counted = await store.since(tx, agency_id, (month - timedelta(days=31 * MONTHS)).replace(day=1))
    today = day_of(now, agency.time_zone)
    trained = asks_training(agency, now)
    mates = [_mate(one, today, trained=trained) for one in people if one["role"] != Role.MEMBER]
    return Team(
        agency=agency,
        today=today,
        mates=sorted(mates, key=lambda one: (_ORDER.index(one.role), one.name)),
        coverage=covered,
        month=month,
        counts=whole(counted.pop(month, {})),
        earlier={first: whole(counts) for first, counts in counted.items()},
    )


@dataclass(frozen=True)
class Face:
    """One person as the directory has them, and as they are there beside their hours.

    `read`: the directory's revision. `times`: None for a mere member. `others`: who else is in the program, as pairs of
    reference and name.
    """

    read: int
    person: Mapping[str, object]
    times: Shown | None
    others: Sequence[tuple[str, str]]


async def person(db: Database, keyring: Keyring, person_ref: str, *, agency_id: AgencyId, actor: UUID) -> Face | None:
    """One person of the directory, or None; that somebody has read it is audited."""
    revision, people = await directory.read_directory(db, keyring, agency_id=agency_id, actor=actor)
    found = next((one for one in people if one["person_ref"] == person_ref), None)
    if found is None:
        return None
    others = [
        (str(one["person_ref"]), str(one["name"])) for one in people if one["role"] != Role.MEMBER and one is not found
    ]
    times = await availability.ahead(db, keyring, agency_id, person_ref)
    return Face(revision, found, times, sorted(others, key=lambda one: one[1]))


async def save_person(
    db: Database,
    keyring: Keyring,
    wanted: Mapping[str, object] | None,
    *,
    was: str,
    read: int | None,
    agency_id: AgencyId,
    actor: UUID,
) -> None:
    """Put this person in the place of the one whose reference `was` is ("": nobody's); None takes that one out.

    Everybody else stays as they are. `read`: the directory's revision when `was` was looked at. Raises `Refused`: 422
    `directory-invalid` with the person's own fields, 422 `others-invalid` with the names of those who have to be looked
    at first, 412 `changed-meanwhile`.
    """
    revision, people = await directory.read_directory(db, keyring, agency_id=agency_id, actor=actor)
    if was and read != revision:
        raise Refused("changed-meanwhile", 412)
    rows = [one for one in people if not was or one["person_ref"] != was]

    def matches(stands: int) -> None:
        if stands != revision:
            raise Refused("changed-meanwhile", 412)

    document = {"people": [*rows, wanted] if wanted is not None else rows}
    try:
        await directory.put_directory(
            db, keyring, rows_of_json(document), agency_id=agency_id, actor=actor, matches=matches
        )
    except Refused as refused:
        if refused.slug != "directory-invalid":
            raise
        places = {problem.pointer.split("/")[2] for problem in refused.problems if problem.pointer.count("/") > 1}
        if str(len(rows)) not in places:
            names = sorted(str(row["name"]) for place, row in enumerate(rows) if str(place) in places)
            raise Refused("others-invalid", 422, extra={"people": names}) from None
        own = tuple(one for one in refused.problems if one.pointer.startswith(f"/people/{len(rows)}/"))
        raise Refused(refused.slug, refused.status, own) from None


def _mate(person: Mapping[str, object], today: date, *, trained: bool) -> Mate:
    begins, ends, training = (_day(person[name]) for name in ("designated_from", "designated_to", "trained_until"))
    peer = person["role"] == Role.PEER
    runs_out = [one for one in (ends, training) if one is not None] if peer else []
    until = min(runs_out, default=None)
    standing: Standing = "ready"
    if not person["verified"]:
        standing = "unverified"
    elif peer and (begins is None or begins > today or (ends is not None and ends < today)):
        standing = "not_designated"
    elif peer and (training is None or training < today):
        # Where the law does not ask for it they are asked all the same, after those who have it.
        standing = "not_trained" if trained else "other"
    elif until is not None and until - today <= SOON:
        standing = "soon"
    ref, name, role, hours, zone = (str(person[key]) for key in ("person_ref", "name", "role", "hours", "time_zone"))
    lent = peer and REGIONAL in cast("list[str]", person["attributes"])
    return Mate(ref, name, role, hours, zone, standing, until, lent=lent)


def _day(value: object) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else None


async def counts(db: Database, agency_id: AgencyId) -> dict[date, dict[str, int]]:
    """The numbers of the last twelve months, the latest first. Raises `Refused` 404."""
    agency, now = await present(db, agency_id)
    first = (month_of(now, agency.time_zone) - timedelta(days=31 * MONTHS)).replace(day=1)
    async with db.transaction([agency_id]) as tx:
        return {month: whole(one) for month, one in (await store.since(tx, agency_id, first)).items()}


async def count(db: Database, agency_id: AgencyId, counted: Month, *, actor: UUID) -> None:
    """Set what was counted by hand in a month. The same again changes nothing."""
    async with db.transaction([agency_id]) as tx:
        await store.save(tx, agency_id, counted)
        await audit.record(tx, [audit.Entry(agency_id, "tally.set", actor=actor)])
