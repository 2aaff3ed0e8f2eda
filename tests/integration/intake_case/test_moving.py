"""A request at the wrong agency goes on with the right one when its requester says so, and here it never was."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.intake.actions.agencies import add_agency
from services.intake.domain.agency import Agency
from services.intake.domain.codes import hash_of
from shared import clock
from shared.events.intake import CaseClosed, CaseWithdrawn, RequestSubmitted
from shared.events.matching import PeerAssigned
from shared.types import AgencyId, CaseId, PersonId
from tests.integration.intake_case.front import Front
from tests.integration.intake_case.test_submit import person
from tests.unit.shared.asgi import Answer

REACH = {"channel": "call", "address": "801-555-0142", "name": "Sam"}


async def county(front: Front) -> Agency:
    """The sheriff, who has a peer called Rosa; the city has one too."""
    sheriff = replace(front.agency, agency_id=AgencyId(clock.random_id()), name="County Sheriff", slug="county")
    agency, key = await add_agency(front.operator, front.keyring, replace(sheriff, mail_domain=None))
    people = [person("r1", name="Rosa Lind"), person("r2", name="Tom Hale")]
    answer = await front.json("PUT", "/v1/agency/directory", {"people": people}, code=key, If_None_Match="*")
    assert answer.status == 200, answer.body
    return agency


async def version_of(front: Front, slug: str) -> str:
    found = (await front.json("GET", f"/v1/agencies/{slug}/notice?relation=officer")).json["version"]
    return str(found)


async def moved(front: Front, code: str, **changed: Any) -> tuple[Answer, str]:
    new = front.code()
    wanted = {"agency": "county", "notice": {"version": await version_of(front, "county")}, "code_hash": hash_of(new)}
    return await front.json("PUT", "/v1/case/agency", wanted | changed, code=code), new


async def everything(front: Front, case: CaseId) -> list[str]:
    """The tables of intake in which this case still stands, but for what says that it is over."""
    rows = await front.sql.fetch(
        """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'case_id' AND NOT a.attisdropped
            WHERE c.relkind = 'r' AND n.nspname = 'intake'"""
    )
    return [
        row["relname"]
        for row in rows
        if row["relname"] != "tombstones"
        and await front.sql.fetchval(f"SELECT EXISTS (SELECT FROM {row['relname']} WHERE case_id = $1)", case)  # noqa: S608
    ]


async def test_scenario_44_a_deputy_at_the_citys_door_is_taken_to_the_sheriff_and_the_city_keeps_nothing(
    front: Front,
) -> None:
    sheriff = await county(front)
    await front.upload(person("p1", name="Rosa Lind"))
    code = front.code()
    asked = await front.ask(
        code, urgency="soon", reach=REACH, avoid_people=["Rosa Lind"], preferences={"prefer": ["veteran"]}
    )
    assert asked.status == 201
    (old,) = await front.cases()
    answer, new = await moved(front, code)
    assert answer.status == 201, answer.body
    (case,) = [one for one in await front.cases() if one != old]
    (submitted, *_) = [one for one in await front.facts(case) if isinstance(one, RequestSubmitted)]
    assert (submitted.ask.urgency, submitted.ask.manner, submitted.ask.wishes.prefer) == ("soon", "call", ("veteran",))
    # Whom they named is looked for in the other directory.
    assert len(submitted.ask.bars) == 1
    assert {type(one) for one in await front.facts(old)} >= {CaseWithdrawn, CaseClosed}
    assert await everything(front, old) == []
    assert await front.sql.fetchval("SELECT count(*) FROM statistics") == 0
    assert (await front.json("GET", "/v1/case", code=code)).status == 404
    there = await front.status(new)
    assert there["reference"] == answer.json["reference"]
    assert await front.sql.fetchval("SELECT agency_id FROM cases WHERE case_id = $1", case) == sheriff.agency_id


async def test_every_wish_goes_along(front: Front) -> None:
    await county(front)
    wishes = {"require": ["other_agency"], "prefer": ["veteran"], "avoid": ["faith", "retired"]}
    code, old = await front.begun(preferences=wishes)
    # As an earlier version took it: what is both wanted and avoided is wanted.
    await front.sql.execute(
        """UPDATE requests SET state = jsonb_set(state, '{ask,wishes,avoid}', '["faith", "veteran", "retired"]')"""
    )
    answer, _ = await moved(front, code)
    assert answer.status == 201, answer.body
    (case,) = [one for one in await front.cases() if one != old]
    (submitted,) = [one for one in await front.facts(case) if isinstance(one, RequestSubmitted)]
    assert submitted.ask.wishes.model_dump(mode="json") == wishes


@pytest.mark.parametrize(
    ("changed", "status", "slug"),
    [
        ({"agency": "nowhere"}, 404, "not-found"),
        ({"agency": "riverton"}, 422, "invalid"),
        ({"notice": {"version": "of-yesterday"}}, 409, "notice-changed"),
        ({"code_hash": "short"}, 422, "invalid"),
    ],
)
async def test_what_cannot_go_on_elsewhere_stays_as_it_is(
    front: Front, changed: dict[str, Any], status: int, slug: str
) -> None:
    await county(front)
    code = front.code()
    await front.ask(code)
    answer, _ = await moved(front, code, **changed)
    assert (answer.status, answer.json["type"]) == (status, f"/problems/{slug}")
    assert (await front.json("GET", "/v1/case", code=code)).status == 200
    assert len(await front.cases()) == 1


async def test_in_an_emergency_nobody_is_called_off_for_a_form(front: Front) -> None:
    await county(front)
    code = front.code()
    await front.ask(code, urgency="emergency")
    answer, _ = await moved(front, code)
    assert (answer.status, answer.json["type"]) == (409, "/problems/emergency-stays")


async def test_what_was_asked_of_a_clinician_alone_goes_to_no_peer_elsewhere(front: Front) -> None:
    await front.structured("clinical-supervisor")
    await county(front)
    code = front.code()
    assert (await front.ask(code, want="clinician", reach=REACH)).status == 201
    answer, _ = await moved(front, code)
    # The sheriff has no clinician, and the requester hears so; nothing has begun there, and nothing has ended here.
    assert (answer.status, answer.json["type"]) == (409, "/problems/no-clinician-in-program")
    assert (await front.json("GET", "/v1/case", code=code)).status == 200
    assert len(await front.cases()) == 1
    # Nor does a consent that was taken back ask a clinician there.
    refused = await front.json("DELETE", "/v1/case/consents/clinician", code=code)
    assert refused.status == 200, refused.body
    answer, _ = await moved(front, code)
    assert (answer.status, answer.json["type"]) == (409, "/problems/case-over")


async def refused(front: Front, code: str, case: CaseId, peer: PersonId) -> None:
    """This peer has accepted, and the requester would rather have another one."""
    accepted = PeerAssigned(
        assignment=clock.random_id(),
        offer=clock.random_id(),
        person=peer,
        contact_by=clock.now() + timedelta(hours=4),
    )
    await front.hear(case, accepted)
    assert (await front.post(code, "another-peer")).status == 200


async def test_whoever_was_refused_or_shown_by_an_id_is_kept_out_elsewhere_too(front: Front) -> None:
    await county(front)
    ids = await front.upload(person("p1", name="Rosa Lind"), person("p2", name="Tom Hale"))
    code, old = await front.begun(avoid_people=[str(ids["p2"])])
    await refused(front, code, old, ids["p1"])
    answer, _ = await moved(front, code)
    assert answer.status == 201, answer.body
    (case,) = [one for one in await front.cases() if one != old]
    (submitted,) = [one for one in await front.facts(case) if isinstance(one, RequestSubmitted)]
    county_people = await front.sql.fetch(
        "SELECT person_id FROM people WHERE agency_id <> $1 AND role = 'peer'", front.agency.agency_id
    )
    # Both are known there as well, by ids of their own: no id of the first agency goes along.
    assert set(submitted.ask.bars) == {row["person_id"] for row in county_people}
    assert not set(submitted.ask.bars) & set(ids.values())


async def test_a_long_list_of_people_moves_as_often_as_its_request(front: Front) -> None:
    await county(front)
    ids = await front.upload(person("p1", name="Rosa Lind"))
    code, first = await front.begun(avoid_people=[f"Somebody {one}" for one in range(30)])
    await refused(front, code, first, ids["p1"])
    answer, there = await moved(front, code)
    assert answer.status == 201, answer.body
    answer, _ = await moved(front, there, agency="riverton", notice={"version": await version_of(front, "riverton")})
    assert answer.status == 201, answer.body
    others = [fact for case in await front.cases() if case != first for fact in await front.facts(case)]
    bars = [fact.ask.bars for fact in others if isinstance(fact, RequestSubmitted)]
    # The sheriff's Rosa is barred there, and the city's own when it has come back.
    assert len(bars) == 2
    assert (ids["p1"],) in bars


async def test_the_notice_may_be_read_in_another_language_than_was_asked_in(front: Front) -> None:
    await county(front)
    code = front.code()
    await front.ask(code, language="en")
    spanish = (await front.json("GET", "/v1/agencies/county/notice?relation=officer&language=es")).json["version"]
    answer, new = await moved(front, code, notice={"version": spanish})
    assert answer.status == 201, answer.body
    assert "notice" not in (await front.json("GET", "/v1/case", code=new)).json


async def test_it_goes_on_elsewhere_on_the_page_too(front: Front) -> None:
    await county(front)
    code, _ = await front.begun(urgency="soon")
    entered = await front.page("POST", "/a/riverton/case", {"code": code})
    cookie = entered.headers["set-cookie"].partition(";")[0]
    shown = html.unescape((await front.page("GET", "/a/riverton/case", cookie=cookie)).body.decode())
    nonce = re.search(r'action="/a/riverton/elsewhere">\s*<input type="hidden" name="nonce" value="([^"]+)"', shown)
    assert nonce is not None
    fields = {"nonce": nonce[1], "agency": "County"}
    looked = html.unescape((await front.page("POST", "/a/riverton/elsewhere", fields, cookie=cookie)).body.decode())
    assert "Ask County Sheriff instead" in looked
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', looked))
    gone = await front.page("POST", "/a/riverton/elsewhere", hidden, cookie=cookie)
    assert gone.status == 201, gone.body
    there = gone.headers["set-cookie"].partition(";")[0]
    page = await front.page("GET", "/a/county/case", cookie=there)
    assert page.status == 200
    assert (await front.json("GET", "/v1/case", code=code)).status == 404
    assert (await front.json("GET", "/v1/case", code=hidden["code"])).status == 200
