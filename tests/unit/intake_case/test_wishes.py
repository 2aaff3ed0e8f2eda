"""What a requester wishes of a peer: every wish and every choice of the form, and what the API says against it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.intake.domain.acts import AskPeer
from services.intake.domain.request import Request
from services.intake.domain.wishes import CHOICES, GROUPS, WISHES, wished
from services.intake.routes import ask
from services.intake.routes.desk import PAGES
from services.intake.routes.speech import read_speech
from shared.events.intake import RequestSubmitted, Wishes
from shared.http.problems import problems_of
from tests.unit.intake_case.given import direct, facts_of
from tests.unit.intake_case.test_request import BODY, CODE, FORM, places

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "agency-it.md"
NO_WISH: dict[str, Any] = {"require": (), "prefer": (), "avoid": ()}
WORDS = read_speech(PAGES / "words").of("en")


def wishes(**fields: list[str]) -> dict[str, Any]:
    """The preferences of a form with these fields."""
    named = {name.replace("__", ":", 1): values for name, values in fields.items()}
    return ask.request_of(FORM | named).preferences.model_dump()


def told(fields: dict[str, list[str]]) -> list[str]:
    """What the page says of a form that cannot be taken."""
    with pytest.raises(ValidationError) as caught:
        ask.request_of(FORM | fields)
    return ask.told(caught.value, WORDS["fields"])


@pytest.mark.parametrize("token", WISHES)
@pytest.mark.parametrize("choice", CHOICES)
def test_every_wish_can_be_chosen_in_every_way(token: str, choice: str) -> None:
    found = ask.request_of(FORM | {f"wish:{token}": [choice]}).preferences.model_dump()
    assert found == NO_WISH | {choice: (token,)}


@pytest.mark.parametrize("token", WISHES)
def test_no_matter_is_no_wish(token: str) -> None:
    fields = FORM | {f"wish:{token}": [""]}
    assert ask.request_of(fields).preferences.model_dump() == NO_WISH
    assert (ask.chosen(fields), f"wish:{token}" in ask.kept(fields)) == ({}, False)


def test_a_page_from_before_there_was_a_choice_is_taken_as_it_was() -> None:
    assert wishes(prefer=["veteran", "gender:female"]) == NO_WISH | {"prefer": ("veteran", "gender:female")}


def test_what_is_chosen_now_goes_before_what_an_older_page_has_said() -> None:
    assert wishes(prefer=["veteran", "parent"], wish__veteran=["avoid"]) == NO_WISH | {
        "prefer": ("parent",),
        "avoid": ("veteran",),
    }
    assert wishes(prefer=["veteran"], wish__veteran=[""]) == NO_WISH


def test_many_wishes_go_together() -> None:
    fields = {f"wish:{token}": [choice] for token, choice in zip(WISHES, CHOICES * len(WISHES), strict=False)}
    found = ask.request_of(FORM | fields).preferences.model_dump()
    assert sorted(token for tokens in found.values() for token in tokens) == sorted(WISHES)
    assert ask.chosen(fields) == {name.removeprefix("wish:"): choice for name, (choice,) in fields.items()}
    # The next screen carries them on as they are.
    assert fields.items() <= ask.kept(FORM | fields).items()


@pytest.mark.parametrize(
    "fields",
    [
        {"wish:veteran": ["always"]},
        {"wish:Somebody Nice": ["prefer"]},
        {f"wish:{token}": ["require"] for token in WISHES[:11]},
        {"prefer": ["Somebody Nice"]},
    ],
)
def test_what_is_no_wish_is_named_on_the_page(fields: dict[str, list[str]]) -> None:
    assert told(fields) == [WORDS["fields"]["preferences"]]


@pytest.mark.parametrize("wanted", ["require", "prefer"])
def test_the_same_can_not_be_wanted_and_avoided(wanted: str) -> None:
    preferences = {wanted: ["veteran", "parent"], "avoid": ["faith", "parent"]}
    assert places(preferences=preferences) == [("/preferences/avoid", "also_wanted")]
    # An emergency is taken all the same, and says what was left out: that word alone.
    taken = Request.model_validate(BODY | {"urgency": "emergency", "preferences": preferences})
    assert taken.preferences.model_dump() == NO_WISH | {wanted: ("veteran", "parent"), "avoid": ("faith",)}
    assert [one.path for one in taken.left_out] == [("preferences", "avoid", 1)]


def test_what_is_wanted_most_of_all_may_also_be_preferred() -> None:
    both = {"require": ["veteran"], "prefer": ["veteran"]}
    assert Request.model_validate(BODY | {"preferences": both}).preferences.prefer == ("veteran",)


def test_an_emergency_of_the_page_knows_no_wishes() -> None:
    request = ask.emergency_of({"code": [CODE], "wish:other_agency": ["require"], "prefer": ["veteran"]})
    assert request.preferences.model_dump() == NO_WISH


def test_wishes_are_told_in_the_order_of_the_page_and_others_after_them() -> None:
    found = wished(Wishes(require=("night_shift", "veteran"), prefer=("other_agency",), avoid=("faith",)))
    assert found == [
        ("prefer", "other_agency"),
        ("require", "veteran"),
        ("avoid", "faith"),
        ("require", "night_shift"),
    ]


def test_who_asks_for_a_peer_after_a_clinician_has_their_wishes_still() -> None:
    wanted = Wishes(require=("other_agency",), prefer=("veteran",), avoid=("faith",))
    start = direct()
    (asked,) = facts_of(replace(start, ask=start.ask.model_copy(update={"wishes": wanted})), AskPeer())
    assert isinstance(asked, RequestSubmitted)
    assert asked.ask.wishes == wanted


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_wish_has_a_word(language: str) -> None:
    words = read_speech(PAGES / "words").of(language)
    assert set(words["wishes"]) == set(WISHES)
    assert set(words["wish_groups"]) == set(GROUPS)
    assert set(words["wish"]) == {"any", *CHOICES}
    assert len(set(words["wishes"].values())) == len(WISHES)


def test_agencies_can_read_which_words_their_peers_can_say_of_themselves() -> None:
    written = set(re.findall(r"`([a-z_]+(?::[a-z0-9_-]+)?)`", GUIDE.read_text("utf-8")))
    # That somebody is of another agency nobody says of themselves.
    assert {*WISHES} - {"other_agency"} <= written


def test_a_problem_with_wishes_never_says_what_was_typed() -> None:
    with pytest.raises(ValidationError) as caught:
        ask.request_of(FORM | {"wish:veteran": ["secretly"]})
    assert "secretly" not in str([(one.pointer, one.code) for one in problems_of(caught.value)])
