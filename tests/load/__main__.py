"""`make load`: measure the region beside its floors, on one machine, in one run (docs/performance/README.md)."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import uvloop

from deploy.local.engines import cancel_on_signals
from deploy.local.errors import LocalError
from tests.load import region, report
from tests.load.floors import bare, pipeline
from tests.load.stand import Stand, say, standing


@dataclass(frozen=True)
class Sizes:
    """How much is measured: seconds of each light load, cases a second in it, cases of each backlog."""

    seconds: float
    per_s: float
    floor_cases: int
    region_cases: int


FULL = Sizes(seconds=20, per_s=20, floor_cases=40_000, region_cases=5_000)
QUICK = Sizes(seconds=5, per_s=20, floor_cases=10_000, region_cases=1_000)


async def floors(ground: Stand, sizes: Sizes) -> report.Floors:
    """Everything that needs no service."""
    say(f"floors: commits and hops, {sizes.seconds:g} s each")
    commits = await bare.commits(ground, sizes.seconds / 2)
    hop = await bare.hop(ground, sizes.seconds)
    say(f"floors: a pipeline of four hops, {sizes.per_s:g} cases a second, then {sizes.floor_cases} at once")
    light = await pipeline.light(ground, sizes.seconds, sizes.per_s)
    return report.Floors(commits, hop, light, await pipeline.drain(ground, sizes.floor_cases))


async def run(sizes: Sizes, *, floors_only: bool, profile: Path | None, out: Path) -> None:
    """One whole run; a run of the floors alone is shown and not kept."""
    cancel_on_signals()
    machine = report.machine()
    if report.busy():
        say(f"others keep this machine busy (load {machine['load_before']}): look at ratios, not at times")
    async with standing() as ground:
        found = await floors(ground, sizes)
        settings = await ground.settings() | {"sizes": sizes.__dict__}
        measured = None
        if not floors_only:
            measured = await region.measured(ground, sizes.seconds, sizes.per_s, sizes.region_cases, profile=profile)
    sys.stdout.write(report.table(found, measured) + "\n")
    if measured and profile:
        sys.stdout.write(f"\n{report.hot(profile)}\n")
    if measured:
        report.write(report.document(found, measured, settings, machine), out)
        say(f"kept in {out}")


def main() -> None:
    """Parse the command line and measure. A LocalError is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Measure the region beside its floors.")
    parser.add_argument("--floors-only", action="store_true", help="what needs no service; nothing is kept")
    parser.add_argument("--quick", action="store_true", help="a minute instead of several, and rougher")
    parser.add_argument("--seconds", type=float, help="length of each light load")
    parser.add_argument("--cases", type=int, help="cases of the region's burst")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="also sample every service; hot lines go to DIR")
    parser.add_argument("--out", type=Path, default=report.LATEST, help="where the result is kept")
    given = parser.parse_args()
    chosen = QUICK if given.quick else FULL
    sizes = Sizes(given.seconds or chosen.seconds, chosen.per_s, chosen.floor_cases, given.cases or chosen.region_cases)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        uvloop.run(run(sizes, floors_only=given.floors_only, profile=given.profile, out=given.out))
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
