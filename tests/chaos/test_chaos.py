"""A minute of `make chaos` with a plan that has every family of faults in it."""

from __future__ import annotations

import pytest

from tests.chaos.plan import KINDS
from tests.chaos.run import Order, run, told

SEED = 1770
ENOUGH = 40
"""Requests that were accepted; a region that takes nothing breaks no promise either."""


@pytest.mark.engines
async def test_no_promise_breaks_in_a_minute_in_which_everything_else_does() -> None:
    # Engines of its own: those of the other tests are not to be broken.
    verdict = await run(Order(SEED, minutes=1, quick=True, durable=False, rest_within_s=80), print)
    assert not verdict.broken, told(verdict)
    assert sum(one.accepted_at is not None for one in verdict.history.requests) >= ENOUGH
    struck = {family for stroke in verdict.history.strokes for family in stroke.families}
    assert struck == {kind.family for kind in KINDS}
