"""An offer from the bus to the mail, behind the PIN, and back."""

from __future__ import annotations

from shared import clock
from shared.events.intake import ContactReleased
from shared.events.matching import AssignmentEnded, OfferExpired, OfferRescinded, PeerAssigned, ReplySettled
from shared.events.notify import IntentSettled, ReplyReceived
from tests.integration.notify.stand import Stand, nonce_in, text_of

PEER = "ana@example.org"


async def test_an_offer_is_mailed_once_and_its_outcome_is_said(stand: Stand) -> None:
    person = await stand.peer(PEER)
    _, offer = await stand.offer(person)
    await stand.send()
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 2
    (settled,) = await stand.said(IntentSettled)
    assert (settled.subject, settled.person, settled.outcome, settled.code) == (offer, person, "accepted", "250")
    assert await stand.sql.fetchval("SELECT count(*) FROM timers") == 0


async def test_opening_a_link_fifty_times_changes_nothing_and_shows_nothing(stand: Stand) -> None:
    person = await stand.peer(PEER)
    await stand.offer(person)
    await stand.send()
    path = stand.mailman.link(PEER)
    before = await stand.sql.fetchval("SELECT array_agg(l::text) FROM links l")
    browser = stand.browser()
    for number in range(50):
        page = await browser.get(path, "HEAD" if number % 2 else "GET")
        assert page.status == 200
        assert page.headers["cache-control"] == "no-store"
    assert await stand.sql.fetchval("SELECT array_agg(l::text) FROM links l") == before
    assert "today" not in text_of(await browser.get(path))
    assert await stand.said(ReplyReceived) == []


async def test_the_pin_opens_urgency_and_manner_and_a_post_acts_once(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person)
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    page = await browser.enter(path)
    assert "today" in text_of(page)
    assert "by telephone" in text_of(page)
    first = await browser.press(path, page, "accept")
    second = await browser.press(path, page, "accept")
    other = await browser.press(path, page, "decline")
    assert (first.status, second.status, other.status) == (303, 409, 409)
    assert "already been handled" in text_of(second)
    (reply,) = await stand.said(ReplyReceived)
    assert (reply.subject, reply.person, reply.verb) == (offer, person, "accept")
    waiting = await browser.get(path)
    assert "One moment" in text_of(waiting)
    assert "Look again" in text_of(waiting)
    await stand.hear(case, ReplySettled(reply=reply.reply, outcome="accepted"))
    assert "details follow in a second message" in text_of(await browser.get(path))


async def test_a_form_without_its_nonce_or_session_does_nothing(stand: Stand) -> None:
    person = await stand.peer(PEER)
    await stand.offer(person)
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    page = await browser.enter(path)
    assert (await browser.post(f"{path}/answer", {"verb": "accept", "nonce": "made-up"})).status == 403
    assert (await stand.browser().press(path, page, "accept")).status == 403
    assert (await browser.post(path, {"pin": "482915", "nonce": nonce_in(page)})).status == 403
    assert await stand.said(ReplyReceived) == []


async def test_a_session_of_one_link_does_not_open_another(stand: Stand) -> None:
    person = await stand.peer(PEER)
    await stand.offer(person)
    await stand.send()
    first = stand.mailman.link(PEER)
    await stand.offer(person)
    await stand.send()
    second, browser = stand.mailman.link(PEER), stand.browser()
    page = await browser.enter(first)
    assert "PIN" in text_of(await browser.get(second))
    assert (await browser.press(second, page, "accept")).status == 403


async def test_a_covered_offer_says_so_and_takes_no_answer(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person)
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    page = await browser.enter(path)
    await stand.hear(case, OfferRescinded(offer=offer, person=person, why="covered"))
    answer = await browser.press(path, page, "accept")
    assert answer.status == 409
    assert "Already covered, thank you" in text_of(answer)
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 2
    assert await stand.said(ReplyReceived) == []


async def test_an_expired_offer_takes_no_answer_even_before_matching_says_so(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person, minutes=5)
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    page = await browser.enter(path)
    await stand.sql.execute("UPDATE matters SET expires_at = region.now()")
    assert "too late" in text_of(await browser.press(path, page, "accept"))
    await stand.hear(case, OfferExpired(offer=offer, person=person))
    assert "too late" in text_of(await browser.get(path))
    assert await stand.said(ReplyReceived) == []


async def test_an_offer_that_ended_after_its_mail_is_followed_by_one_neutral_line(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person)
    await stand.send()
    await stand.hear(case, OfferRescinded(offer=offer, person=person, why="ended"))
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 3
    assert "no longer needed" in stand.mailman.text(PEER)
    assert await stand.sql.fetchval("SELECT count(*) FROM intents WHERE case_id IS NULL AND class = 'rescind'") == 0


async def test_an_offer_rescinded_before_its_mail_is_never_mailed(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person)
    await stand.hear(case, OfferRescinded(offer=offer, person=person, why="ended"))
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 1
    assert await stand.sql.fetchval("SELECT state FROM intents WHERE template = 'offer'") == "cancelled"


async def accepted(stand: Stand, reach: bytes | None) -> tuple[str, list[object]]:
    """A peer who has accepted and got the second mail: the path of its link, and (case, person, assignment)."""
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person)
    await stand.send()
    assignment = clock.random_id()
    sealed = await stand.sealed_reach(case, reach) if reach else None
    released = ContactReleased(assignment=assignment, recipient=person, sealed=sealed)
    await stand.hear(case, released)
    contact_by = await stand.now()
    await stand.hear(case, PeerAssigned(assignment=assignment, offer=offer, person=person, contact_by=contact_by))
    await stand.send()
    return stand.mailman.link(PEER), [case, person, assignment]


REACH = b'{"channel": "call", "address": "+18015550142", "safe_times": "after 18:00", "leave_message": false}'


async def test_the_second_mail_shows_the_reach_only_in_answer_to_the_pin(stand: Stand) -> None:
    path, _ = await accepted(stand, REACH)
    assert path.startswith("/w/")
    browser = stand.browser()
    shown = text_of(await browser.enter(path))
    assert "801-555-0142" in shown
    assert "after 18:00" in shown
    assert "Do not leave a message" in shown
    again = text_of(await browser.get(path))
    assert "801-555-0142" not in again
    assert "enter your PIN" in again
    assert await stand.sql.fetchval("SELECT count(*) FROM audit WHERE act = 'reach_shown'") == 1


async def test_without_a_reach_the_requester_will_call(stand: Stand) -> None:
    path, _ = await accepted(stand, None)
    assert "They will call you" in text_of(await stand.browser().enter(path))


async def test_the_peer_reports_contact_and_closes_after_being_asked_once_more(stand: Stand) -> None:
    path, _ = await accepted(stand, REACH)
    browser = stand.browser()
    page = await browser.enter(path)
    assert (await browser.press(path, page, "contacted")).status == 303
    sure = await browser.press(path, await browser.get(path), "close")
    assert "cannot be opened again" in text_of(sure)
    assert [one.verb for one in await stand.said(ReplyReceived)] == ["contacted"]
    assert (await browser.press(path, sure, "close", sure="yes")).status == 303
    assert [one.verb for one in await stand.said(ReplyReceived)] == ["contacted", "close"]


async def test_until_the_requester_says_ok_a_peer_steps_back_at_the_page_of_the_offer(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, offer = await stand.offer(person)
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    await browser.press(path, await browser.enter(path), "accept")
    (reply,) = await stand.said(ReplyReceived)
    assignment, contact_by = clock.random_id(), await stand.now()
    await stand.hear(case, ReplySettled(reply=reply.reply, outcome="accepted"))
    await stand.hear(case, PeerAssigned(assignment=assignment, offer=offer, person=person, contact_by=contact_by))
    page = await browser.get(path)
    assert "details follow in a second message" in text_of(page)
    assert "I cannot go on with this" in text_of(page)
    sure = await browser.press(path, page, "step_back")
    assert "Somebody else will be looked for" in text_of(sure)
    assert (await browser.press(path, sure, "step_back", sure="yes")).status == 303
    back = (await stand.said(ReplyReceived))[-1]
    assert (back.subject, back.person, back.verb) == (offer, person, "step_back")
    await stand.hear(case, ReplySettled(reply=back.reply, outcome="noted"))
    await stand.hear(case, AssignmentEnded(assignment=assignment, person=person, how="stepped_back"))
    over = await browser.get(path)
    assert "This has ended" in text_of(over)
    assert "I cannot go on with this" not in text_of(over)


async def test_an_assignment_that_has_ended_shows_nothing_any_more(stand: Stand) -> None:
    path, (case, person, assignment) = await accepted(stand, REACH)
    ended = AssignmentEnded(assignment=assignment, person=person, how="replaced")  # type: ignore[arg-type]
    await stand.hear(case, ended)  # type: ignore[arg-type]
    page = text_of(await stand.browser().enter(path))
    assert "This has ended. Thank you." in page
    assert "801-555-0142" not in page
    await stand.send()
    assert "no longer needed" in stand.mailman.text(PEER)


async def test_a_release_heard_after_the_end_of_its_assignment_mails_nothing(stand: Stand) -> None:
    person = await stand.peer(PEER)
    case, assignment = (await stand.offer(person))[0], clock.random_id()
    await stand.send()
    await stand.hear(case, AssignmentEnded(assignment=assignment, person=person, how="closed"))
    await stand.hear(case, ContactReleased(assignment=assignment, recipient=person))
    await stand.send()
    assert len(stand.mailman.to(PEER)) == 2
