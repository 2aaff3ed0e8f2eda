"""Named points at which a test may have this process die as by a power cut. Production refuses to start with one armed.

The process writes one line to a marker file, waits until the disk has it, and kills itself with SIGKILL: no handler,
no `finally` and no rollback runs, which is what the test wants to see survived.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from shared import clock

ORDER = "@"
"""PEERLINE_FAULT=@/a/file: the fault is whatever that file says once it is there, so that it can be armed later."""

Point = Literal[
    "after-consume",
    "after-commit",
    "before-publish",
    "after-publish",
    "before-offset",
    "after-attempt",
    "after-provider",
]

POINTS: tuple[Point, ...] = get_args(Point)
"""In the order of a message's way: consumed, committed, published, offset; then notify's attempt and its provider."""


class FaultInProduction(Exception):
    """A fault point is armed and this is production: the process does not start."""


class UnknownFault(Exception):
    """PEERLINE_FAULT is not `point[:topic-or-kind][:nth]` with a point of `POINTS` and nth of 1 or more."""


@dataclass
class _Armed:
    point: Point
    detail: str
    left: int
    marker: Path | None


class _State:
    armed: _Armed | None = None
    order: Path | None = None
    marker: Path | None = None


def _parsed(value: str, marker: Path | None) -> _Armed:
    name, *rest = value.split(":")
    point = next((known for known in POINTS if known == name), None)
    nth = int(rest.pop()) if rest and rest[-1].isascii() and rest[-1].isdigit() else 1
    if point is None or nth < 1 or len(rest) > 1:
        raise UnknownFault(f"PEERLINE_FAULT: point[:topic-or-kind][:nth], one of {', '.join(POINTS)}")
    return _Armed(point, rest[0] if rest else "", nth, marker)


def arm_from(settings_value: str, production: bool, *, marker: Path | None = None) -> None:  # noqa: FBT001
    """Arm the one point that `settings_value` names; nothing is armed when it is empty.

    `marker` is where the process says that it died on purpose; PEERLINE_FAULT_MARKER when None.
    Raises `FaultInProduction`, `UnknownFault`.
    """
    _State.armed = _State.order = None
    if not settings_value:
        return
    if production:
        raise FaultInProduction
    named = os.environ.get("PEERLINE_FAULT_MARKER")
    _State.marker = marker or (Path(named) if named else None)
    if settings_value.startswith(ORDER):
        _State.order = Path(settings_value.removeprefix(ORDER))
    else:
        _State.armed = _parsed(settings_value, _State.marker)


def reached(point: Point, *details: str) -> None:
    """The process has come to `point`, with these topics or kinds. Does nothing unless exactly this is armed."""
    if _State.order is not None:
        _follow(_State.order)
    if _State.armed is not None:
        _perhaps_die(_State.armed, point, details)


def _follow(order: Path) -> None:
    if order.is_file():
        _State.armed, _State.order = _parsed(order.read_text().strip(), _State.marker), None


def _perhaps_die(armed: _Armed, point: Point, details: tuple[str, ...]) -> None:
    if point != armed.point or (armed.detail and armed.detail not in details):
        return
    armed.left -= 1
    if armed.left > 0:
        return
    if armed.marker is not None:
        _mark(armed.marker, point)
    os.kill(os.getpid(), signal.SIGKILL)
    # With several threads the signal may reach another one first: nothing more may happen in this one.
    signal.pause()


def _mark(marker: Path, point: Point) -> None:
    with marker.open("a", encoding="ascii") as file:
        file.write(f"{point} {clock.now().isoformat()}\n")
        file.flush()
        os.fsync(file.fileno())
