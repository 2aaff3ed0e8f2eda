"""Practice on real services: real mails that say what they are, nothing raised or counted, and an end by itself."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from deploy.local import demo, walk
from deploy.local.browser import Answer, Browser
from deploy.local.cast import DUTY_CONTACT, PEOPLE, RIVERTON
from deploy.local.settings import checkout
from shared.events.intake import CaseClosed, CaseWithdrawn, RequestSubmitted
from shared.events.matching import NobodyFound, OfferMade
from shared.types import CaseId
from tests.harness.town import Town
from tests.harness.waiting import eventually

COORDINATORS = [person.contact for person in PEOPLE if person.role == "coordinator"]
HIDDEN = {"danger", "advice", "clinician"}


async def begun(town: Town, once: str = "a-drill-of-mine", **wanted: Any) -> Answer:
    url = f"{town.region.url('intake')}/v1/agency/drills"
    return await Browser().api("POST", url, wanted, bearer=town.demo.key, Idempotency_Key=once)


async def playing(town: Town, answer: Answer) -> walk.Requester:
    assert answer.status == 201, answer.text
    return walk.Requester(town.region.url("intake"), answer.json()["code"], answer.json()["reference"])


async def case_of(town: Town) -> CaseId:
    seen, fact = await town.seen.first(RequestSubmitted)
    assert fact.ask.practice
    return CaseId(seen.envelope.subject)


async def test_practice_walks_the_real_channels_and_says_so_everywhere(town: Town) -> None:
    sql = await town.region.sql()
    requester = await playing(town, await begun(town))
    case = await case_of(town)
    offer = await town.mail("/m/")
    assert offer.subject == "Practice: you have a message"
    _, page = await town.behind(offer)
    assert "This is practice" in page.seen
    await town.answer(offer, "accept")
    await requester.until("released")
    contact = await town.mail("/w/", to=[offer.to])
    assert contact.subject == "Practice: you have a second message"
    _, page = await town.behind(contact)
    assert "This is practice" in page.seen
    buttons = {button for form in page.forms for _, button, _ in form.buttons}
    assert "contacted" in buttons
    assert not buttons & HIDDEN
    assert "/advice" not in page.text
    refused = await requester.act("POST", "/emergency")
    assert (refused.status, refused.json()["type"]) == (409, "/problems/practice")
    assert "emergency" not in (await requester.status())["can"]
    await town.answer(contact, "contacted")
    await requester.until("in_contact")
    await town.answer(contact, "close")
    await town.seen.first(CaseClosed, case=case)
    await walk.purged(town.local, case)
    assert await sql.fetchval("SELECT count(*) FROM intake.statistics") == 0
    assert await sql.fetchval("SELECT count(*) FROM matching.peer_load") == 0
    assert await sql.fetchval("SELECT count(*) FROM intake.timers WHERE key = $1", case) == 0


async def test_practice_that_nobody_takes_up_ends_after_a_day_and_nobody_is_told_of_it(town: Town) -> None:
    before = {one: len(await town.region.mails(to=one)) for one in (*COORDINATORS, DUTY_CONTACT)}
    requester = await playing(town, await begun(town, urgency="urgent"))
    case = await case_of(town)
    for _ in [person for person in RIVERTON.people if person.role == "peer"]:
        await town.answer(await town.mail("/m/"), "decline")
    _, nobody = await town.seen.first(NobodyFound, case=case)
    assert nobody.recipients == ()
    await requester.until("unserved")
    await town.region.move_clock(timedelta(hours=24, seconds=5))
    await town.seen.first(CaseWithdrawn, case=case)
    await walk.purged(town.local, case)
    assert {one: len(await town.region.mails(to=one)) for one in before} == before


async def test_the_same_drill_asked_for_twice_is_one_and_no_more_than_three_run(town: Town) -> None:
    first, again = await begun(town), await begun(town)
    assert first.json() == again.json()
    others = [await begun(town, f"another-drill-{n}") for n in range(3)]
    assert [one.status for one in others] == [201, 201, 409]
    assert others[2].json()["type"] == "/problems/too-many-drills"

    async def offered() -> bool:
        return len({one.envelope.subject for one in town.seen.seen if isinstance(one.fact, OfferMade)}) == 3

    await eventually(offered)
    assert (await begun(town, "an-emergency", urgency="emergency")).status == 422


async def test_the_command_tells_what_the_requester_sees_until_somebody_is_there(town: Town) -> None:
    env = {**demo.plain_environment(), "PEERLINE_KEY": town.demo.key, "PEERLINE_INTAKE_URL": town.region.url("intake")}
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "drill", "--minutes", "2", "--json"),
        cwd=checkout(),
        env=env,
        stdout=asyncio.subprocess.PIPE,
    )
    offer = await town.mail("/m/")
    await town.answer(offer, "accept")
    contact = await town.mail("/w/", to=[offer.to])
    await town.answer(contact, "contacted")
    out, _ = await running.communicate()
    first, *states = [json.loads(line) for line in out.decode().splitlines()]
    assert running.returncode == 0
    assert first["page"].endswith("/a/riverton/case")
    assert [one["state"] for one in states][-1] == "in_contact"
    assert all(one["says"] for one in states)
