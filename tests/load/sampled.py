"""Run a module and note where its CPU time goes: `python -m tests.load.sampled OUT MODULE`.

Every few milliseconds of CPU time (idle time is never sampled) the running stack is counted, by line of our own code
and by function. Needs nothing but Python; a native call is counted at the line that made it.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
from collections import Counter
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from types import FrameType

EVERY_S = 0.002
ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = f"site-packages{os.sep}"
FAMILIES = {
    "Kafka client": ("aiokafka", "faststream", "kafka"),
    "PostgreSQL client": ("asyncpg",),
    "validation": ("pydantic", "pydantic_core", "shared/events"),
    "HTTP": ("uvicorn", "fastapi", "starlette", "httptools", "anyio", "shared/http", "services/*/routes"),
    "SMTP": ("aiosmtplib", "services/*/channels"),
    "sealing": ("cryptography", "shared/vault.py"),
    "tracing": ("opentelemetry", "shared/telemetry.py"),
    "pages and texts": ("jinja2", "phonenumbers", "email_validator"),
    "domain": ("services/*/domain",),
    "stores": ("services/*/store", "shared/anchors.py", "shared/outbox.py", "shared/inbox.py", "shared/audit.py"),
    "actions": ("services/*/actions", "services/*/actions.py", "services/*/subscribers.py", "shared/casework.py"),
    "relay": ("shared/relay.py",),
    "timers": ("shared/timers.py",),
    "delivery": ("shared/delivery.py", "shared/broker.py", "shared/parking.py", "shared/db.py", "shared/joiner.py"),
}
"""Families of code, by packages and by files of ours; `*` stands for one folder."""
LOOP = "event loop, native callbacks"
"""Nobody's Python is on the stack but the one call that runs the loop: sockets, and C code that they wake."""


class Sampler:
    """Counts stacks: `lines` by the innermost line of this checkout, `leaves` and `functions` of any code."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self.forget()

    def forget(self) -> None:
        """Begin again."""
        self.samples = 0
        self.lines: Counter[str] = Counter()
        self.leaves: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.families: Counter[str] = Counter()

    def take(self, _: int, frame: FrameType | None) -> None:
        """Count one stack; a signal handler."""
        if frame is None:
            return
        self.samples += 1
        self.leaves[_function(frame)] += 1
        own, family, seen = "", "", set[str]()
        while frame is not None:
            family = family or family_of(frame.f_code.co_filename)
            seen.add(_function(frame))
            if not own and _is_ours(frame.f_code.co_filename):
                own = f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_qualname}"
            frame = frame.f_back
        self.lines[own or "elsewhere"] += 1
        self.families[family or LOOP] += 1
        self.functions.update(seen)

    def document(self) -> dict[str, object]:
        """What was counted, most often first."""
        return {
            "samples": self.samples,
            "every_s": EVERY_S,
            "lines": dict(self.lines.most_common(60)),
            "leaves": dict(self.leaves.most_common(60)),
            "functions": dict(self.functions.most_common(150)),
            "families": dict(self.families.most_common()),
        }


@cache
def family_of(path: str) -> str:
    """The family of a file; empty for one that works for whoever called it, such as the standard library."""
    own = _short(path) if _PACKAGES in path or path.startswith(str(ROOT)) else ""
    for family, places in FAMILIES.items():
        for place in places:
            if fnmatch(own, place) or fnmatch(own, f"{place}{os.sep}*"):
                return family
    return ""


def _is_ours(path: str) -> bool:
    return path.startswith((f"{ROOT}{os.sep}services", f"{ROOT}{os.sep}shared"))


def _short(path: str) -> str:
    return path.removeprefix(f"{ROOT}{os.sep}").rpartition(f"site-packages{os.sep}")[2]


def _function(frame: FrameType) -> str:
    return f"{_short(frame.f_code.co_filename)}:{frame.f_code.co_firstlineno} {frame.f_code.co_qualname}"


def main() -> None:
    """Sample from the first line of the module to its end; SIGUSR1 forgets what was counted so far."""
    out, module = Path(sys.argv[1]), sys.argv[2]
    sampler = Sampler()
    signal.signal(signal.SIGPROF, sampler.take)
    signal.signal(signal.SIGUSR1, lambda *_: sampler.forget())
    sys.argv[:] = [module]
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        out.write_text(json.dumps(sampler.document(), indent=1))


if __name__ == "__main__":
    main()
