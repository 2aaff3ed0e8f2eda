"""`peerline restore`: what has to be done between a restored backup and the first service that starts on it."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from pydantic import SecretStr, ValidationError

from deploy.cli.operator import FAILED, REFUSED, UNREACHABLE, USAGE, AsJson, stop
from deploy.cli.waiting import LOCAL, OperatorSettings
from deploy.restore.finish import Manner, Report, finished
from shared import forgetting
from shared.db import UNAVAILABLE, Login, connect
from shared.errors import Refused, places_of
from shared.vault import Subject

LOST = 1
REFUSALS = {
    "services-running": "A service is connected to the database: stop all of them first. Nothing was changed.",
    "kafka-forgot": "Kafka has dropped some of what was said since the backup, so requests are lost that nobody can "
    "list. Look with --dry-run; then --force goes on. Nothing was changed.",
}
SUPERUSER = "postgres"
IDLE_S = 1200.0
app = typer.Typer(
    no_args_is_help=True,
    help="After a backup was restored. Exit codes: 0 done, 1 done and somebody has to be called (requests are lost, "
    "danger was told in a case, or Kafka has dropped what was said), 2 wrong usage or settings, 3 refused, "
    "4 unreachable, 5 an error of our own.",
)
Lists = Annotated[
    list[Path] | None,
    typer.Option("--destroyed", help="A list of destroyed keys, once for each that the region keeps."),
]


class Settings(OperatorSettings):
    """The superuser's password beside the operator's settings: nobody else may touch what this touches."""

    operator_password: SecretStr = SecretStr("")
    postgres_password: SecretStr
    kafka: str = "127.0.0.1:19092"
    topic_prefix: str = ""
    destroyed_keys: Path | None = None

    def superuser(self) -> Login:
        """The superuser's login."""
        password = self.postgres_password.get_secret_value()
        return Login(self.database_host, self.database_port, self.database, SUPERUSER, password, "region")


@app.callback()
def restore() -> None:
    """Keep `finish` a word of its own: with one command alone typer would drop it."""


@app.command()
def finish(
    *,
    destroyed: Lists = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go on where Kafka has dropped what was said.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lay aside what was said since the backup, and destroy again what was destroyed since. No service may run."""
    settings = _settings()
    listed = _listed(destroyed or ([settings.destroyed_keys] if settings.destroyed_keys else []), as_json=as_json)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        report = asyncio.run(_finished(settings, listed, Manner(dry=dry_run, forced=force)))
    except Refused as refused:
        stop(REFUSED, refused.slug, REFUSALS[refused.slug], as_json=as_json)
    except (*UNAVAILABLE, KafkaError) as error:
        stop(UNREACHABLE, "unreachable", f"An engine does not answer ({type(error).__name__}).", as_json=as_json)
    except Exception as error:  # noqa: BLE001 - an operator gets a sentence and not a traceback
        told = f"This went wrong inside ({type(error).__name__} at {places_of(error)}); nothing was changed."
        stop(FAILED, "internal", told, as_json=as_json)
    typer.echo(json.dumps(report.document()) if as_json else _told(report, dry=dry_run))
    if report.calls:
        raise typer.Exit(LOST)


async def _finished(settings: Settings, listed: list[Subject], manner: Manner) -> Report:
    connection = await connect(settings.superuser(), idle_timeout_s=IDLE_S)
    try:
        return await finished(connection, settings.kafka, listed, manner, prefix=settings.topic_prefix)
    finally:
        await connection.close()


def _settings() -> Settings:
    try:
        return Settings(_env_file=LOCAL if LOCAL.is_file() else None)
    except ValidationError as error:
        names = sorted({f"PEERLINE_{str(one['loc'][0]).upper()}" for one in error.errors(include_input=False)})
        typer.echo(f"Set {', '.join(names)}: this is done as the database's superuser.", err=True)
        raise typer.Exit(USAGE) from None


def _listed(paths: list[Path], *, as_json: bool) -> list[Subject]:
    if not paths:
        stop(USAGE, "no-list", "Name the list of destroyed keys with --destroyed.", as_json=as_json)
    try:
        return forgetting.read(paths)
    except OSError as error:
        stop(USAGE, "no-list", f"A list of destroyed keys cannot be read ({type(error).__name__}).", as_json=as_json)


def _told(report: Report, *, dry: bool) -> str:
    lines = ["Nothing was changed: this is what would be done."] if dry else []
    if report.since:
        lines.append(f"Lost is what was said from {report.since} to {report.until}: {report.records} events.")
    else:
        lines.append("Nothing was said since the backup.")
    aside = ", ".join(f"{service} {number}" for service, number in report.laid_aside.items())
    lines += [
        f"Laid aside: {aside}.",
        f"Destroyed again: {report.destroyed_again} keys. Ended again: {report.ended_again} cases.",
        f"Back where they stood at the backup: {len(report.gone_back)} cases.",
        f"Lost: {len(report.lost)} requests; their agencies have to be told.",
        *(f"  {'EMERGENCY ' if one.emergency else ''}{one.at}  agency {one.agency}" for one in report.lost),
        f"Danger was told in {len(report.endangered)} cases that there are; call their coordinators.",
        *(f"  DANGER {one.at}  agency {one.agency}  case {one.case}" for one in report.endangered),
    ]
    if report.held_again:
        lines.append(f"Held again, and over: {', '.join(report.held_again)}.")
    if report.forgotten:
        lines.append(f"Kafka has dropped what was said since the backup in {', '.join(report.forgotten)}.")
    return "\n".join(lines)
