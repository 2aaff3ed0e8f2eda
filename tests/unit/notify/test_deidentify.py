"""What a question for advice may not hold, in the many ways in which people write it."""

from __future__ import annotations

import pytest

from services.notify.domain.deidentify import folded, telling

REACH = ("+18015550142", "María")
MAIL = ("ana.lopez74@mesa-pd.example.org", "")


@pytest.mark.parametrize(
    "text",
    [
        "Call 801-555-0199",
        "(801) 555 0199 is the number",
        "801.555.0199",
        "+1 801 555 0199",
        "8015550199",
        "801/555/0199",
        "8 0 1 5 5 5 0 1 9 9",
        "\uff18\uff10\uff11\uff15\uff15\uff15\uff10\uff11\uff19\uff19",
        "801\u200b555\u200b0199",
        "eight oh one five five five zero one nine nine",
        "ocho cero uno cinco cinco cinco 0199",
    ],
)
def test_a_telephone_number_is_found_however_it_is_written(text: str) -> None:
    assert "number" in telling(text, ())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ana@example.org", "mail"),
        ("ana (at) example.org", "mail"),
        ("ana at example dot org", "mail"),
        ("ana arroba example punto org", "mail"),
        ("see https://example.org/x", "web"),
        ("see www.example", "web"),
        ("on facebook.com under", "web"),
        ("Badge 42", "badge"),
        ("badge number: 1177", "badge"),
        ("BADGE NO. 7", "badge"),
        ("placa núm. 88", "badge"),
        ("unit 4B-12", "badge"),
        ("shield #9", "badge"),
        ("#4411 told me", "badge"),
        ("K9-1234 said", "badge"),
        ("he is 4417", "badge"),
        ("PD-417", "badge"),
    ],
)
def test_other_marks_of_a_person_are_found(text: str, kind: str) -> None:
    assert kind in telling(text, ())


@pytest.mark.parametrize(
    ("text", "reach"),
    [
        ("MARIA does not sleep", REACH),
        ("maría's husband", REACH),
        ("María does not sleep", REACH),
        ("ends in 0142", REACH),
        ("Lopez drinks", MAIL),
        ("Ana LÓPEZ drinks", MAIL),
        ("at mesa they say", MAIL),
        ("ask for ana lopez", ("analopez@example.org", "")),
        ("ask for analopez", ("someone@example.org", "Ana-Lopez")),
    ],
)
def test_words_and_numbers_of_the_reach_are_found_whatever_their_case_and_accents(
    text: str, reach: tuple[str, str]
) -> None:
    assert "reach" in telling(text, reach)


@pytest.mark.parametrize(
    "text",
    [
        "They have not slept for 3 nights since the accident. What helps?",
        "How do I raise drinking with somebody after 20 years of service?",
        "The shift ends at 2300 hours and they cannot rest.",
        "Nightmares since 2019, worse in May. Is a weekly call enough?",
        "No duerme desde hace 3 noches. ¿Qué puedo hacer?",
        "One of two said: on the one hand yes, on the other no.",
    ],
)
def test_a_question_without_marks_passes(text: str) -> None:
    assert telling(text, (*REACH, *MAIL)) == ()


def test_kinds_come_in_one_order_and_say_nothing_of_the_text() -> None:
    found = telling("Maria, badge 1177, 801 555 0142, ana@example.org, www.example.org", REACH)
    assert found == ("number", "mail", "web", "badge", "reach")


def test_folding_drops_case_accents_and_what_does_not_show() -> None:
    assert folded("MARÍA\u200b \uff14\uff12") == "maria 42"
