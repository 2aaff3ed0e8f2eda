"""The turns that a request can take: another peer, a step back, a withdrawal, silence, and nobody left."""

from __future__ import annotations

from datetime import timedelta

from deploy.local import walk
from deploy.local.cast import DUTY_CONTACT, PEOPLE
from shared.events.intake import AnotherPeerAsked, CaseClosed, RequestSubmitted
from shared.events.matching import NobodyFound, OfferExpired, OfferMade
from shared.types import CaseId
from tests.harness.town import Town
from tests.harness.waiting import eventually

OVER = "Your last message"
COORDINATOR = next(person for person in PEOPLE if person.role == "coordinator")


async def case_of(town: Town) -> CaseId:
    return CaseId((await town.seen.first(RequestSubmitted))[0].envelope.subject)


async def subjects(town: Town, address: str) -> list[str]:
    return [mail.subject for mail in await town.region.mails(to=address)]


async def test_the_requester_sees_who_accepted_and_may_ask_for_somebody_else(town: Town) -> None:
    requester = await town.ask(release="ask_me")
    case = await case_of(town)
    first = await town.mail("/m/")
    await town.answer(first, "accept")
    await requester.until("accepted")
    assert (await requester.status())["who"]
    assert (await requester.act("POST", "/another-peer")).status == 200
    _, asked = await town.seen.first(AnotherPeerAsked, case=case)
    second = await town.mail("/m/")
    assert second.to != first.to
    await town.answer(second, "accept")
    await requester.until("accepted")
    assert (await requester.act("POST", "/release")).status == 200
    await town.mail("/w/", to=[second.to])
    offered = [one.fact.person for one in town.seen.of(case) if isinstance(one.fact, OfferMade)]
    assert offered.count(asked.refused) == 1


async def test_a_peer_who_steps_back_is_replaced_without_a_cause(town: Town) -> None:
    requester = await town.ask()
    first = await town.mail("/m/")
    await town.answer(first, "accept")
    await requester.until("released")
    await town.answer(await town.mail("/w/", to=[first.to]), "step_back")
    second = await town.mail("/m/")
    assert second.to != first.to
    await requester.until("asked")


async def test_a_withdrawal_stops_everything_and_the_peer_hears_one_neutral_line(town: Town) -> None:
    requester = await town.ask()
    case = await case_of(town)
    offer = await town.mail("/m/")
    assert (await requester.act("DELETE")).status == 200
    await town.seen.first(CaseClosed, case=case)
    await walk.purged(town.local, case)

    async def told() -> bool:
        return OVER in await subjects(town, offer.to)

    await eventually(told)
    assert (await requester.act("GET")).status in {401, 404}
    page = await walk.opened_anyway(offer.link, town.demo.pin)
    assert "no longer open" in page.seen


async def test_silence_moves_on_when_the_time_is_up(town: Town) -> None:
    await town.ask()
    case = await case_of(town)
    first = await town.mail("/m/")
    await town.region.move_clock(timedelta(hours=1, seconds=31))
    await town.seen.first(OfferExpired, case=case)
    second = await town.mail("/m/")
    assert second.to != first.to
    assert await town.saying(first, "too_late") == "too_late"


async def test_of_two_who_were_asked_the_second_hears_that_it_is_covered(town: Town) -> None:
    requester = await town.ask(urgency="urgent")
    offers = [await town.mail("/m/") for _ in range(2)]
    browser, page = await town.behind(offers[1])
    await town.answer(offers[0], "accept")
    await requester.until("released")
    await walk.pressed(browser, page, "accept")
    assert await town.saying(offers[1], "covered")


async def test_when_nobody_is_left_coordinators_hear_a_count_and_the_requester_the_truth(town: Town) -> None:
    requester = await town.ask(avoid_people=[], about_me=None, preferences={"require": ["language:es"]})
    case = await case_of(town)
    for _ in range(2):
        await town.answer(await town.mail("/m/"), "decline")
    _, nobody = await town.seen.first(NobodyFound, case=case)
    assert len(nobody.recipients) == 5
    await requester.until("unserved")

    async def counted() -> bool:
        told = [await subjects(town, address) for address in (COORDINATOR.contact, DUTY_CONTACT)]
        return all("One request is waiting" in one for one in told)

    await eventually(counted)
    assert (await requester.status())["resources"]


async def test_scenario_28_an_anonymous_officer_is_met_under_a_pseudonym_and_who_knows_them_gives_it_back(
    town: Town,
) -> None:
    reach = {"channel": "call", "address": "801-555-0177", "name": "Sam"}
    requester = await town.ask(urgency="routine", avoid_people=[], about_me=None, preferences={}, reach=reach)
    case = await case_of(town)
    offer = await town.mail("/m/")
    _, page = await town.behind(offer)
    assert not [word for word in ("Sam", "0177") if word in page.text]
    await town.answer(offer, "accept")
    await requester.until("released")
    contact = await town.mail("/w/", to=[offer.to])
    _, page = await town.behind(contact)
    assert all(word in page.seen for word in ("Sam", "please give it back below: nobody is asked why"))
    await town.answer(contact, "step_back")
    second = await town.mail("/m/")
    assert second.to != offer.to
    await requester.until("asked")
    # No penalty: they carry nothing, do not rest, and are asked again for the next one.
    sql = await town.region.sql()
    loads = await sql.fetch("SELECT open, rest_until, paused_until FROM matching.peer_load WHERE open = 0")
    assert [tuple(row) for row in loads] == [(0, None, None)]
    assert {field for one in town.seen.of(case) for field in one.fact.model_dump()}.isdisjoint(
        {"reason", "cause", "why_not"}
    )


async def test_scenario_38_an_outreach_that_is_ignored_is_not_repeated_and_nobody_in_command_hears_of_it(
    town: Town,
) -> None:
    friend = "pat.friend@home.test"
    caller = await town.ask(
        about="someone_else", about_me=None, avoid_people=[], outreach={"channel": "mail", "address": friend}
    )
    case = await case_of(town)

    async def reached() -> bool:
        return len(await town.region.mails(to=friend)) == 1

    await eventually(reached)
    coordinators = [person.contact for person in PEOPLE if person.role == "coordinator"]
    before = {one: await subjects(town, one) for one in coordinators}
    sql = await town.region.sql()
    offer = await town.mail("/m/")
    await town.answer(offer, "accept")
    contact = await town.mail("/w/", to=[offer.to])
    await town.answer(contact, "contacted")
    await caller.until("in_contact")
    await town.region.move_clock(timedelta(days=8))
    # By the time somebody else is asked, whatever was due in those days has been done.
    await town.ask()
    await town.mail("/m/")
    assert len(await town.region.mails(to=friend)) == 1
    assert (await caller.act("POST", "/close")).status == 200
    await town.seen.first(CaseClosed, case=case)
    await walk.purged(town.local, case)
    # What stays says that somebody was talked to: not that a message went out, to whom, or that it was ignored.
    (kept,) = await sql.fetch("SELECT relation, help, outcome FROM intake.statistics")
    assert tuple(kept) == ("officer", ["talk"], "helped")
    assert before == {one: await subjects(town, one) for one in coordinators}
