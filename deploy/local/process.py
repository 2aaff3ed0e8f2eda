"""Child processes that are surely ours: recorded with their start time, which no stranger shares."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PROC = Path("/proc")
BOOT_ID = PROC / "sys/kernel/random/boot_id"
# Fields of /proc/PID/stat counted behind the command name, which may itself hold spaces and brackets.
STATE_FIELD, START_FIELD = 0, 19
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Mark:
    """A process that no other can be mistaken for: its number and when it began, as the system tells it."""

    pid: int
    began: str


def mark_of(pid: int) -> Mark | None:
    """Mark of a living process, None when there is none (a zombie counts as none)."""
    began = _began_linux(pid) if sys.platform == "linux" else _began_elsewhere(pid)
    return Mark(pid, began) if began else None


def is_alive(mark: Mark) -> bool:
    """Whether this very process still runs."""
    return mark_of(mark.pid) == mark


def _began_linux(pid: int) -> str | None:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[STATE_FIELD] == "Z" else f"{BOOT_ID.read_text().strip()}/{fields[START_FIELD]}"


def _began_elsewhere(pid: int) -> str | None:
    answer = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, began = answer.stdout.strip().partition(" ")
    return None if not began or state.startswith("Z") else began.strip()


def runs_with(pid: int, word: str) -> bool:
    """Whether `word` is one of the words of a process's command line."""
    if sys.platform == "linux":
        with suppress(OSError):
            return word.encode() in (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        return False
    answer = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return word in answer.stdout


class RunFolder:
    """`<state>/run`: one record per child process, so that the next start can sweep what a killed parent left."""

    def __init__(self, state: Path) -> None:
        """Use the folder below `state`; it is made when something is recorded."""
        self.path = state / "run"

    def record(self, name: str, pid: int) -> None:
        """Remember that `pid` runs `name`."""
        mark = mark_of(pid)
        if mark:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / f"{name}.json").write_text(json.dumps(asdict(mark)))

    def forget(self, name: str) -> None:
        """The process has ended."""
        (self.path / f"{name}.json").unlink(missing_ok=True)

    def left_over(self) -> dict[str, Mark]:
        """Recorded processes that still run, by name; records of ended ones are removed."""
        found: dict[str, Mark] = {}
        for file in sorted(self.path.glob("*.json")):
            with suppress(ValueError, TypeError):
                mark = Mark(**json.loads(file.read_text()))
                if is_alive(mark):
                    found[file.stem] = mark
                    continue
            file.unlink(missing_ok=True)
        return found

    def sweep(self, *, grace: float, on_event: Callable[[str], None]) -> None:
        """End every left-over: SIGTERM to its process group, SIGKILL after `grace` seconds. Blocks."""
        for name, mark in self.left_over().items():
            on_event(f"{name} (process {mark.pid}) was left over by a killed run: stopping it")
            end_group(mark, grace=grace)
            self.forget(name)


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the process group led by `pid`; an ended group is no error."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end_group(mark: Mark, *, grace: float) -> None:
    """Ask a group to end, insist after `grace` seconds. Blocks until its leader is gone."""
    signal_group(mark.pid, signal.SIGTERM)
    # A stopped process hears SIGTERM only once it goes on.
    signal_group(mark.pid, signal.SIGCONT)
    if not _gone_within(mark, grace):
        signal_group(mark.pid, signal.SIGKILL)
        _gone_within(mark, grace)


def _gone_within(mark: Mark, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while is_alive(mark):
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
    return True
