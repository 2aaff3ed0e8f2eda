"""Agencies, their keys and policies through their doors, two of them side by side, and the operator's rights."""

import asyncio
import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.intake.actions.agencies import further_key, list_agencies
from services.intake.actions.duty import DutyPerson, add_duty, list_duty
from services.intake.store.agencies import agency_of_slug, load_agency
from shared.errors import Refused
from shared.events.intake import AgencySet, ContactPointsSet, DutySet
from shared.types import REGION, Role
from tests.integration.intake_agency.office import DIRECTORY, Office, peer

KEYS = "/v1/agency/keys"
POLICY = "/v1/agency/policy"
DOORS = [
    ("GET", "/v1/agency"),
    ("GET", DIRECTORY),
    ("PUT", DIRECTORY),
    ("GET", "/v1/agency/resources"),
    ("PUT", "/v1/agency/resources"),
    ("GET", "/v1/agency/structure"),
    ("PUT", "/v1/agency/structure"),
    ("GET", POLICY),
    ("PUT", POLICY),
    ("GET", KEYS),
    ("POST", KEYS),
    ("DELETE", f"{KEYS}/{UUID(int=5)}"),
]


async def post_key(office: Office, key: str, scopes: list[str], *, once: str = "a-key-of-mine") -> Any:
    body = json.dumps({"scopes": scopes}).encode()
    return await office.ask("POST", KEYS, key, body=body, Idempotency_Key=once)


async def test_an_agency_is_found_by_its_slug_and_told_to_the_region(office: Office) -> None:
    agency, _ = await office.take_on("riverton")
    async with office.db.door() as connection:
        found = await agency_of_slug(connection, office.keyring.derived("doors"), "riverton")
    ((subject, fact),) = await office.facts()
    assert found == agency.agency_id
    assert subject == str(agency.agency_id)
    assert isinstance(fact, AgencySet)
    assert not any(fact.capabilities.model_dump().values())


async def test_a_slug_is_given_once(office: Office) -> None:
    await office.take_on("riverton")
    with pytest.raises(Refused) as caught:
        await office.take_on("riverton")
    assert caught.value.slug == "slug-taken"
    assert len(await list_agencies(office.operator)) == 1


async def test_a_key_stands_nowhere(office: Office) -> None:
    _, key = await office.take_on("riverton")
    made = await post_key(office, key, ["agency:read"])
    for table in ("agencies", "credentials", "doors", "audit", "outbox"):
        rows = await office.sql.fetch(f"SELECT t::text AS row FROM {table} t")  # noqa: S608
        assert not any(one in row["row"] for row in rows for one in (key, made.json["key"]))


@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_no_door_opens_without_a_key_of_the_region(office: Office, method: str, path: str) -> None:
    await office.take_on("riverton")
    unknown = await office.ask(method, path, "pk_unknown")
    missing = await office.ask(method, path, "")
    assert (unknown.status, unknown.headers["www-authenticate"]) == (401, "Bearer")
    assert (missing.status, missing.body) == (unknown.status, unknown.body)


async def test_a_key_opens_its_own_agency_alone(office: Office) -> None:
    _, mine = await office.take_on("riverton")
    other, theirs = await office.take_on("lakeside")
    await office.put(mine, [peer("p1")])
    assert (await office.ask("GET", "/v1/agency", theirs)).json["slug"] == "lakeside"
    assert (await office.ask("GET", DIRECTORY, theirs)).json == {"people": []}
    assert (await office.put(theirs, [peer("p1")])).json["added"] == 1
    assert await office.count("people", other) == 1


async def test_anothers_key_cannot_be_revoked_and_looks_unknown(office: Office) -> None:
    agency, mine = await office.take_on("riverton")
    _, theirs = await office.take_on("lakeside")
    own = (await office.ask("GET", KEYS, mine)).json["keys"][0]["id"]
    foreign = await office.ask("DELETE", f"{KEYS}/{own}", theirs)
    unknown = await office.ask("DELETE", f"{KEYS}/{UUID(int=5)}", theirs)
    assert (foreign.status, foreign.body) == (unknown.status, unknown.body) == (404, foreign.body)
    assert (await office.ask("GET", "/v1/agency", mine)).status == 200
    acts = await office.sql.fetch("SELECT act FROM audit WHERE agency_id <> $1", agency.agency_id)
    assert [row["act"] for row in acts].count("key.denied") == 2


async def test_a_further_key_may_do_what_it_was_made_for_and_no_more(office: Office) -> None:
    _, key = await office.take_on("riverton")
    made = await post_key(office, key, ["directory:read", "keys:write"])
    narrow = made.json["key"]
    assert made.status == 201
    assert (await office.ask("GET", DIRECTORY, narrow)).status == 200
    assert (await office.put(narrow, [peer("p1")])).status == 403
    assert (await post_key(office, narrow, ["directory:write"], once="another-key")).status == 403


async def test_a_repeated_post_gets_the_same_key_and_another_body_none(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    first = await post_key(office, key, ["agency:read"])
    again = await post_key(office, key, ["agency:read"])
    other = await post_key(office, key, ["policy:read"])
    assert again.json == first.json
    assert (other.status, other.json["type"]) == (422, "/problems/idempotency-key-reused")
    assert await office.count("credentials", agency) == 2


async def test_the_same_post_ten_times_at_once_makes_one_key(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    made = await asyncio.gather(*(post_key(office, key, ["agency:read"]) for _ in range(10)))
    assert len({one.json["key"] for one in made}) == 1
    assert await office.count("credentials", agency) == 2


async def test_a_post_without_its_key_is_refused(office: Office) -> None:
    _, key = await office.take_on("riverton")
    answer = await office.ask("POST", KEYS, key, body=b'{"scopes": ["agency:read"]}')
    assert (answer.status, answer.json["type"]) == (400, "/problems/idempotency-key-missing")


async def test_a_revoked_key_opens_nothing_and_the_last_one_stays(office: Office) -> None:
    _, key = await office.take_on("riverton")
    own = (await office.ask("GET", KEYS, key)).json["keys"][0]["id"]
    last = await office.ask("DELETE", f"{KEYS}/{own}", key)
    second = (await post_key(office, key, ["keys:write", "agency:read"])).json
    gone = await office.ask("DELETE", f"{KEYS}/{own}", second["key"])
    assert (last.status, last.json["type"]) == (409, "/problems/last-key")
    assert (gone.status, gone.body) == (204, b"")
    assert (await office.ask("GET", "/v1/agency", key)).status == 401


async def test_a_policy_is_set_within_bounds_by_who_has_read_it(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    tag = (await office.ask("GET", POLICY, key)).headers["etag"]
    good = await office.ask("PUT", POLICY, key, body=b'{"grace_s": 3}', If_Match=tag)
    stale = await office.ask("PUT", POLICY, key, body=b'{"grace_s": 4}', If_Match=tag)
    bad = await office.ask("PUT", POLICY, key, body=b'{"grace_s": 1e9}', If_Match=good.headers["etag"])
    assert [good.status, stale.status, bad.status] == [200, 412, 422]
    async with office.db.transaction([agency.agency_id]) as tx:
        kept = await load_agency(tx, agency.agency_id)
    assert kept is not None
    assert kept.policy == {"grace_s": 3}


async def test_an_agency_that_lost_its_keys_gets_another_from_the_operator(office: Office) -> None:
    await office.take_on("riverton")
    made = await further_key(office.operator, office.keyring, "riverton")
    assert (await office.ask("GET", "/v1/agency", made)).status == 200


async def test_a_duty_coordinator_is_named_once_and_told_to_verify(office: Office) -> None:
    wanted = DutyPerson("Sam Quill", "Duty@Region.test", "en", "America/Denver")
    person = await add_duty(office.operator, office.keyring, wanted)
    (_, duty), (_, contacts) = await office.facts()
    assert isinstance(duty, DutySet)
    assert isinstance(contacts, ContactPointsSet)
    assert (contacts.role, len(contacts.points)) == (Role.DUTY, 1)
    assert [one.contact for one in await list_duty(office.operator, office.keyring)] == ["duty@region.test"]
    assert person == await office.sql.fetchval("SELECT person_id FROM people WHERE agency_id = $1", REGION)
    with pytest.raises(Refused) as caught:
        await add_duty(office.operator, office.keyring, wanted)
    assert caught.value.slug == "duty-exists"


async def test_the_operator_sees_no_people_of_an_agency(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    await office.put(key, [peer("p1")])
    async with office.operator.transaction([agency.agency_id, REGION]) as tx:
        assert await tx.connection.fetchval("SELECT count(*) FROM people") == 0
        assert await tx.connection.fetchval("SELECT count(*) FROM contact_points") == 0


@pytest.mark.parametrize("statement", ["SELECT * FROM outbox", "SELECT * FROM doors", "SELECT * FROM credentials"])
async def test_the_operator_writes_what_it_may_not_read(office: Office, statement: str) -> None:
    async with office.operator.door() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(statement)
