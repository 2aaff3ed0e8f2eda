"""What is wished of a peer on the page: carried over every screen and back, and told again afterwards."""

import html
import re

import pytest

from services.intake.domain.wishes import WISHES
from shared import clock
from shared.events.intake import RequestSubmitted, Wishes
from shared.events.matching import NobodyFound
from shared.types import Urgency
from tests.integration.intake_case.front import Front, form_to, hidden
from tests.integration.intake_case.test_pages import CASE, START, cookie, text
from tests.unit.shared.asgi import Answer

Form = list[tuple[str, str]]
SAID: Form = [
    ("wish:other_agency", "require"),
    ("wish:veteran", "prefer"),
    ("wish:faith", "avoid"),
    ("wish:parent", ""),
]
ASKED = Wishes(require=("other_agency",), prefer=("veteran",), avoid=("faith",))
SENT: Form = [("read", "yes"), ("kept_code", "yes")]


def chosen(page: Answer) -> dict[str, str]:
    """What stands in the selects of a page, but for what does not matter."""
    selects = re.findall(r'<select id="[^"]+" name="wish:([^"]+)">(.*?)</select>', text(page), re.DOTALL)
    assert [name for name, _ in selects] == list(WISHES)
    found = {name: re.findall(r'value="([^"]*)" selected', options) for name, options in selects}
    return {name: values[0] for name, values in found.items() if values != [""]}


async def second(front: Front) -> Answer:
    page = await front.page("GET", START)
    one = [*hidden(page, 1), ("relation", "officer"), ("urgency", "soon"), ("help", "talk")]
    return await front.page("POST", START, one)


async def asked(front: Front) -> Wishes:
    (case,) = await front.cases()
    (fact,) = [one for one in await front.facts(case) if isinstance(one, RequestSubmitted)]
    return fact.ask.wishes


async def test_what_is_wished_is_read_again_before_sending_and_asked_for(front: Front) -> None:
    page = await second(front)
    assert (chosen(page), "it may take longer" in text(page)) == ({}, True)
    page = await front.page("POST", START, [*hidden(page, 0), *SAID])
    lines = re.findall(r"<li><strong>([^<]+)</strong> ([^<]+)</li>", text(page))
    assert lines == [
        ("Only:", "is from another agency"),
        ("Rather:", "has served in the military"),
        ("Rather not:", "shares a faith"),
    ]
    page = await front.page("POST", START, [*hidden(page, 0), *SENT])
    assert (page.status, await asked(front)) == (201, ASKED)


async def test_a_mistake_loses_no_wish(front: Front) -> None:
    page = await second(front)
    page = await front.page("POST", START, [*hidden(page, 0), *SAID, ("channel", "call"), ("address", "12")])
    assert (page.status, chosen(page)) == (422, {"other_agency": "require", "veteran": "prefer", "faith": "avoid"})
    assert "<details open><summary>A peer who" in text(page)
    assert not [name for name, _ in hidden(page, 0) if name.startswith("wish:")]


async def test_going_back_loses_nothing(front: Front) -> None:
    page = await second(front)
    three = await front.page("POST", START, [*hidden(page, 0), *SAID, ("called", "Sam"), ("topics", "sleep")])
    two = await front.page("POST", START, [*hidden(three, 0), ("screen", "back_to_two")])
    assert (chosen(two), 'value="Sam"' in text(two)) == (
        {"other_agency": "require", "veteran": "prefer", "faith": "avoid"},
        True,
    )
    # What is half typed there is no reason not to go on to the first screen, and stands there again afterwards.
    half = [*hidden(two, 0), *SAID, ("channel", "call"), ("address", "12"), ("screen", "back_to_one")]
    one = await front.page("POST", START, half)
    assert ("What would help?" in text(one), hidden(one, 0)[-1][0]) == (True, "lang")
    two = await front.page(
        "POST", START, [*hidden(one, 1), ("relation", "retiree"), ("urgency", "urgent"), ("help", "talk")]
    )
    assert (two.status, chosen(two), 'value="12"' in text(two)) == (
        200,
        {"other_agency": "require", "veteran": "prefer", "faith": "avoid"},
        True,
    )
    assert ("urgency", "urgent") in hidden(two, 0)


@pytest.mark.parametrize("structure", ["team-coordinator", "clinical-supervisor"])
async def test_whoever_looks_at_the_clinician_on_the_way_loses_nothing(front: Front, structure: str) -> None:
    if structure == "clinical-supervisor":
        await front.structured(structure)
    page = await second(front)
    said = [*hidden(page, 0), *SAID, ("choose", "shortlist"), ("release", "ask_me"), ("wanted_people", "Ana Ready")]
    one = await front.page("POST", START, [*said, ("screen", "back_to_one")])
    first = [("relation", "officer"), ("urgency", "routine"), ("help", "talk")]
    two = await front.page("POST", START, [*hidden(one, 1), *first, ("want", "clinician")])
    assert "wish:" not in "".join(re.findall("<select[^>]*>", text(two)))
    if structure == "clinical-supervisor":
        one = await front.page("POST", START, [*hidden(two, 0), ("screen", "back_to_one")])
    else:
        # There is none: the first screen says so at once.
        one = two
    two = await front.page("POST", START, [*hidden(one, 1), *first, ("want", "peer")])
    assert chosen(two) == {"other_agency": "require", "veteran": "prefer", "faith": "avoid"}
    assert "Ana Ready" in text(two)
    checked = re.findall(r'name="(choose|release)" value="(\w+)" checked', text(two))
    assert checked == [("choose", "shortlist"), ("release", "ask_me")]


async def test_what_is_taken_back_to_no_matter_is_no_wish_any_more(front: Front) -> None:
    page = await second(front)
    three = await front.page("POST", START, [*hidden(page, 0), *SAID])
    two = await front.page("POST", START, [*hidden(three, 0), ("screen", "back_to_two")])
    three = await front.page("POST", START, [*hidden(two, 0), ("wish:other_agency", ""), ("wish:veteran", "require")])
    await front.page("POST", START, [*hidden(three, 0), *SENT])
    assert await asked(front) == Wishes(require=("veteran",))


async def test_a_form_of_a_page_from_before_there_was_a_choice_is_taken(front: Front) -> None:
    page = await second(front)
    old: Form = [*hidden(page, 0), ("prefer", "veteran"), ("prefer", "language:es")]
    wrong = await front.page("POST", START, [*old, ("channel", "call"), ("address", "12")])
    assert chosen(wrong) == {"veteran": "prefer", "language:es": "prefer"}
    page = await front.page("POST", START, old)
    await front.page("POST", START, [*hidden(page, 0), *SENT])
    assert await asked(front) == Wishes(prefer=("veteran", "language:es"))


async def test_a_third_screen_from_before_there_was_a_choice_is_taken(front: Front) -> None:
    page = await second(front)
    page = await front.page("POST", START, [*hidden(page, 0)])
    await front.page("POST", START, [*hidden(page, 0), ("prefer", "veteran"), *SENT])
    assert await asked(front) == Wishes(prefer=("veteran",))


@pytest.mark.parametrize("wish", [("wish:veteran", "always"), ("wish:My Sergeant", "avoid")])
async def test_what_is_no_wish_is_said_on_the_page(front: Front, wish: tuple[str, str]) -> None:
    page = await second(front)
    page = await front.page("POST", START, [*hidden(page, 0), wish])
    assert (page.status, "Check what you wish of a peer" in html.unescape(text(page))) == (422, True)
    assert (await front.cases()) == []


async def test_the_emergencys_button_carries_no_wish(front: Front) -> None:
    page = await second(front)
    one = await front.page("POST", START, [*hidden(page, 0), *SAID, ("screen", "back_to_one")])
    emergency = hidden(one, 0)
    assert not [name for name, _ in emergency if name.startswith("wish:")]
    # Not even when a form says so: an emergency is asked of everybody.
    answer = await front.page("POST", START, [*emergency, *SAID])
    (case,) = await front.cases()
    asks = [fact.ask for fact in await front.facts(case) if hasattr(fact, "ask")]
    assert (answer.status, {one.urgency for one in asks}, {one.wishes for one in asks}) == (
        201,
        {Urgency.EMERGENCY},
        {Wishes()},
    )


async def test_the_requesters_page_says_what_was_wished_for_as_long_as_nobody_has_said_yes(front: Front) -> None:
    page = await second(front)
    page = await front.page("POST", START, [*hidden(page, 0), *SAID])
    session = cookie(await front.page("POST", START, [*hidden(page, 0), *SENT]))
    (case,) = await front.cases()
    await front.hear(case, NobodyFound(recipients=(), next_try=clock.now(), urgency=Urgency.SOON))
    shown = text(await front.page("GET", CASE, cookie=session))
    assert "<strong>Only:</strong> is from another agency" in shown
    assert "ask again" in shown[shown.index("leaves everybody else out") :]
    spanish = text(await front.page("GET", f"{CASE}?lang=es", cookie=session))
    assert "<strong>Solo así:</strong> sea de otra agencia" in spanish
    gone = await front.page(
        "POST", f"{CASE}/withdraw", form_to(await front.page("GET", CASE, cookie=session), "/withdraw"), cookie=session
    )
    assert "another agency" not in text(gone)
