"""A copy of the product in which a guard is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.local.settings import checkout
from tests.mutations.catalogue import Mutation

TREE = ("services", "shared", "deploy", "tests", "tools", "docs", "pyproject.toml", "requirements.lock")


def copied(tree: Path) -> None:
    """Copy everything that runs and tests into this folder."""
    for name in TREE:
        source = checkout() / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)


def mutated(tree: Path, mutation: Mutation) -> None:
    """Take the guard out of this copy. Raises ValueError when it is not there, or more than once."""
    file = tree / mutation.file
    text = file.read_text()
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: stands {text.count(mutation.old)} times in {mutation.file}")
    file.write_text(text.replace(mutation.old, mutation.new))
