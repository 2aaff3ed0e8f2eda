"""The simulator as its users run it: promises hold, a history is the same again, and a missing guard is found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from deploy.local.settings import checkout
from tests.mutations.catalogue import MUTATIONS
from tests.mutations.tree import copied, mutated

WITHIN_S = 300
SECONDS = "60"


def simulate(*words: str, tree: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=tree or checkout(),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def test_fixed_histories_and_fresh_ones_hold_every_promise() -> None:
    ran = simulate("--steps", "1000000", "--seconds", SECONDS)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert re.match(r"Every promise held\. \d+ steps in \d+ histories", ran.stdout)


def test_a_seed_tells_the_same_history_in_another_process() -> None:
    first, second = simulate("--seed", "5", "--seed", "7"), simulate("--seed", "7")
    told = [line for line in first.stdout.splitlines() if line.startswith("seed 7:")]
    assert told
    assert told == [line for line in second.stdout.splitlines() if line.startswith("seed ")]


def test_a_missing_guard_is_found_shown_shortly_and_found_again(tmp_path: Path) -> None:
    copied(tmp_path)
    mutated(tmp_path, next(one for one in MUTATIONS if one.name == "the inbox claim"))
    ran = simulate("--seed", "1", "--shrink-within", "120", tree=tmp_path)
    assert ran.returncode == 1
    assert "doubled: " in ran.stdout
    shortest = re.search(r"has (\d+) moves", ran.stdout)
    assert shortest
    assert int(shortest[1]) < 40
    kept = tmp_path / ".peerline" / "simulation" / "seed-1.json"
    again = simulate("--history", str(kept), tree=tmp_path)
    assert again.returncode == 1
    assert "fails: doubled" in again.stdout
