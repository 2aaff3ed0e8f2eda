"""An agency has people asked again to verify a contact point."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.events.intake import VerificationAsked
from tests.integration.intake_agency.office import Office, member, peer
from tests.unit.shared.asgi import Answer

AGAIN = "/v1/agency/directory/verifications"


async def ask(office: Office, key: str, **wanted: Any) -> Answer:
    return await office.ask("POST", AGAIN, key, body=json.dumps(wanted).encode() if wanted else b"")


async def asked(office: Office) -> list[str]:
    return [key for key, fact in await office.facts() if isinstance(fact, VerificationAsked)]


@pytest.fixture
async def key(office: Office) -> str:
    """Of an agency with two peers, of whom one is verified, and a member."""
    _, made = await office.take_on("riverton")
    assert (await office.put(made, [peer("P1"), peer("P2"), member("M1")])).status == 200
    await office.sql.execute(
        "UPDATE people SET verified = true WHERE person_id = (SELECT person_id FROM people WHERE role = 'peer' LIMIT 1)"
    )
    return made


async def move_clock(office: Office, by: timedelta) -> None:
    await office.sql.execute("UPDATE region.clock SET shift = shift + $1", by)


async def test_whoever_has_verified_nothing_is_asked_and_soon_again_nobody(office: Office, key: str) -> None:
    first, second = await ask(office, key), await ask(office, key)
    assert (first.status, first.json) == (200, {"asked": 1, "verified": 1, "too_soon": 0})
    assert (second.status, second.json) == (200, {"asked": 0, "verified": 1, "too_soon": 1})
    unverified = await office.sql.fetchval("SELECT person_id::text FROM people WHERE role = 'peer' AND NOT verified")
    assert await asked(office) == [unverified]


async def test_one_person_is_asked_by_reference(office: Office, key: str) -> None:
    answer = await ask(office, key, person_ref=" p2 ")
    assert (answer.status, answer.json) == (200, {"asked": 1, "verified": 0, "too_soon": 0})
    assert len(await asked(office)) == 1


async def test_a_member_a_stranger_and_whoever_is_gone_are_unknown(office: Office, key: str) -> None:
    tag = (await office.ask("GET", "/v1/agency/directory", key)).headers["etag"]
    assert (await office.put(key, [peer("P1"), member("M1")], tag=tag)).status == 200
    answers = [await ask(office, key, person_ref=ref) for ref in ("M1", "P2", "nobody", "  ")]
    assert {one.status for one in answers} == {404}
    assert len({one.body for one in answers}) == 1
    assert await asked(office) == []


async def test_five_times_a_week_and_no_more(office: Office, key: str) -> None:
    told = []
    for _ in range(6):
        told.append((await ask(office, key)).json["asked"])
        await move_clock(office, timedelta(hours=1, minutes=1))
    assert told == [1, 1, 1, 1, 1, 0]
    await move_clock(office, timedelta(days=7))
    assert (await ask(office, key)).json["asked"] == 1
    assert await office.sql.fetchval("SELECT max(cardinality(verification_asked)) FROM people") == 1


async def test_an_upload_forgets_nothing_of_it(office: Office, key: str) -> None:
    await ask(office, key)
    tag = (await office.ask("GET", "/v1/agency/directory", key)).headers["etag"]
    await office.put(key, [peer("P1", hours="Mon-Fri 08:00-18:00"), peer("P2", name="Ben B"), member("M1")], tag=tag)
    assert (await ask(office, key)).json["too_soon"] == 1


async def test_it_takes_the_right_to_write_the_directory(office: Office, key: str) -> None:
    wanted = json.dumps({"scopes": ["directory:read"]}).encode()
    made = await office.ask("POST", "/v1/agency/keys", key, body=wanted, Idempotency_Key="a-key-of-mine")
    refused = await ask(office, made.json["key"])
    assert (refused.status, refused.json["type"]) == (403, "/problems/scope-missing")


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"person_ref": 5}', b'{"canary": 1}', b'{"person_ref": ""}'])
async def test_another_body_is_told_by_place_alone(body: bytes, office: Office, key: str) -> None:
    answer = await office.ask("POST", AGAIN, key, body=body)
    assert answer.status == 422
    assert b"canary" not in answer.body
