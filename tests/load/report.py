"""What a run has found, as JSON for `docs/performance/latest.json` and as a table for people."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.settings import checkout
from tests.load import stats
from tests.load.floors.bare import Commits
from tests.load.floors.pipeline import Drained

LATEST = checkout() / "docs" / "performance" / "latest.json"
LATENCY_AIM, THROUGHPUT_AIM = 3.0, 0.15
BENCHMARK = ("mailbox", "client")
"""Processes that a region does not have: their CPU time is the benchmark's own."""


@dataclass(frozen=True)
class Floors:
    """What this machine can do at all: bare commits, one bare hop, a hand-written durable pipeline of four hops."""

    commits: Commits
    hop_ms: stats.Latency
    pipeline_ms: stats.Latency
    pipeline: Drained


@dataclass(frozen=True)
class Light:
    """At light load: from a request to its offer's committed attempt, to its HTTP answer, and stage by stage."""

    latency: stats.Latency
    accepted: stats.Latency
    stages_p50_ms: dict[str, float]


@dataclass(frozen=True)
class Region:
    """What the region does at light load and with a burst; `accepted_per_s` is how fast the burst was answered."""

    light: Light
    burst: Drained
    accepted_per_s: float


def busy() -> bool:
    """Whether others keep this machine so busy that times say more of them than of us."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) / 2


def machine() -> dict[str, Any]:
    """Where this was measured, and how busy it was before."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def ratios(floors: Floors, region: Region) -> dict[str, float]:
    """The region in floors: p50 over p50, and cases a second over cases a second.

    Where CPU time is known: that of a case in floors, without the benchmark's own, and how much of all that own is.
    """
    found = {
        "latency_over_floor": stats.ratio(region.light.latency.p50, floors.pipeline_ms.p50),
        "throughput_over_floor": stats.ratio(region.burst.per_s, floors.pipeline.per_s),
    }
    spent, floor = region.burst.cpu_ms_per_case, floors.pipeline.cpu_ms_per_case
    if spent and floor:
        own = sum(spent.get(name, 0.0) for name in BENCHMARK)
        found["cpu_over_floor"] = stats.ratio(spent["all"] - own, floor["all"])
        found["benchmarks_own_cpu"] = stats.ratio(own, spent["all"])
    return found


def document(
    floors: Floors, region: Region | None, settings: Mapping[str, object], machine: Mapping[str, object]
) -> dict[str, Any]:
    """Everything, as it is kept. Without a region there are no ratios."""
    found: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": dict(machine),
        "settings": dict(settings),
        "floors": asdict(floors),
    }
    if region is not None:
        found |= {"region": asdict(region), "ratios": ratios(floors, region)}
    return found


def write(found: Mapping[str, Any], path: Path) -> None:
    """Keep a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")


def table(floors: Floors, region: Region | None) -> str:
    """The same for a terminal."""
    lines = [f"{'':44}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'per s':>10}"]
    lines += [
        _line("floor: one bare commit", floors.commits.latency_ms),
        _line(f"floor: bare commits, {floors.commits.connections} connections", None, floors.commits.per_s),
        _line("floor: one bare Kafka hop", floors.hop_ms),
        _line("floor: durable pipeline of four hops", floors.pipeline_ms, floors.pipeline.per_s),
    ]
    if region is not None:
        lines += [
            _line("region: request to 201", region.light.accepted, region.accepted_per_s),
            _line("region: request to offer's attempt", region.light.latency, region.burst.per_s),
            "",
            *(f"  {name}: {ms:.2f} ms at p50" for name, ms in region.light.stages_p50_ms.items()),
            "",
            *_verdicts(ratios(floors, region)),
        ]
    lines += ["", *_cpu(floors, region)]
    return "\n".join(lines)


def hot(folder: Path, lines: int = 15) -> str:
    """Where the sampled services spent their CPU time: the lines of ours that ran, or called what ran, most often."""
    found = []
    for file in sorted(folder.glob("*.json")):
        sampled = json.loads(file.read_text())
        total = max(1, sampled["samples"])
        found.append(f"{file.stem}: {total * sampled['every_s']:.1f} s of CPU")
        found += [f"  {100 * count / total:5.1f} %  {line}" for line, count in list(sampled["lines"].items())[:lines]]
    return "\n".join(found)


def _line(name: str, latency: stats.Latency | None, per_s: float | None = None) -> str:
    times = (f"{latency.p50:10.2f}{latency.p95:10.2f}{latency.p99:10.2f}") if latency else " " * 30
    return f"{name:44}{times}{f'{per_s:10.0f}' if per_s is not None else ''}"


def _verdicts(found: Mapping[str, float]) -> Iterator[str]:
    latency, throughput = found["latency_over_floor"], found["throughput_over_floor"]
    yield f"latency    {latency:6.2f} times the floor (aim: at most {LATENCY_AIM})"
    yield f"throughput {throughput:6.3f} of the floor   (aim: at least {THROUGHPUT_AIM})"
    if "cpu_over_floor" in found:
        yield f"CPU a case {found['cpu_over_floor']:6.1f} times the floor, without the benchmark's own"
        yield f"the benchmark's own: {100 * found['benchmarks_own_cpu']:.0f} % of all CPU time"


def _cpu(floors: Floors, region: Region | None) -> Iterator[str]:
    rows = {"floor": floors.pipeline, **({"region": region.burst} if region else {})}
    for name, drained in rows.items():
        if drained.cpu_ms_per_case:
            shares = "  ".join(f"{one} {ms:.2f}" for one, ms in drained.cpu_ms_per_case.items())
            yield f"CPU ms a case, {name}: {shares}"
