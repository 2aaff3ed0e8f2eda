"""Extra times, swaps and leave on the page of a person of the team: written by a coordinator, and obeyed."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.intake_case.front import Front
from tests.integration.intake_case.test_submit import person
from tests.integration.intake_case.test_team import SERVES, TEAM, lending, nonce_in, opened

HERE = ZoneInfo("America/Denver")
NEVER = "Mon 03:00-03:01"
"""Hours in which nobody is met by chance."""


class Desk:
    """A coordinator at the pages of the team."""

    def __init__(self, front: Front, cookie: str, nonce: str) -> None:
        self.front, self.cookie, self.nonce = front, cookie, nonce

    async def sent(self, name: str, ref: str, **fields: str) -> tuple[int, str, str]:
        """Status, text and where it leads."""
        sent = {"nonce": self.nonce, "ref": ref, "act": name, **fields}
        answer = await self.front.page("POST", f"{TEAM}/{name}", sent, cookie=self.cookie)
        return answer.status, html.unescape(answer.body.decode()), answer.headers.get("location", "")

    async def page(self, ref: str) -> str:
        answer = await self.front.page("GET", f"{TEAM}/person?ref={ref}", cookie=self.cookie)
        assert answer.status == 200, answer.body
        return html.unescape(answer.body.decode())

    async def entries(self, ref: str) -> list[str]:
        """What can be taken back, as the page hides it."""
        answer = await self.front.page("GET", f"{TEAM}/person?ref={ref}", cookie=self.cookie)
        return [html.unescape(one) for one in re.findall(r'name="entry" value="([^"]*)"', answer.body.decode())]


async def desk(front: Front, *people: dict[str, Any]) -> Desk:
    ids = await front.upload(*(people or [person(ref, hours=NEVER, **SERVES) for ref in ("p1", "p2")]))
    await front.verified(*ids.values())
    cookie, text = await opened(front)
    return Desk(front, cookie, nonce_in(text))


def times(*, hours: int = 4, after: int = 0) -> dict[str, str]:
    """From this full hour on, by the clock on the wall of the agency."""
    now = datetime.now(HERE).replace(minute=0, second=0, microsecond=0, tzinfo=None) + timedelta(hours=after)
    return {"start": now.isoformat(timespec="minutes"), "end": (now + timedelta(hours=hours)).isoformat("T", "minutes")}


async def there_now(front: Front) -> dict[str, bool]:
    """By their reference: whether somebody's windows say that they are there (True) or away (False) now."""
    found = {}
    for ref in ("p1", "p2"):
        shown = (await front.json("GET", f"/v1/agency/availability/{ref}", code=front.key)).json
        now = datetime.now(HERE).replace(tzinfo=None)
        for one in shown["entries"]:
            if datetime.fromisoformat(one["start"]) <= now < datetime.fromisoformat(one["end"]):
                found[ref] = one["means"] == "there"
    return found


async def covered_now(front: Front) -> int:
    """How many are there in this hour."""
    told = (await front.json("GET", "/v1/agency/coverage?hours=1&least=3", code=front.key)).json
    return int(told["gaps"][0]["there"])


async def test_scenario_15_an_extra_time_and_an_absence_of_hours_are_obeyed_and_taken_back(front: Front) -> None:
    page = await desk(front)
    assert await covered_now(front) == 0
    status, _, where = await page.sent("shift", "p1", act="there", **times())
    assert (status, where) == (303, f"{TEAM}/person?ref=p1#times")
    assert (await covered_now(front), await there_now(front)) == (1, {"p1": True})
    text = await page.page("p1")
    assert "in America/Denver" in text
    assert len(re.findall(r"There from \w+ \d+ \w+, \d\d:00 to ", text.replace("Take back: ", ""))) >= 1
    # Away at the very same time: what said the opposite goes.
    assert (await page.sent("shift", "p1", act="off", **times()))[0] == 303
    assert await there_now(front) == {"p1": False}
    (entry,) = await page.entries("p1")
    for _ in range(2):
        assert (await page.sent("unsaid", "p1", entry=entry))[0] == 303
    assert (await there_now(front), await page.entries("p1")) == ({}, [])
    assert "None is written down" in await page.page("p1")


async def test_a_swap_changes_who_is_there_and_pressed_twice_is_one(front: Front) -> None:
    page = await desk(front)
    assert (await page.sent("shift", "p1", act="there", **times()))[0] == 303
    for _ in range(2):
        status, _, where = await page.sent("swap", "p1", takes="p2", lang="es", **times())
        assert (status, where) == (303, f"{TEAM}/person?ref=p1&lang=es#times")
    assert (await covered_now(front), await there_now(front)) == (1, {"p1": False, "p2": True})
    assert [len(await page.entries(ref)) for ref in ("p1", "p2")] == [1, 1]


async def test_a_swap_is_of_the_same_time_for_who_lives_in_another_zone(front: Front) -> None:
    away = person("p2", hours=NEVER, time_zone="Pacific/Honolulu", **SERVES)
    page = await desk(front, person("p1", hours=NEVER, **SERVES), away)
    await page.sent("swap", "p1", takes="p2", start="2030-01-10T08:00", end="2030-01-10T16:00")
    shown = [(await front.json("GET", f"/v1/agency/availability/{ref}", code=front.key)).json for ref in ("p1", "p2")]
    assert [(one["means"], one["start"]) for said in shown for one in said["entries"]] == [
        ("away", "2030-01-10T08:00:00"),
        ("there", "2030-01-10T05:00:00"),
    ]


@pytest.mark.parametrize(
    ("form", "fields", "says"),
    [
        ("shift", {"start": "", "end": "2030-01-01T10:00"}, ["Please look at when it begins."]),
        ("shift", {"start": "soon", "end": "later"}, ["Please look at when it begins.", "look at when it ends."]),
        ("shift", {"start": "2030-01-01T10:00", "end": "2030-01-01T09:00"}, ["It has to end after it begins"]),
        ("swap", {"start": "2030-01-01T10:00", "end": "2032-01-01T09:00"}, ["It has to end after it begins"]),
        ("swap", {"takes": ""}, ["Please choose who takes it"]),
        ("swap", {"takes": "p1"}, ["Please choose who takes it"]),
        ("swap", {"takes": " P1 "}, ["Please choose who takes it"]),
        ("swap", {"takes": "m1"}, ["Please choose who takes it"]),
        ("swap", {"takes": "nobody"}, ["Please choose who takes it"]),
        ("away", {"start": "2030-01-02", "end": "2030-01-01"}, ["It has to end after it begins"]),
        ("unsaid", {"entry": "{"}, ["That did not work."]),
    ],
)
async def test_what_is_wrong_with_a_time_is_said_and_stays_in_the_form(
    front: Front, form: str, fields: dict[str, str], says: list[str]
) -> None:
    page = await desk(front, person("p1", **SERVES), person("p2", **SERVES), person("m1", "member"))
    sent = {"takes": "p2", "start": "2030-01-01T08:00", "end": "2030-01-01T09:00"} | fields
    status, text, _ = await page.sent(form, "p1", **({"act": "there"} if form == "shift" else {}) | sent)
    assert (status, [one in text for one in says]) == (422, [True] * len(says))
    assert "Person p1" in text
    if form != "unsaid":
        assert f'value="{sent["end"]}"' in text
    assert [await page.entries(ref) for ref in ("p1", "p2")] == [[], []]


async def test_too_many_times_are_refused_and_only_the_next_are_listed(front: Front) -> None:
    page = await desk(front)
    days = [(datetime(2030, 1, 1) + timedelta(days=n)).date() for n in range(201)]  # noqa: DTZ001 - a day on a wall
    full = [{"means": "away", "start": str(one), "end": str(one + timedelta(days=1))} for one in days[:200]]
    path = "/v1/agency/availability/p1"
    tag = (await front.json("GET", path, code=front.key)).headers["etag"]
    assert (await front.json("PUT", path, {"entries": full}, code=front.key, If_Match=tag)).status == 200
    text = await page.page("p1")
    assert (len(await page.entries("p1")), "And 150 more." in text) == (50, True)
    status, text, _ = await page.sent("away", "p1", start=str(days[200]), end=str(days[200] + timedelta(days=1)))
    assert (status, "So many times cannot be written down" in text) == (422, True)


async def test_a_rota_is_listed_as_such_and_goes_as_a_whole(front: Front) -> None:
    page = await desk(front)
    rota = {"means": "there", "start": "2026-01-05T22:00", "end": "2026-01-06T06:00", "repeats": "FREQ=WEEKLY"}
    path = "/v1/agency/availability/p1"
    tag = (await front.json("GET", path, code=front.key)).headers["etag"]
    calendar = {"entries": [rota | {"but_not": ["2026-02-02"]}]}
    assert (await front.json("PUT", path, calendar, code=front.key, If_Match=tag)).status == 200
    assert "repeats" in await page.page("p1")
    (entry,) = await page.entries("p1")
    assert (await page.sent("unsaid", "p1", entry=entry))[0] == 303
    assert (await front.json("GET", path, code=front.key)).json["entries"] == []


async def test_times_are_of_the_program_alone_and_of_ones_own_agency(front: Front) -> None:
    page = await desk(front, person("p1", **SERVES), person("m1", "member"))
    assert 'id="times"' not in await page.page("m1")
    assert 'id="takes"' not in await page.page("p1"), "there is nobody to swap with"
    await lending(front)
    for ref in ("r1", "nobody"):
        status, text, _ = await page.sent("shift", ref, act="there", **times())
        assert (status, "Rosa" in text) == (422, False)
    forged = await front.page("POST", f"{TEAM}/swap", {"nonce": "x", "ref": "p1"}, cookie=page.cookie)
    assert forged.status == 400
    closed = await front.page("POST", f"{TEAM}/swap", {"nonce": page.nonce, "ref": "p1"})
    assert closed.status == 401
