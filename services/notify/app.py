"""The notify process: `python -m services.notify.app`. Mails, the links in them, and the pages behind the links."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from fastapi import FastAPI

from services.notify import subscribers
from services.notify.actions.book import SEND
from services.notify.actions.desk import Desk
from services.notify.actions.sender import COMPANY_S, Sender
from services.notify.actions.sending import Office
from services.notify.channels.mail import Mail, Server
from services.notify.routes import Look, router
from services.notify.routes.look import Dress, Limits
from services.notify.settings import NotifySettings
from shared import timers, vault
from shared.db import Database
from shared.events import IntakeFact, MatchingFact, ReferralFact
from shared.events.envelope import CONTACTS, DIRECTORY, INTAKE, INTAKE_CRISIS, MATCHING, REFERRAL, REFERRAL_CRISIS
from shared.forgetting import TIMER, Listing
from shared.http import foundation, health
from shared.http.health import Readiness
from shared.http.limits import Throttle
from shared.http.sessions import SessionCookie
from shared.process import launch, opened
from shared.types import Lane


def office_of(settings: NotifySettings) -> Office:
    """Keys and the public address. Raises `BadKeyring`."""
    return Office(vault.read_keyring(settings.keyring), settings.public_url)


def sender_of(db: Database, office: Office, settings: NotifySettings, lane: Lane) -> Sender:
    """A lane's sender, with connections of its own: a crisis never waits for a slot, nor its outcome for others."""
    password = settings.smtp_password
    server = Server(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_sender,
        timeout_s=settings.smtp_timeout_s,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=password.get_secret_value() if password else None,
    )
    company_s = 0.0 if lane is Lane.CRISIS else COMPANY_S
    return Sender(db, office, Mail(server), at_once=settings.smtp_at_once, company_s=company_s)


def notify_app(
    db: Database, office: Office, settings: NotifySettings, ready: Readiness, *, crisis: Database | None = None
) -> FastAPI:
    """Every page of notify; those of emergencies reach the database through `crisis`."""
    app = FastAPI(title="Pages", docs_url=None, redoc_url=None, openapi_url=None)
    look = Look(
        Desk(db, office, crisis=crisis),
        Dress(settings.page_title, urlsplit(settings.public_url).path, settings.intake_url),
        secret=office.keyring.derived("nonce"),
        cookie=SessionCookie(https=settings.https, name="n"),
        limits=Limits(per_source=Throttle(settings.forms_per_source, settings.forms_per_source // 2)),
    )
    foundation(app, page=look.problem, https=settings.https)
    app.include_router(health.router(ready))
    app.include_router(router(look))
    return app


async def main() -> None:
    """Run until SIGTERM or SIGINT; what is with the mail server then is waited for and recorded."""
    settings = NotifySettings()
    office = office_of(settings)
    async with opened("notify", settings) as process:
        process.consume(
            "ordinary",
            [INTAKE.name, MATCHING.name, REFERRAL.name],
            subscribers.ordinary,
            schema=IntakeFact | MatchingFact | ReferralFact,
        )
        process.consume(
            "crisis", [INTAKE_CRISIS.name, REFERRAL_CRISIS.name], subscribers.crisis, schema=IntakeFact | ReferralFact
        )
        process.consume("directory", [CONTACTS.name, DIRECTORY.name], subscribers.directory, schema=IntakeFact)
        senders = {lane: sender_of(process.db_of(lane), office, settings, lane) for lane in Lane}
        listing = timers.in_one_transaction(process.db, Listing(settings.destroyed_keys).fire)
        for lane, sender in senders.items():
            process.on_timers(lane, timers.by_kind({SEND: sender.act, **dict.fromkeys(TIMER.values(), listing)}))
        doors, crisis = process.doors_of(Lane.ORDINARY), process.doors_of(Lane.CRISIS)
        process.serve(notify_app(doors, office, settings, process.ready, crisis=crisis))
        await process.run()
        await asyncio.gather(*(sender.drained() for sender in senders.values()))


if __name__ == "__main__":
    launch(main())
