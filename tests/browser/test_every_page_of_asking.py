"""Every page that a requester meets, in English and Spanish: by keyboard alone, without JavaScript, seen on a phone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.local.browser import Browser
from deploy.local.walk import Requester
from services.intake.routes.desk import PAGES
from services.intake.routes.speech import read_words
from services.notify.domain import texts
from tests.browser.tour import Tour
from tests.browser.visitor import Visitor
from tests.harness.waiting import eventually

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="module")]
TOO_MANY, NOT_NOW = 429, 503
FRIEND = "friend@home.test"


async def sent(tour: Tour, visitor: Visitor) -> Requester:
    """The third screen: the code is read and kept, and the request is sent."""
    page = tour.words["page"]
    code = re.sub(r"\s", "", await visitor.page.locator(".code").inner_text())
    await visitor.tick(page["have_read"])
    await visitor.tick(page["have_kept"])
    await visitor.enter(page["send_3"])
    return Requester(tour.stage.intake, code, "")


async def test_asking_choosing_and_taking_it_back(tour: Tour) -> None:
    visitor, words, page = await tour.visitor(), tour.words, tour.words["page"]
    await visitor.open(tour.home)
    await visitor.sound("ask-1")
    await visitor.tick(words["help"]["talk"])
    await visitor.enter(page["next_1"])
    await visitor.sound("ask-1-problem")
    await visitor.tick(words["help"]["talk"])
    await visitor.enter(page["next_1"])
    await visitor.sound("ask-2")
    await visitor.choose(page["pick_shortlist"])
    await visitor.choose(page["reach_call"])
    await visitor.type(page["address"], "12")
    await visitor.enter(page["next_2"])
    await visitor.sound("ask-2-problem")
    await visitor.type(page["address"], "801-555-0142")
    await visitor.enter(page["next_2"])
    await visitor.sound("ask-3")
    requester = await sent(tour, visitor)
    await visitor.sound("sent")
    await requester.until("choosing")
    await visitor.enter(page["see_case"])
    await visitor.sound("case-choosing")
    await visitor.enter(page["choose_one"])
    await tour.mail("/m/", "peer")
    await tour.settled(visitor, tour.sentence("asked"))
    await visitor.sound("case-asked")
    await visitor.enter(page["erase"])
    await visitor.sound("over")


async def test_wishing_for_nobody_but_a_peer_of_another_agency(tour: Tour) -> None:
    visitor, words, page = await tour.visitor(), tour.words, tour.words["page"]
    wanted = {"other_agency": "require", "rank:command": "avoid", "experience:shooting": "prefer"}
    said = {words["wishes"][token]: words["wish"][choice] for token, choice in wanted.items()}

    async def stands() -> dict[str, str]:
        assert await visitor.page.locator("details[open]").filter(has_text=page["peer_who"]).count() == 1
        return {label: await visitor.picked(label) for label in said}

    await visitor.open(tour.home)
    await visitor.enter(page["next_1"])
    await visitor.tab_to(visitor.page.locator("summary").filter(has_text=page["peer_who"]))
    await visitor.page.keyboard.press("Enter")
    for label, choice in said.items():
        await visitor.pick(label, choice)
    await visitor.choose(page["reach_call"])
    await visitor.enter(page["next_2"])
    await visitor.sound("ask-2-wishes-problem")
    assert await stands() == said
    await visitor.type(page["address"], "801-555-0142")
    await visitor.enter(page["next_2"])
    await visitor.sound("ask-3-wishes")
    await visitor.enter(page["back_to_two"])
    await visitor.sound("ask-2-again")
    assert await stands() == said
    await visitor.enter(page["back_to_one"])
    await visitor.sound("ask-1-again")
    await visitor.enter(page["next_1"])
    assert await stands() == said
    await visitor.enter(page["next_2"])
    told = await visitor.page.locator("main li").all_inner_texts()
    assert {f"{choice}: {label}" for label, choice in said.items()} <= {*told}
    requester = await sent(tour, visitor)
    await requester.until("unserved")
    await visitor.enter(page["see_case"])
    await visitor.sound("case-wishes")
    assert page["wished_only"] in await visitor.page.inner_text("main")
    await tour.over(requester)


async def test_coming_back_with_a_wrong_code(tour: Tour) -> None:
    visitor, page = await tour.visitor(), tour.words["page"]
    await visitor.open(f"{tour.home}/case")
    await visitor.sound("enter")
    await visitor.type(page["enter_label"], "no-such-code")
    await visitor.enter(page["enter_button"])
    await visitor.sound("enter-wrong")
    assert tour.words["problems"]["not-found"] in await visitor.page.inner_text("main")


async def test_saying_yes_to_a_peer(tour: Tour) -> None:
    requester = await tour.ask(release="ask_me")
    offer = await tour.mail("/m/", "peer")
    await tour.stage.answer(offer, "accept")
    await requester.until("accepted")
    visitor = await tour.case_page(requester)
    await visitor.sound("case-accepted")
    await visitor.enter(tour.words["page"]["release"])
    await visitor.sound("case-released")
    await tour.over(requester)


async def test_being_worried_about_somebody_else(tour: Tour) -> None:
    visitor, words, page = await tour.visitor(), tour.words, tour.words["page"]
    await visitor.open(tour.home)
    await visitor.choose(words["about"]["someone_else"])
    await visitor.enter(page["next_1"])
    await visitor.sound("ask-2-somebody-else")
    await visitor.type(page["outreach_label"], FRIEND)
    await visitor.enter(page["next_2"])
    requester = await sent(tour, visitor)
    await visitor.sound("sent-somebody-else")
    await visitor.enter(page["see_case"])
    await visitor.sound("case-somebody-else")
    friend = await tour.stranger()
    await friend.open((await tour.stage.mail("/o/", [FRIEND])).link)
    await friend.sound("outreach")
    await tour.over(requester)


async def test_an_emergency_from_the_first_page(tour: Tour) -> None:
    visitor, page = await tour.visitor(), tour.words["page"]
    await visitor.open(tour.home)
    await visitor.enter(page["now_button"])
    await visitor.sound("sent-emergency")
    await visitor.enter(page["see_case"])
    await tour.settled(visitor, tour.sentence("emergency_paged"))
    await visitor.sound("case-emergency")
    await tour.stage.answer(await tour.mail("/p/", "clinician"), "acknowledge")
    await tour.settled(visitor, tour.sentence("emergency_acknowledged_no_reach"))
    await visitor.sound("case-emergency-taken")
    await visitor.enter(page["erase"])


async def test_an_emergency_for_somebody_else(tour: Tour) -> None:
    visitor, page = await tour.visitor(), tour.words["page"]
    await visitor.open(tour.home)
    await visitor.tick(page["now_somebody_else"])
    await visitor.enter(page["now_button"])
    await visitor.sound("sent-emergency-somebody-else")


async def test_going_to_the_clinician_directly(tour: Tour) -> None:
    visitor, words, page = await tour.visitor(), tour.words, tour.words["page"]
    await visitor.open(tour.home)
    await visitor.choose(words["relation"]["family"])
    await visitor.choose(words["want"]["clinician"])
    await visitor.enter(page["next_1"])
    await visitor.sound("ask-2-direct")
    await visitor.enter(page["next_2"])
    requester = await sent(tour, visitor)
    await visitor.enter(page["see_case"])
    await visitor.sound("case-direct")
    await tour.stage.answer(await tour.mail("/r/", "clinician"), "accept")
    await tour.settled(visitor, tour.sentence("clinical_accepted_you_call"))
    await visitor.sound("case-direct-accepted")
    await tour.over(requester)


async def test_other_help(tour: Tour) -> None:
    visitor = await tour.visitor()
    await visitor.open(f"{tour.home}/resources")
    await visitor.sound("resources")


async def test_leaving_goes_somewhere_harmless_and_the_way_back_shows_nothing(tour: Tour) -> None:
    requester = await tour.ask()
    visitor = await tour.case_page(requester)
    # Where it leads does not exist on this machine: that the browser tried to go there is enough.
    await visitor.tab_to(visitor.page.get_by_role("link", name=tour.words["page"]["leave"]))
    async with visitor.page.expect_event("requestfailed") as gone:
        await visitor.page.keyboard.press("Enter")
    assert not (await gone.value).url.startswith(tour.stage.intake)
    assert await visitor.context.cookies(tour.stage.intake) == []
    # A page of its own: this one is still on its way to somewhere that does not answer.
    back = await visitor.context.new_page()
    await back.goto(f"{tour.home}/case")
    assert tour.words["page"]["case_heading"] not in await back.content()
    await tour.over(requester)


async def test_a_page_that_was_open_for_too_long(tour: Tour) -> None:
    requester = await tour.ask()
    visitor = await tour.case_page(requester)
    await visitor.context.clear_cookies()
    await visitor.tab_to(visitor.page.locator("summary").filter(has_text=tour.words["page"]["done_heading"]))
    await visitor.page.keyboard.press("Enter")
    await visitor.enter(tour.words["page"]["close"])
    await visitor.sound("enter-again")
    assert tour.words["problems"]["session-over"] in await visitor.page.inner_text("main")
    await tour.over(requester)


async def test_an_address_that_leads_nowhere(tour: Tour) -> None:
    visitor = await tour.visitor()
    await visitor.open(f"{tour.stage.intake}/a/nowhere")
    await visitor.sound("problem-404")


async def test_too_many_wrong_codes(tour: Tour) -> None:
    visitor, page = await tour.visitor(), tour.words["page"]
    told = tour.words["problems"]["too-many-requests"]

    async def turned_away() -> bool:
        await visitor.open(f"{tour.home}/case")
        await visitor.type(page["enter_label"], "no-such-code")
        # One more is allowed every three seconds: whoever types slowly gets in between.
        while await _tried(tour) != TOO_MANY:
            pass
        await visitor.enter(page["enter_button"])
        return told in await visitor.page.inner_text("main")

    await eventually(turned_away, 60.0, what="the page for who has tried too often")
    await visitor.sound("enter-too-often")


async def _tried(tour: Tour) -> int:
    browser = Browser()
    page = await browser.get(f"{tour.home}/case")
    return (await browser.submit(page.form(has="code"), {"code": "no-such-code"})).status


async def test_the_database_is_gone(tour: Tour) -> None:
    visitor, peer, sql = await tour.visitor(), await tour.visitor(), await tour.region.database.cluster.superuser()
    await visitor.open(tour.home)
    await peer.open(f"{tour.stage.mailbox.links_to}/m/{'y' * 43}")
    name = tour.region.database.name
    await sql.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
    try:
        await sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
            name,
        )
        await visitor.open(f"{tour.home}/case")
        await visitor.sound("problem-503")
        assert tour.words["problems"]["unavailable"] in await visitor.page.inner_text("main")
        assert await visitor.page.get_by_role("link", name=re.compile("988")).count() == 2
        await peer.type(texts.page(tour.language)["pin"], "271828")
        await peer.enter(texts.page(tour.language)["open"])
        await peer.sound("not-now")
        assert peer.answered is not None
        assert peer.answered.status == NOT_NOW
    finally:
        await sql.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        await sql.close()


async def test_looking_at_the_team_and_counting(tour: Tour) -> None:
    say = read_words(PAGES / "team.toml")[tour.language]
    visitor = await tour.visitor()
    await visitor.open(f"{tour.home}/team")
    await visitor.sound("team-enter")
    await visitor.type(say["enter"], "pk_of_nobody")
    await visitor.enter(say["open"])
    await visitor.sound("team-enter-wrong")
    await visitor.type(say["enter"], tour.stage.demo.keys[tour.town.slug])
    await visitor.enter(say["open"])
    await visitor.sound("team")
    text = await visitor.page.inner_text("main")
    assert all(one.name in text for one in tour.town.people if one.role == "peer")
    assert not any(one.name in text for one in tour.town.people if one.role == "member")
    await visitor.type(say["conversation"], "12")
    await visitor.enter(say["save"])
    assert await visitor.page.get_by_label(say["conversation"]).input_value() == "12"
    await visitor.enter(say["leave"])
    assert await visitor.page.get_by_label(say["enter"]).is_visible()


async def test_keeping_the_team_on_its_page(tour: Tour) -> None:
    say = read_words(PAGES / "team.toml")[tour.language]
    visitor = await tour.visitor()
    await visitor.open(f"{tour.home}/team")
    await visitor.type(say["enter"], tour.stage.demo.keys[tour.town.slug])
    await visitor.enter(say["open"])
    peer = next(one for one in tour.town.people if one.role == "peer")
    await visitor.enter(say["change_whom"].format(name=peer.name))
    await visitor.sound("team-person")
    assert await visitor.page.get_by_label(say["field_name"], exact=True).input_value() == peer.name
    await visitor.type(say["field_hours"], "whenever")
    await visitor.enter(say["save"])
    await visitor.sound("team-person-wrong")
    await visitor.enter(say["back"])
    await _a_swap(visitor, tour, say)
    await visitor.enter(say["back"])
    await visitor.enter(say["join_pool"])
    await visitor.sound("team-in-the-pool")
    await visitor.enter(say["leave_pool"])
    assert say["no_pool"] in await visitor.page.inner_text("main")
    await visitor.enter(say["drill_begin"])
    await visitor.sound("team-drill")
    await visitor.enter(say["drill_page"])
    assert await visitor.page.locator("main").is_visible()


async def _a_swap(visitor: Visitor, tour: Tour, say: Mapping[str, str]) -> None:
    """One peer gives another a time, after a first try without saying to whom; it is shown, and taken back."""
    gives, takes = [one.name for one in tour.town.people if one.role == "peer"][:2]
    await visitor.enter(say["change_whom"].format(name=gives))
    times = {say["swap_start"]: "2027-03-02T22:00", say["swap_end"]: "2027-03-03T06:00"}
    for label, moment in times.items():
        await visitor.page.get_by_label(label, exact=True).fill(moment)
    await visitor.enter(say["save_swap"])
    await visitor.sound("team-swap-wrong")
    assert say["wrong_takes"] in await visitor.page.locator("#problem").inner_text()
    # What was typed is still there.
    await visitor.tab_to(visitor.page.get_by_label(say["swap_takes"], exact=True))
    await visitor.page.keyboard.type(takes)
    await visitor.enter(say["save_swap"])
    assert await visitor.page.locator("h1").inner_text() == gives
    await visitor.sound("team-swap")
    await visitor.tab_to(visitor.page.get_by_role("button", name=say["unsay"]).first)
    async with visitor.page.expect_navigation():
        await visitor.page.keyboard.press("Enter")
    assert say["no_times"] in await visitor.page.inner_text("main")


async def test_taking_the_team_from_a_spreadsheet(tour: Tour, tmp_path: Path) -> None:
    say = read_words(PAGES / "team.toml")[tour.language]
    visitor = await tour.visitor()
    await visitor.open(f"{tour.home}/team")
    await visitor.type(say["enter"], tour.stage.demo.keys[tour.town.slug])
    await visitor.enter(say["open"])
    await visitor.enter(say["sheet"])
    await visitor.sound("team-sheet")
    file = tmp_path / "team.csv"
    good = "person_ref,role,name,contact\nX1,peer,X,x@home.test\n"
    for text, name in (("person_ref,role\nX1,peer\n", "wrong"), (good, "looked-at")):
        file.write_text(text)
        await visitor.page.get_by_label(say["sheet_file"], exact=True).set_input_files(file)
        await visitor.enter(say["sheet_check"])
        await visitor.sound(f"team-sheet-{name}")
    assert say["sheet_not_yet"] in await visitor.page.get_by_role("status").inner_text()
    await visitor.enter(say["back"])
    text = await visitor.page.inner_text("main")
    assert all(one.name in text for one in tour.town.people if one.role == "peer")


async def test_saying_on_the_teams_page_who_must_not_meet(tour: Tour) -> None:
    say = read_words(PAGES / "team.toml")[tour.language]
    visitor = await tour.visitor()
    await visitor.open(f"{tour.home}/team")
    await visitor.type(say["enter"], tour.stage.demo.keys[tour.town.slug])
    await visitor.enter(say["open"])
    await visitor.enter(say["conflicts_open"])
    await visitor.sound("team-conflicts")
    await visitor.tick(say["conflict_relatives"])
    await visitor.type(say["conflict_people"], "Nobody At All")
    await visitor.enter(say["conflict_keep"])
    await visitor.sound("team-conflicts-wrong")
    assert "Nobody At All" in await visitor.page.locator("#problem").inner_text()
    people = [next(one.name for one in tour.town.people if one.role == role) for role in ("member", "peer")]
    await visitor.type(say["conflict_people"], "\n".join(people))
    await visitor.enter(say["conflict_keep"])
    await visitor.sound("team-conflicts-kept")
    assert await visitor.page.get_by_role("status").inner_text() == say["conflict_kept"]
    content = await visitor.page.content()
    assert not any(one in content for one in people)
    await visitor.tick(say["conflicts_sure"])
    await visitor.enter(say["conflicts_forget"])
    await visitor.sound("team-conflicts-forgotten")


async def test_going_on_with_another_agency(tour: Tour) -> None:
    page, other = tour.words["page"], "cumbre" if tour.language == "en" else "summit"
    visitor = await tour.case_page(await tour.ask(urgency="routine", choose="shortlist"))
    await visitor.tab_to(visitor.page.locator("summary").filter(has_text=page["move_heading"]))
    await visitor.page.keyboard.press("Enter")
    await visitor.type(page["move_label"], other)
    await visitor.enter(page["move_look"])
    await visitor.sound("elsewhere")
    code = re.sub(r"\s", "", await visitor.page.locator(".code").inner_text())
    await visitor.tick(page["have_read"])
    await visitor.tick(page["have_kept"])
    await visitor.enter(page["move_button"])
    await visitor.sound("sent-elsewhere")
    await tour.over(Requester(tour.stage.intake, code, ""))
