"""The region's pool on real services: a peer of another agency helps an officer, and at home nobody hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest_asyncio

from deploy.local import demo, walk
from deploy.local.browser import Answer, Browser
from deploy.local.cast import LAKESIDE, RIVERTON
from services.intake.domain.agency import day_of
from shared import clock
from shared.events.intake import CaseClosed, RequestSubmitted, Wishes
from shared.events.matching import NobodyFound, OfferMade, PeerAssigned
from shared.types import CaseId, Role
from tests.harness import town as towns
from tests.harness.region import Region
from tests.harness.town import Town
from tests.harness.waiting import eventually

GAIL = next(person for person in LAKESIDE.people if person.name == "Gail Osei")
LENDS = replace(
    LAKESIDE,
    people=tuple(replace(one, attributes="regional") if one is GAIL else one for one in LAKESIDE.people),
)


@pytest_asyncio.fixture
async def both(region: Region) -> AsyncIterator[Town]:
    async with towns.opened(region, (RIVERTON, LENDS)) as town:
        for slug in town.demo.keys:
            await said(town, slug, "policy", {"pool": True, "grace_s": 1})
        yield town


async def said(town: Town, slug: str, what: str, document: object) -> Answer:
    """PUT something of an agency's, over what stands."""
    browser, key = Browser(), town.demo.keys[slug]
    url = f"{town.region.url('intake')}/v1/agency/{what}"
    stands = (await browser.api("GET", url, bearer=key)).headers.get("etag")
    condition = {"If_Match": stands} if stands else {"If_None_Match": "*"}
    answer = await browser.api("PUT", url, document, bearer=key, **condition)
    assert answer.status == 200, answer.text
    return answer


async def of_the_pool(town: Town, slug: str) -> list[dict[str, Any]]:
    url = f"{town.region.url('intake')}/v1/agency/pool"
    found: list[dict[str, Any]] = (await Browser().api("GET", url, bearer=town.demo.keys[slug])).json()["peers"]
    return found


async def borrowed(town: Town) -> None:
    """Riverton takes Gail of Lakeside, who opens the link of a mail of Riverton's and sets a PIN."""
    (offered,) = await of_the_pool(town, "riverton")
    assert (offered["name"], offered["agency"], offered["taken"]) == ("Gail Osei", "Lakeside Sheriff", False)
    today = day_of(clock.now(), "America/Denver")
    designated = {"designated_from": today.isoformat(), "designated_to": (today + timedelta(days=365)).isoformat()}
    await said(town, "riverton", "pool", {"peers": [{"peer": offered["peer"], **designated}]})
    await demo.verify((await town.mailbox.next("/v/", [GAIL.contact])).link, town.demo.pin)

    async def verified() -> bool:
        return all(one["verified"] for one in await of_the_pool(town, "riverton"))

    await eventually(verified)


async def rows_of(town: Town, case: CaseId, agency: str) -> list[str]:
    """The tables in which this case stands under this agency."""
    sql = await town.region.sql()
    agency_id = await sql.fetchval("SELECT agency_id FROM intake.agencies WHERE slug = $1", agency)
    tables = await sql.fetch(
        """SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'case_id' AND NOT a.attisdropped
             JOIN pg_attribute b ON b.attrelid = c.oid AND b.attname = 'agency_id' AND NOT b.attisdropped
            WHERE c.relkind = 'r'"""
    )
    return [
        row["name"]
        for row in tables
        if await sql.fetchval(
            f"SELECT EXISTS (SELECT FROM {row['name']} WHERE case_id = $1 AND agency_id = $2)",  # noqa: S608
            case,
            agency_id,
        )
    ]


async def test_scenario_32_an_officer_of_a_small_agency_talks_to_a_peer_of_another_one(both: Town) -> None:
    town = both
    await borrowed(town)
    before = {one: len(await town.region.mails(to=one)) for one in everybody_of_riverton()}
    requester = await town.ask(avoid_people=[], about_me=None, preferences={"require": ["other_agency"]})
    case = CaseId((await town.seen.first(RequestSubmitted))[0].envelope.subject)
    offer = await town.mail("/m/", to=[GAIL.contact])
    await town.answer(offer, "accept")
    await requester.until("released")
    assert (await requester.status())["who"]["name"] == "Gail Osei"
    _, assigned = await town.seen.first(PeerAssigned, case=case)
    # At home she is somebody else, and only how much she carries is known: one.
    sql = await town.region.sql()
    bearer = await sql.fetchval("SELECT bearer FROM matching.peers WHERE person_id = $1", assigned.person)
    assert await sql.fetchval("SELECT open FROM matching.peer_load WHERE peer_id = $1", bearer) == 1
    assert await rows_of(town, case, "riverton")
    assert await rows_of(town, case, "lakeside") == []
    assert {one: len(await town.region.mails(to=one)) for one in before} == before
    contact = await town.mail("/w/", to=[GAIL.contact])
    await town.answer(contact, "contacted")
    await requester.until("in_contact")
    await town.answer(contact, "close")
    await town.seen.first(CaseClosed, case=case)
    await walk.purged(town.local, case)
    assert await sql.fetchval("SELECT open FROM matching.peer_load WHERE peer_id = $1", bearer) == 0


async def test_who_says_on_the_page_only_another_agency_is_met_by_a_lent_peer_and_by_nobody_of_their_own(
    both: Town,
) -> None:
    town = both
    await borrowed(town)
    browser, mails = Browser(), {one: len(await town.region.mails(to=one)) for one in everybody_of_riverton()}
    page = await browser.get(f"{town.region.url('intake')}/a/riverton")
    page = await browser.submit(page.form(has="urgency"), {"urgency": "urgent"})
    page = await browser.submit(page.form(has="wish:other_agency"), {"wish:other_agency": "require"})
    assert "Only: is from another agency" in page.seen
    form = page.form(has="kept_code")
    assert (await browser.submit(form, {"read": "yes", "kept_code": "yes"})).status == 201
    requester = walk.Requester(town.region.url("intake"), form.values["code"], "")
    record, submitted = await town.seen.first(RequestSubmitted)
    assert submitted.ask.wishes == Wishes(require=("other_agency",))
    case = CaseId(record.envelope.subject)
    await town.answer(await town.mail("/m/", to=[GAIL.contact]), "decline")
    _, nobody = await town.seen.first(NobodyFound, case=case)
    await requester.until("unserved")
    # One was asked and nobody else; coordinators of the own agency are not told, the region's duty is.
    assert len([one for one in town.seen.of(case) if isinstance(one.fact, OfferMade)]) == 1
    duty = await (await town.region.sql()).fetch("SELECT person_id FROM intake.people WHERE role = 'duty'")
    assert {*nobody.recipients} == {one["person_id"] for one in duty}
    assert {one: len(await town.region.mails(to=one)) for one in mails} == mails


def everybody_of_riverton() -> list[str]:
    return [person.contact for person in RIVERTON.people if person.contact and person.role in {"peer", "coordinator"}]


async def test_scenario_24_when_ones_own_have_said_no_the_pool_is_asked_before_anybody_is_counted(both: Town) -> None:
    town = both
    await borrowed(town)
    await town.ask(avoid_people=[], about_me=None, preferences={"prefer": ["language:es"]}, urgency="urgent")
    case = CaseId((await town.seen.first(RequestSubmitted))[0].envelope.subject)
    own = [person.contact for person in RIVERTON.people if person.role == Role.PEER]
    asked = []
    for _ in own:
        mail = await town.mail("/m/", to=own)
        asked.append(mail.to)
        await town.answer(mail, "decline")
    assert sorted(asked) == sorted(own)
    lent = await town.mail("/m/", to=[GAIL.contact])
    assert not [one for one in town.seen.of(case) if isinstance(one.fact, NobodyFound)]
    tiers = [one.fact.factors.get("tier", 0) for one in town.seen.of(case) if isinstance(one.fact, OfferMade)]
    assert tiers == [0] * len(own) + [-2]
    await town.answer(lent, "decline")
    await town.seen.first(NobodyFound, case=case)


async def test_who_is_let_go_keeps_what_they_have_and_is_asked_nothing_new(both: Town) -> None:
    town = both
    await borrowed(town)
    requester = await town.ask(avoid_people=[], about_me=None, preferences={"prefer": ["other_agency"]})
    await town.answer(await town.mail("/m/", to=[GAIL.contact]), "accept")
    await requester.until("released")
    await said(town, "riverton", "pool", {"peers": []})
    (offered,) = await of_the_pool(town, "riverton")
    assert (offered["taken"], offered["verified"]) == (False, False)
    wanting = await town.ask(avoid_people=[], about_me=None, preferences={"require": ["other_agency"]})
    await wanting.until("unserved")
    assert (await requester.status())["state"] == "released"
