"""`peerline plan`: an invented month, answered by the region's own rules, the same for the same seed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app
from deploy.plan.demand import Assumptions, month
from deploy.plan.measure import QUANTILES, Outcome, gini, outcome, quantile
from deploy.plan.picture import drawn
from deploy.plan.replay import Replayed, replay
from services.intake.domain.agency import Agency
from services.intake.domain.structure import EVER, Program
from services.matching.domain.loads import Load, faded
from services.matching.domain.people import Peer
from shared.availability import Window, text_of
from shared.types import AgencyId, PersonId, Structure, Urgency

ZONE = "America/Denver"
START = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
AGENCY = Agency(
    agency_id=AgencyId(UUID(int=1)),
    revision=1,
    active=True,
    name="plan",
    slug="plan",
    kind="police",
    jurisdiction="US-UT",
    languages=("en",),
    time_zone=ZONE,
    mail_domain=None,
    programs=(Program(Structure.TEAM_COORDINATOR, EVER),),
)


def team(*hours: str) -> list[Peer]:
    return [
        Peer(
            PersonId(UUID(int=number)),
            active=True,
            role="peer",
            verified=True,
            designated_from=date(2020, 1, 1),
            trained_until=date(2030, 1, 1),
            hours=each,
            time_zone=ZONE,
        )
        for number, each in enumerate(hours, start=1)
    ]


DAY = team(*["Mon-Fri 08:00-18:00"] * 6)
NIGHT = team(*["Mon-Fri 08:00-18:00"] * 6, *["daily 22:00-06:00"] * 3)


def played(people: Sequence[Peer], seed: int = 1, **assumed: float) -> Replayed:
    return replay(AGENCY, people, Assumptions(**assumed), start=START, seed=seed)


def came_of(people: Sequence[Peer], seed: int = 1, **assumed: float) -> Outcome:
    return outcome(played(people, seed, **assumed), people, ZONE)


def test_the_same_seed_is_the_same_month_and_another_is_another() -> None:
    assert came_of(DAY).document() == came_of(DAY).document()
    assert came_of(DAY).document() != came_of(DAY, seed=2).document()


def test_whoever_is_there_changes_nothing_of_who_asks() -> None:
    assert [one.asked for one in played(DAY).courses] == [one.asked for one in played(NIGHT).courses]


def test_the_order_in_which_people_stand_in_the_file_changes_nothing() -> None:
    assert came_of(DAY).document() == came_of(list(reversed(DAY))).document()


def test_three_night_peers_close_the_nights_and_shorten_the_wait() -> None:
    before, after = came_of(DAY, lasts_days=5), came_of(NIGHT, lasts_days=5)
    assert after.gap_hours < before.gap_hours
    waits = [one.waited[Urgency.ROUTINE].minutes[90] or math.inf for one in (before, after)]
    assert waits[1] < waits[0]


def test_a_peer_more_makes_no_wait_longer() -> None:
    """Few people and supports that last: half of the requests find nobody, and each night peer serves some of them.

    Of those alone who were served, the first night peers would seem to make the waits longer.
    """
    teams = [team(*["Mon-Fri 08:00-18:00"] * 3, *["daily 22:00-06:00"] * more) for more in range(4)]
    found = [came_of(one, seed=25, lasts_days=20) for one in teams]
    for urgency in found[0].waited:
        for percent in QUANTILES:
            waits = [one.waited[urgency].minutes[percent] for one in found]
            numbers = [math.inf if minutes is None else minutes for minutes in waits]
            assert numbers == sorted(numbers, reverse=True), (urgency, percent)
    assert [one.waited[Urgency.ROUTINE].unserved for one in found] == sorted(
        (one.waited[Urgency.ROUTINE].unserved for one in found), reverse=True
    )
    assert found[0].waited[Urgency.ROUTINE].minutes[50] is None
    assert found[-1].waited[Urgency.ROUTINE].minutes[50] is not None


def test_what_somebody_says_does_not_depend_on_who_else_is_there() -> None:
    """Somebody more, who is on leave all the time, changes nothing of what comes of a request."""
    leave = Window(on=False, start=START - timedelta(days=90), end=START + timedelta(days=90))
    extra = team("", "")[1]._replace(windows=text_of([leave]))
    waits = [[one.waited for one in played(people, requests=5).courses] for people in (team(""), [*team(""), extra])]
    assert waits[0] == waits[1]


def test_turns_are_forgotten_by_and_by_as_the_region_does_it() -> None:
    """Whoever comes back from leave is asked more often for a while, not for all that they have missed."""
    ana, ben = team("", "")
    leave = Window(on=False, start=START - timedelta(days=70), end=START - timedelta(days=20))
    people = [ana, ben._replace(windows=text_of([leave]))]
    asked = played(people, requests=150, lasts_days=0.001, silent=0, accepts=1).asked
    # Two seasons have begun since then. Otherwise ben would be asked first all month, and ana only when he is busy.
    assert asked[ben.person] > asked[ana.person] > 0.3 * asked.total()


@pytest.mark.parametrize(("seasons", "asked"), [(-1, 12), (0, 12), (1, 6), (2, 3), (3, 1), (4, 0), (400, 0)])
def test_a_turn_counts_half_with_every_season(seasons: int, asked: int) -> None:
    assert faded(Load(open=2, asked=12), seasons) == Load(open=2, asked=asked)


def test_a_month_has_as_many_requests_as_were_assumed_more_or_less_and_by_night_as_many() -> None:
    assumed = Assumptions(requests=3000, by_night=0.8)
    asked = list(month(assumed, START, 30, ZONE, Random(7)))
    assert 2700 < len(asked) < 3300
    local = [one.at.astimezone(START.astimezone().tzinfo) for one in asked]
    assert len(local) == len(asked)
    night = sum(one.at.hour in {5, 6, 7, 8, 9, 10, 11, 12} for one in asked)
    assert 0.75 < night / len(asked) < 0.85
    shares = {urgency: sum(one.urgency is urgency for one in asked) / len(asked) for urgency in Urgency}
    assert abs(shares[Urgency.SOON] - 0.25) < 0.04
    assert abs(shares[Urgency.EMERGENCY] - 0.03) < 0.02


def test_nobody_who_may_be_asked_serves_nobody() -> None:
    found = came_of([])
    assert {one.unserved == one.requests > 0 for one in found.waited.values()} == {True}
    assert (found.gap_hours, found.gini) == (720, 0)


def test_nobody_carries_more_than_the_policy_allows() -> None:
    found = played(team("", ""), requests=200, lasts_days=400)
    # Two peers, four ordinary cases each, held for about a year: most go without.
    assert sum(found.accepted.values()) <= 2 * 4 + sum(one.asked.urgency is Urgency.EMERGENCY for one in found.courses)
    assert sum(one.assigned_at is None for one in found.courses) > 100


def test_requests_of_equal_peers_are_spread_evenly() -> None:
    assert came_of(team(*[""] * 8), requests=200, lasts_days=3).gini < 0.15


@pytest.mark.parametrize(("values", "expected"), [([], 0), ([3, 3, 3], 0), ([0, 0, 0, 4], 0.75), ([1, 3], 0.25)])
def test_gini(values: list[float], expected: float) -> None:
    assert gini(values) == pytest.approx(expected)


def test_quantiles_are_values_that_came_up() -> None:
    assert [quantile(list(range(1, 101)), q, 100) for q in (50, 90, 99)] == [50, 90, 99]
    assert (quantile([], 50, 0), quantile([4.0], 99, 1)) == (None, 4.0)


def test_whoever_nobody_served_has_waited_for_ever() -> None:
    sixty_served = [float(minutes) for minutes in range(1, 61)]
    assert [quantile(sixty_served, q, 100) for q in (50, 60, 61, 90)] == [50, 60, None, None]
    assert quantile([], 50, 3) is None


def test_a_wait_without_an_end_is_called_one_and_has_the_longest_bar() -> None:
    nobody, somebody = came_of([]), came_of(DAY, lasts_days=5)
    assert nobody.document()["waited"]["routine"]["p50_minutes"] is None  # type: ignore[index]
    root = ET.fromstring(drawn({"nobody": nobody, "six": somebody}, "a"))  # noqa: S314 - our own
    texts = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("nobody: never / never, ") for text in texts)
    assert not any(text.startswith("six: never") for text in texts)
    bars = {one.get("fill"): float(one.get("width", 0)) for one in root.iter("{http://www.w3.org/2000/svg}rect")}
    assert bars["#b9c6d3"] == bars["#4a6785"] > bars["#9fd3c0"] > 0


def test_the_picture_can_be_read_and_has_every_number() -> None:
    plans = {"as it is": came_of(DAY), "with <3> more": came_of(NIGHT)}
    root = ET.fromstring(drawn(plans, "a & b"))  # noqa: S314 - our own
    texts = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sum(text.isdigit() and len(text) < 2 for text in texts) >= 2 * 7 * 24
    assert any("with <3> more: " in text for text in texts)


HEAD = "person_ref;role;name;contact;designated_from;trained_until;hours"
ROWS = [HEAD, *(f"P{n};peer;Peer {n};p{n}@home.test;2020-01-01;2030-01-01;Mon-Fri 08:00-18:00" for n in range(4))]
LAPSED = "P9;peer;Peer 9;p9@home.test;2020-01-01;2021-01-01;"


def asked(tmp_path: Path, *words: str, rows: Sequence[str] = ROWS) -> Any:
    file = tmp_path / "people.csv"
    file.write_text("\r\n".join(rows), "utf-8")
    return CliRunner().invoke(app, ["plan", str(file), "--start", "2026-11-30", *words])


def test_the_command_compares_the_team_with_a_larger_one(tmp_path: Path) -> None:
    picture = tmp_path / "plan.svg"
    answer = asked(
        tmp_path, "--json", "--more", "2", "--picture", str(picture), "--jurisdiction", "US-UT", rows=[*ROWS, LAPSED]
    )
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    # In Utah nobody is asked whose training has lapsed.
    assert {name: plan["peers"] for name, plan in told["plans"].items()} == {"as it is": 4, "with 2 more": 6}
    assert told["assumed"]["requests"] == 40
    assert picture.read_text("utf-8").startswith("<svg")
    assert "as it is" in asked(tmp_path).stdout


def test_a_calendar_counts(tmp_path: Path) -> None:
    leave = tmp_path / "leave.ics"
    leave.write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T000000Z\r\n"
        "DTSTART;VALUE=DATE:20261130\r\nDTEND;VALUE=DATE:20261231\r\nCATEGORIES:AWAY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        "utf-8",
    )
    gaps = []
    for words in ((), tuple(word for n in range(4) for word in ("--calendar", f"P{n}={leave}"))):
        told = json.loads(asked(tmp_path, "--json", "--more", "0", *words).stdout)
        gaps.append(told["plans"]["as it is"]["gap_hours"])
    assert gaps[1] == 720 > gaps[0]


def test_hours_and_calendars_are_read_by_the_clock_of_whom_they_are_of(tmp_path: Path) -> None:
    """Eight in the morning is two hours earlier in New York than in Denver."""
    hours = {}
    for zone in ("", "America/New_York"):
        rows = [f"{HEAD};time_zone", f"P1;peer;Ana;a@home.test;2020-01-01;2030-01-01;Mon 08:00-09:00;{zone}"]
        picture = tmp_path / f"{zone or 'own'}.svg".replace("/", "_")
        answer = asked(tmp_path, "--json", "--more", "0", "--zone", ZONE, "--picture", str(picture), rows=rows)
        assert answer.exit_code == 0, answer.output
        hours[zone] = json.loads(answer.stdout)["plans"]["as it is"]["longest_gap"]
    ends = {zone: datetime.fromisoformat(gap[0]).astimezone(UTC).hour for zone, gap in hours.items()}
    assert ends == {"": 16, "America/New_York": 14}


@pytest.mark.parametrize(
    ("words", "rows", "code"),
    [
        (("--zone", "Mars/Base"), ROWS, 2),
        (("--start", "tomorrow"), ROWS, 2),
        (("--more-hours", "now and then"), ROWS, 2),
        (("--calendar", "P77=/nowhere.ics"), ROWS, 2),
        ((), [HEAD, "P1;peer;;;;;"], 3),
        ((), ["nothing", "at all"], 3),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(
    tmp_path: Path, words: tuple[str, ...], rows: list[str], code: int
) -> None:
    answer = asked(tmp_path, *words, rows=rows)
    assert answer.exit_code == code
    assert "Traceback" not in answer.output
    assert isinstance(answer.exception, SystemExit)


def test_a_day_of_the_week_is_the_agencys() -> None:
    found = came_of(team("Mon 08:00-09:00"))
    assert {key for key, there in found.hours.items() if there} == {(0, 8)}
    assert found.longest_gap is not None
    assert found.longest_gap[1] - found.longest_gap[0] > timedelta(days=6)
