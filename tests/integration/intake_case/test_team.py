"""The coordinator's page: behind a key of the agency, about the team alone."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.intake.actions.agencies import add_agency
from shared import clock
from shared.types import AgencyId
from tests.integration.intake_case.front import Front
from tests.integration.intake_case.test_submit import person
from tests.unit.shared.asgi import Answer

TEAM = "/a/riverton/team"
SERVES = {"designated_from": "2020-01-01", "trained_until": "2099-12-31"}


async def entered(front: Front, key: str | None = None) -> Answer:
    return await front.page("POST", TEAM, {"key": key or front.key})


async def opened(front: Front) -> tuple[str, str]:
    """The cookie of an open page, and what it shows."""
    answer = await entered(front)
    assert answer.status == 303, answer.body
    cookie = answer.headers["set-cookie"].partition(";")[0]
    page = await front.page("GET", TEAM, cookie=cookie)
    assert page.status == 200
    return cookie, html.unescape(page.body.decode())


def nonce_in(text: str) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', text)
    assert found is not None
    return found[1]


async def test_who_is_in_the_team_and_what_runs_out(front: Front) -> None:
    soon = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    ids = await front.upload(
        person("p1", name="Ana Ready", **SERVES),
        person("p2", name="Ben Soon", **SERVES | {"trained_until": soon}),
        person("p3", name="Cem Lapsed", **SERVES | {"trained_until": "2021-01-01"}),
        person("p4", name="Dee Undesignated", trained_until="2099-12-31"),
        person("p5", name="Eva Unverified", **SERVES),
        person("m1", "member", name="Max Member"),
        person("c1", "coordinator", name="Cor Dinator"),
    )
    await front.verified(*(ids[one] for one in ("p1", "p2", "p3", "p4", "c1")))
    _, text = await opened(front)
    cards = dict(re.findall(r'class="name">([^<]+)</p>.*?<p[^>]*>([^<]+)</p>\s*</div>', text, re.DOTALL))
    assert cards == {
        "Ana Ready": "can be asked",
        "Ben Soon": f"runs out on {soon}",
        "Cem Lapsed": "training is not current, and the law asks for it: is not asked",
        "Dee Undesignated": "is not designated today: is not asked",
        "Eva Unverified": "has not confirmed an address: nothing is sent there",
        "Cor Dinator": "is told what waits",
    }
    assert "Peers who can be asked: 2" in text
    assert "Somebody is there all the time." in text


async def test_it_says_nothing_of_requests(front: Front) -> None:
    await front.upload(person("p1", **SERVES))
    _, before = await opened(front)
    await front.begun(urgency="urgent")
    _, after = await opened(front)
    hidden = re.compile(r'name="(nonce|once)" value="[^"]+"')
    assert hidden.sub("", before) == hidden.sub("", after)


async def test_what_was_counted_by_hand_is_kept_and_twice_is_the_same(front: Front) -> None:
    await front.upload(person("p1", **SERVES))
    cookie, text = await opened(front)
    month = re.search(r'name="month" value="([^"]+)"', text)
    assert month is not None
    fields: dict[str, Any] = {"nonce": nonce_in(text), "month": month[1], "conversation": "7", "errand": "2"}
    for _ in range(2):
        saved = await front.page("POST", f"{TEAM}/tally", fields, cookie=cookie)
        assert saved.status == 303
    told = (await front.json("GET", "/v1/agency/tally", code=front.key)).json
    assert told["months"] == [
        {"month": month[1], "counts": {"conversation": 7, "follow_up": 0, "resources": 0, "errand": 2}}
    ]
    refused = await front.page("POST", f"{TEAM}/tally", fields | {"errand": "many"}, cookie=cookie)
    assert (refused.status, "A number from 0 to 9999" in refused.body.decode()) == (422, True)
    forged = await front.page("POST", f"{TEAM}/tally", fields | {"nonce": "x"}, cookie=cookie)
    assert forged.status == 400


async def test_a_key_that_opens_nothing_is_counted_and_a_code_of_a_case_is_none(front: Front) -> None:
    code, _ = await front.begun()
    for wrong in (code, "pk_nothing", ""):
        answer = await entered(front, wrong or " ")
        assert (answer.status, "set-cookie" in answer.headers) == (404, False)
        assert "This key opens nothing here." in answer.body.decode()
    weak = await front.json(
        "POST", "/v1/agency/keys", {"scopes": ["agency:read"]}, code=front.key, Idempotency_Key="a-key-of-mine"
    )
    assert (await entered(front, weak.json["key"])).status == 404


async def test_a_revoked_key_closes_the_page_at_once(front: Front) -> None:
    await front.upload(person("p1", **SERVES))
    cookie, _ = await opened(front)
    await front.sql.execute("UPDATE credentials SET revoked_at = now()")
    page = await front.page("GET", TEAM, cookie=cookie)
    assert 'name="key"' in page.body.decode()


async def test_it_reads_in_spanish(front: Front) -> None:
    answer = await front.page("GET", f"{TEAM}?lang=es")
    assert "Clave de su agencia" in html.unescape(answer.body.decode())


async def test_somebody_is_added_changed_and_taken_out_on_the_page_alone(front: Front) -> None:
    await front.upload(person("p1", name="Ana Ready", **SERVES))
    cookie, _ = await opened(front)
    blank = html.unescape((await front.page("GET", f"{TEAM}/person", cookie=cookie)).body.decode())
    fields: dict[str, Any] = {
        "nonce": nonce_in(blank),
        "was": "",
        "act": "save",
        "role": "peer",
        "person_ref": "p2",
        "name": "Ben New",
        "contact": "ben@home.test ben2@home.test",
        "language": "es",
        "attributes": "veteran regional",
        "offers": ["talk", "ride"],
        "hours": "Mon-Fri 08:00-18:00",
        "designated_from": "2026-01-01",
    }
    assert (await front.page("POST", f"{TEAM}/person", fields, cookie=cookie)).status == 303
    people = {one["person_ref"]: one for one in (await directory(front))}
    assert set(people) == {"p1", "p2"}
    assert people["p2"] | {"verified": None} == people["p2"] | {
        "verified": None,
        "contact": ["ben@home.test", "ben2@home.test"],
    }
    assert (people["p2"]["attributes"], people["p2"]["offers"]) == (["regional", "veteran"], ["ride", "talk"])
    shown = html.unescape((await front.page("GET", f"{TEAM}/person?ref=p2", cookie=cookie)).body.decode())
    assert 'value="ben@home.test ben2@home.test"' in shown
    known = fields | {"was": "p2", "read": read_in(shown)}
    wrong = await front.page("POST", f"{TEAM}/person", known | {"hours": "sometimes"}, cookie=cookie)
    told = html.unescape(wrong.body.decode())
    assert (wrong.status, "Please look at this once more: Hours" in told, "sometimes" in told) == (422, True, True)
    nowhere = await front.page("POST", f"{TEAM}/person", known | {"time_zone": "Arizona"}, cookie=cookie)
    told = html.unescape(nowhere.body.decode())
    assert (nowhere.status, "look at this once more: Time zone of these hours" in told) == (422, True)
    changed = await front.page("POST", f"{TEAM}/person", known | {"name": "Ben Else"}, cookie=cookie)
    assert changed.status == 303
    double = await front.page("POST", f"{TEAM}/person", fields | {"person_ref": "p1"}, cookie=cookie)
    assert double.status == 422
    people = {one["person_ref"]: one for one in (await directory(front))}
    assert {ref: one["name"] for ref, one in people.items()} == {"p1": "Ana Ready", "p2": "Ben Else"}
    known["read"] = read_in((await front.page("GET", f"{TEAM}/person?ref=p2", cookie=cookie)).body.decode())
    gone = await front.page("POST", f"{TEAM}/person", known | {"act": "remove"}, cookie=cookie)
    assert (gone.status, [one["person_ref"] for one in await directory(front)]) == (303, ["p1"])
    assert (await front.page("GET", f"{TEAM}/person?ref=p2", cookie=cookie)).status == 404


def read_in(text: str) -> str:
    found = re.search(r'name="read" value="([0-9]+)"', text)
    assert found is not None
    return found[1]


async def person_page(front: Front, ref: str, cookie: str) -> dict[str, Any]:
    """What the form of somebody holds when it is opened."""
    text = html.unescape((await front.page("GET", f"{TEAM}/person?ref={ref}", cookie=cookie)).body.decode())
    typed = dict(re.findall(r'<input type="(?:hidden|text|date)"[^>]* name="([^"]+)"[^>]* value="([^"]*)"', text))
    return typed | {"role": "peer", "act": "save"}


async def test_what_was_changed_since_a_form_was_opened_is_not_undone_by_it(front: Front) -> None:
    p1, m1 = person("p1", **SERVES), person("m1", "member")
    await front.upload(p1, m1)
    cookie, _ = await opened(front)
    form = await person_page(front, "p1", cookie)
    await front.upload(p1 | {"supervisor_ref": "m1", "name": "Ana Later"}, m1)
    saved = await front.page("POST", f"{TEAM}/person", form | {"contact": "ana@home.test"}, cookie=cookie)
    told = html.unescape(saved.body.decode())
    assert (saved.status, "changed the list meanwhile" in told, 'value="Ana Later"' in told) == (422, True, True)
    assert {one["supervisor_ref"] for one in await directory(front)} == {"m1", ""}
    # As it is shown now it can be saved.
    form = await person_page(front, "p1", cookie)
    assert (await front.page("POST", f"{TEAM}/person", form, cookie=cookie)).status == 303
    # Nor does an old form bring back who was taken out.
    form = await person_page(front, "p1", cookie)
    await front.upload(m1)
    assert (await front.page("POST", f"{TEAM}/person", form, cookie=cookie)).status == 422
    assert [one["person_ref"] for one in await directory(front)] == ["m1"]


async def test_who_has_to_be_looked_at_first_is_named_and_nobody_is_blamed_for_others(front: Front) -> None:
    await front.upload(person("p1", name="Ana Ready", supervisor_ref="m1"), person("m1", "member", name="Sgt Hale"))
    cookie, _ = await opened(front)
    form = await person_page(front, "m1", cookie)
    gone = await front.page("POST", f"{TEAM}/person", form | {"act": "remove"}, cookie=cookie)
    told = html.unescape(gone.body.decode())
    assert (gone.status, "these people first: Ana Ready" in told) == (422, True)
    assert 'value="Sgt Hale"' in told
    assert len(await directory(front)) == 2


async def directory(front: Front) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await front.json("GET", "/v1/agency/directory", code=front.key)).json["people"]
    return found


async def test_somebody_is_away_and_is_back_on_the_page_alone(front: Front) -> None:
    ids = await front.upload(person("p1", **SERVES))
    await front.verified(ids["p1"])
    cookie, text = await opened(front)
    start = datetime.now(UTC).date()
    fields = {"nonce": nonce_in(text), "ref": "p1", "start": str(start), "end": str(start + timedelta(days=2))}
    for act, there in (("away", False), ("clear", True)):
        saved = await front.page("POST", f"{TEAM}/away", fields | {"act": act}, cookie=cookie)
        assert saved.status == 303
        _, text = await opened(front)
        assert ("Somebody is there all the time." in text) is there
    # On a rota that alone says when somebody is there, coming back from leave leaves the rota as it was.
    days = {"start": str(start - timedelta(days=1)), "end": str(start + timedelta(days=9))}
    rota = {"alone": True, "entries": [{"means": "there", **days}]}
    path = "/v1/agency/availability/p1"
    tag = (await front.json("GET", path, code=front.key)).headers["etag"]
    assert (await front.json("PUT", path, rota, code=front.key, If_Match=tag)).status == 200
    for act, there in (("away", False), ("clear", True)):
        assert (await front.page("POST", f"{TEAM}/away", fields | {"act": act}, cookie=cookie)).status == 303
        _, text = await opened(front)
        assert ("Somebody is there all the time." in text) is there
    backwards = await front.page("POST", f"{TEAM}/away", fields | {"act": "away", "end": "2020-01-01"}, cookie=cookie)
    assert backwards.status == 422


def practice_in(text: str) -> dict[str, str]:
    found = re.search(r'name="once" value="([^"]+)"', text)
    assert found is not None
    return {"nonce": nonce_in(text), "once": found[1]}


async def test_practice_begins_on_the_page_and_its_code_opens_the_requesters_page(front: Front) -> None:
    await front.structured("clinical-supervisor")
    await front.upload(person("p1", **SERVES))
    cookie, text = await opened(front)
    fields = practice_in(text)
    codes = []
    for _ in range(2):
        begun = html.unescape((await front.page("POST", f"{TEAM}/drill", fields, cookie=cookie)).body.decode())
        found = re.search(r'<p class="name">([0-9A-Z-]{20,})</p>', begun)
        assert found is not None
        codes.append(found[1])
    # Pressed twice it is one.
    assert codes[0] == codes[1]
    assert (await front.json("GET", "/v1/case", code=codes[0])).status == 200
    # No clinician is asked for practice, although the program has one.
    asked = await front.post(codes[0], "clinician")
    assert (asked.status, asked.json["type"]) == (409, "/problems/practice")
    others = [(await opened(front))[1] for _ in range(3)]
    told = [(await front.page("POST", f"{TEAM}/drill", practice_in(one), cookie=cookie)) for one in others]
    assert [one.status for one in told] == [200, 200, 422]
    assert "Three practice cases are under way" in told[2].body.decode()


async def test_peers_of_the_pool_are_taken_and_let_go_on_the_page(front: Front) -> None:
    await front.upload(person("p1", **SERVES))
    cookie, text = await opened(front)
    assert "Your agency takes no part" in text
    for key in (front.key, await lending(front)):
        policy = await front.json("GET", "/v1/agency/policy", code=key)
        joined = await front.json("PUT", "/v1/agency/policy", {"pool": True}, code=key, If_Match=policy.headers["etag"])
        assert joined.status == 200
    _, text = await opened(front)
    assert "Rosa Lind, Lakeside" in text
    found = re.search(r'name="peer" value="([^"]+)"', text)
    assert found is not None
    fields = {"nonce": nonce_in(text), "peer": found[1], "designated_from": "2026-01-01", "designated_to": ""}
    assert (await front.page("POST", f"{TEAM}/pool", fields | {"act": "take"}, cookie=cookie)).status == 303
    _, text = await opened(front)
    assert ('value="2026-01-01"' in text, "has not confirmed an address" in text) == (True, True)
    wrong = [{"peer": "nobody"}, {"designated_to": "2020-01-01"}, {"peer": "00000000-0000-4000-8000-0000000000aa"}]
    for one in wrong:
        assert (await front.page("POST", f"{TEAM}/pool", fields | one | {"act": "take"}, cookie=cookie)).status == 422
    assert (await front.page("POST", f"{TEAM}/pool", fields | {"act": "drop"}, cookie=cookie)).status == 303
    _, text = await opened(front)
    assert ('value="2026-01-01"' in text, "Rosa Lind" in text) == (False, True)


async def lending(front: Front) -> str:
    """Another agency with a peer who may be lent; returns its key."""
    lakeside = replace(
        front.agency, agency_id=AgencyId(clock.random_id()), name="Lakeside", slug="lakeside", mail_domain=None
    )
    _, key = await add_agency(front.operator, front.keyring, lakeside)
    people = [person("r1", name="Rosa Lind", attributes=["regional"], **SERVES)]
    answer = await front.json("PUT", "/v1/agency/directory", {"people": people}, code=key, If_None_Match="*")
    assert answer.status == 200, answer.body
    return key


async def test_the_zone_of_somebody_who_lives_elsewhere_is_set_on_the_page_and_shown_beside_their_times(
    front: Front,
) -> None:
    await front.upload(person("p1", name="Ana Ready", hours="22:00-06:00", **SERVES))
    cookie, text = await opened(front)
    assert "America/" not in text
    form = await person_page(front, "p1", cookie) | {"time_zone": "America/Phoenix"}
    assert (await front.page("POST", f"{TEAM}/person", form, cookie=cookie)).status == 303
    assert [(one["hours"], one["time_zone"]) for one in await directory(front)] == [
        ("Mon-Sun 22:00-06:00", "America/Phoenix")
    ]
    _, text = await opened(front)
    assert "Mon-Sun 22:00-06:00 (America/Phoenix)" in text
    for language, says in (("en", "shows them in America/Phoenix."), ("es", "reloj de pared en America/Phoenix.")):
        page = await front.page("GET", f"{TEAM}/person?ref=p1&lang={language}", cookie=cookie)
        assert says in html.unescape(page.body.decode())
    form = await person_page(front, "p1", cookie)
    assert form["time_zone"] == "America/Phoenix"
    assert (await front.page("POST", f"{TEAM}/person", form | {"time_zone": ""}, cookie=cookie)).status == 303
    assert [one["time_zone"] for one in await directory(front)] == [""]
