"""When a consumer has parked so much that it stops."""

from __future__ import annotations

import pytest

from shared.brake import Limits, Outcome, Tally, counted, over

LIMITS = Limits(window=20, share=0.5, least=4, run=6)
BAD, GOOD, OTHER = True, False, None


@pytest.mark.parametrize(
    ("outcomes", "passed"),
    [
        ([], None),
        ([GOOD] * 100, None),
        ([BAD] * 3, None),
        ([BAD] * 4, 3),
        ([GOOD] * 20 + [BAD] * 5, None),
        ([GOOD] * 20 + [BAD] * 6, 25),
        ([GOOD, BAD] * 3, None),
        ([GOOD, BAD] * 4, 7),
        ([GOOD, GOOD, BAD] * 30, None),
        ([OTHER] * 100 + [BAD] * 4, 103),
        ([BAD, OTHER, OTHER] * 4, 9),
        ([GOOD] * 20 + [BAD, OTHER] * 6, 30),
        ([BAD] * 3 + [GOOD] * 20 + [BAD] * 3, None),
    ],
)
def test_a_share_and_a_run_are_limits_and_what_is_neither_parked_nor_taken_is_not_counted(
    outcomes: list[Outcome], passed: int | None
) -> None:
    assert counted(Tally(), outcomes, LIMITS)[1] == passed


@pytest.mark.parametrize("cut", range(24))
def test_it_is_the_same_however_the_records_are_batched(cut: int) -> None:
    outcomes: list[Outcome] = [GOOD, BAD, OTHER, BAD, GOOD, BAD] * 4
    first, before = counted(Tally(), outcomes[:cut], LIMITS)
    both, after = counted(first, outcomes[cut:], LIMITS)
    whole, passed = counted(Tally(), outcomes, LIMITS)
    assert both == whole
    assert passed == 7
    assert passed == (before if before is not None else cut + (after or 0))


def test_only_a_record_that_is_parked_passes_a_limit() -> None:
    tally, _ = counted(Tally(), [BAD] * 5, LIMITS)
    assert over(tally, LIMITS)
    assert counted(tally, [GOOD, GOOD], LIMITS)[1] is None


def test_good_records_bring_a_consumer_back_below_its_limits() -> None:
    tally, _ = counted(Tally(), [BAD] * 8, LIMITS)
    below, _ = counted(tally, [GOOD] * 9, LIMITS)
    assert (over(tally, LIMITS), over(below, LIMITS)) == (True, False)


def test_the_window_forgets() -> None:
    tally, _ = counted(Tally(), [BAD] * 3 + [GOOD] * 20, LIMITS)
    assert tally == Tally((False,) * 20)


def test_with_the_limits_as_they_are_a_run_counts_where_good_records_went_before_it() -> None:
    usual = Limits()
    fresh = [counted(Tally(), [BAD] * 25, usual)[1], counted(Tally(), [GOOD] * 200 + [BAD] * 25, usual)[1]]
    assert fresh == [19, 224]
    assert counted(Tally(), [GOOD] * 200 + [GOOD, GOOD, GOOD, GOOD, BAD] * 40, usual)[1] == 399
