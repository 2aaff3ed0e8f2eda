"""The part of requirements.lock that an image needs, with its hashes, and nothing more.

The lock says of each package which others asked for it (`# via`); from those the closure of what is wanted is taken.
Too little cannot come out unseen: pip refuses what has no hash here. Python alone is enough, as it runs before
anything is installed.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==")
VIA = re.compile(r"^    #(?: via)? +([A-Za-z0-9._-]+)")
NAME = re.compile(r"[A-Za-z0-9._-]+")


def normal(name: str) -> str:
    """A package's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def blocks(lock: str) -> dict[str, str]:
    """Each package of a lock with its lines: pin, hashes, and who asked for it."""
    found: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        pinned = PINNED.match(line)
        name = normal(pinned[1]) if pinned else name
        if name:
            found[name] = found.get(name, "") + line
    return found


def subset(lock: str, names: Iterable[str]) -> str:
    """The blocks of these packages and of all that they need, in the lock's order. Raises `KeyError`."""
    every = blocks(lock)
    needs: dict[str, set[str]] = {name: set() for name in every}
    for name, block in every.items():
        for line in block.splitlines():
            via = VIA.match(line)
            if via and normal(via[1]) in needs:
                needs[normal(via[1])].add(name)
    wanted: set[str] = set()
    waiting = [normal(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += needs[name]
    return "".join(block for name, block in every.items() if name in wanted)


def direct(project: str, extras: Iterable[str]) -> list[str]:
    """The packages that a pyproject.toml asks for, those of some extras included."""
    table = tomllib.loads(project)["project"]
    asked = [*table["dependencies"], *(one for extra in extras for one in table["optional-dependencies"][extra])]
    return [found[0] for one in asked if (found := NAME.match(one))]


def main() -> None:
    """Print the subset for the core and some extras, or for some packages alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extra", action="append", default=[], help="an extra of pyproject.toml; repeat it")
    parser.add_argument("--only", action="append", default=[], help="a package, without the core; repeat it")
    given = parser.parse_args()
    lock, project = Path("requirements.lock").read_text(), Path("pyproject.toml").read_text()
    sys.stdout.write(subset(lock, given.only or direct(project, given.extra)))


if __name__ == "__main__":
    main()
