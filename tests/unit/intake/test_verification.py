"""How often somebody is mailed again who has verified nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.intake.domain.verification import Asked, Waiting, may_ask, plan
from shared.types import PersonId

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ANA, BEN = PersonId(UUID(int=1)), PersonId(UUID(int=2))


def ago(*hours: float) -> tuple[datetime, ...]:
    return tuple(NOW - timedelta(hours=one) for one in hours)


@pytest.mark.parametrize(
    ("asked", "may"),
    [
        ((), True),
        (ago(0), False),
        (ago(0.99), False),
        (ago(1), True),
        (ago(2, 3, 4, 5), True),
        (ago(2, 3, 4, 5, 6), False),
        (ago(2, 3, 4, 5, 168), True),
        (ago(200, 201, 202, 203, 204), True),
    ],
)
def test_once_an_hour_and_five_times_a_week(asked: tuple[datetime, ...], may: bool) -> None:
    assert may_ask(asked, NOW) is may


def test_everybody_means_those_who_have_verified_nothing() -> None:
    people = [Waiting(ANA, verified=True), Waiting(BEN, verified=False)]
    assert plan(people, NOW, named=False) == Asked((BEN,), verified=1)


def test_somebody_named_is_asked_for_a_second_address_too_and_not_too_soon() -> None:
    assert plan([Waiting(ANA, verified=True)], NOW, named=True).now == (ANA,)
    assert plan([Waiting(ANA, True, ago(0.5))], NOW, named=True) == Asked(too_soon=1)
