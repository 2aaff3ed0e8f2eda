"""In which language somebody is answered whose browser says what it wants, and how a number is read."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from services.notify.routes.look import wanted_language
from shared.http.languages import MOST, accepted
from shared.http.numbers import readable


def asking(wanted: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept-language", wanted.encode())]})


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("", []),
        ("es-MX,es;q=0.9,en;q=0.8", ["es-MX", "es", "en"]),
        ("en;q=0.2, es", ["es", "en"]),
        ("en;q=0, es", ["es"]),
        ("*, es", ["es"]),
        ("es;q=x, <script>, en", ["en"]),
    ],
)
def test_the_dearest_language_comes_first_and_nonsense_not_at_all(wanted: str, expected: list[str]) -> None:
    assert accepted(asking(wanted)) == expected


def test_only_so_many_are_read() -> None:
    assert len(accepted(asking(",".join(["es"] * 1000)))) == MOST


@pytest.mark.parametrize(("wanted", "expected"), [("fr, es;q=0.5", "es"), ("fr", "en"), ("es-US", "es-US"), ("", "en")])
def test_a_page_before_the_pin_takes_the_first_language_that_is_spoken(wanted: str, expected: str) -> None:
    assert wanted_language(asking(wanted)) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [("+18015550142", "801-555-0142"), ("988", "988"), ("+521234567890", "+521234567890"), ("a@b.test", "a@b.test")],
)
def test_a_number_is_read_as_it_is_written_here(number: str, expected: str) -> None:
    assert readable(number) == expected
