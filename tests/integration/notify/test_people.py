"""Contact points, verification, PINs and crisis pages: who is told what, and when not."""

from __future__ import annotations

from datetime import timedelta

from shared import clock
from shared.events.intake import CaseWithdrawn, DutySet, PersonSet
from shared.events.matching import NobodyFound
from shared.events.notify import ContactStopped, ContactVerified, IntentSettled, PageReplied
from shared.events.referral import CrisisReplySettled, LadderAcknowledged, LadderEnded, RungPaged
from shared.types import REGION, CaseId, PersonId, Role, Urgency
from tests.integration.notify.stand import PIN, Browser, Stand, nonce_in, text_of

PEER, NEW = "ana@example.org", "ana@example.net"


async def test_verifying_sets_the_pin_once_and_says_that_somebody_can_be_reached(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER}, revision=4))
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    for _ in range(50):
        await browser.get(path)
    assert await stand.said() == []
    assert (await browser.verify(path)).status == 200
    second = await browser.verify(path, "111111")
    assert (second.status, "already been handled" in text_of(second)) == (409, True)
    assert await stand.said() == [ContactVerified(revision=4)]
    assert await stand.sql.fetchval("SELECT key FROM outbox") == person


async def test_pins_that_differ_or_have_no_six_digits_set_nothing(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER}))
    await stand.send()
    path, browser = stand.mailman.link(PEER), stand.browser()
    nonce = nonce_in(await browser.get(path))
    for first, second in [("123456", "123457"), ("12345", "12345"), ("١٢٣٤٥٦", "١٢٣٤٥٦"), ("", "")]:
        answer = await browser.post(path, {"pin": first, "pin_again": second, "nonce": nonce})
        assert answer.status == 422
    assert await stand.sql.fetchval("SELECT count(*) FROM pins") == 0


async def test_a_changed_address_is_told_to_the_old_one_and_needs_the_old_pin(stand: Stand) -> None:
    person = await stand.peer(PEER)
    await stand.hear(person, await stand.points(person, {clock.random_id(): NEW}, revision=2))
    await stand.send()
    assert [one["Subject"] for one in stand.mailman.to(PEER)][1:] == ["Your address was changed"]
    assert [type(one) for one in await stand.said()] == [ContactVerified, ContactStopped]
    path, browser = stand.mailman.link(NEW), stand.browser()
    thief = await browser.verify(path, "999999")
    assert (thief.status, "not the PIN" in text_of(thief)) == (403, True)
    assert (await browser.verify(path)).status == 200
    assert (await stand.said())[-1] == ContactVerified(revision=2)
    await stand.offer(person)
    await stand.send()
    assert stand.mailman.to(NEW)[-1]["Subject"] == "You have a message"
    assert len(stand.mailman.to(PEER)) == 2


async def test_guessing_at_a_verification_link_uses_it_up_and_leaves_the_pin_alone(stand: Stand) -> None:
    person = await stand.peer(PEER)
    await stand.hear(person, await stand.points(person, {clock.random_id(): NEW}, revision=2))
    await stand.send()
    path, browser = stand.mailman.link(NEW), stand.browser()
    for number in range(5):
        assert (await browser.verify(path, f"99999{number}")).status == 403
    assert (await browser.verify(path)).status == 404
    assert await stand.sql.fetchval("SELECT wrong FROM pins") == 0


async def test_an_older_or_equal_revision_changes_nothing(stand: Stand) -> None:
    person = await stand.peer(PEER)
    before = await stand.sql.fetch("SELECT * FROM contact_points")
    await stand.hear(person, await stand.points(person, {clock.random_id(): NEW}, revision=1))
    await stand.send()
    assert await stand.sql.fetch("SELECT * FROM contact_points") == before
    assert stand.mailman.to(NEW) == []


async def test_a_link_to_a_point_that_was_removed_verifies_nothing(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER}))
    await stand.send()
    await stand.hear(person, await stand.points(person, {clock.random_id(): NEW}, revision=2))
    assert (await stand.browser().verify(stand.mailman.link(PEER))).status == 404
    assert await stand.said() == []


async def test_an_inactive_person_is_sent_nothing_and_is_said_to_be_unreachable(stand: Stand) -> None:
    person = await stand.peer(PEER)
    await stand.hear(person, PersonSet(revision=3, active=False, role=Role.PEER, time_zone="UTC", language="en"))
    await stand.offer(person)
    await stand.send()
    assert [type(one) for one in await stand.said()] == [ContactVerified, ContactStopped, IntentSettled]
    assert (await stand.said(IntentSettled))[0].code == "unreachable"


async def behind(stand: Stand) -> tuple[PersonId, str, Browser]:
    """A peer with an offer: the person, the path of its link, and a browser."""
    person = await stand.peer(PEER)
    await stand.offer(person, minutes=600)
    await stand.send()
    return person, stand.mailman.link(PEER), stand.browser()


async def test_five_wrong_pins_lock_it_for_a_while_and_the_right_one_then_opens(stand: Stand) -> None:
    _, path, browser = await behind(stand)
    for _ in range(4):
        assert "not the PIN" in text_of(await browser.enter(path, "000000"))
    assert "15 minutes" in text_of(await browser.enter(path, "000000"))
    locked = await browser.enter(path)
    assert (locked.status, "15 minutes" in text_of(locked), "today" in text_of(locked)) == (403, True, False)
    await stand.move_clock(timedelta(minutes=16))
    assert "today" in text_of(await browser.enter(path))
    assert await stand.sql.fetchval("SELECT wrong FROM pins") == 0


async def test_ten_wrong_pins_block_it_until_a_new_verification(stand: Stand) -> None:
    person, path, browser = await behind(stand)
    for _ in range(2):
        for _ in range(5):
            await browser.enter(path, "000000")
        await stand.move_clock(timedelta(minutes=16))
    assert "Too many wrong PINs" in text_of(await browser.enter(path))
    assert (await stand.said())[-1] == ContactStopped(revision=1)
    await stand.hear(person, await stand.points(person, {clock.random_id(): NEW}, revision=2))
    await stand.send()
    assert (await browser.verify(stand.mailman.link(NEW), "135790")).status == 200
    assert (await stand.said())[-1] == ContactVerified(revision=2)
    # Whoever has set a new PIN need not be the one whom the old messages were for.
    old = await browser.enter(path, "135790")
    assert (old.status, "no longer open" in text_of(old)) == (404, True)
    await stand.offer(person)
    await stand.send()
    assert "today" in text_of(await browser.enter(stand.mailman.link(NEW), "135790"))


async def test_an_unknown_link_looks_like_any_other_and_says_nothing(stand: Stand) -> None:
    _, path, browser = await behind(stand)
    unknown = f"/m/{clock.token()}"
    known_page, page = await browser.get(path), await browser.get(unknown)
    assert text_of(page) == text_of(known_page)
    assert (await browser.enter(unknown)).status == 404
    # A link of one purpose is no link of another.
    assert (await browser.enter(path.replace("/m/", "/w/"))).status == 404


async def test_a_session_ends_after_fifteen_minutes(stand: Stand) -> None:
    _, path, browser = await behind(stand)
    page = await browser.enter(path)
    await stand.move_clock(timedelta(minutes=16))
    assert (await browser.press(path, page, "accept")).status == 403
    assert "PIN" in text_of(await browser.get(path))


async def test_pages_carry_the_headers_of_a_secret_and_name_nothing(stand: Stand) -> None:
    _, path, browser = await behind(stand)
    page = await browser.get(path)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert b"<title>Message</title>" in page.body
    assert not [
        word for word in ("peer", "police", "support", "crisis", "script") if word.encode() in page.body.lower()
    ]
    inside = await browser.post(path, {"pin": PIN, "nonce": nonce_in(page)})
    assert "HttpOnly" in inside.headers["set-cookie"]
    assert "SameSite=strict" in inside.headers["set-cookie"].replace("Strict", "strict")


async def test_a_crisis_page_to_the_region_is_acknowledged_and_contact_confirmed(stand: Stand) -> None:
    duty = await stand.peer("duty@example.org", agency=REGION)
    await stand.hear(duty, DutySet(revision=1, active=True, time_zone="UTC", language="en"), agency=REGION)
    other = await stand.peer(PEER)
    case, ladder = CaseId(clock.random_id()), clock.random_id()
    pages = ((clock.random_id(), duty), (clock.random_id(), other))
    expires = await stand.now() + timedelta(minutes=5)
    await stand.hear(case, RungPaged(ladder=ladder, rung=1, pages=pages, expires=expires))
    await stand.send()
    path, browser = stand.mailman.link("duty@example.org"), stand.browser()
    assert path.startswith("/p/")
    page = await browser.enter(path)
    assert (await browser.press(path, page, "acknowledge")).status == 303
    (reply,) = await stand.said(PageReplied)
    assert (reply.page, reply.ladder, reply.person, reply.verb) == (pages[0][0], ladder, duty, "acknowledge")
    await stand.hear(
        case,
        CrisisReplySettled(reply=reply.reply, outcome="acknowledged"),
        LadderAcknowledged(ladder=ladder, person=duty),
    )
    taken = await browser.get(path)
    assert "You have taken this" in text_of(taken)
    assert "Already covered" in text_of(await stand.browser().enter(stand.mailman.link(PEER)))
    assert (await browser.press(path, taken, "contact_confirmed")).status == 303
    await stand.hear(case, LadderEnded(ladder=ladder, how="contact"))
    assert [one.verb for one in await stand.said(PageReplied)] == ["acknowledge", "contact_confirmed"]


async def test_nobody_found_is_told_as_a_count_and_not_again_at_once(stand: Stand) -> None:
    coordinator, case = await stand.peer("office@example.org"), CaseId(clock.random_id())
    found = NobodyFound(
        recipients=(coordinator,), next_try=await stand.now() + timedelta(minutes=10), urgency=Urgency.SOON
    )
    await stand.hear(case, found)
    await stand.hear(case, found)
    await stand.send()
    assert [one["Subject"] for one in stand.mailman.to("office@example.org")][1:] == ["One request is waiting"]
    assert stand.mailman.link("office@example.org").startswith("/t/")


async def test_every_open_message_stands_in_the_list_of_open_things(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): PEER}))
    case, _ = await stand.offer(person)
    async with stand.db.loop() as connection:
        rows = await connection.fetch("SELECT id, state, owner, due_at FROM open_things ORDER BY state")
    assert [(row["state"], row["owner"]) for row in rows] == [("planned", "notify"), ("sending", "notify")]
    assert case in {row["id"] for row in rows}
    assert all(row["due_at"] for row in rows)
    await stand.hear(case, CaseWithdrawn())
    async with stand.db.loop() as connection:
        assert await connection.fetchval("SELECT count(*) FROM open_things WHERE id = $1", case) == 0
