"""The matching process: `python -m services.matching.app`. Health on loopback is its only door."""

from __future__ import annotations

from fastapi import FastAPI

from services.matching import actions, subscribers
from services.matching.settings import MatchingSettings
from services.matching.store.watch import UNSERVED
from shared import timers
from shared.events import IntakeFact, NotifyFact
from shared.events.envelope import DIRECTORY, INTAKE, INTAKE_CRISIS, NOTIFY
from shared.http import foundation, health
from shared.process import Process, launch, opened
from shared.types import Lane


def health_app(process: Process) -> FastAPI:
    """What the port answers: whether the process lives and can work."""
    app = FastAPI(title="matching", docs_url=None, redoc_url=None, openapi_url=None)
    foundation(app)
    app.include_router(health.router(process.health))
    return app


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    async with opened("matching", MatchingSettings()) as process:
        process.consume("ordinary", [INTAKE.name, NOTIFY.name], subscribers.ordinary, schema=IntakeFact | NotifyFact)
        process.consume("crisis", [INTAKE_CRISIS.name], subscribers.crisis, schema=IntakeFact)
        process.consume("directory", [DIRECTORY.name], subscribers.directory, schema=IntakeFact)
        for lane in (Lane.CRISIS, Lane.ORDINARY):
            process.on_timers(lane, timers.in_one_transaction(process.db_of(lane), actions.fire))
        process.on_timers(Lane.BULK, timers.in_one_transaction(process.db, actions.part))
        process.measure(UNSERVED)
        process.serve(health_app(process))
        await process.run()


if __name__ == "__main__":
    launch(main())
