"""The command line of the simulator: seeds, steps or a history to replay; what came of it, and the shortest failure."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.settings import checkout
from tests.simulation import episode
from tests.simulation.episode import Prepared, Told
from tests.simulation.ground import Ground, standing
from tests.simulation.moves import Move, replayable, replayed
from tests.simulation.replica import Crashed
from tests.simulation.shrink import shrunk

FIXED = tuple(range(1, 9))
"""Seeds of every run; after them come fresh ones, by the time of the start."""
STEPS = 20_000
SHRINK_S = 120.0
PROGRESS_S = 5.0


@dataclass
class Tally:
    """What a run comes to."""

    begun: float = field(default_factory=time.monotonic)
    seeds: int = 0
    steps: int = 0
    crashes: int = 0
    requests: int = 0
    mails: int = 0
    _said: float = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def add(self, told: Told) -> None:
        self.seeds += 1
        self.steps += told.steps
        self.crashes += told.crashes
        self.requests += told.requests
        self.mails += told.mails

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.steps} steps in {self.seeds} histories, {self.steps / self.seconds:.0f} a second: "
            f"{self.requests} requests, {self.mails} mails, {self.crashes} crashes"
        )

    def progress(self) -> None:
        if time.monotonic() - self._said > PROGRESS_S:
            self._said = time.monotonic()
            _say(str(self))


def _say(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


def seeds(given: list[int] | None) -> Iterator[int]:
    """Those that were named; else the fixed ones, and fresh ones for ever."""
    if given:
        yield from given
        return
    yield from FIXED
    fresh = int(time.time() * 1000)
    while True:
        yield fresh
        fresh += 1


async def run(chosen: argparse.Namespace) -> int:
    """Simulate until the steps are done or a promise is broken. Returns the exit code."""
    asyncio.get_running_loop().set_exception_handler(_only_strange)
    async with standing() as ground, episode.prepared(ground) as start:
        if chosen.history:
            moves = replayed(json.loads(chosen.history.read_text()))
            return _verdict(await episode.of_moves(ground, start, moves), f"history of {len(moves)} moves")
        tally = Tally()
        for seed in seeds(chosen.seed):
            told = await episode.of_seed(ground, start, seed, moves=chosen.moves)
            tally.add(told)
            if chosen.seed:
                sys.stdout.write(f"seed {seed}: {told.steps} steps, {told.digest}\n")
            if told.failed:
                _say(str(tally))
                _say(f"seed {seed} fails after {len(told.moves)} moves: {_why(told)}")
                if not chosen.no_shrink:
                    await _explain(ground, start, told, seed, within_s=chosen.shrink_within)
                return 1
            tally.progress()
            if not chosen.seed and (tally.steps >= chosen.steps or tally.seconds >= chosen.seconds):
                break
    sys.stdout.write(f"Every promise held. {tally}\n")
    return 0


def _only_strange(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Tasks of a process that has died end with `Crashed`, and nobody is left to ask them."""
    if not isinstance(context.get("exception"), Crashed):
        loop.default_exception_handler(context)


def _verdict(told: Told, what: str) -> int:
    sys.stdout.write(f"The {what} {'fails: ' + _why(told) if told.failed else 'holds every promise'}.\n")
    return 1 if told.failed else 0


def _why(told: Told) -> str:
    return str(told.broken) if told.broken else f"{type(told.error).__name__}: {told.error}"


async def _explain(ground: Ground, start: Prepared, told: Told, seed: int, *, within_s: float) -> None:
    """Say what broke, look for a shorter way to it, keep that."""
    if told.error is not None:
        logging.getLogger(__name__).error("the error", exc_info=told.error)
    until = time.monotonic() + within_s

    async def fails(moves: object) -> bool:
        again = await episode.of_moves(ground, start, list(moves))  # type: ignore[call-overload]
        return bool(again.failed == told.failed)

    _say(f"looking for a shorter history, for {within_s:.0f} s at most")
    best: list[Move] = told.moves
    if await fails(told.moves):
        best = await shrunk(told.moves, fails, go_on=lambda: time.monotonic() < until)
    file = checkout() / ".peerline" / "simulation" / f"seed-{seed}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(replayable(best)))
    lines = "".join(f"  {move}\n" for move in best)
    sys.stdout.write(f"{_why(told)}\nThe shortest history found has {len(best)} moves:\n{lines}")
    sys.stdout.write(f'Again: make simulate ARGS="--seed {seed}", or ARGS="--history {file}"\n')


def main() -> None:
    """Parse the command line and simulate. Exit code 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate a whole region.")
    parser.add_argument("--steps", type=int, default=STEPS, help="stop after so many steps")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="or after so many seconds")
    parser.add_argument("--seed", type=int, action="append", help="this history alone; may be given again")
    parser.add_argument("--moves", type=int, default=episode.MOVES, help="moves of one history")
    parser.add_argument("--history", type=Path, help="replay a history that was kept")
    parser.add_argument("--shrink-within", type=float, default=SHRINK_S, help="seconds to look for a shorter failure")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for a shorter history of a failure")
    parser.add_argument("--log", type=Path, help="where the services' log goes; nowhere without it")
    chosen = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO if chosen.log else logging.CRITICAL,
        filename=chosen.log,
        format="%(levelname)s %(name)s %(message)s",
    )
    with suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(run(chosen)))
    sys.exit(130)
