"""An emergency: resources first, released at once, people paged over the crisis lane until one has spoken with them."""

from __future__ import annotations

from dataclasses import replace

from deploy.local import demo
from deploy.local.cast import DUTY_CONTACT, PEOPLE
from deploy.local.walk import Requester
from shared.events.intake import CrisisRaised
from shared.events.referral import LadderEnded, RungPaged
from shared.types import CaseId
from tests.harness.town import Town
from tests.harness.waiting import eventually

COORDINATOR, OTHER = [one for one in PEOPLE if one.role == "coordinator" and "deputy" not in one.attributes]
PAGED = [COORDINATOR.contact, OTHER.contact]
"""The first rung where no clinician is on call."""


async def emergency(town: Town, **changes: object) -> tuple[Requester, CaseId]:
    requester = await town.ask(urgency="emergency", notice=None, **changes)
    seen, _ = await town.seen.first(CrisisRaised)
    return requester, CaseId(seen.envelope.subject)


async def alarm_of(requester: Requester) -> dict[str, object]:
    found = (await requester.status())["emergency"]
    assert isinstance(found, dict)
    return found


async def test_people_are_paged_until_one_of_them_has_spoken_with_the_requester(town: Town) -> None:
    requester, case = await emergency(town)
    pages = {mail.to: mail for mail in [await town.mail("/p/", to=[one]) for one in PAGED]}

    async def told() -> bool:
        return (await alarm_of(requester))["paged"] == 2

    await eventually(told, what="two pages taken by the mail server")
    assert not (await alarm_of(requester))["acknowledged"]
    await town.answer(pages[OTHER.contact], "acknowledge")

    async def acknowledged() -> bool:
        return bool((await alarm_of(requester))["acknowledged"])

    await eventually(acknowledged)
    assert await town.saying(pages[COORDINATOR.contact], "covered")
    await town.answer(pages[OTHER.contact], "contact_confirmed")
    assert (await town.seen.first(LadderEnded, case=case))[1].how == "contact"

    async def contact() -> bool:
        return bool((await alarm_of(requester))["contact"])

    await eventually(contact)


async def test_an_emergency_asks_several_peers_at_once_and_is_released_without_asking_back(town: Town) -> None:
    requester, _ = await emergency(town, release="ask_me")
    offers = [await town.mail("/m/") for _ in range(3)]
    assert len({mail.to for mail in offers}) == 3
    await town.answer(offers[1], "accept")
    await requester.until("released")
    _, page = await town.behind(await town.mail("/w/", to=[offers[1].to]))
    assert "15550142" in page.text or "8015550142" in page.text
    assert await town.saying(offers[0], "covered")


async def test_a_coordinator_whom_the_requester_avoids_is_never_paged(town: Town) -> None:
    _, case = await emergency(town, avoid_people=[COORDINATOR.name])
    await town.mail("/p/", to=[OTHER.contact])
    _, paged = await town.seen.first(RungPaged, case=case)
    assert len(paged.pages) == 1
    unpaged = [one for address in (COORDINATOR.contact, DUTY_CONTACT) for one in await town.mailbox.all(address)]
    assert [mail for mail in unpaged if mail.leads_to("/p/")] == []


async def test_a_page_is_given_back_and_one_who_comes_to_be_barred_has_it_no_more(town: Town) -> None:
    """intake finds who is meant, referral takes the page on, notify ends what they could open: all by one upload."""
    avoided = f"{OTHER.name.split()[0]} Latecomer"
    requester, case = await emergency(town, avoid_people=[avoided])
    mine, theirs = [await town.mail("/p/", to=[one]) for one in PAGED]
    await town.answer(mine, "acknowledge")
    assert await town.saying(theirs, "covered")
    await town.answer(mine, "cannot")
    again = await town.mail("/p/", to=[OTHER.contact])
    await town.answer(again, "acknowledge")
    number = await town.mail("/w/", to=[OTHER.contact])
    assert "5550142" in (await town.behind(number))[1].text

    renamed = [replace(one, name=avoided) if one == OTHER else one for one in PEOPLE]
    await demo.put_directory(town.local, town.demo.key, renamed)
    for mail in (number, again, theirs):
        assert await town.saying(mail, "ended")

    async def climbed() -> bool:
        rungs = {one.fact.rung for one in town.seen.of(case) if isinstance(one.fact, RungPaged)}
        return 1 in rungs and not (await alarm_of(requester))["acknowledged"]

    await eventually(climbed)
    # Whoever could not before may find that they can, on the page that they were sent first.
    await town.answer(mine, "acknowledge")
    await town.saying(mine, "taken")
    await town.answer(mine, "contact_confirmed")
    assert (await town.seen.first(LadderEnded, case=case))[1].how == "contact"


async def test_what_is_mailed_to_those_paged_says_nothing_but_that_it_is_urgent(town: Town) -> None:
    await emergency(town)
    mail = await town.mail("/p/", to=PAGED)
    assert mail.subject == "Urgent: please open now"
    page = await town.behind(mail)
    assert "Patrol" not in page[1].seen
    assert "555" not in page[1].seen
