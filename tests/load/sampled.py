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
from pathlib import Path
from types import FrameType

EVERY_S = 0.002
ROOT = Path(__file__).resolve().parents[2]


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

    def take(self, _: int, frame: FrameType | None) -> None:
        """Count one stack; a signal handler."""
        if frame is None:
            return
        self.samples += 1
        self.leaves[_function(frame)] += 1
        own, seen = "", set[str]()
        while frame is not None:
            seen.add(_function(frame))
            if not own and _is_ours(frame.f_code.co_filename):
                own = f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_qualname}"
            frame = frame.f_back
        self.lines[own or "elsewhere"] += 1
        self.functions.update(seen)

    def document(self) -> dict[str, object]:
        """What was counted, most often first."""
        return {
            "samples": self.samples,
            "every_s": EVERY_S,
            "lines": dict(self.lines.most_common(60)),
            "leaves": dict(self.leaves.most_common(60)),
            "functions": dict(self.functions.most_common(150)),
        }


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
