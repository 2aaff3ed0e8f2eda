"""The intake process: `python -m services.intake.app`. The public doors, the agencies' doors, the lives of cases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from services.intake import subscribers
from services.intake.actions import cases, destroyed, following, names, pool, published, structures
from services.intake.routes import agency, docs, drills, listings, moving, pages, public, requester, team
from services.intake.routes.desk import PAGES, Desk, Manners, Throttles, read_notices, throttle
from services.intake.routes.sheets import problem_page, sheets_of
from services.intake.routes.speech import read_speech
from services.intake.routes.taking import Taking
from services.intake.settings import IntakeSettings
from shared import effects, timers, vault
from shared.db import Database, Transaction
from shared.events.envelope import MATCHING, NOTIFY, NOTIFY_CRISIS, REFERRAL, REFERRAL_CRISIS
from shared.forgetting import TIMER, Listing
from shared.http import foundation, health
from shared.http.documented import Documented
from shared.http.health import Health
from shared.process import Process, launch, opened
from shared.timers import Fired
from shared.types import REGION, Lane
from shared.vault import Keyring
from shared.wiring import Wiring

ROUNDS_AT_ONCE = 64


def desk_of(db: Database, settings: IntakeSettings, *, crisis: Database | None = None) -> Desk:
    """What the requester's doors stand on; emergencies come in through `crisis`. Raises `BadKeyring`, `BadNotice`."""
    return Desk(
        db=db,
        crisis=crisis or db,
        keyring=vault.read_keyring(settings.keyring),
        manners=Manners(settings.product_title, settings.exit_url, settings.contact_line, https=settings.https),
        notices=read_notices(PAGES / "notices"),
        speech=read_speech(PAGES / "words"),
        throttles=Throttles(
            source=throttle(settings.requests_per_source),
            agency=throttle(settings.requests_per_agency),
            emergency_source=throttle(settings.emergencies_per_source),
            emergency_agency=throttle(settings.emergencies_per_agency),
            wrong_codes=throttle(settings.wrong_codes_per_source),
        ),
    )


def intake_app(desk: Desk, watched: Health) -> FastAPI:
    """Every door of intake."""
    app = Documented(
        title="Intake",
        version="1",
        description=docs.ABOUT,
        tags=docs.TAGS,
        parameters=docs.PARAMETERS,
        bearers=docs.BEARERS,
        openapi_url="/openapi.json",
    )
    taking = Taking(desk)
    sheets = sheets_of(desk, taking)
    foundation(
        app,
        resources=desk.resources,
        page=partial(problem_page, sheets),
        larger_bodies=agency.LARGER_BODIES,
        https=desk.manners.https,
    )
    app.include_router(health.router(watched))
    app.include_router(public.router(desk, taking))
    app.include_router(requester.router(desk))
    app.include_router(moving.router(desk))
    app.include_router(moving.pages(sheets))
    app.include_router(listings.router(sheets))
    app.include_router(team.router(sheets))
    app.include_router(pages.router(sheets))
    app.include_router(agency.router(desk.db, desk.keyring))
    app.include_router(drills.router(desk))
    app.include_router(docs.router(app, sheets.templates))
    return app


async def fire(tx: Transaction, fired: Sequence[Fired]) -> None:
    """Timers: those of agencies, and all others are of cases."""
    of_agencies = [timer for timer in fired if timer.kind == structures.TIMER]
    await structures.fire(tx, of_agencies)
    await cases.fire(tx, [timer for timer in fired if timer.kind != structures.TIMER])


def wire(process: Wiring, keyring: Keyring, destroyed_keys: Path | None) -> None:
    """Declare what this process hears and does at its times; keys that are destroyed are listed in that file."""
    process.consume("ordinary", [MATCHING.name, REFERRAL.name, NOTIFY.name], subscribers.ordinary)
    process.consume("crisis", [REFERRAL_CRISIS.name, NOTIFY_CRISIS.name], subscribers.crisis, beside=[REGION])
    for lane in (Lane.ORDINARY, Lane.CRISIS):
        process.on_timers(lane, timers.in_one_transaction(process.db_of(lane), fire))
    rounds = timers.in_one_transaction(process.db, partial(names.fire, keyring=keyring), beside=[REGION])
    parting = timers.in_one_transaction(process.db, cases.part)
    telling = timers.one_by_one(timers.in_one_transaction(process.db, published.fire))
    listing = timers.in_one_transaction(process.db, Listing(destroyed_keys).fire)
    lent = timers.in_one_transaction(
        process.db, partial(pool.fire, keyring=keyring), also=partial(pool.concerned, process.db)
    )
    of_kinds = {
        timers.APART: parting,
        names.ROUND: rounds,
        names.ONCE: rounds,
        published.ROUND: telling,
        following.ROUND: lent,
    }
    of_kinds |= dict.fromkeys(TIMER.values(), listing)
    process.on_timers(Lane.BULK, timers.by_kind(of_kinds), batch=ROUNDS_AT_ONCE)


def declare(process: Process, settings: IntakeSettings) -> None:
    """Declare all that this process does, its doors too. Raises as `desk_of`."""
    desk = desk_of(process.doors_of(Lane.ORDINARY), settings, crisis=process.doors_of(Lane.CRISIS))
    wire(process, desk.keyring, settings.destroyed_keys)
    process.first(partial(destroyed.replayed, process.db, settings.destroyed_keys))
    process.auditor.compare(effects.cases)
    process.serve(intake_app(desk, process.health))


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = IntakeSettings()
    async with opened("intake", settings) as process:
        declare(process, settings)
        await process.run()


if __name__ == "__main__":
    launch(main())
