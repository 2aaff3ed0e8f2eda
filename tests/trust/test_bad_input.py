"""Whatever comes in that should not: a problem document with place and code, never a value, and the crisis lines."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

from deploy.local.browser import Answer
from deploy.local.walk import Requester
from tests.harness.region import Region
from tests.trust.calls import Call, answered, api, page
from tests.trust.town import OPEN_DOORS, Agency, Town

TYPED = "Typed-by-Somebody-4711"
"""Stands in every bad input, and must not in any answer or log."""
REQUESTS = "/v1/agencies/{slug}/requests"
VERIFICATIONS, DRILLS = "/v1/agency/directory/verifications", "/v1/agency/drills"
LIMIT = 32 * 1024
LARGER = {
    "/v1/agency/directory": 16 * 1024 * 1024,
    "/v1/agency/conflicts": 1024 * 1024,
    "/v1/agency/availability/swaps": 256 * 1024,
    "/v1/agency/pool": 64 * 1024,
}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Place:
    """A door that takes JSON. `theirs`: whoever reads its answers may be in need of the crisis lines."""

    method: str
    path: str
    theirs: bool
    headers: Mapping[str, str]


@dataclass(frozen=True, repr=False)
class Office:
    """intake alone, an agency, and somebody who has asked."""

    town: Town
    agency: Agency
    requester: Requester

    @property
    def places(self) -> list[Place]:
        """Every door that takes a JSON body, opened as far as headers can."""
        code = {"Authorization": f"Bearer {self.requester.code}"}
        key = {"Authorization": f"Bearer {self.agency.key}"}
        return [
            Place("POST", REQUESTS.replace("{slug}", self.agency.slug), True, {}),
            Place("PUT", "/v1/case/choice", True, code),
            Place("PUT", "/v1/case/reach", True, code),
            Place("PUT", "/v1/case/agency", True, code),
            Place("PUT", "/v1/agency/directory", False, key | {"If-Match": "*"}),
            Place("PUT", "/v1/agency/directory?check=true", False, key),
            Place("POST", VERIFICATIONS, False, key),
            Place("PUT", "/v1/agency/policy", False, key | {"If-Match": "*"}),
            Place("PUT", "/v1/agency/structure", False, key | {"If-Match": "*"}),
            Place("PUT", "/v1/agency/resources", False, key | {"If-Match": "*"}),
            Place("PUT", "/v1/agency/tally", False, key),
            Place("POST", "/v1/agency/availability/swaps", False, key),
            Place("PUT", "/v1/agency/conflicts", False, key | {"If-None-Match": "*"}),
            Place("POST", "/v1/agency/conflicts", False, key),
            Place("PUT", "/v1/agency/pool", False, key | {"If-None-Match": "*"}),
            Place("POST", DRILLS, False, key | {"Idempotency-Key": "a-drill-of-mine"}),
            Place("POST", "/v1/agency/keys", False, key | {"Idempotency-Key": "a-key-of-mine"}),
        ]

    async def say(self, place: Place, body: bytes, **headers: str) -> Answer:
        sent = JSON | dict(place.headers) | {name.replace("_", "-"): value for name, value in headers.items()}
        return await answered(self.town.region, Call("intake", place.method, place.path, body, sent))

    def logged(self) -> str:
        return self.town.region.services["intake", "0"].said()


@pytest_asyncio.fixture
async def office(region: Region) -> AsyncIterator[Office]:
    await region.start("intake", env=OPEN_DOORS)
    town = Town(region)
    agency = await town.agency(f"desk-{secrets.token_hex(3)}", [])
    await town.put(agency, "directory", {"people": []})
    yield Office(town, agency, await town.ask(agency))


def wrong(answer: Answer, *, theirs: bool) -> Iterator[str]:
    """What is not as it should be about a no."""
    if answer.headers.get("content-type") != "application/problem+json":
        yield "no problem document"
        return
    document = answer.json()
    if document["status"] != answer.status or not document["type"].startswith("/problems/"):
        yield "status or slug"
    if answer.status == 422 and not document.get("errors"):
        yield "no place"
    if any(set(one) != {"pointer", "code"} for one in document.get("errors", [])):
        yield "more than place and code"
    if TYPED.lower() in answer.text.lower() or "Traceback" in answer.text or ".py" in answer.text:
        yield "a value or a stack"
    if theirs != any(one["call"] == "988" for one in document.get("resources", [])):
        yield "resources"
    if answer.headers.get("cache-control") != "no-store":
        yield "may be kept"


def malformed() -> dict[str, tuple[bytes, set[int]]]:
    """Bodies that no door can read, and what they may be answered with."""
    deep = b'{"help":' + b"[" * 9000 + b'"' + TYPED.encode() + b'"' + b"]" * 9000 + b"}"
    return {
        "cut off": (b'{"relation": "' + TYPED.encode(), {400, 422}),
        "empty": (b"", {400, 422}),
        "not UTF-8": (b'{"relation": "\xff\xfe' + TYPED.encode() + b'"}', {400, 422}),
        "UTF-16": (json.dumps({"relation": TYPED}).encode("utf-16"), {400, 422}),
        "a list": (json.dumps([TYPED]).encode(), {422}),
        "a text": (json.dumps(TYPED).encode(), {422}),
        "null": (b"null", {422}),
        "very deep": (deep, {400, 422}),
        "an endless number": (b'{"relation": ' + b"9" * 6000 + b"}", {400, 422}),
        "not a number": (b'{"relation": NaN, "x": "' + TYPED.encode() + b'"}', {400, 422}),
        "half a character": (b'{"relation": "\\ud800' + TYPED.encode() + b'"}', {400, 422}),
        "an unknown field": (json.dumps({TYPED: TYPED}).encode(), {422}),
        "a NUL in a name": (json.dumps({f"\0{TYPED}": 1}).encode(), {422}),
    }


async def test_what_no_door_can_read_is_refused_with_place_and_code_alone(office: Office) -> None:
    found = []
    for place in office.places:
        for name, (body, allowed) in malformed().items():
            if name == "empty" and place.path in {VERIFICATIONS, DRILLS}:
                # Whoever names nobody means everybody who has verified nothing; a drill has a default.
                continue
            answer = await office.say(place, body)
            found += [(place.path, name, one) for one in wrong(answer, theirs=place.theirs)]
            if answer.status not in allowed:
                found.append((place.path, name, str(answer.status)))
    assert not found
    assert TYPED not in office.logged()


async def request_with(office: Office, **changes: object) -> Answer:
    body = await office.town.body(office.agency, secrets.token_urlsafe(32))
    return await office.say(office.places[0], json.dumps(body | changes).encode())


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"relation": TYPED}, "/relation"),
    ({"urgency": TYPED}, "/urgency"),
    ({"help": [TYPED]}, "/help/0"),
    ({"help": []}, "/help"),
    ({"choose": TYPED}, "/choose"),
    ({"topics": [TYPED]}, "/topics/0"),
    ({"preferences": {"require": [TYPED]}}, "/preferences/require/0"),
    ({"preferences": {TYPED: []}}, "/preferences"),
    ({"preferences": {"require": ["veteran"], "avoid": ["veteran"]}}, "/preferences/avoid"),
    ({"avoid_people": [TYPED * 20]}, "/avoid_people/0"),
    ({"avoid_people": [f"{TYPED}\u0000"]}, "/avoid_people/0"),
    ({"avoid_people": [TYPED] * 31}, "/avoid_people"),
    ({"about_me": {"unit": TYPED * 20}}, "/about_me/unit"),
    ({"about_me": {TYPED: "x"}}, "/about_me"),
    ({"reach": {"channel": "call", "address": TYPED}}, "/reach"),
    ({"reach": {"channel": "mail", "address": TYPED}}, "/reach"),
    ({"reach": {"channel": TYPED, "address": "801-555-0142"}}, "/reach/channel"),
    ({"release": TYPED}, "/release"),
    ({"language": f"{TYPED} {TYPED}"}, "/language"),
    ({"notice": {"version": f"{TYPED} !"}}, "/notice/version"),
    ({"notice": None}, "/notice"),
    ({"code_hash": TYPED}, "/code_hash"),
    ({"about": TYPED}, "/about"),
    ({"want": TYPED}, "/want"),
    ({"outreach": {"channel": "mail", "address": f"{TYPED}@home.test"}}, "/outreach"),
    ({"about": "someone_else", "outreach": {"channel": "mail", "address": TYPED}}, "/outreach"),
    ({"about": "someone_else", "outreach": {"channel": "mail", "address": "x@home.test", TYPED: "x"}}, "/outreach"),
    ({TYPED: TYPED}, ""),
]


async def test_every_field_of_a_request_is_named_by_its_pointer(office: Office) -> None:
    found = []
    for changes, pointer in FIELDS:
        answer = await request_with(office, **changes)
        found += [(pointer, one) for one in wrong(answer, theirs=True)]
        named = {one["pointer"] for one in answer.json().get("errors", [])}
        if answer.status != 422 or pointer not in named:
            found.append((pointer, f"{answer.status} {named}"))
    assert not found
    assert TYPED not in office.logged()


async def test_what_is_too_large_is_refused_at_every_door(office: Office) -> None:
    found = []
    for place in office.places:
        limit = LARGER.get(place.path.partition("?")[0], LIMIT)
        answer = await office.say(place, (TYPED * (limit // len(TYPED) + 1)).encode())
        found += [(place.path, one) for one in wrong(answer, theirs=place.theirs)]
        if (answer.status, answer.json()["type"]) != (413, "/problems/body-too-large"):
            found.append((place.path, str(answer.status)))
    assert not found


async def test_what_is_not_json_is_refused_at_every_door(office: Office) -> None:
    found = []
    for place in office.places:
        answer = await office.say(place, f"<x>{TYPED}</x>".encode(), Content_Type=f"application/xml; x={TYPED}")
        found += [(place.path, one) for one in wrong(answer, theirs=place.theirs)]
        if answer.status not in {400, 415, 422}:
            found.append((place.path, str(answer.status)))
    assert not found


async def test_a_spreadsheet_that_cannot_be_read_is_told_by_row_and_field(office: Office) -> None:
    place = next(one for one in office.places if one.path.endswith("directory"))
    bad = f"person_ref;role;name\nP1;peer;{TYPED}\nP2;{TYPED};x\n;peer;{TYPED}\n".encode()
    answer = await office.say(place, bad, Content_Type="text/csv")
    assert not list(wrong(answer, theirs=False))
    assert {(one["row"], one["field"]) for one in answer.json()["rows"]} >= {(3, "role"), (4, "person_ref")}
    for body in (b"", b"\x00\x01\x02", f'"{TYPED}'.encode(), TYPED.encode() * 100):
        assert not list(wrong(await office.say(place, body, Content_Type="text/csv"), theirs=False))
    assert TYPED not in office.logged()


async def test_a_duplicate_is_answered_as_before_and_another_body_under_the_same_code_is_refused(
    office: Office,
) -> None:
    body = await office.town.body(office.agency, secrets.token_urlsafe(32))
    first, again = [await office.town.send(office.agency, body) for _ in range(2)]
    other = await office.town.send(office.agency, body | {"topics": ["sleep"]})
    assert (first.status, again.status, other.status) == (201, 200, 422)
    assert first.json() == again.json()
    assert other.json()["type"] == "/problems/code-reused"
    assert not list(wrong(other, theirs=True))


async def test_what_comes_late_finds_nothing_and_is_told_so_with_the_lines(office: Office) -> None:
    code, region = office.requester.code, office.town.region
    assert (await answered(region, api("DELETE", "/v1/case", bearer=code))).status == 200
    late = [
        *(api(method, "/v1/case", bearer=code) for method in ("GET", "DELETE")),
        api("GET", "/v1/case/peers", bearer=code),
        api("PUT", "/v1/case/choice", {"anyone": True}, bearer=code),
        api("PUT", "/v1/case/reach", {"reach": None}, bearer=code),
        *(
            api("POST", f"/v1/case/{name}", bearer=code, Idempotency_Key="a-key-of-mine")
            for name in ("release", "another-peer", "close", "peer", "clinician", "emergency")
        ),
        *(api(method, "/v1/case/consents/clinician", bearer=code) for method in ("PUT", "DELETE")),
    ]
    for call in late:
        answer = await answered(region, call)
        assert answer.status == 404, call.path
        assert not list(wrong(answer, theirs=True)), call.path


async def test_a_post_needs_its_key_and_an_old_key_does_nothing_else(office: Office) -> None:
    code, region = office.requester.code, office.town.region
    missing = await answered(region, api("POST", "/v1/case/close", bearer=code))
    bad = await answered(region, api("POST", "/v1/case/close", bearer=code, Idempotency_Key=f"{TYPED} !"))
    done = await answered(region, api("POST", "/v1/case/close", bearer=code, Idempotency_Key="a-key-of-mine"))
    again = await answered(region, api("POST", "/v1/case/close", bearer=code, Idempotency_Key="a-key-of-mine"))
    other = await answered(region, api("POST", "/v1/case/release", bearer=code, Idempotency_Key="a-key-of-mine"))
    assert [one.status for one in (missing, bad, done, again, other)] == [400, 400, 200, 200, 422]
    for one, slug in ((missing, "missing"), (bad, "malformed"), (other, "reused")):
        assert one.json()["type"] == f"/problems/idempotency-key-{slug}"
        assert not list(wrong(one, theirs=True))


def forged() -> Iterator[str]:
    """What stands in Authorization where a code or a key belongs."""
    yield from ("", "Bearer", "Bearer ", f"Basic {TYPED}", f"Bearer {TYPED}", f"Bearer {TYPED * 200}", TYPED)
    yield from (f"Bearer {secrets.token_urlsafe(32)}", "Bearer \u00e9\u00e8", "Bearer a b c", "bearer null")


async def test_a_forged_code_or_key_opens_nothing(office: Office) -> None:
    found = []
    for place in [one for one in office.places if "Authorization" in one.headers]:
        for header in forged():
            answer = await office.say(place, b"{}", Authorization=header)
            found += [(place.path, header, one) for one in wrong(answer, theirs=place.theirs)]
            if answer.status not in {401, 404, 422}:
                found.append((place.path, header, str(answer.status)))
    assert not found
    assert TYPED not in office.logged()


async def test_an_unknown_place_agency_or_method_is_told_with_the_lines(office: Office) -> None:
    slug, region = office.agency.slug, office.town.region
    body = await office.town.body(office.agency, secrets.token_urlsafe(32))
    calls = [
        (api("GET", f"/v1/{TYPED}"), 404),
        (api("GET", f"/v1/agencies/{TYPED}"), 404),
        (api("GET", f"/v1/agencies/{TYPED}/notice?relation=officer"), 404),
        (api("GET", f"/v1/agencies/{slug}/notice?relation={TYPED}"), 422),
        (api("GET", f"/v1/agencies/{slug}/notice"), 422),
        (api("GET", f"/v1/resources?agency={TYPED}"), 404),
        (api("GET", f"/v1/resources?kind={TYPED}"), 422),
        (api("POST", f"/v1/agencies/{TYPED}/requests", body), 404),
        (api("PATCH", f"/v1/agencies/{slug}/requests", body), 405),
        (api("PUT", "/v1/case", {}, bearer=office.requester.code), 405),
    ]
    for call, status in calls:
        answer = await answered(region, call)
        assert answer.status == status, call.path
        assert not list(wrong(answer, theirs=True)), call.path


async def test_whoever_comes_too_often_is_told_when_to_come_again_and_has_the_lines(region: Region) -> None:
    await region.start("intake", env=OPEN_DOORS | {"PEERLINE_REQUESTS_PER_SOURCE": "1"})
    town = Town(region)
    agency = await town.agency(f"busy-{secrets.token_hex(3)}", [])
    for status in (201, 429):
        body = await town.body(agency, secrets.token_urlsafe(32))
        answer = await town.send(agency, body)
        assert answer.status == status
    assert int(answer.headers["retry-after"]) > 0
    assert not list(wrong(answer, theirs=True))
    emergency = await town.send(agency, await town.body(agency, secrets.token_urlsafe(32), urgency="emergency"))
    assert emergency.status == 201


async def test_a_bad_form_is_answered_with_a_page_that_has_the_lines_and_no_value(office: Office) -> None:
    here, region = f"/a/{office.agency.slug}", office.town.region
    form = (await answered(region, page("intake", here))).form(has="code").values
    bad = [
        page("intake", here, {"screen": "one", "code": TYPED, "nonce": TYPED}),
        page("intake", here, dict(form) | {"screen": TYPED}),
        page("intake", here, dict(form) | {"screen": "one", "relation": TYPED, "urgency": TYPED}),
        page("intake", here, dict(form) | {"screen": "three", "urgency": TYPED}),
        page("intake", f"{here}/case", {"code": TYPED}),
        page("intake", f"{here}/case/{TYPED}", {"nonce": TYPED}),
        page("intake", f"/a/{TYPED}"),
        Call("intake", "POST", here, b"\xff=%zz", {"Content-Type": "application/x-www-form-urlencoded"}),
        Call("intake", "POST", here, f'{{"x": "{TYPED}"}}'.encode(), JSON),
        Call("intake", "POST", here, TYPED.encode() * 2000, {"Content-Type": "application/x-www-form-urlencoded"}),
    ]
    for call in bad:
        answer = await answered(region, call)
        assert 400 <= answer.status < 500, call.body
        assert "988" in answer.seen, call.body
        assert "Traceback" not in answer.text, call.body
    assert TYPED not in office.logged()
