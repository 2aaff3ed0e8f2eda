"""The matching process: `python -m services.matching.app`. Health on loopback is its only door."""

from __future__ import annotations

from fastapi import FastAPI

from services.matching import actions, subscribers
from services.matching.settings import MatchingSettings
from services.matching.store.watch import UNSERVED
from shared import timers
from shared.events.envelope import DIRECTORY, INTAKE, INTAKE_CRISIS, NOTIFY
from shared.http import foundation, health
from shared.process import Process, launch, opened
from shared.types import Lane
from shared.wiring import Wiring


def health_app(process: Process) -> FastAPI:
    """What the port answers: whether the process lives and can work."""
    app = FastAPI(title="matching", docs_url=None, redoc_url=None, openapi_url=None)
    foundation(app)
    app.include_router(health.router(process.health))
    return app


def wire(process: Wiring) -> None:
    """Declare what this process hears and does at its times."""
    process.consume("ordinary", [INTAKE.name, NOTIFY.name], subscribers.ordinary)
    process.consume("crisis", [INTAKE_CRISIS.name], subscribers.crisis)
    process.consume("directory", [DIRECTORY.name], subscribers.directory)
    process.on_timers(Lane.CRISIS, timers.in_one_transaction(process.db_of(Lane.CRISIS), actions.fire))
    firing = timers.in_one_transaction(process.db, actions.fire)
    checking_in = timers.in_one_transaction(process.db, actions.check_in)
    process.on_timers(
        Lane.ORDINARY, timers.by_kind({actions.CHECK_IN: checking_in} | dict.fromkeys(actions.OF_CASES, firing))
    )
    process.on_timers(Lane.BULK, timers.by_kind({timers.APART: timers.in_one_transaction(process.db, actions.part)}))


def declare(process: Process) -> None:
    """Declare all that this process does, its health too."""
    wire(process)
    process.measure(UNSERVED)
    process.serve(health_app(process))


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    async with opened("matching", MatchingSettings()) as process:
        declare(process)
        await process.run()


if __name__ == "__main__":
    launch(main())
