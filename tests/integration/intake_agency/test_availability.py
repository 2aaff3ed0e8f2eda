"""When people are there, by the agency's doors: kept, told to the region, swapped, and looked over for gaps."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.events.intake import PersonSet
from tests.integration.intake_agency.office import Office, peer
from tests.integration.intake_agency.test_republished import turns
from tests.unit.shared.asgi import Answer

AVAILABILITY = "/v1/agency/availability"
JSON = {"Content_Type": "application/json"}
LEAVE = {"means": "away", "start": "2026-12-01", "end": "2026-12-08"}


async def put(office: Office, key: str, ref: str, body: Any, **headers: str) -> Answer:
    tag = (await office.ask("GET", f"{AVAILABILITY}/{ref}", key)).headers.get("etag", '"0"')
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = headers.pop("path", f"{AVAILABILITY}/{ref}")
    return await office.ask("PUT", path, key, body=sent, **JSON | {"If_Match": tag} | headers)


async def told(office: Office) -> list[PersonSet]:
    return [fact for _, fact in await office.facts() if isinstance(fact, PersonSet)]


async def test_leave_is_kept_and_told_as_a_span_of_time(office: Office) -> None:
    _, key = await office.take_on("riverton")
    await office.put(key, [peer("p1")])
    await office.sql.execute("UPDATE region.clock SET shift = '2026-11-26T00:00Z'::timestamptz - now()")
    answer = await put(office, key, "p1", {"entries": [LEAVE]})
    assert answer.status == 200, answer.body
    assert (answer.json["time_zone"], answer.json["entries"][0]["means"]) == ("America/Denver", "away")
    last = (await told(office))[-1]
    assert [(one.on, one.start.isoformat(), one.end.isoformat()) for one in last.spans] == [
        (False, "2026-12-01T07:00:00+00:00", "2026-12-08T07:00:00+00:00")
    ]
    assert last.revision == 2


async def test_an_upload_of_the_directory_leaves_calendars_as_they_are(office: Office) -> None:
    _, key = await office.take_on("riverton")
    first = await office.put(key, [peer("p1")])
    await put(office, key, "p1", {"entries": [LEAVE], "alone": True})
    await office.put(key, [peer("p1", hours="Mon-Fri 08:00-18:00")], tag=first.headers["etag"])
    last = (await told(office))[-1]
    assert (last.hours, last.spans_alone, last.revision) == ("Mon-Fri 08:00-18:00", True, 3)


async def test_icalendar_goes_in_and_out(office: Office) -> None:
    _, key = await office.take_on("riverton")
    await office.put(key, [peer("p1"), peer("p2")])
    await put(office, key, "p1", {"entries": [LEAVE]})
    out = await office.ask("GET", f"{AVAILABILITY}/p1", key, Accept="text/calendar")
    assert out.headers["content-type"].startswith("text/calendar")
    back = await put(office, key, "p2", out.body, Content_Type="text/calendar")
    assert back.json == (await office.ask("GET", f"{AVAILABILITY}/p1", key)).json
    bad = await put(office, key, "p2", b"BEGIN:NOTHING", Content_Type="text/calendar")
    assert (bad.status, bad.json["errors"][0]["code"]) == (422, "not-a-calendar")


async def test_a_calendar_of_many_entries_is_taken_whole(office: Office) -> None:
    _, key = await office.take_on("riverton")
    await office.put(key, [peer("p1")])
    days = [LEAVE | {"start": f"2027-01-01T{n // 60:02d}:{n % 60:02d}", "end": "2027-01-02"} for n in range(190)]
    assert (await put(office, key, "p1", {"entries": days})).status == 200
    out = await office.ask("GET", f"{AVAILABILITY}/p1", key, Accept="text/calendar")
    assert len(out.body) > 32 * 1024
    assert (await put(office, key, "p1", out.body, Content_Type="text/calendar")).status == 200
    assert (await put(office, key, "p1", out.body * 10, Content_Type="text/calendar")).status == 413


async def test_a_swap_makes_one_away_and_the_other_there_and_twice_is_the_same(office: Office) -> None:
    _, key = await office.take_on("riverton")
    await office.put(key, [peer("p1"), peer("p2")])
    body = json.dumps({"gives": "p1", "takes": "p2", "start": "2026-12-01T22:00", "end": "2026-12-02T06:00"}).encode()
    for _ in range(2):
        answer = await office.ask("POST", f"{AVAILABILITY}/swaps", key, body=body, **JSON)
        assert answer.status == 204, answer.body
    means = [(await office.ask("GET", f"{AVAILABILITY}/{ref}", key)).json["entries"] for ref in ("p1", "p2")]
    assert [[one["means"] for one in entries] for entries in means] == [["away"], ["there"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"entries": [LEAVE | {"end": "2026-11-01"}]}, "/entries/0"),
        ({"entries": [LEAVE | {"start": "2026-12-01T00:00:00Z"}]}, "/entries/0/start"),
        ({"entries": [LEAVE | {"repeats": "FREQ=SECONDLY"}]}, "/entries/0/repeats"),
        ({"entries": [LEAVE | {"means": "maybe"}]}, "/entries/0/means"),
    ],
)
async def test_what_cannot_be_kept_is_named_by_its_place(office: Office, body: Any, pointer: str) -> None:
    _, key = await office.take_on("riverton")
    await office.put(key, [peer("p1")])
    answer = await put(office, key, "p1", body)
    assert (answer.status, [one["pointer"] for one in answer.json["errors"]]) == (422, [pointer])


async def test_nobody_is_found_by_a_reference_that_is_not_theirs(office: Office) -> None:
    _, key = await office.take_on("riverton")
    _, other = await office.take_on("lakeside")
    await office.put(key, [peer("p1")])
    assert (await office.ask("GET", f"{AVAILABILITY}/p1", other)).status == 404
    assert (await put(office, other, "p1", {"entries": []}, If_Match="*")).status == 404


async def test_gaps_count_peers_who_may_be_asked_and_are_there(office: Office) -> None:
    await office.in_june()
    agency, key = await office.take_on("riverton")
    served = {"designated_from": "2020-01-01", "trained_until": "2099-12-31"}
    await office.put(
        key,
        [
            peer("p1", hours="daily 08:00-20:00", **served),
            peer("p2", hours="daily 20:00-08:00", **served),
            # Their training has lapsed, which the law of Utah makes a condition.
            peer("p3", **served | {"trained_until": "2020-12-31"}),
        ],
    )
    await office.sql.execute("UPDATE people SET verified = true WHERE agency_id = $1", agency.agency_id)
    whole = (await office.ask("GET", "/v1/agency/coverage", key)).json
    assert (whole["peers"], whole["gaps"]) == (2, [])
    start = (datetime.fromisoformat(whole["from"]) + timedelta(days=1)).date()
    leave = {"means": "away", "start": f"{start}T20:00", "end": f"{start + timedelta(days=1)}T08:00"}
    await put(office, key, "p2", {"entries": [leave]})
    (gap,) = (await office.ask("GET", "/v1/agency/coverage", key)).json["gaps"]
    assert gap["there"] == 0
    length = datetime.fromisoformat(gap["until"]) - datetime.fromisoformat(gap["from"])
    assert length == timedelta(hours=12)
    assert (await office.ask("GET", "/v1/agency/coverage?hours=12&least=9", key)).json["least"] == 9


async def test_the_daily_round_tells_what_a_repeating_rota_comes_to_further_on(office: Office) -> None:
    await office.in_june()
    _, key = await office.take_on("riverton")
    await office.put(key, [peer("p1"), peer("p2")])
    rota = {"means": "there", "start": "2026-01-01T08:00", "end": "2026-01-01T12:00", "repeats": "FREQ=DAILY"}
    await put(office, key, "p1", {"entries": [rota], "alone": True})
    before = (await told(office))[-1]
    await office.sql.execute("UPDATE region.clock SET shift = shift + interval '2 days'")
    await turns(office)
    after = [one for one in await told(office) if one.spans]
    assert after[-1].revision > before.revision
    assert after[-1].spans[-1].end - before.spans[-1].end == timedelta(days=2)


PHOENIX = {"hours": "22:00-06:00", "time_zone": "America/Phoenix"}
"""Of an agency in Denver. In July ten at night is five hundred UTC there, and four hundred at home."""


async def test_the_times_of_somebody_who_lives_elsewhere_are_those_of_their_own_clock(office: Office) -> None:
    _, key = await office.take_on("riverton")
    await office.sql.execute("UPDATE region.clock SET shift = '2026-07-01T18:00Z'::timestamptz - now()")
    first = await office.put(key, [peer("p1", designated_from="2026-01-01", trained_until="2030-01-01", **PHOENIX)])
    assert ((await told(office))[-1].time_zone, (await told(office))[-1].hours) == (
        "America/Phoenix",
        "Mon-Sun 22:00-06:00",
    )
    await put(office, key, "p1", {"entries": [LEAVE | {"start": "2026-07-05", "end": "2026-07-06"}]})
    shown = await office.ask("GET", f"{AVAILABILITY}/p1", key)
    assert shown.json["time_zone"] == "America/Phoenix"
    out = await office.ask("GET", f"{AVAILABILITY}/p1", key, Accept="text/calendar")
    assert b"DTSTART;TZID=America/Phoenix:20260705T000000" in out.body
    assert (await told(office))[-1].spans[0].start == datetime.fromisoformat("2026-07-05T07:00Z")
    await office.sql.execute("UPDATE people SET verified = true")
    covered = await office.ask("GET", "/v1/agency/coverage?hours=24", key)
    assert [one["from"] for one in covered.json["gaps"]] == ["2026-07-01T18:00:00+00:00", "2026-07-02T13:00:00+00:00"]
    # Back in Denver: what the calendar comes to is worked out anew.
    people = (await office.ask("GET", "/v1/agency/directory", key)).json["people"]
    assert [one["time_zone"] for one in people] == ["America/Phoenix"]
    await office.put(key, [one | {"time_zone": ""} for one in people], tag=first.headers["etag"])
    last = (await told(office))[-1]
    assert (last.time_zone, last.spans[0].start) == ("America/Denver", datetime.fromisoformat("2026-07-05T06:00Z"))


async def test_the_last_day_of_a_designation_is_the_agencys(office: Office) -> None:
    _, key = await office.take_on("riverton")
    # Nine in the evening in Denver, and the next day in Berlin.
    await office.sql.execute("UPDATE region.clock SET shift = '2026-07-02T03:00Z'::timestamptz - now()")
    ends = {"designated_from": "2026-01-01", "designated_to": "2026-07-01", "trained_until": "2026-07-01"}
    await office.put(key, [peer("p1", time_zone="Europe/Berlin", **ends)])
    await office.sql.execute("UPDATE people SET verified = true")
    assert (await office.ask("GET", "/v1/agency/coverage", key)).json["peers"] == 1
