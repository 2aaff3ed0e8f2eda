"""What the core promises without a database: who still owns a case, and that nothing is done for nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from shared import casework
from shared.casework import Decided, Standing
from shared.types import Lane


def test_a_case_is_over_when_nobody_owns_it() -> None:
    assert Standing("ended").terminal
    assert not Standing("searching", "matching", datetime(2026, 11, 23, tzinfo=UTC)).terminal


async def test_nothing_to_fold_asks_the_database_nothing() -> None:
    nowhere = cast("Any", None)
    assert await casework.fold(nowhere, [], nowhere) == {}


def test_an_input_that_changes_nothing_says_nothing() -> None:
    @dataclass(frozen=True)
    class State:
        """Anything."""

    decided = Decided(State())
    assert (decided.facts, decided.wakes, decided.acts, decided.ending) == ((), (), (), None)


def test_the_crisis_lane_is_the_first() -> None:
    assert min(Lane) is Lane.CRISIS
