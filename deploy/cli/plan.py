"""`peerline plan`: what a team could carry, and what some more peers would change. It reads a file and touches nothing.

A month of invented requests is replayed by the very rules of the region against a directory, and beside it against the
same directory with more people. Every assumption is printed with the result, and can be set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.operator import REFUSED, USAGE, AsJson, stop
from deploy.plan.demand import Assumptions
from deploy.plan.measure import QUANTILES, Outcome, outcome
from deploy.plan.picture import drawn
from deploy.plan.replay import replay
from services.intake.domain.agency import Agency, day_of, known_zone
from services.intake.domain.calendars import calendar_in, windows_of
from services.intake.domain.csvfile import BadFile, read_csv
from services.intake.domain.directory import Person
from services.intake.domain.policy import asks_training, checked_overrides
from services.intake.domain.structure import EVER, Program
from services.intake.domain.upload import read_people, rows_of_cells
from services.matching.domain.eligibility import designated, trained
from services.matching.domain.people import Peer
from shared.availability import Window, text_of
from shared.errors import Refused
from shared.hours import BadHours, parse_hours
from shared.types import AgencyId, Help, PersonId, Role, Structure, Urgency

NIGHT = "daily 22:00-06:00"
_AGENCY = AgencyId(UUID(int=1))

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The directory, as a .csv file.")
]
Jurisdiction = Annotated[str, typer.Option(help="ISO 3166-2, such as US-UT: its law says who may be asked.")]
Zone = Annotated[str, typer.Option(help="The agency's IANA time zone.")]
More = Annotated[int, typer.Option(min=0, max=500, help="So many more peers, to compare with.")]
MoreHours = Annotated[str, typer.Option(help="Their weekly hours.")]
Calendars = Annotated[
    list[str], typer.Option("--calendar", help="REF=FILE.ics: when this person is there otherwise; repeat it.")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", exists=True, dir_okay=False, help="The agency's policy, as JSON.")
]
Picture = Annotated[Path | None, typer.Option(help="Write a picture (SVG) here.")]


def register(app: typer.Typer) -> None:
    """`peerline plan`."""
    app.command()(plan)


def plan(
    file: File,
    *,
    jurisdiction: Jurisdiction = "US",
    zone: Zone = "America/Denver",
    more: More = 3,
    more_hours: MoreHours = NIGHT,
    calendar: Calendars = [],  # noqa: B006 - typer reads it
    policy: PolicyFile = None,
    requests: Annotated[float, typer.Option(min=0.1, max=5000, help="Requests in thirty days.")] = 40.0,
    by_night: Annotated[float, typer.Option(min=0, max=1, help="Of them between 22:00 and 06:00.")] = 0.45,
    accepts: Annotated[float, typer.Option(min=0, max=1, help="Offers that are accepted by who is there.")] = 0.7,
    lasts_days: Annotated[
        float, typer.Option(min=0.1, max=730, help="Days that a support goes on, on average.")
    ] = 30.0,
    start: Annotated[
        str, typer.Option(help="The first day that is measured, YYYY-MM-DD; next Monday if not given.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed is the same month.")] = 1,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Replay a month of invented requests against a directory, as it is and with more peers.

    Nothing is sent anywhere and no database is opened. Exit codes: 0 done, 2 wrong usage, 3 the file was refused.
    """
    begins = _start(start, zone, as_json=as_json)
    try:
        agency = _agency(jurisdiction, zone, policy)
        people = _people(file, agency, calendar, begins)
        hours = str(parse_hours(more_hours))
    except (Refused, BadFile) as error:
        stop(REFUSED, "refused", f"The file was refused: {_told(error)}.", as_json=as_json)
    except (BadHours, ValueError, OSError) as error:
        stop(USAGE, "usage", f"An option cannot be read: {error}.", as_json=as_json)
    assumed = Assumptions(requests=requests, by_night=by_night, accepts=accepts, lasts_days=lasts_days)
    plans = {"as it is": people}
    if more:
        plans[f"with {more} more"] = [*people, *_added(more, hours, agency, begins)]
    found = {
        name: outcome(replay(agency, team, assumed, start=begins, seed=seed), team, zone)
        for name, team in plans.items()
    }
    if picture is not None:
        picture.write_text(drawn(found, f"{file.stem}: thirty days from {begins.date()}"), "utf-8")
    if as_json:
        plans_told = {name: one.document() for name, one in found.items()}
        typer.echo(json.dumps({"assumed": assumed.stated() | {"seed": seed, "more_hours": hours}, "plans": plans_told}))
        return
    _show(found, assumed, seed, begins)
    if more:
        typer.echo(f"The {more} more are there: {hours or 'always'}.")
    if picture is not None:
        typer.echo(f"The picture: {picture}")


def _start(text: str, zone: str, *, as_json: bool) -> datetime:
    if not known_zone(zone):
        stop(USAGE, "usage", "--zone is no IANA time zone, such as America/Denver.", as_json=as_json)
    place = ZoneInfo(zone)
    today = datetime.now(place).date()
    try:
        first = date.fromisoformat(text) if text else today + timedelta(days=7 - today.weekday())
    except ValueError:
        stop(USAGE, "usage", "--start is a day, as 2026-12-07.", as_json=as_json)
    return datetime(first.year, first.month, first.day, tzinfo=place).astimezone(UTC)


def _agency(jurisdiction: str, zone: str, policy: Path | None) -> Agency:
    overrides = json.loads(policy.read_text("utf-8")) if policy else {}
    return Agency(
        agency_id=_AGENCY,
        revision=1,
        active=True,
        name="plan",
        slug="plan",
        kind="police",
        jurisdiction=jurisdiction,
        languages=("en",),
        time_zone=zone,
        mail_domain=None,
        policy=checked_overrides(overrides),
        programs=(Program(Structure.TEAM_COORDINATOR, EVER),),
    )


def _people(file: Path, agency: Agency, calendars: Sequence[str], start: datetime) -> list[Peer]:
    """The peers of a directory file who may be asked at all on the first day, each with their calendar."""
    rows = rows_of_cells(read_csv(file.read_bytes()))
    listed = read_people(rows, agency).required()
    zones = {one.person_ref: one.time_zone or agency.time_zone for one in listed}
    files = {ref: Path(name) for ref, _, name in (one.partition("=") for one in calendars)}
    if unknown := set(files) - set(zones):
        raise ValueError(f"--calendar names {len(unknown)} who are not in the file")
    windows = {ref: _windows(name, zones[ref], start) for ref, name in files.items()}
    dice = Random("ids")  # noqa: S311 - the same people have the same ids in every plan
    peers = [_peer(one, agency, PersonId(UUID(int=dice.getrandbits(128))), windows) for one in listed]
    return [one for one in peers if _may_serve(one, agency, start)]


def _windows(file: Path, zone: str, start: datetime) -> str:
    calendar = calendar_in(file.read_bytes(), zone, means="there", alone=False)
    first: list[Window] = []
    for days in (-60, 0):
        first += windows_of(calendar, zone, start + timedelta(days=days))
    return text_of(dict.fromkeys(first))


def _peer(one: Person, agency: Agency, person: PersonId, windows: Mapping[str, str]) -> Peer:
    return Peer(
        person,
        active=True,
        role=one.role.value,
        verified=True,
        attributes=frozenset(one.attributes),
        offers=frozenset(offer.value for offer in one.offers),
        designated_from=one.designated_from,
        designated_to=one.designated_to,
        trained_until=one.trained_until,
        hours=one.hours,
        time_zone=one.time_zone or agency.time_zone,
        language=one.language,
        windows=windows.get(one.person_ref, ""),
        agency_zone=agency.time_zone,
    )


def _may_serve(peer: Peer, agency: Agency, start: datetime) -> bool:
    today = day_of(start, agency.time_zone)
    ready = trained(peer, today) or not asks_training(agency, start)
    return peer.role == Role.PEER and designated(peer, today) and ready


def _added(number: int, hours: str, agency: Agency, start: datetime) -> list[Peer]:
    dice, before = Random("more"), (start - timedelta(days=100)).date()  # noqa: S311
    return [
        Peer(
            PersonId(UUID(int=dice.getrandbits(128))),
            active=True,
            role=Role.PEER.value,
            verified=True,
            offers=frozenset({Help.TALK.value}),
            designated_from=before,
            trained_until=(start + timedelta(days=100)).date(),
            hours=hours,
            time_zone=agency.time_zone,
        )
        for _ in range(number)
    ]


def _told(error: Refused | BadFile) -> str:
    named = ", ".join(f"{one.pointer or '/'} {one.code}" for one in error.problems[:5])
    return f"{named}, and {len(error.problems) - 5} more" if len(error.problems) > 5 else named  # noqa: PLR2004


def _show(found: Mapping[str, Outcome], assumed: Assumptions, seed: int, start: datetime) -> None:
    console = Console(soft_wrap=True)
    said = ", ".join(f"{name} {value:g}" for name, value in assumed.stated().items())
    console.print(f"Thirty days from {start.date()}, after sixty that are not counted. Assumed: {said}; seed {seed}.")
    waits = Table(
        box=None, pad_edge=False, header_style="bold", title="Minutes until a peer has accepted, of all requests"
    )
    for head in ("", "team", "requests", "by nobody", *(f"p{q}" for q in QUANTILES)):
        waits.add_column(head, justify="left" if head in {"", "team"} else "right")
    for urgency in Urgency:
        for name, one in found.items():
            if waited := one.waited.get(urgency):
                minutes = ("never" if value is None else f"{value:g}" for value in waited.minutes.values())
                waits.add_row(urgency.value, name, str(waited.requests), str(waited.unserved), *minutes)
    console.print(waits)
    team = Table(box=None, pad_edge=False, header_style="bold", title="The team")
    for head in ("team", "peers", "hours with nobody there", "longest", "cases per peer", "spread (Gini)"):
        team.add_column(head)
    for name, one in found.items():
        longest = (
            f"{(one.longest_gap[1] - one.longest_gap[0]).total_seconds() / 3600:.1f} h" if one.longest_gap else "-"
        )
        cases = f"{one.least} to {one.most}"
        team.add_row(name, str(one.peers), f"{one.gap_hours:.0f} of 720", longest, cases, f"{one.gini:.2f}")
    console.print(team)
