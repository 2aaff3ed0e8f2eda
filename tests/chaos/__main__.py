"""`make chaos`: a region of two replicas each under load, while things go wrong by plan. Says what did not hold."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import sys

from deploy.local.engines import cancel_on_signals
from deploy.local.errors import LocalError
from tests.chaos.run import Order, Verdict, run, told


def say(sentence: str) -> None:
    """Progress goes to standard error; standard output is for the table."""
    sys.stderr.write(f"{sentence}\n")


async def _run(order: Order) -> Verdict:
    cancel_on_signals()
    return await run(order, say)


def main() -> None:
    """Exit code 0 when everything held, 1 when something did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long things go wrong")
    parser.add_argument("--seed", type=int, help="the same seed is the same plan; a new one when not given")
    parser.add_argument("--rate", type=float, default=1.0, metavar="N", help="requests a second")
    parser.add_argument(
        "--quick", action="store_true", help="short faults, nothing flushed: every family within a minute"
    )
    parser.add_argument("--keep", action="store_true", help="keep history and logs though everything held")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbelow(1_000_000)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    order = Order(seed, given.minutes, given.rate, quick=given.quick, durable=not given.quick, keep=given.keep)
    say(f"seed {seed}")
    try:
        verdict = asyncio.run(_run(order))
    except LocalError as error:
        sys.exit(str(error))
    sys.stdout.write(told(verdict) + "\n")
    sys.exit(1 if verdict.broken else 0)


if __name__ == "__main__":
    main()
