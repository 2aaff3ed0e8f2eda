"""Files on the coordinator's pages: the whole team from a spreadsheet, and somebody's times as a calendar."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from tests.integration.intake_case.front import Front
from tests.integration.intake_case.test_submit import person
from tests.integration.intake_case.test_team import SERVES, TEAM, directory, nonce_in, opened
from tests.unit.shared.asgi import Answer, call

LINE = "----WebKitFormBoundaryAbC123"
CSV = b"person_ref;role;name;contact\r\nP1;peer;Ana Pe\xc3\xb1a;ana@home.test\r\nP2;peer;Ben Okafor;ben@home.test\r\n"
ICS = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//x//x//EN\r
BEGIN:VEVENT\r
UID:1\r
SUMMARY:A visit to somebody\r
DTSTART:20300104T220000\r
DTEND:20300105T060000\r
END:VEVENT\r
END:VCALENDAR\r
"""


async def sent(front: Front, name: str, fields: dict[str, str], file: bytes, *, cookie: str = "") -> Answer:
    """A form with a file, as a browser sends it."""
    body = b"".join(
        f'--{LINE}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields.items()
    )
    head = 'Content-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: application/octet-stream'
    body += f"--{LINE}\r\n{head}\r\n\r\n".encode() + file + f"\r\n--{LINE}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={LINE}"} | ({"Cookie": cookie} if cookie else {})
    return await call(front.app, "POST", f"{TEAM}/{name}", headers=headers, body=body)


def text_of(answer: Answer) -> str:
    return html.unescape(answer.body.decode())


class Sheet:
    """The page of the spreadsheet, as it was opened."""

    def __init__(self, front: Front, cookie: str, fields: dict[str, str]) -> None:
        self.front, self.cookie, self.fields = front, cookie, fields

    async def sent(self, act: str, file: bytes = CSV, **more: str) -> tuple[int, str]:
        answer = await sent(self.front, "sheet", self.fields | {"act": act} | more, file, cookie=self.cookie)
        return answer.status, text_of(answer)

    async def names(self) -> set[str]:
        return {one["name"] for one in await directory(self.front)}


async def sheet(front: Front, *people: dict[str, Any]) -> Sheet:
    await front.upload(*(people or [person("p0", name="Old Hand")]))
    cookie, _ = await opened(front)
    page = text_of(await front.page("GET", f"{TEAM}/sheet", cookie=cookie))
    read = re.search(r'name="read" value="(\d+)"', page)
    assert read is not None
    return Sheet(front, cookie, {"nonce": nonce_in(page), "read": read[1]})


async def test_a_file_is_looked_at_first_and_takes_the_place_of_the_list_when_that_is_said(front: Front) -> None:
    page = await sheet(front)
    status, text = await page.sent("check")
    assert (status, "In the file: 2. New: 2. Changed: 0. Not in it any more: 1." in text) == (200, True)
    assert "2 rows have something" in text
    assert ("Nothing has been changed yet" in text, await page.names()) == (True, {"Old Hand"})
    status, text = await page.sent("put")
    assert (status, "1 people of your list are not in this file" in text) == (422, True)
    assert await page.names() == {"Old Hand"}
    assert (await page.sent("put", sure="yes"))[0] == 303
    assert await page.names() == {"Ana Peña", "Ben Okafor"}


async def test_an_old_page_undoes_nothing_that_was_changed_since(front: Front) -> None:
    page = await sheet(front)
    await front.upload(person("p0", name="New Name"))
    status, text = await page.sent("put", sure="yes")
    assert (status, "Somebody has changed the list" in text, await page.names()) == (422, True, {"New Name"})


@pytest.mark.parametrize("wrong", [b"", b"person_ref,role\r\nP1,peer\r\n"])
async def test_nor_does_one_on_which_something_had_to_be_put_right_first(front: Front, wrong: bytes) -> None:
    page = await sheet(front)
    await front.upload(person("p0", name="New Name"))
    _, text = await page.sent("put", wrong, sure="yes")
    read = re.search(r'name="read" value="(\d+)"', text)
    assert read is not None
    page.fields["read"] = read[1]
    assert (await page.sent("put", sure="yes"))[0] == 422
    assert await page.names() == {"New Name"}


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "Please choose a file."),
        (b'person_ref,role,name\r\n"P1,peer,Ana\r\n', "This file cannot be read."),
        (b"person_ref,role\r\nP1,peer\r\n", "not known: name"),
        (b"person_ref,role,name,nose\r\nP1,peer,Ana,big\r\n", "not known: 4"),
        (CSV.replace(b"P2;peer", b"P2;chief"), "Please look at row 3: What they are to the program"),
        (CSV.replace(b"ana@home.test", b"ana at home"), "Please look at row 2: Mail addresses"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_told_by_row_and_field(front: Front, file: bytes, says: str) -> None:
    page = await sheet(front)
    for act in ("check", "put"):
        status, text = await page.sent(act, file, sure="yes")
        assert (status, says in text, await page.names()) == (422, True, {"Old Hand"})
        assert "ana at home" not in text


async def test_a_file_of_nobody_who_has_entered_or_of_another_page_is_not_taken(front: Front) -> None:
    page = await sheet(front)
    assert (await sent(front, "sheet", page.fields, CSV)).status == 401
    assert (await page.sent("put", nonce="x"))[0] == 400
    assert (await front.page("POST", f"{TEAM}/sheet", page.fields, cookie=page.cookie)).status == 415
    # More than a form may be, and less than a file may.
    assert (await page.sent("check", CSV + b"\r\n" * 20_000))[0] == 200
    assert (await page.sent("check", CSV + b"\r\n" * 600_000))[0] == 413


async def test_somebodys_times_go_in_and_out_as_a_calendar_and_nothing_else_of_it_is_kept(front: Front) -> None:
    await front.upload(person("p1", **SERVES), person("m1", "member"))
    cookie, _ = await opened(front)
    page = text_of(await front.page("GET", f"{TEAM}/person?ref=p1", cookie=cookie))
    form = page[page.index("team/calendar#problem") :]
    fields = {"nonce": nonce_in(form), "ref": "p1", "read": re.findall(r'name="read" value="(\d+)"', form)[0]}
    wrong = await sent(front, "calendar", fields, b"no calendar", cookie=cookie)
    assert (wrong.status, "This calendar file cannot be taken." in text_of(wrong)) == (422, True)
    done = await sent(front, "calendar", fields | {"means": "away", "alone": "yes"}, ICS, cookie=cookie)
    assert (done.status, done.headers["location"]) == (303, f"{TEAM}/person?ref=p1#times")
    shown = (await front.json("GET", "/v1/agency/availability/p1", code=front.key)).json
    assert shown["alone"] is True
    assert [(one["means"], one["start"]) for one in shown["entries"]] == [("away", "2030-01-04T22:00:00")]
    down = await front.page("GET", f"{TEAM}/calendar?ref=p1", cookie=cookie)
    assert down.headers["content-type"].startswith("text/calendar")
    assert down.headers["content-disposition"] == 'attachment; filename="calendar.ics"'
    assert (b"DTSTART" in down.body, b"visit" in down.body, b"p1" in down.body) == (True, False, False)
    # The page is older than what stands now.
    again = await sent(front, "calendar", fields, ICS, cookie=cookie)
    assert (again.status, "Somebody has changed this person" in text_of(again)) == (422, True)
    for ref in ("m1", "nobody"):
        assert (await front.page("GET", f"{TEAM}/calendar?ref={ref}", cookie=cookie)).status == 404
    assert b'name="key"' in (await front.page("GET", f"{TEAM}/calendar?ref=p1")).body
