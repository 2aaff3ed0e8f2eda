"""The seed alone decides what goes wrong, and nothing is left out."""

from __future__ import annotations

from itertools import islice

import pytest

from tests.chaos.plan import KINDS, PROCESSES, QUICK_S, plan

FAMILIES = {kind.family for kind in KINDS}


def test_the_same_seed_is_the_same_plan_and_another_one_is_another() -> None:
    assert list(islice(plan(7), 60)) == list(islice(plan(7), 60))
    assert list(islice(plan(7), 60)) != list(islice(plan(8), 60))


@pytest.mark.parametrize("seed", range(20))
def test_every_family_comes_before_any_comes_again(seed: int) -> None:
    first = list(islice(plan(seed, quick=True), len(FAMILIES)))
    assert {fault.family for moment in first for fault in moment.faults} == FAMILIES
    assert all(moment.single for moment in first)


def test_every_kind_and_every_process_has_its_turn_and_some_things_go_wrong_together() -> None:
    moments = list(islice(plan(3), 200))
    faults = [fault for moment in moments for fault in moment.faults]
    assert {(fault.family, fault.kind) for fault in faults} == {(kind.family, kind.name) for kind in KINDS}
    assert set(PROCESSES) <= {fault.target for fault in faults}
    assert 10 < sum(len(moment.faults) == 2 for moment in moments) < 100


def test_faults_last_as_long_as_their_kind_allows_and_shortly_in_a_quick_run() -> None:
    lasts = {(kind.family, kind.name): kind.lasts for kind in KINDS}
    for moment in islice(plan(5), 200):
        for fault in moment.faults:
            shortest, longest = lasts[fault.family, fault.kind]
            assert shortest <= fault.seconds <= longest
    quick = [fault for moment in islice(plan(5, quick=True), 200) for fault in moment.faults]
    assert all(fault.seconds == 0 or QUICK_S[0] <= fault.seconds <= QUICK_S[1] for fault in quick)
