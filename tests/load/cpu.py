"""CPU seconds of processes, from Linux's /proc; elsewhere nothing is known and nothing is claimed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
# Fields of /proc/<pid>/stat behind the name in parentheses, counted from 0 (proc(5): fields 4, 14-17).
_PARENT, _USER, _SYSTEM, _CHILD_USER, _CHILD_SYSTEM = 1, 11, 12, 13, 14


def _stat(pid: int) -> list[str]:
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _own(fields: list[str]) -> int:
    return int(fields[_USER]) + int(fields[_SYSTEM])


def used(pid: int) -> float:
    """CPU seconds of a process, its living children and those that have ended; 0.0 where there is no /proc."""
    if not PROC.is_dir():
        return 0.0
    ticks = 0
    with suppress(OSError):
        fields = _stat(pid)
        ticks += _own(fields) + int(fields[_CHILD_USER]) + int(fields[_CHILD_SYSTEM])
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError, IndexError):
            fields = _stat(int(folder.name))
            if int(fields[_PARENT]) == pid:
                ticks += _own(fields)
    return ticks / os.sysconf("SC_CLK_TCK")


def meter(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds by name, up to now."""
    return {name: used(pid) for name, pid in pids.items()}


def per_case(before: Mapping[str, float], after: Mapping[str, float], cases: int) -> dict[str, float]:
    """CPU milliseconds per case by name, and their sum as `all`; empty where CPU time is unknown."""
    spent = {name: 1000 * (after[name] - before[name]) / cases for name in before}
    if not any(spent.values()):
        return {}
    spent["all"] = sum(spent.values())
    return {name: round(value, 3) for name, value in spent.items()}


def of_ended_children() -> float:
    """CPU seconds of the processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system
