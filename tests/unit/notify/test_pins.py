"""Tries against a PIN."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.pins import BLOCK_AT, LOCK_AT, LOCKED_FOR, Guard, tried, well_formed

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def after(*tries: bool, start: datetime = NOW, apart: timedelta = timedelta(0)) -> tuple[Guard, list[str]]:
    guard = Guard()
    verdicts: list[str] = []
    for number, right in enumerate(tries):
        guard, verdict = tried(guard, right=right, now=start + number * apart)
        verdicts.append(verdict)
    return guard, verdicts


def test_the_fifth_wrong_one_locks_and_then_nothing_counts() -> None:
    guard, verdicts = after(*[False] * 7, True)
    assert verdicts == ["wrong"] * 4 + ["locked"] * 4
    assert guard.wrong == LOCK_AT


def test_after_the_lock_a_right_one_opens_and_forgets() -> None:
    guard, _ = after(*[False] * 5)
    assert tried(guard, right=True, now=NOW + LOCKED_FOR) == (Guard(), "right")
    assert tried(guard, right=True, now=NOW + LOCKED_FOR - timedelta(seconds=1)) == (guard, "locked")


def test_the_tenth_wrong_one_blocks_for_good() -> None:
    guard, verdicts = after(*[False] * 10, apart=LOCKED_FOR)
    assert verdicts[-1] == "blocked"
    assert tried(guard, right=True, now=NOW + timedelta(days=900)) == (guard, "blocked")


def test_a_right_one_in_between_begins_the_count_again() -> None:
    guard, verdicts = after(*[False] * 4, True, *[False] * 4, True)
    assert set(verdicts) == {"wrong", "right"}
    assert guard == Guard()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=60))
def test_nobody_guesses_more_than_ten_times_between_two_right_ones(tries: list[tuple[bool, int]]) -> None:
    guard, now, wrong = Guard(), NOW, 0
    for right, minutes in tries:
        now += timedelta(minutes=minutes)
        guard, verdict = tried(guard, right=right, now=now)
        wrong = 0 if verdict == "right" else wrong + (verdict == "wrong")
        assert wrong < BLOCK_AT
        assert guard.wrong <= BLOCK_AT


@pytest.mark.parametrize(
    "pin", ["12345", "1234567", "12345a", "\uff11\uff12\uff13\uff14\uff15\uff16", " 12345", "12345\n", ""]
)
def test_a_pin_is_six_ascii_digits(pin: str) -> None:
    assert not well_formed(pin)
    assert well_formed("012345")
