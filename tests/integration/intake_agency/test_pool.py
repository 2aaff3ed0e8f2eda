"""Peers of the region's pool: offered by one agency, taken by another, and what each of the two comes to know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from services.intake.actions import barring, following, pool
from services.intake.actions.barring import Named
from services.intake.domain.agency import Agency
from shared import timers, vault
from shared.events.intake import ContactPointsSet, PersonSet
from shared.timers import claim, finish
from shared.types import Lane, PersonId
from tests.integration.intake_agency.office import Office, member, peer

POOL = "/v1/agency/pool"


@dataclass
class Place:
    """An agency, its key, and the tags of what it has written."""

    office: Office
    agency: Agency
    key: str
    directory: str = ""
    policy: str = ""
    taken: str = ""

    async def has(self, *people: dict[str, Any]) -> None:
        self.directory = (await self.office.put(self.key, list(people), tag=self.directory)).headers["etag"]

    async def set_policy(self, **policy: Any) -> None:
        path = "/v1/agency/policy"
        stands = (await self.office.ask("GET", path, self.key)).headers["etag"]
        answer = await self.office.ask("PUT", path, self.key, body=json.dumps(policy).encode(), If_Match=stands)
        assert answer.status == 200

    async def pool(self) -> list[dict[str, Any]]:
        answer = await self.office.ask("GET", POOL, self.key)
        assert answer.status == 200
        found: list[dict[str, Any]] = answer.json["peers"]
        return found

    async def take(self, *peers: dict[str, Any], status: int = 200) -> dict[str, Any]:
        headers = {"If_Match": self.taken} if self.taken else {"If_None_Match": "*"}
        answer = await self.office.ask("PUT", POOL, self.key, body=json.dumps({"peers": peers}).encode(), **headers)
        assert answer.status == status, answer.json
        if status == 200:
            self.taken = answer.headers["etag"]
        return dict(answer.json)

    async def told(self) -> dict[str, PersonSet]:
        """The last word about each person in this agency's name."""
        return {key: fact for key, fact in await self.office.facts(self.agency) if isinstance(fact, PersonSet)}


async def town(office: Office, slug: str, *, takes_part: bool = True) -> Place:
    agency, key = await office.take_on(slug)
    place = Place(office, agency, key)
    if takes_part:
        await place.set_policy(pool=True)
    return place


async def rounds(office: Office) -> int:
    """Every round of lent peers that is due is taken; others are left aside. How many there were."""
    fired = await claim(office.db, Lane.BULK)
    own = [one for one in fired if one.kind == following.ROUND]
    if own:
        work = partial(pool.fire, keyring=office.keyring)
        await timers.in_one_transaction(office.db, work, also=partial(pool.concerned, office.db))(own)
    others = [one for one in fired if one.kind != following.ROUND]
    async with office.db.transaction({one.agency_id for one in others}) as tx:
        await finish(tx, others)
    return len(own)


async def lent(office: Office, **fields: Any) -> tuple[Place, Place]:
    """Riverton lends Rosa to lakeside, which has designated her."""
    home, borrower = await town(office, "riverton"), await town(office, "lakeside")
    rosa = {"name": "Rosa Lind", "attributes": ["regional", "veteran"], "shows": "Call after six."} | fields
    await home.has(peer("rosa", **rosa), peer("p2"))
    (offered,) = await borrower.pool()
    await borrower.take({"peer": offered["peer"], "designated_from": "2026-01-01", "designated_to": "2027-12-31"})
    return home, borrower


async def test_a_peer_who_is_taken_is_told_in_the_borrowers_name_with_who_they_are_at_home(office: Office) -> None:
    home, borrower = await lent(office, trained_until="2027-06-30", hours="Mon-Fri 18:00-22:00", offers=["talk"])
    ((listing, fact),) = (await borrower.told()).items()
    at_home = await home.told()
    assert str(fact.bearer) in at_home
    assert listing != str(fact.bearer)
    assert (fact.active, fact.role, fact.attributes) == (True, "peer", ("other_agency", "veteran"))
    assert (fact.designated_from, fact.designated_to) == (date(2026, 1, 1), date(2027, 12, 31))
    assert (fact.trained_until, fact.hours, fact.offers) == (date(2027, 6, 30), "Mon-Fri 18:00-22:00", ("talk",))
    assert all(one.bearer is None for one in at_home.values())


async def test_contact_points_are_sealed_with_a_key_of_the_borrower(office: Office) -> None:
    _, borrower = await lent(office)
    facts = await office.facts(borrower.agency)
    ((listing, contacts),) = [(UUID(key), one) for key, one in facts if isinstance(one, ContactPointsSet)]
    async with office.db.transaction([borrower.agency.agency_id]) as tx:
        keys = await vault.load(tx, office.keyring, "person", [listing])
    (point,) = contacts.points
    assert keys[listing].open(f"contact:{point.point_id}", point.sealed) == b"rosa@home.test"


async def test_what_a_coordinator_sees_of_the_pool(office: Office) -> None:
    _, borrower = await lent(office)
    (shown,) = await borrower.pool()
    assert {name: shown[name] for name in ("agency", "name", "shows", "attributes", "taken", "verified")} == {
        "agency": "riverton police",
        "name": "Rosa Lind",
        "shows": "Call after six.",
        "attributes": ["veteran"],
        "taken": True,
        "verified": False,
    }
    assert "rosa@home.test" not in json.dumps(shown)


async def test_only_peers_who_say_so_of_agencies_that_take_part_are_offered_and_never_ones_own(office: Office) -> None:
    home, borrower = await town(office, "riverton"), await town(office, "lakeside")
    outside = await town(office, "hillside", takes_part=False)
    for place in (home, borrower, outside):
        await place.has(
            peer("r", attributes=["regional"]),
            peer("stays"),
            peer("c", role="coordinator", attributes=["regional"]),
            member("m"),
        )
    assert [one["agency"] for one in await borrower.pool()] == ["riverton police"]
    assert [one["agency"] for one in await home.pool()] == ["lakeside police"]
    assert await outside.pool() == []
    ids = {
        (row["agency_id"], row["role"], "regional" in row["attributes"]): str(row["person_id"])
        for row in await office.sql.fetch("SELECT agency_id, role, attributes, person_id FROM people")
    }
    refused = [
        ids[home.agency.agency_id, "peer", False],
        ids[home.agency.agency_id, "coordinator", True],
        ids[outside.agency.agency_id, "peer", True],
        ids[borrower.agency.agency_id, "peer", True],
        str(UUID(int=7)),
    ]
    answer = await borrower.take(*({"peer": one} for one in refused), status=422)
    assert [one["pointer"] for one in answer["errors"]] == [f"/peers/{place}/peer" for place in range(5)]
    assert all(one.bearer is None for one in (await borrower.told()).values())


async def test_who_takes_no_part_takes_nobody(office: Office) -> None:
    home, outside = await town(office, "riverton"), await town(office, "hillside", takes_part=False)
    await home.has(peer("r", attributes=["regional"]))
    person = await office.sql.fetchval("SELECT person_id FROM people")
    assert (await outside.take({"peer": str(person)}, status=409))["type"].endswith("not-in-pool")


async def test_nobody_is_taken_twice_in_one_list(office: Office) -> None:
    _, borrower = await lent(office)
    ((_, fact),) = (await borrower.told()).items()
    answer = await borrower.take({"peer": str(fact.bearer)}, {"peer": str(fact.bearer)}, status=422)
    assert answer["errors"] == [{"pointer": "/peers/1/peer", "code": "duplicate"}]


async def test_a_copy_follows_its_original(office: Office) -> None:
    home, borrower = await lent(office)
    await home.has(
        peer("rosa", name="Rosa Lind", attributes=["regional", "language:es"], contact="new@home.test"), peer("p2")
    )
    assert await rounds(office) == 1
    ((_, fact),) = (await borrower.told()).items()
    assert (fact.active, fact.attributes) == (True, ("language:es", "other_agency"))
    # A new address has to be verified again there too.
    points = [one for _, one in await office.facts(borrower.agency) if isinstance(one, ContactPointsSet)]
    assert points[0].points[0].point_id != points[-1].points[0].point_id


async def test_leave_at_home_is_leave_everywhere(office: Office) -> None:
    home, borrower = await lent(office)
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    entry = {
        "means": "away",
        "start": start.strftime("%Y-%m-%dT%H:%M"),
        "end": (start + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M"),
    }
    path = "/v1/agency/availability/rosa"
    stands = (await office.ask("GET", path, home.key)).headers["etag"]
    answer = await office.ask(
        "PUT",
        path,
        home.key,
        body=json.dumps({"entries": [entry]}).encode(),
        If_Match=stands,
        Content_Type="application/json",
    )
    assert answer.status == 200, answer.json
    await rounds(office)
    ((_, fact),) = (await borrower.told()).items()
    ((_, at_home),) = [(key, one) for key, one in (await home.told()).items() if key == str(fact.bearer)]
    assert fact.spans == at_home.spans != ()


async def test_who_leaves_is_taken_back_and_who_comes_again_is_listed_again(office: Office) -> None:
    home, borrower = await lent(office)

    async def listed() -> bool:
        await rounds(office)
        ((_, fact),) = (await borrower.told()).items()
        return fact.active

    rosa = peer("rosa", name="Rosa Lind", attributes=["regional"])
    assert await listed()
    await home.has(peer("rosa", name="Rosa Lind"), peer("p2"))
    assert not await listed()
    await home.has(rosa, peer("p2"))
    assert await listed()
    await home.has(peer("p2"))
    assert not await listed()
    await home.has(rosa, peer("p2"))
    assert await listed()
    await home.set_policy()
    assert not await listed()
    await home.set_policy(pool=True)
    assert await listed()
    await borrower.set_policy()
    assert not await listed()


async def test_an_agencys_own_list_neither_shows_nor_touches_whom_it_borrows(office: Office) -> None:
    _, borrower = await lent(office)
    await borrower.has(peer("p1"))
    shown = await office.ask("GET", "/v1/agency/directory", borrower.key)
    assert [one["person_ref"] for one in shown.json["people"]] == ["p1"]
    lent_ones = [one for one in (await borrower.told()).values() if one.bearer]
    assert [one.active for one in lent_ones] == [True]
    await borrower.has(peer("p2"))
    assert [one.active for one in (await borrower.told()).values() if one.bearer] == [True]


async def test_whoever_is_let_go_is_listed_no_more(office: Office) -> None:
    _, borrower = await lent(office)
    await borrower.take()
    assert [one.active for one in (await borrower.told()).values()] == [False]


async def test_a_requester_who_names_a_borrowed_peer_is_not_met_by_them(office: Office) -> None:
    home, borrower = await lent(office, badge="4411")
    ((listing, _),) = (await borrower.told()).items()
    named = {
        0: Named(borrower.agency.agency_id, avoid_people=("lind, rosa",)),
        1: Named(home.agency.agency_id, ("p2",)),
        2: Named(borrower.agency.agency_id, avoid_people=("4411",)),
    }
    async with office.db.transaction([borrower.agency.agency_id, home.agency.agency_id]) as tx:
        bars = await barring.bars(tx, office.keyring.derived("index"), named)
    assert bars[0] == (PersonId(UUID(listing)),)
    assert PersonId(UUID(listing)) not in bars[1]
    assert bars[2] == bars[0]


async def test_a_conflict_names_a_borrowed_peer_by_the_id_that_the_pool_shows(office: Office) -> None:
    _, borrower = await lent(office)
    ((listing, _),) = (await borrower.told()).items()
    (offered,) = await borrower.pool()
    listed = {"conflicts": [{"kind": "evaluator", "people": [offered["peer"]]}]}
    body = json.dumps(listed).encode()
    answer = await office.ask("PUT", "/v1/agency/conflicts", borrower.key, body=body, If_None_Match="*")
    assert (answer.status, answer.json) == (200, {"conflicts": 1, "people": 1})
    async with office.db.transaction([borrower.agency.agency_id]) as tx:
        bars = await barring.bars(
            tx, office.keyring.derived("index"), {0: Named(borrower.agency.agency_id, listed=True)}
        )
    assert bars[0] == (PersonId(UUID(listing)),)


async def test_a_designation_for_good_ends_on_a_day_that_somebody_can_mean(office: Office) -> None:
    _, borrower = await lent(office)
    (offered,) = await borrower.pool()
    told = await borrower.take({"peer": offered["peer"], "designated_to": "9999-12-31"}, status=422)
    assert told["errors"] == [{"pointer": "/peers/0/designated_to", "code": "out_of_range"}]


async def test_a_town_in_no_pool_sets_no_rounds(office: Office) -> None:
    place = await town(office, "hillside", takes_part=False)
    await place.has(peer("p1"))
    assert await rounds(office) == 0


async def test_other_agency_is_nothing_that_somebody_says_of_themselves(office: Office) -> None:
    place = await town(office, "riverton")
    answer = await office.put(place.key, [peer("p1", attributes=["other_agency"])])
    assert answer.status == 422
    assert answer.json["errors"] == [{"pointer": "/people/0/attributes", "code": "reserved"}]


async def test_who_lends_to_one_and_borrows_from_another_has_its_copies_follow(office: Office) -> None:
    first, second, third = [await town(office, slug) for slug in ("riverton", "lakeside", "hillside")]
    for place in (first, second):
        await place.has(peer("r", name=f"Rosa {place.agency.slug}", attributes=["regional"]))
    await second.take(*[{"peer": one["peer"]} for one in await second.pool()])
    await third.take(*[{"peer": one["peer"]} for one in await third.pool()])
    await rounds(office)
    await first.has(peer("r", name="Rosa riverton", attributes=["regional", "veteran"]))
    assert await rounds(office) == 1
    copies = {
        place.agency.slug: [one for one in (await place.told()).values() if one.bearer] for place in (second, third)
    }
    assert [one.attributes for one in copies["lakeside"]] == [("other_agency", "veteran")]
    assert sorted(one.attributes for one in copies["hillside"]) == [("other_agency",), ("other_agency", "veteran")]


@pytest.mark.parametrize("why", ["left the pool", "not regional any more"])
async def test_who_was_taken_may_stay_in_the_list_although_nobody_offers_them_now(office: Office, why: str) -> None:
    home, borrower = await lent(office)
    other = await town(office, "hillside")
    await other.has(peer("h", name="Hal Orr", attributes=["regional"]))
    (rosa,) = [one["peer"] for one in await borrower.pool() if one["taken"]]
    if why == "left the pool":
        await home.set_policy()
    else:
        await home.has(peer("rosa", name="Rosa Lind"), peer("p2"))
    await rounds(office)
    (offered,) = [one for one in await borrower.pool() if not one["taken"]]
    await borrower.take({"peer": rosa, "designated_from": "2026-01-01"}, {"peer": offered["peer"]})
    active = [one.active for one in (await borrower.told()).values()]
    assert sorted(active) == [False, True]
    (gone,) = [one for one in await borrower.pool() if one["taken"] and not one["offered"]]
    assert (gone["peer"], gone["name"]) == (rosa, "Rosa Lind")
    await borrower.take({"peer": offered["peer"]})
    assert [one["taken"] for one in await borrower.pool()] == [True]


async def test_the_times_of_a_lent_peer_are_those_of_their_own_clock(office: Office) -> None:
    _, borrower = await lent(office, hours="22:00-06:00", time_zone="America/Phoenix")
    (copy,) = (await borrower.told()).values()
    assert (copy.hours, copy.time_zone) == ("Mon-Sun 22:00-06:00", "America/Phoenix")
