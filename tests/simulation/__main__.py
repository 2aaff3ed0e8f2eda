"""`make simulate`: chance is seeded before anything of the product is imported (tests/simulation/entropy.py)."""

from __future__ import annotations

import importlib
import os
import sys

from tests.simulation import entropy

if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of texts would come in another order in every process.
        again = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - our own module
    entropy.install()
    importlib.import_module("tests.simulation.command").main()
