"""`python -m tests.mutations`: take one guard after the other out of a copy of the product, and see who notices.

The simulator is asked first; a guard that it cannot miss, because another stands behind it, is asked of a test. Prints
the table of docs/architecture/mutations.md; exit code 1 when nobody notices one of them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.mutations.catalogue import MUTATIONS, Mutation
from tests.mutations.tree import copied, mutated

WITHIN_S = 1200.0
_PROMISE = re.compile(r"^seed (\d+) fails after (\d+) moves: ([^:]+)", re.MULTILINE)
_TEST = re.compile(r"^FAILED (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Noticed:
    """Who has noticed that a guard is missing; `by` is empty when nobody did."""

    mutation: Mutation
    by: str


def _ran(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=tree, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )


def noticed(mutation: Mutation) -> Noticed:
    """Who notices."""
    with tempfile.TemporaryDirectory(prefix="peerline-mutation-") as folder:
        tree = Path(folder)
        copied(tree)
        mutated(tree, mutation)
        simulated = _ran(tree, "tests.simulation", "--steps", str(mutation.steps), "--no-shrink")
        if found := _PROMISE.search(simulated.stderr):
            return Noticed(mutation, f"simulator: `{found[3]}` (seed {found[1]}, move {found[2]})")
        if simulated.returncode:
            # That shows nothing of the guard.
            raise RuntimeError(f"{mutation.name}: the simulator does not run: {simulated.stderr[-500:]}")
        if mutation.test:
            tested = _ran(tree, "pytest", "-x", "-q", mutation.test)
            if found := _TEST.search(tested.stdout):
                return Noticed(mutation, f"test: `{found[1]}`")
        return Noticed(mutation, "")


def main() -> None:
    """All of them, or those whose names hold a word."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations")
    parser.add_argument("words", nargs="*", help="only guards whose names hold one of these")
    words = parser.parse_args().words
    missed = False
    sys.stdout.write("| Taken out | Noticed by |\n|---|---|\n")
    for mutation in MUTATIONS:
        if not words or any(word in mutation.name for word in words):
            found = noticed(mutation)
            missed |= not found.by
            sys.stdout.write(f"| {mutation.name} | {found.by or '**nobody**'} |\n")
            sys.stdout.flush()
    sys.exit(missed)


if __name__ == "__main__":
    main()
