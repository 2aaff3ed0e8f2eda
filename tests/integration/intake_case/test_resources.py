"""The directory of resources through its doors: kept by an agency, the region's by the operator, read by anybody."""

from datetime import timedelta
from typing import Any

import pytest

from services.intake.actions.agencies import add_agency
from services.intake.actions.listings import load_regional, resources_for
from shared import clock
from shared.types import Relation
from tests.integration.intake_case.front import Front, riverton
from tests.unit.shared.asgi import Answer

OWN = "/v1/agency/resources"
LATELY = str(clock.now().date() - timedelta(days=30))
COUNSEL = {
    "kind": "counselling",
    "name": "River Center <b>",
    "phone": "801-555-0150",
    "url": "https://river.test/",
    "eligibility": ["officer"],
    "verified_on": LATELY,
}
OLD = {"kind": "chaplain", "name": "Chaplain Roe", "phone": "801-555-0153", "verified_on": "2020-01-01"}
CRISIS = {"kind": "crisis", "name": "County team", "phone": "801-555-0151", "verified_on": LATELY}


async def put(front: Front, *given: dict[str, Any], key: str = "", **headers: str) -> Answer:
    return await front.json("PUT", OWN, {"resources": list(given)}, code=key or front.key, **headers)


async def test_an_agency_keeps_its_own_list_whole(front: Front) -> None:
    first = await put(front, COUNSEL, OLD, If_None_Match="*")
    blind, stale = await put(front, COUNSEL), await put(front, COUNSEL, If_Match='"7"')
    second = await put(front, COUNSEL, If_Match=first.headers["etag"])
    assert [first.status, blind.status, stale.status, second.status] == [200, 428, 412, 200]
    assert first.json["stale"] == 1
    read = await front.json("GET", OWN, code=front.key)
    assert (read.json, read.headers["etag"]) == (second.json, second.headers["etag"])


async def test_nothing_of_a_bad_list_is_kept(front: Front) -> None:
    answer = await put(front, COUNSEL, OLD | {"phone": "canary"}, If_None_Match="*")
    assert answer.json["errors"] == [{"pointer": "/resources/1/phone", "code": "not-a-number"}]
    assert b"canary" not in answer.body
    assert await front.sql.fetchval("SELECT count(*) FROM resources") == 0


async def test_anybody_reads_the_regions_and_the_agencys_and_nobody_elses(front: Front) -> None:
    other, _ = await add_agency(front.operator, front.keyring, riverton(slug="lakeside"))
    await put(front, COUNSEL, OLD, If_None_Match="*")
    await load_regional(front.operator, {"resources": [CRISIS | {"name": "Region team"}]})
    own = (await front.json("GET", "/v1/resources?agency=riverton")).json
    theirs = (await front.json("GET", f"/v1/resources?agency={other.slug}")).json
    bare = (await front.json("GET", "/v1/resources")).json
    assert [(one["name"], one["of"], one["stale"]) for one in own["listed"]] == [
        ("Region team", "region", False),
        ("River Center <b>", "agency", False),
        ("Chaplain Roe", "agency", True),
    ]
    assert [one["name"] for one in theirs["listed"]] == [one["name"] for one in bare["listed"]] == ["Region team"]
    assert {"988"} <= {one["call"] for one in own["resources"]}


async def test_the_list_is_narrowed_by_kind_and_relation(front: Front) -> None:
    await put(front, COUNSEL, OLD, If_None_Match="*")
    families = (await front.json("GET", "/v1/resources?agency=riverton&relation=family")).json["listed"]
    chaplains = (await front.json("GET", "/v1/resources?agency=riverton&kind=chaplain")).json["listed"]
    assert [one["name"] for one in families] == [one["name"] for one in chaplains] == ["Chaplain Roe"]
    assert (await front.json("GET", "/v1/resources?kind=canary")).status == 422
    assert (await front.json("GET", "/v1/resources?agency=nowhere")).status == 404
    async with front.db.transaction([front.agency.agency_id]) as tx:
        found = await resources_for(tx, front.agency.agency_id, ["counselling"], Relation.OFFICER)
    assert [one.name for one in found] == ["River Center <b>"]


async def test_crisis_resources_join_the_lines_of_every_answer(front: Front) -> None:
    await put(front, CRISIS, If_None_Match="*")
    await load_regional(front.operator, {"resources": [CRISIS | {"name": "Region team", "phone": "801-555-0152"}]})
    answer = await front.ask(front.code(), urgency="emergency", notice=None)
    assert [one["name"] for one in answer.json["resources"]][-2:] == ["County team", "Region team"]
    refused = await front.ask(front.code(), urgency="canary")
    assert [one["name"] for one in refused.json["resources"]][-2:] == ["County team", "Region team"]
    unknown = await front.json("GET", "/v1/agencies/nowhere")
    assert [one["name"] for one in unknown.json["resources"]][-1] == "Region team"


@pytest.mark.parametrize(("language", "title"), [("", "Other help"), ("?lang=es", "Otras ayudas")])
async def test_the_page_shows_them_without_a_script(front: Front, language: str, title: str) -> None:
    await put(front, COUNSEL, OLD, If_None_Match="*")
    page = await front.page("GET", f"/a/riverton/resources{language}")
    text = page.body.decode()
    assert (page.status, title in text, "<script" in text, "River Center <b>" in text) == (200, True, False, False)
    assert "tel:+18015550150" in text
    assert text.count("<strong>") == 1


async def test_an_agency_neither_reads_nor_changes_anothers_nor_the_regions(front: Front) -> None:
    other, key = await add_agency(front.operator, front.keyring, riverton(slug="lakeside"))
    await put(front, COUNSEL, If_None_Match="*")
    await load_regional(front.operator, {"resources": [CRISIS]})
    assert (await front.json("GET", OWN, code=key)).json["resources"] == []
    await put(front, key=key, If_None_Match="*")
    async with front.db.transaction([other.agency_id]) as tx:
        seen = await tx.connection.fetchval("SELECT count(*) FROM resources")
        await tx.connection.execute("DELETE FROM resources")
    assert seen == 1
    assert await front.sql.fetchval("SELECT count(*) FROM resources") == 2
