"""Who must not meet, one at a time: by a door and on the coordinator's page, kept beside what stands there already."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from tests.integration.intake_case.front import Front
from tests.integration.intake_case.test_conflicts import asked, changed, listed
from tests.integration.intake_case.test_submit import person
from tests.integration.intake_case.test_team import TEAM, lending, nonce_in, opened
from tests.unit.shared.asgi import Answer

CONFLICTS = "/v1/agency/conflicts"
PAGE = f"{TEAM}/conflicts"


async def added(front: Front, **conflict: Any) -> Answer:
    return await front.json("POST", CONFLICTS, conflict, code=front.key)


class Form:
    """The page, opened once; each answer as somebody reads it."""

    def __init__(self, front: Front, cookie: str, page: str) -> None:
        self.front, self.cookie, self.nonce, self.page = front, cookie, nonce_in(page), page

    async def sent(self, where: str = "", **fields: str) -> tuple[int, str]:
        read = re.search(r'name="read" value="(\d+)"', self.page)
        assert read is not None
        fields = {"nonce": self.nonce, "read": read[1], **fields}
        answer = await self.front.page("POST", PAGE + where, fields, cookie=self.cookie)
        self.page = html.unescape(answer.body.decode())
        return answer.status, self.page


async def form(front: Front) -> Form:
    cookie, _ = await opened(front)
    return Form(front, cookie, (await front.page("GET", PAGE, cookie=cookie)).body.decode())


def unread(page: str) -> str:
    """Without how often anything was written, the same again too."""
    return re.sub(r'name="read" value="\d+"', "", page)


# --- the door


async def test_one_more_stands_beside_the_others_and_twice_is_once(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2"), person("m1", "member"), person("m2", "member"))
    await listed(front, {"kind": "relatives", "people": ["m1", "p1"]})
    answers = [await added(front, kind="investigation", people=["m1", "p2"]) for _ in range(2)]
    assert [(one.status, one.body) for one in answers] == [(204, b""), (204, b"")]
    # The tag goes on however often it is said, so that it tells nothing.
    assert [one.headers["etag"] for one in answers] == ['"2"', '"3"']
    assert await front.sql.fetchval("SELECT count(*) FROM conflicts") == 4
    assert (await asked(front, me="Person m1"))[1] == {ids["p1"], ids["p2"]}
    assert (await added(front, kind="investigation", people=["m1", "p2", "m2"])).status == 204
    assert (await asked(front, me="Person m2"))[1] == {ids["p2"]}


async def test_a_first_one_reaches_cases_that_are_open_and_being_taken(front: Front) -> None:
    ids = await front.upload(person("p1"), person("m1", "member"))
    case, bars = await asked(front, me="Person m1")
    await front.rounds()
    assert (await added(front, kind="relatives", people=["m1", "p1"])).status == 204
    assert await front.rounds() == ["names"]
    assert (bars, await changed(front, case)) == (set(), [{ids["p1"]}])
    waiting = await front.sql.fetchval("SELECT count(*) FROM timers WHERE kind = 'names'")
    assert waiting == 1, "requests that were being taken are looked at once more"


async def test_what_counts_no_more_goes_when_one_is_added(front: Front) -> None:
    await front.upload(person("p1"), person("p2"))
    await listed(front, {"kind": "relatives", "people": ["p1", "p2"], "until": "2020-01-01"})
    assert (await added(front, kind="evaluator", people=["p1"])).status == 204
    assert await front.sql.fetchval("SELECT array_agg(kind) FROM conflicts") == ["evaluator"]


@pytest.mark.parametrize(
    ("conflict", "told"),
    [
        ({"kind": "evaluator", "people": ["p1", "nobody"]}, [("/people/1", "unknown-person")]),
        ({"kind": "evaluator", "people": ["Person p1"]}, [("/people/0", "unknown-person")]),
        ({"kind": "relatives", "people": ["p1", " P1 "]}, [("/people", "too-few")]),
        ({"kind": "incident", "people": ["p1"]}, None),
        ({"kind": "feud", "people": ["p1"]}, None),
    ],
)
async def test_what_the_door_refuses_changes_nothing(front: Front, conflict: Any, told: Any) -> None:
    await front.upload(person("p1"))
    answer = await added(front, **conflict)
    assert answer.status == 422
    if told is not None:
        assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == told
    assert await front.sql.fetchval("SELECT conflicts_revision FROM agencies") == 0


async def test_a_full_list_takes_no_more(front: Front) -> None:
    await front.upload(person("p1"), person("p2"))
    full = [{"kind": "incident", "reference": f"26-{n}", "people": ["p1"]} for n in range(2000)]
    await listed(front, *full)
    answer = await added(front, kind="evaluator", people=["p2"])
    assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == [("", "too-many")]
    status, text = await (await form(front)).sent(kind="evaluator", people="p2")
    assert (status, "The list is full." in text) == (422, True)
    # What stands there already is answered as what does not.
    answer = await added(front, kind="incident", reference="26-7", people=["p1"])
    assert [(one["pointer"], one["code"]) for one in answer.json["errors"]] == [("", "too-many")]
    assert await front.sql.fetchval("SELECT count(*) FROM conflicts") == 2000


async def test_only_a_key_for_it_adds_any_by_door_or_page(front: Front) -> None:
    await front.upload(person("p1"))
    wanted = {"scopes": ["directory:read", "directory:write"]}
    weak = (await front.json("POST", "/v1/agency/keys", wanted, code=front.key, Idempotency_Key="a-key-of-mine")).json[
        "key"
    ]
    sent = await front.json("POST", CONFLICTS, {"kind": "evaluator", "people": ["p1"]}, code=weak)
    assert (sent.status, sent.json["type"]) == (403, "/problems/scope-missing")
    entered = await front.page("POST", TEAM, {"key": weak})
    cookie = entered.headers["set-cookie"].partition(";")[0]
    page = await front.page("GET", TEAM, cookie=cookie)
    assert (page.status, "team/conflicts" in page.body.decode()) == (200, False)
    nonce = nonce_in(page.body.decode())
    for where, fields in (("", {"kind": "evaluator", "people": "p1"}), ("/none", {"sure": "yes"})):
        sent = await front.page("POST", PAGE + where, {"nonce": nonce, **fields}, cookie=cookie)
        assert (sent.status, "may not do this" in sent.body.decode()) == (403, True)
    assert (await front.page("GET", PAGE, cookie=cookie)).status == 403
    assert await front.sql.fetchval("SELECT count(*) FROM conflicts") == 0


# --- the page


async def test_scenario_03_on_the_page_one_is_kept_beside_the_others_and_obeyed(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2", name="Ben Okafor"), person("m1", "member", name="Robin Ellis"))
    await listed(front, {"kind": "relatives", "people": ["m1", "p1"]})
    case, bars = await asked(front, me="Robin Ellis")
    assert bars == {ids["p1"]}
    page = await form(front)
    status, text = await page.sent(kind="investigation", people="okafor, BEN\r\n\r\nm1\r\n", until="2099-12-31")
    assert (status, "Kept." in text) == (200, True)
    await front.rounds()
    assert await changed(front, case) == [{ids["p1"], ids["p2"]}]
    assert (await asked(front, me="Robin Ellis"))[1] == {ids["p1"], ids["p2"]}
    status, text = await page.sent(kind="incident", reference="26-1042", people="p2")
    assert (status, (await asked(front, incident="26-1042"))[1]) == (200, {ids["p2"]})
    status, text = await page.sent(kind="evaluator", people="Person p1")
    assert (status, (await asked(front))[1]) == (200, {ids["p1"]})


async def test_the_page_never_shows_what_was_kept_nor_that_it_stood_there(front: Front) -> None:
    await front.upload(person("p1"), person("m1", "member", name="Robin Ellis"))
    page = await form(front)

    async def empty() -> str:
        return unread(html.unescape((await front.page("GET", PAGE, cookie=page.cookie)).body.decode()))

    blank = await empty()
    first, again = [await page.sent(kind="relatives", people="p1\nRobin Ellis", until="2099-01-31") for _ in range(2)]
    assert (first[0], unread(first[1])) == (again[0], unread(again[1]))
    assert all(word not in first[1] for word in ("Robin", "p1", "2099"))
    assert await empty() == blank
    _, team = await opened(front)
    assert not re.search(r"relative|2099-01-31", team.replace("Relatives, people of one incident", ""))
    assert await front.sql.fetchval("SELECT count(DISTINCT place) FROM conflicts") == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"people": "p1"}, "Please choose what it is."),
        ({"kind": "feud", "people": "p1"}, "Please choose what it is."),
        ({"kind": "evaluator", "people": " \n "}, "Please look at these people once more"),
        ({"kind": "evaluator", "people": "x" * 65}, "Please look at these people once more"),
        ({"kind": "incident", "people": "p1"}, "what the incident is called"),
        ({"kind": "evaluator", "people": "p1", "reference": "26-1"}, "what the incident is called"),
        ({"kind": "evaluator", "people": "p1", "until": "soon"}, "look at the last day once more"),
        ({"kind": "relatives", "people": "p1"}, "It takes two different people."),
        ({"kind": "relatives", "people": "p1\nPerson p1"}, "It takes two different people."),
        ({"kind": "relatives", "people": "p1\nNobody <b>"}, "or has this reference: Nobody <b>"),
        ({"kind": "relatives", "people": "p1\nSam Twin"}, "Please write the reference: Sam Twin"),
        ({"kind": "relatives", "people": "p1\nGone Away"}, "or has this reference: Gone Away"),
    ],
)
async def test_what_the_page_cannot_keep_is_named_and_stays_in_the_form(front: Front, fields: Any, says: str) -> None:
    twins = [person(ref, name="Sam Twin") for ref in ("t1", "t2")]
    await front.upload(person("p1"), *twins, person("g1", name="Gone Away"))
    await front.upload(person("p1"), *twins)
    status, text = await (await form(front)).sent(**fields)
    assert (status, says in re.sub(r"<textarea.*?</textarea>", "", text, flags=re.DOTALL)) == (422, True)
    assert fields["people"].strip() in text
    assert await front.sql.fetchval("SELECT count(*) FROM conflicts") == 0


async def test_a_name_that_is_somebody_elses_reference_is_asked_about(front: Front) -> None:
    await front.upload(person("lee"), person("p2", name="Lee"))
    status, text = await (await form(front)).sent(kind="evaluator", people="Lee")
    assert (status, "More than one" in text) == (422, True)
    assert await front.sql.fetchval("SELECT count(*) FROM conflicts") == 0


async def test_whoever_is_borrowed_is_called_by_name(front: Front) -> None:
    await front.upload(person("m1", "member"))
    for key in (front.key, await lending(front)):
        tag = (await front.json("GET", "/v1/agency/policy", code=key)).headers["etag"]
        await front.json("PUT", "/v1/agency/policy", {"pool": True}, code=key, If_Match=tag)
    (peer,) = (await front.json("GET", "/v1/agency/pool", code=front.key)).json["peers"]
    taken = {"peers": [{"peer": peer["peer"], "designated_from": "2026-01-01"}]}
    assert (await front.json("PUT", "/v1/agency/pool", taken, code=front.key, If_None_Match="*")).status == 200
    status, _ = await (await form(front)).sent(kind="relatives", people="Rosa Lind\nm1")
    copy = await front.sql.fetchval("SELECT person_id FROM people WHERE bearer IS NOT NULL")
    assert (status, (await asked(front, me="Person m1"))[1]) == (200, {copy})


async def test_the_whole_list_is_forgotten_only_when_it_is_said_twice(front: Front) -> None:
    ids = await front.upload(person("p1"), person("p2"))
    await listed(front, {"kind": "evaluator", "people": ["p1"]})
    page = await form(front)
    status, text = await page.sent("/none")
    assert (status, "Please say first" in text, (await asked(front))[1]) == (422, True, {ids["p1"]})
    status, text = await page.sent("/none", sure="yes")
    assert (status, "Nothing is kept any more." in text, (await asked(front))[1]) == (200, True, set())
    await added(front, kind="evaluator", people=["p2"])
    status, text = await page.sent("/none", sure="yes")
    assert (status, "written to since" in text, (await asked(front))[1]) == (422, True, {ids["p2"]})
    forged = await front.page("POST", f"{PAGE}/none", {"nonce": "x", "sure": "yes"}, cookie=page.cookie)
    assert forged.status == 400


async def test_it_reads_in_spanish_and_nobody_gets_there_without_a_key(front: Front) -> None:
    await front.upload(person("p1"))
    page = await form(front)
    status, text = await page.sent(lang="es", kind="evaluator", people="nadie")
    assert (status, "Nadie de su equipo se llama así" in text) == (422, True)
    closed = await front.page("GET", PAGE)
    assert 'name="key"' in closed.body.decode()
    assert (await front.page("POST", PAGE, {"kind": "evaluator", "people": "p1"})).status == 401
