"""What a case costs."""

from __future__ import annotations

import os
import time

import pytest

from tests.load import cpu


def test_the_cost_of_a_case_is_told_by_process_and_in_all() -> None:
    before, after = {"intake": 1.0, "postgres": 2.0}, {"intake": 1.5, "postgres": 2.25}
    assert cpu.per_case(before, after, 100) == {"intake": 5.0, "postgres": 2.5, "all": 7.5}


def test_nothing_is_claimed_where_cpu_time_is_unknown() -> None:
    assert cpu.per_case({"intake": 0.0}, {"intake": 0.0}, 100) == {}


@pytest.mark.skipif(not cpu.PROC.is_dir(), reason="needs Linux's /proc")
def test_a_process_that_computes_uses_cpu_time() -> None:
    before, until = cpu.used(os.getpid()), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert cpu.used(os.getpid()) > before


@pytest.mark.skipif(not cpu.PROC.is_dir(), reason="needs Linux's /proc")
def test_a_process_that_is_gone_has_used_nothing() -> None:
    assert cpu.used(2**22) == 0.0
