"""What the operator's commands share: settings, a database as the operator's login, answers and exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from deploy.cli import waiting
from shared.db import UNAVAILABLE, Database, UnsafeLogin, open_pool
from shared.errors import Refused, places_of
from shared.vault import BadKeyring, Keyring, read_keyring

USAGE, REFUSED, UNREACHABLE, FAILED = 2, 3, 4, 5
EXIT_CODES = "Exit codes: 0 done, 2 wrong usage or settings, 3 refused, 4 unreachable, 5 an error of our own."

T = TypeVar("T")
D = TypeVar("D")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class Settings(waiting.OperatorSettings):
    """The operator's settings, and the region's keyring: keys of agencies and names of people depend on it."""

    keyring: Path = Path("keyring.json")


@dataclass(frozen=True)
class Region:
    """What a command works with."""

    db: Database
    keyring: Keyring
    settings: Settings


@asynccontextmanager
async def _database(settings: Settings, schema: str) -> AsyncIterator[Database]:
    pool = await open_pool(settings.login(schema), size=2)
    try:
        # The operator has one login, for actions and for looking.
        yield Database(pool, pool, schema)
    finally:
        await pool.close()


@asynccontextmanager
async def _opened(settings: Settings, keyring: Keyring) -> AsyncIterator[Region]:
    # What the operator emits is published by intake's own relay.
    async with _database(settings, "intake") as db:
        yield Region(db, keyring, settings)


def run(work: Callable[[Region], Coroutine[Any, Any, T]], *, as_json: bool) -> T:
    """Do the work as the operator; whatever goes wrong becomes one sentence and an exit code, never a traceback."""
    settings = _settings()
    try:
        keyring = read_keyring(settings.keyring)
    except BadKeyring as error:
        stop(USAGE, "bad-keyring", f"The keyring cannot be used: {error}.", as_json=as_json)
    return _answered(settings, lambda: _opened(settings, keyring), work, as_json=as_json)


def run_in(schema: str, work: Callable[[Database], Coroutine[Any, Any, T]], *, as_json: bool) -> T:
    """The same in one service's schema, for what needs no keyring."""
    settings = _settings()
    return _answered(settings, lambda: _database(settings, schema), work, as_json=as_json)


def _answered(
    settings: Settings,
    opened: Callable[[], AbstractAsyncContextManager[D]],
    work: Callable[[D], Coroutine[Any, Any, T]],
    *,
    as_json: bool,
) -> T:
    at_work = False

    async def whole() -> T:
        nonlocal at_work
        async with opened() as given:
            at_work = True
            return await work(given)

    try:
        return asyncio.run(whole())
    except Refused as refused:
        stop_refused(refused.slug, [(one.pointer, one.code) for one in refused.problems], as_json=as_json)
    except UnsafeLogin as error:
        stop(REFUSED, "unsafe-login", f"The database's login may too much: {error}.", as_json=as_json)
    except Exception as error:  # noqa: BLE001 - whatever it is, an operator gets a sentence and not a traceback
        if at_work and not isinstance(error, UNAVAILABLE):
            told = f"This went wrong inside ({type(error).__name__} at {places_of(error)}); nothing was changed."
            stop(FAILED, "internal", told, as_json=as_json)
        where = f"{settings.database_host}:{settings.database_port}"
        told = f"The database at {where} does not answer ({type(error).__name__}): is the region up?"
        stop(UNREACHABLE, "unreachable", told, as_json=as_json)


def _settings() -> Settings:
    try:
        return Settings(_env_file=waiting.LOCAL if waiting.LOCAL.is_file() else None)
    except ValidationError as error:
        names = sorted({f"PEERLINE_{str(one['loc'][0]).upper()}" for one in error.errors(include_input=False)})
        typer.echo(f"Set {', '.join(names)}, or start a region with `make up` first.", err=True)
        raise typer.Exit(USAGE) from None


def stop_refused(slug: str, problems: Sequence[tuple[str, str]], *, as_json: bool) -> NoReturn:
    """End with what was refused: a stable slug, and pointers with codes."""
    if as_json:
        errors = [{"pointer": pointer, "code": code} for pointer, code in problems]
        typer.echo(json.dumps({"refused": slug, "errors": errors}))
    else:
        lines = "".join(f"\n  {pointer or '/'}: {code}" for pointer, code in problems)
        typer.echo(f"Refused: {slug}.{lines}", err=True)
    raise typer.Exit(REFUSED)


def stop(code: int, slug: str, sentence: str, *, as_json: bool) -> NoReturn:
    """End with one sentence."""
    if as_json:
        typer.echo(json.dumps({"refused" if code == REFUSED else "error": slug}))
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def show(document: Mapping[str, object], *, as_json: bool, told: str) -> None:
    """Print a document, or the same in words."""
    typer.echo(json.dumps(document) if as_json else told)


def show_table(name: str, rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print rows under `name` as JSON, or as a table."""
    if as_json:
        typer.echo(json.dumps({name: list(rows)}))
        return
    table = Table(*(rows[0] if rows else ()), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    Console(soft_wrap=True).print(table if rows else "None yet.")


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
