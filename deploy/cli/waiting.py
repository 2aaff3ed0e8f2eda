"""`peerline waiting` and `peerline version`: what is open, who owns it until when, and where its traces are.

Dead letters and records that have been parked for long are among it; they belong to the operator. After it stand the
checks that fail in each service, and services whose auditor is silent.

The operator sees ids, states, owners and rounded times, never content. Exit codes of `waiting`: 0 nothing is overdue
and no check fails, 1 something is, 2 wrong usage or settings, 4 the database cannot be reached.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console
from rich.table import Table

from deploy.traces import search_link
from shared import checks, heartbeats
from shared.checks import Pulse
from shared.db import Connection, Login, connect
from shared.migrate import OPERATOR

OVERDUE, USAGE, UNREACHABLE = 1, 2, 4
ROUNDED_TO_S = 300
"""Due times are told to five minutes: in a small agency an exact time can name a person."""
IDLE_S = 30.0
LOCAL = Path(__file__).resolve().parents[2] / ".peerline" / "up" / "operator.env"
"""What `make up` leaves for the command, or the file that PEERLINE_OPERATOR_ENV names; the environment comes first."""


class OperatorSettings(BaseSettings):
    """Where the region's database is, and the operator's password for it."""

    model_config = SettingsConfigDict(env_prefix="PEERLINE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    database: str = "peerline"
    database_host: str = "127.0.0.1"
    database_port: int = 15432
    operator_password: SecretStr
    traces_url: str = ""
    deadman_s: float = 60.0
    """As of the services: so long after its last clean pass an auditor is not believed to be well any more."""

    def login(self, schema: str) -> Login:
        """The operator's login, with this schema first."""
        return Login(
            host=self.database_host,
            port=self.database_port,
            database=self.database,
            user=OPERATOR,
            password=self.operator_password.get_secret_value(),
            schema=schema,
        )


@dataclass(frozen=True)
class Waiting:
    """One open thing. `due` is ISO 8601 in UTC, rounded; `overdue` is exact.

    `case` is empty for a parked record whose key names none.
    """

    service: str
    state: str
    owner: str
    due: str
    overdue: bool
    case: str
    traces: str


_OPEN = """
SELECT service, id, state, owner, due_at, region.now() AS now FROM (
    SELECT 'intake' AS service, id, state, owner, due_at FROM intake.open_things
    UNION ALL SELECT 'matching', id, state, owner, due_at FROM matching.open_things
    UNION ALL SELECT 'referral', id, state, owner, due_at FROM referral.open_things
    UNION ALL SELECT 'notify', id, state, owner, due_at FROM notify.open_things
) every ORDER BY due_at, id, service
"""


async def read(settings: OperatorSettings) -> tuple[list[Waiting], list[Pulse]]:
    """Every open thing of all four services, the longest overdue first; and what their auditors have said.

    Raises what the database raises.
    """
    connection = await connect(settings.login("region"), idle_timeout_s=IDLE_S)
    try:
        things = await _waiting(connection, settings.traces_url)
        return things, checks.pulses(await heartbeats.read(connection), settings.deadman_s)
    finally:
        await connection.close()


async def _waiting(connection: Connection, traces_url: str) -> list[Waiting]:
    return [
        Waiting(
            service=row["service"],
            state=row["state"],
            owner=row["owner"],
            due=rounded(row["due_at"]).isoformat(),
            overdue=row["due_at"] <= row["now"],
            case=str(row["id"] or ""),
            traces=search_link(traces_url, str(row["id"]), row["now"]) if traces_url and row["id"] else "",
        )
        for row in await connection.fetch(_OPEN)
    ]


def rounded(moment: datetime) -> datetime:
    """To the nearest five minutes."""
    seconds = moment.timestamp()
    return moment + timedelta(seconds=round(seconds / ROUNDED_TO_S) * ROUNDED_TO_S - seconds)


def shown(things: Sequence[Waiting]) -> Table:
    """The list for a terminal; a case is a link to its traces."""
    table = Table("service", "state", "owner", "due (UTC)", "case", box=None, pad_edge=False, header_style="bold")
    for one in things:
        due = f"{one.due[:10]} {one.due[11:16]}{' overdue' if one.overdue else ''}"
        case = f"[link={one.traces}]{one.case}[/link]" if one.traces else one.case
        table.add_row(one.service, one.state, one.owner, due, case, style="red" if one.overdue else None)
    return table


def _settings() -> OperatorSettings:
    try:
        return OperatorSettings(_env_file=os.environ.get("PEERLINE_OPERATOR_ENV", LOCAL))
    except ValidationError as error:
        names = sorted({f"PEERLINE_{str(one['loc'][0]).upper()}" for one in error.errors(include_input=False)})
        typer.echo(f"Set {', '.join(names)}, or start a region with `make up` first.", err=True)
        raise typer.Exit(USAGE) from None


def _asked(settings: OperatorSettings) -> tuple[list[Waiting], list[Pulse]]:
    try:
        return asyncio.run(read(settings))
    except Exception as error:  # noqa: BLE001 - whatever it is, an operator gets a sentence and not a traceback
        where = f"{settings.database_host}:{settings.database_port}"
        typer.echo(f"The database at {where} does not answer ({type(error).__name__}): is the region up?", err=True)
        raise typer.Exit(UNREACHABLE) from None


def waiting(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False
) -> None:
    """List every open thing of all services: state, owner, due time, and the search for its traces.

    Checks that fail and services that are silent come after it.

    Exit codes: 0 nothing is overdue and no check fails, 1 something is, 2 wrong usage or settings, 4 the database
    cannot be reached.
    """
    things, pulses = _asked(_settings())
    ill = [one for one in pulses if not one.alive]
    if as_json:
        document = {"waiting": [asdict(one) for one in things], "checks": [_check(one) for one in pulses]}
        typer.echo(json.dumps(document, indent=1))
    elif sys.stdout.isatty():
        Console().print(shown(things) if things else "Nobody is waiting.")
    else:
        for one in things:
            due = f"{one.due} overdue" if one.overdue else one.due
            typer.echo(f"{one.service}  {one.state}  {one.owner}  {due}  {one.case}  {one.traces}".rstrip())
    if not as_json:
        for pulse in ill:
            typer.echo(f"{pulse.service}  {', '.join(pulse.failed)}  (clean {_ago(pulse)})")
    if ill or any(one.overdue for one in things):
        raise typer.Exit(OVERDUE)


def _check(pulse: Pulse) -> dict[str, object]:
    age = None if pulse.age_s is None else round(pulse.age_s, 1)
    return {"service": pulse.service, "clean_s_ago": age, "failed": list(pulse.failed)}


def _ago(pulse: Pulse) -> str:
    return "never" if pulse.age_s is None else f"{pulse.age_s:.0f} s ago"


def version(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a line.")] = False
) -> None:
    """Tell which Peerline this is. Exit code 0."""
    told = {"peerline": installed("peerline"), "python": platform.python_version()}
    typer.echo(json.dumps(told) if as_json else f"peerline {told['peerline']} on Python {told['python']}")


def register(app: typer.Typer) -> None:
    """Add both commands to the `peerline` command."""
    app.command("waiting")(waiting)
    app.command("version")(version)
