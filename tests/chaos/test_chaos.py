"""A minute of `make chaos` with a plan that has every family of faults in it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from deploy.local.settings import checkout
from tests.harness.engines import guarded

SEED = 1770
WITHIN_S = 900
ENOUGH = 40
"""Requests that were accepted; a region that takes nothing breaks no promise either."""
FAMILIES = ("[a-z]+-[01] killed", "[a-z]+-[01] frozen", "kafka", "postgres", "connections ended|wire", "mail")


@pytest.mark.engines
def test_no_promise_breaks_in_a_minute_in_which_everything_else_does() -> None:
    # A process and engines of its own: those of the other tests are not to be broken.
    command = guarded(sys.executable, "-m", "tests.chaos", "--quick", "--minutes", "1", "--seed", str(SEED))
    run = subprocess.run(command, cwd=checkout(), capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr[-3000:]}"
    assert "everything held" in run.stdout
    accepted = re.search(r"(\d+) of \d+ requests accepted", run.stdout)
    assert accepted is not None
    assert int(accepted[1]) >= ENOUGH
    assert [family for family in FAMILIES if not re.search(rf"s  .*({family})", run.stdout)] == []
