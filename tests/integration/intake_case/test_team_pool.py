"""Taking part in the region's pool on the coordinator's page: joining, offering one's own, and leaving."""

from __future__ import annotations

import html
from typing import Any

from tests.integration.intake_case.front import Front
from tests.integration.intake_case.test_submit import person
from tests.integration.intake_case.test_team import SERVES, TEAM, lending, nonce_in, opened, person_page, read_in

POLICY = "/v1/agency/policy"


async def part(front: Front, cookie: str, text: str, act: str) -> None:
    """Pressed twice."""
    fields = {"nonce": nonce_in(text), "act": act}
    for _ in range(2):
        assert (await front.page("POST", f"{TEAM}/pool/part", fields, cookie=cookie)).status == 303


async def overrides(front: Front) -> dict[str, Any]:
    found: dict[str, Any] = (await front.json("GET", POLICY, code=front.key)).json["overrides"]
    return found


async def test_an_agency_joins_and_leaves_and_the_rest_of_its_policy_stays(front: Front) -> None:
    await front.upload(person("p1", **SERVES))
    tag = (await front.json("GET", POLICY, code=front.key)).headers["etag"]
    own = {"grace_s": 3600, "urgent": {"answer_within_s": 600}}
    assert (await front.json("PUT", POLICY, own, code=front.key, If_Match=tag)).status == 200
    other = await lending(front)
    tag = (await front.json("GET", POLICY, code=other)).headers["etag"]
    assert (await front.json("PUT", POLICY, {"pool": True}, code=other, If_Match=tag)).status == 200
    cookie, text = await opened(front)
    assert ("Your agency takes no part" in text, "Rosa Lind" in text) == (True, False)
    await part(front, cookie, text, "join")
    assert await overrides(front) == own | {"pool": True}
    _, text = await opened(front)
    assert ("Rosa Lind, Lakeside" in text, "Take no part any more" in text) == (True, True)
    await part(front, cookie, text, "leave")
    assert await overrides(front) == own | {"pool": False}
    _, text = await opened(front)
    assert ("Your agency takes no part" in text, "Rosa Lind" in text) == (True, False)


async def test_who_of_ones_own_agrees_is_offered_to_the_others(front: Front) -> None:
    await front.upload(person("p1", name="Ana Ready", **SERVES), person("p2", **SERVES))
    other = await lending(front)
    tag = (await front.json("GET", POLICY, code=other)).headers["etag"]
    assert (await front.json("PUT", POLICY, {"pool": True}, code=other, If_Match=tag)).status == 200
    cookie, text = await opened(front)
    await part(front, cookie, text, "join")
    assert "Nobody of your own is offered" in (await opened(front))[1]
    form = await person_page(front, "p1", cookie) | {"attributes": "veteran", "lent": "yes"}
    assert (await front.page("POST", f"{TEAM}/person", form, cookie=cookie)).status == 303
    assert "offered to other agencies: Ana Ready" in (await opened(front))[1]
    seen = (await front.json("GET", "/v1/agency/pool", code=other)).json["peers"]
    assert [(one["name"], one["attributes"]) for one in seen] == [("Ana Ready", ["veteran"])]
    # The box says it, and not one attribute more among the others.
    page = html.unescape((await front.page("GET", f"{TEAM}/person?ref=p1", cookie=cookie)).body.decode())
    assert ('name="lent" value="yes" checked' in page, 'value="veteran"' in page) == (True, True)
    form = {name: value for name, value in form.items() if name != "lent"} | {"read": read_in(page)}
    assert (await front.page("POST", f"{TEAM}/person", form, cookie=cookie)).status == 303
    assert (await front.json("GET", "/v1/agency/pool", code=other)).json["peers"] == []


async def test_a_key_that_may_not_change_the_policy_joins_nothing(front: Front) -> None:
    await front.upload(person("p1", **SERVES))
    wanted = {"scopes": ["directory:read", "directory:write"]}
    made = await front.json("POST", "/v1/agency/keys", wanted, code=front.key, Idempotency_Key="a-key-of-mine")
    entered = await front.page("POST", TEAM, {"key": made.json["key"]})
    cookie = entered.headers["set-cookie"].partition(";")[0]
    text = (await front.page("GET", TEAM, cookie=cookie)).body.decode()
    assert "pool/part" not in text
    fields = {"nonce": nonce_in(text), "act": "join"}
    sent = await front.page("POST", f"{TEAM}/pool/part", fields, cookie=cookie)
    assert (sent.status, await overrides(front)) == (403, {})
    cookie, _ = await opened(front)
    assert (await front.page("POST", f"{TEAM}/pool/part", fields | {"nonce": "x"}, cookie=cookie)).status == 400
