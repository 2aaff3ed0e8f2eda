"""`peerline audit`: whether the audit trail is whole, and heads of its chains kept outside of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from deploy.cli.operator import USAGE, AsJson, Region, Settings, run, show, stop
from shared import clock, effects, heads, sealer
from shared.chain import Bad, Head, Walk
from shared.checks import Effect
from shared.db import UNAVAILABLE, Connection, connect
from shared.errors import Refused
from shared.heads import BadAnchor, Kept
from shared.migrate import SERVICES
from shared.vault import Keyring

UNSOUND = 1
IDLE_S = 60.0
BAD_ANCHOR = "bad-anchor"
TRIED_AGAIN: tuple[type[BaseException], ...] = (*UNAVAILABLE, BadAnchor)
EXIT_CODES = (
    "Exit codes: 0 the trail is whole, 1 it is not, 2 wrong usage or settings, 3 the anchor file cannot be used, "
    "4 unreachable, 5 an error of our own."
)

app = typer.Typer(no_args_is_help=True, help=f"The audit trail. {EXIT_CODES}")

AnchorFile = Annotated[Path, typer.Argument(help="Where heads are appended; keep a copy of it on another machine.")]
Against = Annotated[Path | None, typer.Option(help="A file of `audit anchor`: shows what was cut off or written anew.")]
Older = Annotated[float, typer.Option(help="Entries older than so many seconds have to be linked.")]
Every = Annotated[float | None, typer.Option(help="Go on for ever, every so many seconds.")]

_SAID: Mapping[str, str] = {
    "edited": "was changed",
    "deleted": "is gone, its link stands",
    "missing": "has no link any more",
    "reordered": "stands behind another one than it did",
    "rewritten": "is not the one that was anchored",
    "cut": "was anchored and is gone, with all that followed",
    "unsealed": "is not linked yet, and should be",
}


@dataclass
class Report:
    """What a look through everything has found."""

    links: int = 0
    chains: int = 0
    bad: list[Bad] = field(default_factory=list)
    off: list[tuple[str, Effect]] = field(default_factory=list)
    kept: Kept | None = None

    @property
    def sound(self) -> bool:
        """Nothing is wrong."""
        return not (self.bad or self.off or (self.kept and self.kept.forged))

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "sound": self.sound,
            "links": self.links,
            "chains": self.chains,
            "bad": [
                {
                    "service": one.service,
                    "agency": str(one.agency_id),
                    "seq": one.seq,
                    "audit_id": one.audit_id,
                    "kind": one.kind,
                }
                for one in self.bad
            ],
            "effects": [
                {"service": service, "name": one.name, "acts": one.acts, "effects": one.effects}
                for service, one in self.off
            ],
            "anchor": _document(self.kept),
        }

    def told(self) -> str:
        """In words."""
        lines = [f"{self.links} entries in {self.chains} chains.", *map(_said, self.bad)]
        lines += [f"{service}, {one.name}: {one.acts} acts, {one.effects} effects." for service, one in self.off]
        if self.kept is not None:
            lines += [f"Line {number} of the anchor file is forged, or was moved." for number in self.kept.forged]
            newest = self.kept.newest.isoformat() if self.kept.newest else "never"
            lines.append(f"Compared with {self.kept.lines} anchored heads, the newest of {newest}.")
        return "\n".join([*lines, "The trail is whole." if self.sound else "THE TRAIL IS NOT WHOLE."])


def _said(bad: Bad) -> str:
    place = f"{bad.service}, agency {bad.agency_id}, seq {bad.seq or 'none'}, entry {bad.audit_id or 'unknown'}"
    return f"{place}: {_SAID[bad.kind]} ({bad.kind})."


def _document(kept: Kept | None) -> dict[str, object] | None:
    if kept is None:
        return None
    newest = kept.newest.isoformat() if kept.newest else None
    return {"heads": kept.lines, "newest": newest, "forged": kept.forged}


async def verified(settings: Settings, kept: Kept | None, *, older_s: float) -> Report:
    """Every chain of every service, against their entries and against what was kept elsewhere."""
    report = Report(kept=kept)
    # sql-in-loop: a service after the other, each over a connection of its own
    for service in SERVICES:
        connection = await connect(settings.login(service), idle_timeout_s=IDLE_S)
        try:
            # What is sealed meanwhile is not seen: entries and links are of one moment.
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await _look(connection, service, report, older_s)
        finally:
            await connection.close()
    return report


async def _look(connection: Connection, service: str, report: Report, older_s: float) -> None:
    walk = Walk(service, report.kept.of(service) if report.kept else {})
    async for page in sealer.pages(connection):
        report.bad += walk.page(page)
    report.bad += walk.end()
    report.bad += await sealer.unlinked(connection, service, older_s)
    report.links += walk.links
    report.chains += len(walk.heads)
    compared = await effects.ends(connection)
    if service == "intake":
        compared += await effects.cases(connection)
    report.off += [(service, one) for one in compared if one.acts != one.effects]


async def anchored(settings: Settings, keyring: Keyring, file: Path) -> int:
    """Append the heads that have moved since the last time; how many they were. Raises `BadAnchor`."""
    found: dict[str, Mapping[UUID, Head]] = {}
    # sql-in-loop: a service after the other, each over a connection of its own
    for service in SERVICES:
        connection = await connect(settings.login(service), idle_timeout_s=IDLE_S)
        try:
            found[service] = await sealer.heads(connection)
        finally:
            await connection.close()
    return await asyncio.to_thread(heads.keep, file, found, keyring.derived(heads.PURPOSE), clock.now())


async def keep_anchored(settings: Settings, keyring: Keyring, file: Path, every_s: float) -> None:
    """Anchor for ever; what goes wrong is told and tried again, for the database may be away for a while."""
    while True:
        try:
            await anchored(settings, keyring, file)
        except TRIED_AGAIN as error:
            typer.echo(f"The audit trail could not be anchored ({type(error).__name__}); tried again.", err=True)
        await asyncio.sleep(every_s)


def _read(file: Path, keyring: Keyring) -> Kept:
    try:
        return heads.read(file, keyring.derived(heads.PURPOSE))
    except BadAnchor:
        raise Refused(BAD_ANCHOR) from None


@app.command()
def verify(*, anchor: Against = None, unsealed_after: Older = 30.0, as_json: AsJson = False) -> None:
    """Go through every chain of every service and name the first bad entry of each.

    Without --anchor nobody can tell whether the newest entries were cut off together with their links.
    """
    if anchor is not None and not anchor.is_file():
        stop(USAGE, "no-anchor", f"{anchor} is not there.", as_json=as_json)

    async def work(region: Region) -> Report:
        kept = _read(anchor, region.keyring) if anchor else None
        return await verified(region.settings, kept, older_s=unsealed_after)

    report = run(work, as_json=as_json)
    show(report.document(), as_json=as_json, told=report.told())
    if not report.sound:
        raise typer.Exit(UNSOUND)


@app.command("anchor")
def anchor_heads(file: AnchorFile, *, every: Every = None, as_json: AsJson = False) -> None:
    """Append the heads of all chains that have moved to a file outside of the database."""

    async def work(region: Region) -> int:
        if every is not None:
            await keep_anchored(region.settings, region.keyring, file, every)
        try:
            return await anchored(region.settings, region.keyring, file)
        except BadAnchor:
            raise Refused(BAD_ANCHOR) from None

    added = run(work, as_json=as_json)
    show({"added": added}, as_json=as_json, told=f"{added} heads appended to {file}.")
