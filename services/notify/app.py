"""The notify process: `python -m services.notify.app`. Mails, the links in them, and the pages behind the links."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI

from services.notify import subscribers
from services.notify.actions.book import SEND
from services.notify.actions.desk import Desk
from services.notify.actions.sender import COMPANY_S, Sender
from services.notify.actions.sending import Office
from services.notify.channels.mail import Mail, Server
from services.notify.routes import Look, docs, router
from services.notify.routes.look import Dress, Limits
from services.notify.settings import NotifySettings
from services.notify.store.watch import WORDS
from shared import timers, vault
from shared.db import Database
from shared.events.envelope import CONTACTS, DIRECTORY, INTAKE, INTAKE_CRISIS, MATCHING, REFERRAL, REFERRAL_CRISIS
from shared.forgetting import TIMER, Listing
from shared.http import foundation, health
from shared.http.documented import Documented
from shared.http.health import Health
from shared.http.limits import Throttle
from shared.http.sessions import SessionCookie
from shared.process import Process, launch, opened
from shared.types import Lane
from shared.wiring import Wiring


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
    db: Database, office: Office, settings: NotifySettings, watched: Health, *, crisis: Database | None = None
) -> FastAPI:
    """Every page of notify; those of emergencies reach the database through `crisis`."""
    app = Documented(
        title="Pages",
        version="1",
        description=docs.ABOUT,
        tags=docs.TAGS,
        parameters=docs.PARAMETERS,
        pages=True,
        openapi_url=None,
    )
    look = Look(
        Desk(db, office, crisis=crisis),
        Dress(settings.page_title, urlsplit(settings.public_url).path, settings.intake_url),
        secret=office.keyring.derived("nonce"),
        cookie=SessionCookie(https=settings.https, name="n"),
        limits=Limits(per_source=Throttle(settings.forms_per_source, settings.forms_per_source // 2)),
    )
    foundation(app, page=look.problem, https=settings.https)
    app.include_router(health.router(watched))
    app.include_router(router(look))
    return app


def wire(process: Wiring, senders: Mapping[Lane, Sender], destroyed_keys: Path | None) -> None:
    """Declare what this process hears and does at its times: mails to send, and keys to list in that file."""
    process.consume("ordinary", [INTAKE.name, MATCHING.name, REFERRAL.name], subscribers.ordinary)
    process.consume("crisis", [INTAKE_CRISIS.name, REFERRAL_CRISIS.name], subscribers.crisis)
    process.consume("directory", [CONTACTS.name, DIRECTORY.name], subscribers.directory)
    listing = timers.in_one_transaction(process.db, Listing(destroyed_keys).fire)
    for lane, sender in senders.items():
        process.on_timers(lane, timers.by_kind({SEND: sender.act, **dict.fromkeys(TIMER.values(), listing)}))


def declare(process: Process, settings: NotifySettings) -> list[Sender]:
    """Declare all that this process does, its pages too; returns its senders. Raises `BadKeyring`."""
    office = office_of(settings)
    senders = {lane: sender_of(process.db_of(lane), office, settings, lane) for lane in Lane}
    wire(process, senders, settings.destroyed_keys)
    process.auditor.watch(WORDS)
    doors, crisis = process.doors_of(Lane.ORDINARY), process.doors_of(Lane.CRISIS)
    process.serve(notify_app(doors, office, settings, process.health, crisis=crisis))
    return list(senders.values())


async def main() -> None:
    """Run until SIGTERM or SIGINT; what is with the mail server then is waited for and recorded."""
    settings = NotifySettings()
    async with opened("notify", settings) as process:
        senders = declare(process, settings)
        await process.run()
        await asyncio.gather(*(sender.drained() for sender in senders))


if __name__ == "__main__":
    launch(main())
