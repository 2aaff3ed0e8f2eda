"""Mail servers that refuse, hang and hang up, and cases that stop in the middle of everything."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from shared import clock, timers
from shared.events.intake import CaseClosed, CaseWithdrawn
from shared.events.matching import AssignmentEnded, OfferRescinded
from shared.events.notify import IntentSettled, PageSettled
from shared.events.referral import RungPaged
from shared.types import AgencyId, CaseId, Lane, PersonId, Urgency
from tests.harness.waiting import eventually
from tests.integration.notify.stand import Mood, Stand, text_of

PEER = "ana@example.org"


async def outcomes(stand: Stand) -> list[tuple[str, str]]:
    rows = await stand.sql.fetch(
        "SELECT a.outcome, a.code FROM attempts a JOIN intents i USING (intent_id) WHERE i.case_id IS NOT NULL"
        " ORDER BY a.started_at"
    )
    return [(row["outcome"], row["code"]) for row in rows]


async def paged(stand: Stand, person: PersonId, *, minutes: float = 5) -> tuple[CaseId, UUID, UUID]:
    """A crisis page is heard of: (case, ladder, page)."""
    case, ladder, page = CaseId(clock.random_id()), clock.random_id(), clock.random_id()
    expires = await stand.now() + timedelta(minutes=minutes)
    await stand.hear(case, RungPaged(ladder=ladder, rung=1, pages=((page, person),), expires=expires))
    return case, ladder, page


async def pauses(stand: Stand) -> list[float]:
    """Seconds until each timer that is left may fire again."""
    rows = await stand.sql.fetch(
        "SELECT extract(epoch FROM leased_until - clock_timestamp())::float8 AS s FROM timers WHERE kind = 'send'"
    )
    return [row["s"] for row in rows]


async def test_a_page_that_was_not_taken_is_tried_again_within_seconds(stand: Stand) -> None:
    await paged(stand, await stand.peer(PEER))
    stand.mailman.mood = "not_now"
    await stand.send()
    (pause,) = await pauses(stand)
    assert pause <= 1
    stand.mailman.mood = "accept"

    async def taken() -> bool:
        await stand.send()
        return await outcomes(stand) == [("not_sent", "451"), ("accepted", "250")]

    assert await eventually(taken, 10)


async def test_a_page_that_is_refused_for_long_is_tried_every_ten_seconds(stand: Stand) -> None:
    await paged(stand, await stand.peer(PEER))
    stand.mailman.mood = "not_now"
    seen = []
    for _ in range(5):
        await stand.leases_run_out()
        await stand.send()
        seen += [round(one) for one in await pauses(stand)]
    assert seen == [1, 2, 5, 10, 10]


async def test_an_ordinary_mail_waits_longer(stand: Stand) -> None:
    await stand.offer(await stand.peer(PEER))
    stand.mailman.mood = "not_now"
    await stand.send()
    (pause,) = await pauses(stand)
    assert 10 < pause <= 15


async def test_a_permanent_no_is_said_and_never_tried_again(stand: Stand) -> None:
    await stand.offer(await stand.peer(PEER))
    stand.mailman.mood = "refuse"
    await stand.send()
    stand.mailman.mood = "accept"
    await stand.leases_run_out()
    await stand.send()
    (settled,) = await stand.said(IntentSettled)
    assert (settled.outcome, settled.code) == ("failed", "550")
    assert len(stand.mailman.to(PEER)) == 1


@pytest.mark.parametrize("mood", ["not_now", "refuse_sender"])
async def test_a_passing_no_is_tried_again_after_a_pause(stand: Stand, mood: Mood) -> None:
    await stand.offer(await stand.peer(PEER))
    stand.mailman.mood = mood
    await stand.send()
    stand.mailman.mood = "accept"
    await stand.send()
    assert await stand.said(IntentSettled) == []
    await stand.leases_run_out()
    await stand.send()
    assert await outcomes(stand) == [("not_sent", "451"), ("accepted", "250")]
    assert [one.outcome for one in await stand.said(IntentSettled)] == ["accepted"]
    assert len(stand.mailman.to(PEER)) == 2


@pytest.mark.parametrize(("mood", "code"), [("hang", "TimeoutError"), ("drop", "SMTPServerDisconnected")])
async def test_a_lost_answer_is_unknown_and_the_offer_is_not_sent_again(stand: Stand, mood: Mood, code: str) -> None:
    await stand.offer(await stand.peer(PEER))
    stand.mailman.mood = mood
    await stand.send()
    stand.mailman.mood = "accept"
    await stand.leases_run_out()
    await stand.send()
    assert await outcomes(stand) == [("unknown", code)]
    assert [one.outcome for one in await stand.said(IntentSettled)] == ["unknown"]
    assert stand.mailman.offered == 2


async def test_a_connection_that_the_server_has_given_up_is_replaced_at_once(stand: Stand) -> None:
    await stand.offer(await stand.peer(PEER))
    stand.mailman.mood = "hang_up_once"
    await stand.send()
    assert await outcomes(stand) == [("accepted", "250")]
    assert len(stand.mailman.to(PEER)) == 2


async def test_a_crisis_page_is_sent_once_more_after_a_lost_answer(stand: Stand) -> None:
    person = await stand.peer(PEER)
    _, ladder, page = await paged(stand, person)
    stand.mailman.mood = "drop"
    await stand.send()
    assert await stand.said(PageSettled) == []
    stand.mailman.mood = "accept"
    await stand.leases_run_out()
    await stand.send()
    assert await outcomes(stand) == [("unknown", "SMTPServerDisconnected"), ("accepted", "250")]
    (settled,) = await stand.said(PageSettled)
    assert (settled.page, settled.ladder, settled.outcome) == (page, ladder, "accepted")
    assert stand.mailman.to(PEER)[-1]["Subject"] == "Urgent: please open now"


async def test_a_second_lost_answer_of_a_page_is_the_last(stand: Stand) -> None:
    await paged(stand, await stand.peer(PEER))
    stand.mailman.mood = "drop"
    for _ in range(3):
        await stand.send()
        await stand.leases_run_out()
    assert stand.mailman.offered == 3
    assert [one.outcome for one in await stand.said(PageSettled)] == ["unknown"]


async def test_an_attempt_whose_process_died_is_unknown(stand: Stand) -> None:
    asked, duty = await stand.peer(PEER), await stand.peer("duty@example.org")
    await stand.offer(asked)
    await paged(stand, duty)
    for lane in (Lane.CRISIS, Lane.ORDINARY):
        await timers.claim(stand.db, lane)
    await stand.leases_run_out()
    await stand.sql.execute(
        "UPDATE intents SET state = 'sending', attempt_id = gen_random_uuid() WHERE state = 'planned'"
    )
    await stand.sql.execute(
        "INSERT INTO attempts(attempt_id, agency_id, case_id, intent_id, started_at)"
        " SELECT attempt_id, agency_id, case_id, intent_id, now() FROM intents WHERE state = 'sending'"
    )
    await stand.send()
    assert [one.outcome for one in await stand.said(IntentSettled)] == ["unknown"]
    assert [one.outcome for one in await stand.said(PageSettled)] == ["accepted"]
    assert len(stand.mailman.to(PEER)) == 1
    assert len(stand.mailman.to("duty@example.org")) == 2
    assert ("unknown", "lost") in await outcomes(stand)


async def test_nothing_starts_after_it_has_expired(stand: Stand) -> None:
    await stand.offer(await stand.peer(PEER), minutes=10)
    await stand.move_clock(timedelta(minutes=11))
    await stand.send()
    assert [one.outcome for one in await stand.said(IntentSettled)] == ["expired"]
    assert (len(stand.mailman.to(PEER)), await outcomes(stand)) == (1, [])


async def test_a_mail_server_that_is_gone_costs_nothing_but_time(stand: Stand) -> None:
    await stand.offer(await stand.peer(PEER), minutes=10)
    stand.mailman.mood = "refuse_sender"
    for _ in range(2):
        await stand.send()
        await stand.leases_run_out()
    await stand.move_clock(timedelta(minutes=11))
    await stand.send()
    assert [one.outcome for one in await stand.said(IntentSettled)] == ["expired"]
    assert await stand.sql.fetchval("SELECT count(*) FROM timers") == 0


async def test_who_has_not_verified_gets_nothing_but_the_verification(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): "new@example.org"}))
    await stand.offer(person)
    await paged(stand, person)
    await stand.send()
    (mail,) = stand.mailman.to("new@example.org")
    assert mail["Subject"] == "Please confirm this address"
    assert [(one.outcome, one.code) for one in await stand.said(IntentSettled)] == [("failed", "unreachable")]
    assert [(one.outcome, one.code) for one in await stand.said(PageSettled)] == [("failed", "unreachable")]


async def test_somebody_of_another_agency_is_never_mailed(stand: Stand) -> None:
    stranger = await stand.peer("far@example.org", agency=AgencyId(clock.random_id()))
    await stand.offer(stranger)
    await stand.send()
    assert len(stand.mailman.to("far@example.org")) == 1
    assert [one.code for one in await stand.said(IntentSettled)] == ["unreachable"]


async def test_a_withdrawal_cancels_what_is_planned_and_tells_those_who_were_mailed_once(stand: Stand) -> None:
    told, planned = await stand.peer(PEER), await stand.peer("ben@example.org")
    case, _ = await stand.offer(told)
    await stand.send()
    await stand.offer(planned, case=case)
    await stand.hear(case, CaseWithdrawn(), CaseClosed())
    await stand.send()
    await stand.send()
    assert len(stand.mailman.to("ben@example.org")) == 1
    assert len(stand.mailman.to(PEER)) == 3
    assert "no longer needed" in stand.mailman.text(PEER)


async def test_a_withdrawal_while_a_mail_is_under_way_is_followed_by_the_line(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, _ = await stand.offer(person)
    stand.mailman.mood = "hang"
    await stand.send(settle=False)
    await asyncio.wait_for(stand.mailman.waiting.wait(), 5)
    await stand.hear(case, CaseWithdrawn())
    stand.mailman.mood = "accept"
    stand.mailman.release.set()
    await stand.settled()
    await stand.send()
    assert [one["Subject"] for one in stand.mailman.to(PEER)][1:] == ["You have a message", "Your last message"]
    assert await outcomes(stand) == [("accepted", "250")]
    assert await stand.said(IntentSettled) == []


async def test_a_purge_while_a_mail_is_under_way_leaves_no_row_of_the_case(stand: Stand) -> None:
    person, other = await stand.peer(PEER), await stand.peer("ben@example.org")
    case, _ = await stand.offer(person)
    await stand.offer(other)
    stand.mailman.mood = "hang"
    await stand.send(settle=False)
    await asyncio.wait_for(stand.mailman.waiting.wait(), 5)
    await stand.hear(case, CaseWithdrawn(), CaseClosed())
    stand.mailman.release.set()
    await stand.settled()
    assert await rows_of(stand, case) == []
    assert [one.person for one in await stand.said(IntentSettled)] == [other]


async def test_a_withdrawal_heard_before_and_after_matching_ends_things_makes_one_line(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person)
    await stand.send()
    await stand.hear(case, OfferRescinded(offer=offer, person=person, why="ended"))
    await stand.hear(case, CaseWithdrawn())
    await stand.hear(case, AssignmentEnded(assignment=clock.random_id(), person=person, how="withdrawn"))
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 3


async def test_after_a_close_a_late_offer_mails_nothing_and_leaves_nothing(stand: Stand) -> None:
    person, case = await stand.peer(PEER), CaseId(clock.random_id())
    await stand.hear(case, CaseClosed())
    await stand.offer(person, case=case)
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 1
    assert await rows_of(stand, case) == []


async def test_a_link_of_a_purged_case_says_that_it_is_over(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, _ = await stand.offer(person)
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    page = await browser.enter(path)
    await stand.hear(case, CaseClosed())
    assert (await browser.press(path, page, "accept")).status == 403
    answer = await browser.enter(path)
    assert answer.status == 404
    assert "no longer open" in text_of(answer)


async def test_emergencies_travel_on_the_crisis_lane(stand: Stand) -> None:
    person = await stand.peer(PEER)
    await stand.offer(person, urgency=Urgency.EMERGENCY)
    await paged(stand, person)
    assert len(await timers.claim(stand.db, Lane.CRISIS)) == 2
    assert await timers.claim(stand.db, Lane.ORDINARY) == []


async def test_a_clean_stop_records_what_is_with_the_server_and_puts_back_the_rest(stand: Stand) -> None:
    person = await stand.peer(PEER)
    for _ in range(20):
        await stand.offer(person)
    stand.mailman.mood = "hang"
    await stand.send(settle=False)
    await eventually(lambda: stand.mailman.offered == 17)
    stand.mailman.release.set()
    await stand.senders[Lane.ORDINARY].drained()
    assert len(stand.mailman.to(PEER)) == 17
    assert sorted(await outcomes(stand)) == [("accepted", "250")] * 16 + [("not_sent", "late")] * 4
    assert await stand.sql.fetchval("SELECT count(*) FROM timers") == 4


async def test_many_offers_are_begun_and_settled_together(stand: Stand) -> None:
    person = await stand.peer(PEER)
    for _ in range(60):
        await stand.offer(person)
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 61
    assert {one.outcome for one in await stand.said(IntentSettled)} == {"accepted"}
    assert await stand.sql.fetchval("SELECT count(DISTINCT xmin::text) FROM attempts WHERE case_id IS NOT NULL") < 60


async def rows_of(stand: Stand, case: CaseId) -> list[str]:
    """Tables that still have a row with this case's id, tombstones, audit and what is on its way out apart."""
    tables = await stand.sql.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'notify'::regnamespace AND relkind = 'r'"
        " AND relname NOT IN ('tombstones', 'audit', 'outbox')"
    )
    asked = "SELECT count(*) FROM {} t WHERE t::text LIKE $1"
    counts = {row["relname"]: await stand.sql.fetchval(asked.format(row["relname"]), f"%{case}%") for row in tables}
    return [name for name, count in counts.items() if count]
