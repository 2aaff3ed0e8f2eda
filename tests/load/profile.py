"""Where the CPU time of a case goes: service by service, by family of code, and statement by statement."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.load.floors.pipeline import Drained
from tests.load.statements import Cost

SHOWN = 40
"""Statements that are shown one by one."""
LONGEST = 110


@dataclass(frozen=True)
class Profile:
    """CPU milliseconds a case in a burst whose services were sampled and whose statements were accounted for.

    `families` by service, then family; `statements` by cost, with executions a case; `commits` by service.
    """

    cases: int
    cpu_ms: Mapping[str, float]
    families: Mapping[str, Mapping[str, float]]
    statements: Sequence[Cost]

    @property
    def commits(self) -> dict[str, float]:
        """Transactions a case that a service has ended with COMMIT; what a loop commits by itself is not in it."""
        found: dict[str, float] = defaultdict(float)
        for cost in self.statements:
            if cost.statement == "COMMIT":
                found[cost.service] += cost.executions / self.cases
        return {service: round(found[service], 3) for service in sorted(found)}

    @property
    def by_service(self) -> dict[str, tuple[float, float]]:
        """Executions and CPU milliseconds a case in PostgreSQL, by whose statements they are."""
        found: dict[str, tuple[float, float]] = {}
        for cost in self.statements:
            number, ms = found.get(cost.service, (0.0, 0.0))
            found[cost.service] = number + cost.executions / self.cases, ms + cost.cpu_ms / self.cases
        return found


def profiled(folder: Path, burst: Drained, costs: Sequence[Cost]) -> Profile:
    """What was sampled (`<service>.json` in the folder), scaled to what the kernel says each service has used."""
    families: dict[str, dict[str, float]] = {}
    for file in sorted(folder.glob("*.json")):
        sampled, cpu_ms = json.loads(file.read_text()), burst.cpu_ms_per_case.get(file.stem, 0.0)
        total = max(1, sampled["samples"])
        families[file.stem] = {name: cpu_ms * count / total for name, count in sampled["families"].items()}
    return Profile(burst.cases, burst.cpu_ms_per_case, families, costs)


def markdown(found: Profile, date: str) -> str:
    """The tables of docs/performance/profile.md."""
    return "\n".join([*_head(found, date), *_processes(found), *_families(found), *_statements(found), ""])


def _head(found: Profile, date: str) -> Iterator[str]:
    yield "# Where the CPU time of a case goes"
    yield ""
    yield f'Written by `make load ARGS="--profile DIR"` on {date}, from a burst of {found.cases} cases whose services'
    yield "were sampled and whose statements PostgreSQL accounted for. Both cost something themselves, so totals are"
    yield "higher than in `latest.json`; what is read here is shares. All numbers are CPU milliseconds of one case,"
    yield "unless it says otherwise."


def _processes(found: Profile) -> Iterator[str]:
    yield ""
    yield "## By process"
    yield "| " + " | ".join(found.cpu_ms) + " |"
    yield "|" + "---|" * len(found.cpu_ms)
    yield "| " + " | ".join(f"{ms:.2f}" for ms in found.cpu_ms.values()) + " |"


def _families(found: Profile) -> Iterator[str]:
    services = list(found.families)
    totals: dict[str, float] = defaultdict(float)
    for shares in found.families.values():
        for name, ms in shares.items():
            totals[name] += ms
    yield ""
    yield "## By family of code"
    yield "Each sample counts for the innermost package or folder of ours on its stack (`tests/load/sampled.py`)."
    yield ""
    yield f"| | {' | '.join(services)} | all |"
    yield "|---" * (len(services) + 2) + "|"
    for name in sorted(totals, key=lambda name: -totals[name]):
        cells = " | ".join(f"{found.families[service].get(name, 0):.3f}" for service in services)
        yield f"| {name} | {cells} | {totals[name]:.3f} |"


def _statements(found: Profile) -> Iterator[str]:
    total = sum(cost.cpu_ms for cost in found.statements) / found.cases
    yield ""
    yield "## By statement"
    all_of_it = found.cpu_ms.get("postgres", 0)
    yield f"Parsed, planned, bound and executed they are {total:.2f} of PostgreSQL's {all_of_it:.2f};"
    yield "the rest is reading and writing sockets, the write-ahead log's writer, checkpoints and the log of all this."
    yield ""
    yield "| whose | executions a case | ms | commits a case |"
    yield "|---|---|---|---|"
    for service, (number, ms) in sorted(found.by_service.items(), key=lambda one: -one[1][1]):
        yield f"| {service} | {number:.2f} | {ms:.3f} | {found.commits.get(service, 0):.3f} |"
    yield ""
    yield "| whose | statement | executions a case | µs a case | µs each |"
    yield "|---|---|---|---|---|"
    for cost in found.statements[:SHOWN]:
        each = 1000 * cost.cpu_ms / max(1, cost.executions)
        text = cost.statement.replace("|", "\\|")
        text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
        yield (
            f"| {cost.user} | `{text}` | {cost.executions / found.cases:.3f} | {1000 * cost.cpu_ms / found.cases:.1f} "
            f"| {each:.0f} |"
        )
