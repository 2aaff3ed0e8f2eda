"""The directory through its door: all or nothing, nothing twice, and what the region hears of it."""

import json
from typing import Any
from uuid import UUID

import pytest

from services.intake.domain.directory import index_of
from services.intake.store import bars
from services.intake.store import directory as store
from services.intake.store.bars import Counts, Sought
from shared import vault
from shared.db import NotInView
from shared.events.intake import ContactPointsSet, PersonSet
from shared.news import Verified
from shared.types import REGION, PersonId, Role
from tests.integration.intake_agency.office import DIRECTORY, Office, member, peer


def points(office_facts: list[tuple[str, Any]]) -> dict[str, ContactPointsSet]:
    return {key: fact for key, fact in office_facts if isinstance(fact, ContactPointsSet)}


def persons(office_facts: list[tuple[str, Any]]) -> dict[str, PersonSet]:
    return {key: fact for key, fact in office_facts if isinstance(fact, PersonSet)}


async def test_the_first_upload_is_kept_and_told(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    await office.forget_facts()
    answer = await office.put(key, [peer("p1"), peer("c1", role="coordinator"), member("m1")])
    assert (answer.status, answer.json["added"], answer.headers["etag"]) == (200, 3, '"1"')
    facts = await office.facts(agency)
    assert len(persons(facts)) == len(points(facts)) == 2
    assert {row["route"] for row in await office.sql.fetch("SELECT route FROM outbox")} == {agency.agency_id}


async def test_the_same_upload_again_says_that_nothing_changed(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    people = [peer("p1", supervisor_ref="m1"), member("m1")]
    tag = (await office.put(key, people)).headers["etag"]
    await office.forget_facts()
    again = await office.put(key, people[::-1], tag=tag)
    counts = {name: again.json[name] for name in ("added", "changed", "removed", "unchanged")}
    assert counts == {"added": 0, "changed": 0, "removed": 0, "unchanged": 2}
    assert again.headers["etag"] == tag
    assert not await office.facts(agency)


async def test_what_the_directory_answers_can_be_uploaded_again(office: Office) -> None:
    _, key = await office.take_on("riverton")
    rich = peer("p1", unit="Patrol", badge="0042", attributes="veteran", hours="Fri 22:00-06:00", shows="801-555-0111")
    tag = (await office.put(key, [rich, member("m1")])).headers["etag"]
    read = await office.ask("GET", DIRECTORY, key)
    assert (read.json["people"][1]["badge"], read.json["people"][1]["verified"]) == ("0042", False)
    again = await office.put(key, read.json["people"], tag=tag)
    assert (again.status, again.json["unchanged"]) == (200, 2)


async def test_nothing_of_a_bad_upload_is_kept(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    await office.forget_facts()
    answer = await office.put(key, [peer("p1"), peer("p2", contact="canary-text")])
    assert (answer.status, answer.json["errors"]) == (
        422,
        [{"pointer": "/people/1/contact", "code": "not-an-address"}],
    )
    assert b"canary-text" not in answer.body
    assert not await office.facts(agency)
    assert await office.count("people", agency) == await office.count("vault.data_keys", agency) == 0


async def test_a_bad_upload_leaves_what_stands(office: Office) -> None:
    _, key = await office.take_on("riverton")
    tag = (await office.put(key, [peer("p1")])).headers["etag"]
    await office.put(key, [member("m1", role="chief")], tag=tag)
    read = await office.ask("GET", DIRECTORY, key)
    assert [one["person_ref"] for one in read.json["people"]] == ["p1"]
    assert read.headers["etag"] == tag


async def test_a_spreadsheet_is_answered_by_its_rows(office: Office) -> None:
    _, key = await office.take_on("riverton")
    content = "\ufeffPerson_Ref;Role;Name;Contact\r\n\r\nP1;peer;Peña;nobody\r\n".encode()
    answer = await office.ask("PUT", DIRECTORY, key, body=content, Content_Type="text/csv", If_None_Match="*")
    assert (answer.status, answer.json["rows"]) == (422, [{"row": 3, "field": "contact", "code": "not-an-address"}])


async def test_a_spreadsheet_of_a_code_page_is_kept(office: Office) -> None:
    _, key = await office.take_on("riverton")
    content = 'person_ref,role,name,contact\r\nP1,peer,"Peña, Ana",ana@home.test\r\n'.encode("cp1252")
    answer = await office.ask("PUT", DIRECTORY, key, body=content, Content_Type="text/csv", If_None_Match="*")
    assert answer.status == 200
    assert (await office.ask("GET", DIRECTORY, key)).json["people"][0]["name"] == "Peña, Ana"


async def test_a_dry_run_tells_everything_and_keeps_nothing(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    answer = await office.put(key, [peer("p1", contact="p1@riverton.gov")], check=True)
    assert (answer.status, answer.json["check"], answer.json["added"]) == (200, True, 1)
    warned = {"pointer": "/people/0/contact", "code": "agency-mail-domain"}
    assert warned in answer.json["warnings"]
    assert await office.count("people", agency) == 0


async def test_nobody_overwrites_what_they_have_not_read(office: Office) -> None:
    _, key = await office.take_on("riverton")
    blind = await office.ask("PUT", DIRECTORY, key, body=b'{"people": []}', Content_Type="application/json")
    tag = (await office.put(key, [peer("p1")])).headers["etag"]
    second = await office.put(key, [peer("p2")])
    await office.put(key, [peer("p2")], tag=tag)
    stale = await office.put(key, [peer("p3")], tag=tag)
    assert [blind.status, second.status, stale.status] == [428, 412, 412]


async def test_a_point_keeps_its_id_while_its_address_is_unchanged(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    tag = (await office.put(key, [peer("p1", contact="one@home.test")])).headers["etag"]
    before = points(await office.facts(agency))
    await office.forget_facts()
    people = [peer("p1", unit="Traffic", contact="two@home.test ONE@home.test")]
    await office.put(key, people, tag=tag)
    after = points(await office.facts(agency))
    (person,) = before
    old, new = before[person].points[0].point_id, [one.point_id for one in after[person].points]
    assert new[1] == old
    assert new[0] != old
    assert after[person].revision > before[person].revision


async def test_a_changed_address_is_a_new_point_and_nobody_is_verified_by_it(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    tag = (await office.put(key, [peer("p1")])).headers["etag"]
    await verify(office, agency.agency_id, revision=1)
    assert (await office.ask("GET", DIRECTORY, key)).json["people"][0]["verified"]
    await office.put(key, [peer("p1", contact="stolen@home.test")], tag=tag)
    await verify(office, agency.agency_id, revision=1)
    assert not (await office.ask("GET", DIRECTORY, key)).json["people"][0]["verified"]


async def verify(office: Office, agency_id: Any, *, revision: int) -> None:
    person = await office.sql.fetchval("SELECT person_id FROM people WHERE agency_id = $1", agency_id)
    async with office.db.transaction([agency_id]) as tx:
        await store.hear(tx, [Verified(PersonId(person), agency_id, verified=True, revision=revision)])


async def test_an_address_opens_for_its_point_alone(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    await office.put(key, [peer("p1", contact="Ana@Home.test")])
    ((person, told),) = points(await office.facts(agency)).items()
    async with office.db.transaction([agency.agency_id]) as tx:
        data_key = (await vault.load(tx, office.keyring, "person", [PersonId(UUID(person))])).popitem()[1]
    point = told.points[0]
    assert data_key.open(f"contact:{point.point_id}", point.sealed) == b"ana@home.test"


async def test_who_is_no_longer_named_becomes_inactive_and_may_come_back(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    tag = (await office.put(key, [peer("p1"), peer("p2")])).headers["etag"]
    first = points(await office.facts(agency))
    await office.forget_facts()
    gone = await office.put(key, [peer("p2")], tag=tag)
    facts = await office.facts(agency)
    ((person, told),) = persons(facts).items()
    assert (gone.json["removed"], told.active, points(facts)[person].active) == (1, False, False)
    await office.forget_facts()
    back = await office.put(key, [peer("p1"), peer("p2")], tag=gone.headers["etag"])
    returned = points(await office.facts(agency))[person]
    assert (back.json["changed"], returned.active, returned.revision) == (1, True, 3)
    assert returned.points[0].point_id != first[person].points[0].point_id


async def test_a_peer_who_becomes_a_member_is_taken_back(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    tag = (await office.put(key, [peer("p1")])).headers["etag"]
    await office.forget_facts()
    await office.put(key, [peer("p1", role="member")], tag=tag)
    ((_, person), (_, contacts)) = await office.facts(agency)
    assert isinstance(person, PersonSet)
    assert isinstance(contacts, ContactPointsSet)
    # The role tells a peer who has become something else, and gives back what they have, from one who is only missing.
    assert (person.active, person.role) == (False, "member")
    assert not contacts.active
    assert await office.count("contact_points", agency) == 0


async def test_names_and_addresses_stand_nowhere_in_the_clear(office: Office) -> None:
    _, key = await office.take_on("riverton")
    canary = peer("p1", name="Canarina Text", unit="Canary unit", badge="CANARY9", contact="canary@home.test")
    await office.put(key, [canary | {"shows": "canary evenings", "person_ref": "canary-ref"}])
    tables = ("people", "contact_points", "outbox", "audit", "doors", "vault.data_keys")
    for table in tables:
        rows = await office.sql.fetch(f"SELECT t::text AS row FROM {table} t")  # noqa: S608
        assert not any("canar" in row["row"].lower() for row in rows)
    payloads = [bytes(row["payload"]).lower() for row in await office.sql.fetch("SELECT payload FROM outbox")]
    assert payloads
    assert not any(b"canar" in one for one in payloads)


async def test_bars_are_found_by_indexes_and_up_the_chain_of_command(office: Office) -> None:
    agency, key = await office.take_on("riverton")
    people = [
        peer("p1", unit="Patrol", supervisor_ref="s1", badge="0042", name="Ana Peña"),
        member("s1", unit="Patrol", supervisor_ref="l1"),
        peer("l1", role="coordinator"),
        member("m1"),
    ]
    await office.put(key, people)
    index_key = office.keyring.derived("index")

    def index(kind: Any, text: str) -> bytes:
        return index_of(index_key, agency.agency_id, kind, text)

    async with office.db.transaction([agency.agency_id, REGION]) as tx:
        found = await bars.find(
            tx,
            [
                Sought(0, "name", index("name", "PENA ANA")),
                Sought(1, "badge", index("badge", "42")),
                Sought(2, "unit", index("unit", "patrol")),
                Sought(3, "ref", index("ref", "s1"), Counts(above=True)),
            ],
        )
        ana = next(one for one in found if one.role is Role.PEER)
        told = await store.helpers(tx, [agency.agency_id, REGION])
        cards = await store.person_cards(tx, office.keyring, agency.agency_id, [ana.person_id])
    assert {(one.n, one.role) for one in found} == {
        (0, Role.PEER),
        (1, Role.PEER),
        (2, Role.PEER),
        (2, Role.MEMBER),
        (3, Role.MEMBER),
        (3, Role.COORDINATOR),
    }
    # The coordinator has not opened the link yet.
    assert told == []
    assert cards[ana.person_id].name == "Ana Peña"


async def test_helpers_of_an_agency_that_is_not_in_view_are_not_taken_for_nobody(office: Office) -> None:
    agency, _ = await office.take_on("riverton")
    async with office.db.transaction([agency.agency_id]) as tx:
        with pytest.raises(NotInView):
            await store.helpers(tx, [agency.agency_id, REGION])


@pytest.mark.parametrize("body", [b"{", b"[1", b"\xff", b"[" * 100_000, json.dumps({"people": 5}).encode()])
async def test_malformed_bodies_get_a_problem_document(office: Office, body: bytes) -> None:
    _, key = await office.take_on("riverton")
    answer = await office.ask("PUT", DIRECTORY, key, body=body, Content_Type="application/json", If_None_Match="*")
    assert answer.status in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
