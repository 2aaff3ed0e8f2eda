"""Is this machine fit? Asked before anything is installed, so it needs nothing but Python itself.

`python3 -m deploy.local.preflight` prints what to expect, or one sentence that says what to do and exit code 1.
`tools/setup.sh` asks before it makes .venv; `make up` asks again, and says only what has not been said.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from deploy.local import network
from deploy.local.errors import LocalError, UnfitMachineError
from deploy.local.ports import check_free, ports_from_environment
from deploy.local.process import RunFolder

OLDEST_PYTHON = (3, 11)
PLATFORMS = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64"))
MEGABYTE = 1 << 20
NEEDED_BYTES = 2_500 * MEGABYTE
# Measured: what pip downloads for the virtual environment of the lock, in bytes.
WHEEL_BYTES = 230 * MEGABYTE
SLOW_BYTES_PER_SECOND = 20_000_000 / 8
SETUP_SECONDS = 45
WITHOUT_PORTS, NETWORK = "--without-ports", "--network"
SAID = ".preflight-said"
"""In .venv: what to expect was said when it was made."""


def check_python(
    version: tuple[int, int] = sys.version_info[:2], modules: tuple[str, ...] = ("venv", "ensurepip")
) -> None:
    """Raise UnfitMachineError for a Python that is too old or comes without `venv` or `ensurepip`."""
    if version < OLDEST_PYTHON:
        raise UnfitMachineError(
            f"Python {version[0]}.{version[1]} is too old: install Python 3.11 or newer, put it first in PATH."
        )
    for module in modules:
        if find_spec(module) is None:
            raise UnfitMachineError(
                f"This Python lacks {module}: install it (on Debian and Ubuntu: apt install python3-venv), start again."
            )


def check_platform(system: str = "", machine: str = "") -> None:
    """Raise UnfitMachineError where the packages of the engines do not exist."""
    found = (system or platform.system(), machine or platform.machine())
    if found not in PLATFORMS:
        raise UnfitMachineError(
            f"There are no packaged engines for {found[0]} on {found[1]}: use Linux (x86_64, aarch64) or macOS."
        )


def check_disk(folder: Path, needed: int = NEEDED_BYTES) -> None:
    """Raise UnfitMachineError when the disk of `folder` (even one to be made) has less than `needed` bytes free."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise UnfitMachineError(
            f"The disk of {there} has {free // MEGABYTE} MB free and {needed // MEGABYTE} MB are needed: make room."
        )


def check_writable(folder: Path) -> None:
    """Raise UnfitMachineError when this account may not write where `folder` is or would be made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        setting = "PEERLINE_LOCAL_STATE, PEERLINE_LOCAL_CACHE"
        raise UnfitMachineError(
            f"This account may not write in {there}: make it yours, or set {setting} to other folders."
        )


def check_ports(state: Path) -> None:
    """Raise PortBusyError for a port in use; left-overs of a killed run do not count, the start ends those."""
    if not RunFolder(state).left_over():
        check_free(ports_from_environment())


def expected_bytes(cache: Path, *, environment: Path) -> int:
    """Bytes that a start will download: Java packages not yet in `cache`, and wheels if there is no `environment`."""
    lock = json.loads(Path(__file__).with_name("jars.lock.json").read_text())
    rows = [row for engine in lock.values() for row in engine]
    jars = sum(row["size"] for row in rows if not (cache / "jars" / row["path"]).is_file())
    return int(jars) + (0 if environment.exists() else WHEEL_BYTES)


def expectation(size: int) -> str:
    """One sentence about the size and minutes of the first start."""
    if not size:
        return "Everything is downloaded; the start takes about 15 seconds."
    minutes = max(1, round((size / SLOW_BYTES_PER_SECOND + SETUP_SECONDS) / 60))
    return (
        f"About {size // MEGABYTE} MB will be downloaded; with 20 Mbit/s the first start takes about {minutes} minutes."
    )


def was_said(root: Path) -> bool:
    """Whether set-up has said what to expect a moment ago; asked once."""
    mark = root / ".venv" / SAID
    said = mark.exists()
    mark.unlink(missing_ok=True)
    return said


def check(*, root: Path, state: Path, cache: Path, ports: bool = True) -> str:
    """Ask everything; returns what to expect, raises LocalError for the first thing that is not fit.

    Tests take free ports: without `ports` nobody is asked for those of `make up`.
    """
    check_python()
    check_platform()
    for folder in (state, cache):
        check_writable(folder)
        check_disk(folder)
    if ports:
        check_ports(state)
    return expectation(expected_bytes(cache, environment=root / ".venv"))


def check_network(*, root: Path, cache: Path) -> None:
    """Raise UnfitMachineError when something has to be downloaded and the place where it lies does not answer."""
    network.check(wheels=not (root / ".venv").exists(), jars=expected_bytes(cache, environment=root) > 0)


def main() -> None:
    """Check this checkout's `make up`."""
    root = Path(__file__).resolve().parents[2]
    state = Path(os.environ.get("PEERLINE_LOCAL_STATE") or root / ".peerline") / "up"
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("PEERLINE_LOCAL_CACHE") or cache_home / "peerline")
    try:
        told = check(root=root, state=state, cache=cache, ports=WITHOUT_PORTS not in sys.argv[1:])
        if NETWORK in sys.argv[1:]:
            check_network(root=root, cache=cache)
        sys.stdout.write(told + "\n")
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
