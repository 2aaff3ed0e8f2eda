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
from tests.load.choosing import Choice
from tests.load.counts import PerCase
from tests.load.floors.bare import Commits
from tests.load.floors.pipeline import Drained
from tests.load.floors.steps import Steps
from tests.load.profile import Profile
from tests.load.sustained import Sustained

LATEST = checkout() / "docs" / "performance" / "latest.json"
HISTORY = LATEST.with_name("history.jsonl")
AIMS = {
    "latency_over_floor": "at most 2",
    "throughput_over_floor": "at least 0.25",
    "throughput_over_dbos": "at least 10",
    "cost_1e6_over_1e3": "at most 1.2",
    "choose_50k_over_5k": "at most 1.5",
}
BENCHMARK = ("mailbox", "client")
"""Processes that a region does not have: their CPU time is the benchmark's own."""


@dataclass(frozen=True)
class Floors:
    """What this machine can do at all: bare commits, one bare hop, a hand-written durable pipeline of four hops.

    And what a user would pick in the place of all this: the same four steps on DBOS.
    """

    commits: Commits
    hop_ms: stats.Latency
    pipeline_ms: stats.Latency
    pipeline: Drained
    dbos: Steps


@dataclass(frozen=True)
class Light:
    """At light load: from a request to its offer's committed attempt, and stage by stage.

    Beside it to its HTTP answer (`accepted`), and to when the mail server had taken the offer (`mailed`).
    """

    latency: stats.Latency
    mailed: stats.Latency
    accepted: stats.Latency
    stages_p50_ms: dict[str, float]


@dataclass(frozen=True)
class Stored:
    """The same with `cases` open cases stored: latency at light load, and a burst."""

    cases: int
    latency: stats.Latency
    burst: Drained


@dataclass(frozen=True)
class Region:
    """What the region does at light load and with a burst; `accepted_per_s` is how fast the burst was answered.

    `sustained` is the rate it keeps up with, `per_case` what a case comes to in events and commits, `grown` the same
    light load and burst with very many cases stored.
    """

    light: Light
    burst: Drained
    accepted_per_s: float
    sustained: Sustained
    per_case: PerCase | None
    grown: Stored | None = None
    choosing: tuple[Choice, Choice] | None = None
    """Among few peers and among many."""

    @property
    def events_per_s(self) -> dict[str, dict[str, float]]:
        """Events a second that each service takes and tells at the rate that is kept up with."""
        if self.per_case is None:
            return {}
        rate = self.sustained.per_s
        told = {"consumed": self.per_case.consumed, "published": self.per_case.published}
        return {what: {one: round(rate * count, 1) for one, count in each.items()} for what, each in told.items()}


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
    """The region in floors: p50 over p50, and the rate that it keeps up with over the floors' cases a second.

    Where CPU time is known: that of a case in floors, without the benchmark's own, and how much of all that own is.
    """
    rate = region.sustained.per_s
    found = {
        "latency_over_floor": stats.ratio(region.light.latency.p50, floors.pipeline_ms.p50),
        "throughput_over_floor": stats.ratio(rate, floors.pipeline.per_s),
        "throughput_over_dbos": stats.ratio(rate, floors.dbos.per_s),
        "latency_over_dbos": stats.ratio(region.light.latency.p50, floors.dbos.latency.p50),
        "burst_over_floor": stats.ratio(region.burst.per_s, floors.pipeline.per_s),
    }
    spent, floor = region.burst.cpu_ms_per_case, floors.pipeline.cpu_ms_per_case
    if spent and floor:
        found["cpu_over_floor"] = stats.ratio(products_own(spent), floor["all"])
        found["benchmarks_own_cpu"] = stats.ratio(spent["all"] - products_own(spent), spent["all"])
    if region.grown is not None:
        found |= _grown(region, region.grown)
    if region.choosing is not None and region.choosing[0].cpu_ms:
        few, many = region.choosing
        found["choose_50k_over_5k"] = stats.ratio(many.cpu_ms, few.cpu_ms)
    return found


def products_own(spent: Mapping[str, float]) -> float:
    """CPU time of a case without the benchmark's own."""
    return spent["all"] - sum(spent.get(name, 0.0) for name in BENCHMARK)


def _grown(region: Region, grown: Stored) -> dict[str, float]:
    """What a case costs with many stored over what it costs with few; the worse of latency and CPU time is the cost."""
    found = {"latency_1e6_over_1e3": stats.ratio(grown.latency.p50, region.light.latency.p50)}
    few, many = region.burst.cpu_ms_per_case, grown.burst.cpu_ms_per_case
    if few and many:
        found["cpu_1e6_over_1e3"] = stats.ratio(products_own(many), products_own(few))
    return found | {"cost_1e6_over_1e3": max(found.values())}


def document(
    floors: Floors,
    region: Region | None,
    settings: Mapping[str, object],
    machine: Mapping[str, object],
    profile: Profile | None = None,
) -> dict[str, Any]:
    """Everything, as it is kept. Without a region there are no ratios."""
    found: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": dict(machine),
        "settings": dict(settings),
        "floors": asdict(floors),
    }
    if region is not None:
        told = asdict(region) | {"events_per_s": region.events_per_s}
        if profile is not None:
            told["commits_per_case"] = profile.commits
        found |= {"region": told, "ratios": ratios(floors, region)}
    return found


def write(found: Mapping[str, Any], path: Path) -> None:
    """Keep a run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")


def remember(found: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """Add a run's ratios, and what they are made of, to the history; all of it, the oldest first."""
    line = {
        "date": found["date"],
        "machine": found["machine"],
        "ratios": found["ratios"],
        "light_p50_ms": found["region"]["light"]["latency"]["p50"],
        "floor_p50_ms": found["floors"]["pipeline_ms"]["p50"],
        "burst_per_s": found["region"]["burst"]["per_s"],
        "sustained_per_s": found["region"]["sustained"]["per_s"],
        "floor_per_s": found["floors"]["pipeline"]["per_s"],
        "dbos_per_s": found["floors"]["dbos"]["per_s"],
        "cpu_ms_per_case": found["region"]["burst"]["cpu_ms_per_case"],
    }
    with path.open("a") as history:
        history.write(json.dumps(line) + "\n")
    return [json.loads(one) for one in path.read_text().splitlines()]


def table(floors: Floors, region: Region | None) -> str:
    """The same for a terminal."""
    lines = [f"{'':44}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'per s':>10}"]
    lines += [
        _line("floor: one bare commit", floors.commits.latency_ms),
        _line(f"floor: bare commits, {floors.commits.connections} connections", None, floors.commits.per_s),
        _line("floor: one bare Kafka hop", floors.hop_ms),
        _line("floor: durable pipeline of four hops", floors.pipeline_ms, floors.pipeline.per_s),
        _line("DBOS: a workflow of four steps", floors.dbos.latency, floors.dbos.per_s),
    ]
    if region is not None:
        lines += [*_of_region(region), "", *_verdicts(ratios(floors, region))]
    lines += ["", *_cpu(floors, region)]
    return "\n".join(lines)


def _of_region(region: Region) -> Iterator[str]:
    light, sustained = region.light, region.sustained
    best = next((one.latency for one in sustained.trials if one.per_s == sustained.per_s), None)
    yield _line("region: request to 201", light.accepted, region.accepted_per_s)
    yield _line("region: request to offer's attempt", light.latency, region.burst.per_s)
    yield _line("region: request to the mail server's yes", light.mailed)
    yield _line(f"region: rate held for {sustained.seconds:g} s", best, sustained.per_s)
    if region.grown is not None:
        grown = region.grown
        yield _line(f"region: with {grown.cases} cases stored", grown.latency, grown.burst.per_s)
    yield from told_of_choosing(region.choosing)
    yield ""
    yield from (f"  {name}: {ms:.2f} ms at p50" for name, ms in light.stages_p50_ms.items())
    for what, each in region.events_per_s.items():
        yield f"  events a second {what}: {'  '.join(f'{one} {rate:.0f}' for one, rate in each.items())}"
    if region.per_case is not None:
        yield f"  {region.per_case.commits:.2f} transactions that write, a case"


def told_of_choosing(choosing: tuple[Choice, Choice] | None) -> Iterator[str]:
    """A line for each size."""
    for one in choosing or ():
        spent = f"{one.cpu_ms:.2f} ms of CPU ({one.service_ms:.2f} service, {one.database_ms:.2f} database; aim: 5)"
        first = f"{one.first_ms:.2f} ms the first time after a change"
        yield f"  choosing among {one.peers} peers: {spent}, {one.p50_ms:.2f} ms at p50; {first}"


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
    for name, ratio in found.items():
        aim = f"  (aim: {AIMS[name]})" if name in AIMS else ""
        yield f"{name:24}{ratio:8.3f}{aim}"


def _cpu(floors: Floors, region: Region | None) -> Iterator[str]:
    rows = {"floor": floors.pipeline.cpu_ms_per_case, "DBOS": floors.dbos.cpu_ms_per_case}
    if region is not None:
        rows["region"] = region.burst.cpu_ms_per_case
        if region.grown is not None:
            rows["many stored"] = region.grown.burst.cpu_ms_per_case
    for name, spent in rows.items():
        if spent:
            yield f"CPU ms a case, {name}: {'  '.join(f'{one} {ms:.2f}' for one, ms in spent.items())}"
