"""`peerline dead-letters`: records that could not be taken in, without their content; replayed, or given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated

import typer

from deploy.cli.operator import EXIT_CODES, REFUSED, USAGE, AsJson, run_in, show, show_table, stop
from deploy.cli.waiting import rounded
from shared import dead_letters
from shared.db import Database
from shared.dead_letters import REASONS, Letter, Reason
from shared.errors import Refused
from shared.migrate import SERVICES

app = typer.Typer(no_args_is_help=True, help=f"Records that could not be taken in, never their content. {EXIT_CODES}")

Id = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it, such as matching/17.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `list` shows them, such as matching/17.")]
Service = Annotated[str | None, typer.Option(help="Only this service's: intake, matching, referral or notify.")]
Still = Annotated[bool, typer.Option("--waiting", help="Also those that are still tried, or wait behind one.")]
Every = Annotated[bool, typer.Option("--all", help="Every dead letter that can be had again, of one service or all.")]
Because = Annotated[
    str,
    typer.Option(
        help="forged: no service wrote it; unreadable: nobody can read it; done-by-hand: what it says was done"
        " in another way; obsolete: it means nothing any more."
    ),
]

MOST_DIGITS = 18
TOLD = {
    "no-such-dead-letter": "It was taken in, replayed to its end or discarded already, or it never was.",
    "not-on-the-bus": "Its content was never kept and Kafka has forgotten it: it can only be discarded.",
    "not-dead": "It is still being tried, or waits behind another one: only a dead letter is given up.",
}


@app.command("list")
def listed(*, service: Service = None, waiting: Still = False, as_json: AsJson = False) -> None:
    """List dead letters, the longest due first."""
    found = _found(_service(service, as_json=as_json), None, dead_only=not waiting, as_json=as_json)
    show_table("dead_letters", [(_document if as_json else _row)(one) for one in found], as_json=as_json)


@app.command("show")
def shown(letter: Id, *, as_json: AsJson = False) -> None:
    """Show one parked record: where it stands on the bus, what is wrong with it, and what waits behind it."""
    service, seq = _place(letter, as_json=as_json)
    found = _found(service, seq, dead_only=False, as_json=as_json)
    if not found:
        stop(REFUSED, "no-such-dead-letter", f"{letter}: {TOLD['no-such-dead-letter']}", as_json=as_json)
    told = _document(found[0])
    show(told, as_json=as_json, told="\n".join(f"{name}: {value}" for name, value in told.items()))


@app.command()
def replay(letters: Ids = None, *, every: Every = False, service: Service = None, as_json: AsJson = False) -> None:
    """Give dead letters another round of tries at once. Those behind them follow, and none of them goes first.

    What was not kept is read from Kafka again. Of one service all are replayed, or none when one cannot be.
    """
    only = _service(service, as_json=as_json)
    if every == bool(letters):
        stop(USAGE, "letters", "Name the letters, such as matching/17, or say --all.", as_json=as_json)
    places = [_place(one, as_json=as_json) for one in letters or ()]
    if every:
        found = _found(only, None, dead_only=True, as_json=as_json)
        places = [(one.service, one.seq) for one in found if one.can_be_had]
    for name in sorted({of for of, _ in places}):
        _act(name, partial(_replayed, seqs=[seq for of, seq in places if of == name]), as_json=as_json)
    done = [f"{name}/{seq}" for name, seq in places]
    show({"replayed": done}, as_json=as_json, told=f"{len(done)} replayed: {', '.join(done) or 'none is dead'}.")


@app.command()
def discard(letter: Id, *, reason: Because, as_json: AsJson = False) -> None:
    """Give one dead letter up for good; what waits behind it goes on without it."""
    service, seq = _place(letter, as_json=as_json)
    because: Reason | None = next((known for known in REASONS if known == reason), None)
    if because is None:
        stop(USAGE, "reason", f"A reason is one of {', '.join(REASONS)}.", as_json=as_json)
    _act(service, lambda db: dead_letters.discard(db, seq, because), as_json=as_json)
    show({"discarded": letter, "reason": reason}, as_json=as_json, told=f"{letter} is discarded as {reason}.")


def _service(name: str | None, *, as_json: bool) -> str | None:
    if name is not None and name not in SERVICES:
        stop(USAGE, "service", f"A service is one of {', '.join(SERVICES)}.", as_json=as_json)
    return name


def _place(letter: str, *, as_json: bool) -> tuple[str, int]:
    service, _, seq = letter.partition("/")
    if service not in SERVICES or not (seq.isascii() and seq.isdigit() and len(seq) <= MOST_DIGITS):
        stop(USAGE, "letter", "A letter is named by service and number, such as matching/17.", as_json=as_json)
    return service, int(seq)


def _found(service: str | None, seq: int | None, *, dead_only: bool, as_json: bool) -> list[Letter]:
    async def work(db: Database) -> list[Letter]:
        async with db.loop() as connection:
            return await dead_letters.letters(connection, service=service, seq=seq, dead_only=dead_only)

    return run_in("region", work, as_json=as_json)


def _act(service: str, act: Callable[[Database], Awaitable[None]], *, as_json: bool) -> None:
    async def work(db: Database) -> Refused | None:
        try:
            await act(db)
        except Refused as refused:
            return refused
        return None

    refused = run_in(service, work, as_json=as_json)
    if refused is not None:
        which = ", ".join(service + one.pointer for one in refused.problems)
        stop(REFUSED, refused.slug, f"Refused: {which}. {TOLD[refused.slug]}", as_json=as_json)


async def _replayed(db: Database, seqs: list[int]) -> None:
    await dead_letters.replay(db, seqs)


def _document(one: Letter) -> dict[str, object]:
    return {
        "id": f"{one.service}/{one.seq}",
        "state": one.state,
        "owner": "operator",
        "due": _told(one.due_at),
        "overdue": one.overdue,
        "case": str(one.case or ""),
        "type": one.type or "",
        "error": one.error_class,
        "tries": one.attempts,
        "parked": _told(one.parked_at),
        "topic": one.topic,
        "partition": one.part,
        "offset": one.pos,
        "bytes": one.size,
        "kept": one.kept,
        "replayable": one.can_be_had,
        "ahead": one.ahead,
        "behind": one.behind,
    }


def _row(one: Letter) -> dict[str, object]:
    told = _document(one)
    return {name: told[name] for name in ("id", "state", "due", "case", "type", "error", "replayable", "behind")}


def _told(moment: datetime | None) -> str:
    """As the waiting list tells times: to five minutes."""
    return rounded(moment).isoformat() if moment else ""
