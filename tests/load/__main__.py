"""`make load`: measure the region beside its floors, on one machine, in one run (docs/performance/README.md)."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from deploy.local.engines import cancel_on_signals
from deploy.local.errors import LocalError
from tests.load import phases, plot, profile, report
from tests.load.floors import bare, pipeline, steps
from tests.load.phases import Sizes
from tests.load.stand import Stand, say, standing

FULL = Sizes(
    seconds=20, per_s=20, floor_cases=40_000, dbos_cases=4_000, region_cases=5_000, held_s=10, stored=1_000_000
)
QUICK = Sizes(seconds=5, per_s=20, floor_cases=10_000, dbos_cases=1_000, region_cases=600, held_s=3, stored=10_000)


async def floors(ground: Stand, sizes: Sizes) -> report.Floors:
    """Everything that needs no service."""
    say(f"floors: commits and hops, {sizes.seconds:g} s each")
    commits = await bare.commits(ground, sizes.seconds / 2)
    hop = await bare.hop(ground, sizes.seconds)
    say(f"floors: a pipeline of four hops, {sizes.per_s:g} cases a second, then {sizes.floor_cases} at once")
    light = await pipeline.light(ground, sizes.seconds, sizes.per_s)
    drained = await pipeline.drain(ground, sizes.floor_cases)
    say(f"DBOS: four steps, {sizes.per_s:g} cases a second, then {sizes.dbos_cases} at once")
    dbos = await steps.steps(ground, sizes.seconds, sizes.per_s, sizes.dbos_cases)
    return report.Floors(commits, hop, light, drained, dbos)


async def run(sizes: Sizes, *, floors_only: bool, folder: Path | None, out: Path) -> None:
    """One whole run; a run of the floors alone is shown and not kept. With `folder` what was sampled is kept there."""
    cancel_on_signals()
    machine = report.machine()
    if report.busy():
        say(f"others keep this machine busy (load {machine['load_before']}): look at ratios, not at times")
    measured = profiled = None
    async with standing() as ground:
        found = await floors(ground, sizes)
        settings = await ground.settings() | {"sizes": asdict(sizes)}
        if not floors_only:
            measured, profiled = await phases.measured(ground, sizes, folder or ground.folder / "profile")
    sys.stdout.write(report.table(found, measured) + "\n")
    if measured and profiled:
        keep(report.document(found, measured, settings, machine, profiled), out)
        if folder:
            sys.stdout.write(f"\n{report.hot(folder)}\n")
            told = profile.markdown(profiled, datetime.now(UTC).date().isoformat())
            out.with_name("profile.md").write_text(told)


async def choosing_alone() -> None:
    """What choosing costs among few peers and among many, shown and not kept."""
    cancel_on_signals()
    async with standing() as ground:
        (few, many), uploaded = await phases.chosen_alone(ground)
    lines = [
        *report.told_of_choosing((few, many)),
        f"choose_50k_over_5k {many.cpu_ms / (few.cpu_ms or 1):.2f} (aim: 1.5)",
    ]
    lines.append(f"a directory of 50,000 people: {uploaded} s (aim: 60)")
    sys.stdout.write("\n".join(lines) + "\n")


def keep(found: Mapping[str, Any], out: Path) -> None:
    """The run, the history beside it, and the pictures of both."""
    report.write(found, out)
    history = report.remember(found, out.with_name(report.HISTORY.name))
    plot.draw(found, history, out.parent)
    say(f"kept in {out}")


def main() -> None:
    """Parse the command line and measure. A LocalError is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Measure the region beside its floors.")
    parser.add_argument("--choosing-only", action="store_true", help="what choosing a peer costs; nothing is kept")
    parser.add_argument("--floors-only", action="store_true", help="what needs no service; nothing is kept")
    parser.add_argument(
        "--quick", action="store_true", help="some minutes instead of a quarter of an hour, and rougher"
    )
    parser.add_argument("--seconds", type=float, help="length of each light load")
    parser.add_argument("--cases", type=int, help="cases of the region's burst")
    parser.add_argument("--stored", type=int, help="stored cases to grow to; 0 for no growth")
    parser.add_argument(
        "--profile", type=Path, metavar="DIR", help="also write profile.md; what was sampled goes to DIR"
    )
    parser.add_argument("--out", type=Path, default=report.LATEST, help="where the result is kept")
    given = parser.parse_args()
    chosen = QUICK if given.quick else FULL
    sizes = replace(
        chosen,
        seconds=given.seconds or chosen.seconds,
        region_cases=given.cases or chosen.region_cases,
        stored=chosen.stored if given.stored is None else given.stored,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        if given.choosing_only:
            uvloop.run(choosing_alone())
            return
        uvloop.run(run(sizes, floors_only=given.floors_only, folder=given.profile, out=given.out))
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
