"""`make up`: the whole region on this machine, a first case walked to its end, then serving until Ctrl-C.

Ctrl-C stops every process that was started here and nothing else. Run again it keeps its data and seeds nothing twice.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from rich.console import Console

from deploy.cli import audit, waiting
from deploy.cli.operator import Settings
from deploy.local import cast, demo, preflight, regional_clock, timeline, walk
from deploy.local.browser import NoForm
from deploy.local.demo import Demo, DemoError
from deploy.local.engines import Engines, cancel_on_signals
from deploy.local.errors import LocalError
from deploy.local.ports import ports_from_environment
from deploy.local.region import LocalRegion, anchors_in, keyring_in, prepare, programs, secrets_in, write_private
from deploy.local.settings import LocalSettings, checkout
from deploy.traces import search_link
from shared import clock
from shared.vault import read_keyring

ANCHORED_EVERY_S = 60.0


class Narrator:
    """Tells what happens, a line each, with the seconds since the start; on a terminal with a sign of life between."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = clock.monotonic()
        self._status = console.status("starting") if console.is_terminal else None

    def __enter__(self) -> Self:
        """Show the sign of life."""
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away."""
        if self._status:
            self._status.stop()

    @property
    def seconds(self) -> float:
        """Since the start."""
        return clock.monotonic() - self._began

    def say(self, sentence: str) -> None:
        """Something is done."""
        self.console.print(f"{self.seconds:6.1f} s  {sentence}", markup=False, highlight=False, soft_wrap=True)

    def step(self, doing: str) -> None:
        """Something is being done; seen on a terminal only."""
        if self._status:
            self._status.update(doing)

    def heading(self, text: str) -> None:
        """A line of its own between parts."""
        self.console.print(f"\n{text}", style="bold", markup=False, highlight=False)


async def run(settings: LocalSettings, narrator: Narrator) -> None:
    """Start, walk, serve until cancelled, stop. Raises LocalError."""
    state = settings.profile()
    told = preflight.check(root=checkout(), state=state, cache=settings.cache)
    if not preflight.was_said(checkout()):
        narrator.say(told)
    engines = Engines(state=state, ports=settings.ports, cache=settings.cache, on_progress=narrator.say)
    cancel_on_signals()
    with suppress(asyncio.CancelledError):
        try:
            with narrator:
                narrator.step("starting Kafka, PostgreSQL, Zipkin and the mailbox")
                async with engines:
                    await _serve(engines, settings, narrator)
        finally:
            narrator.say("everything that was started here is stopped")


async def _serve(engines: Engines, settings: LocalSettings, narrator: Narrator) -> None:
    region = await _region(engines, settings, narrator)
    again = demo.is_seeded(region.state)
    narrator.step("making the demo region" if not again else "reading the demo region")
    people = await demo.seeded(region, narrator.say)
    if again:
        narrator.say("the demo region of the last run is there, with its data")
        _addresses(region, people, narrator)
    await _first_case(region, people, narrator, again=again)
    if not again:
        _addresses(region, people, narrator)
    narrator.step("serving until Ctrl-C")
    narrator.say("serving until Ctrl-C")
    await _keep_anchored(region)


async def _keep_anchored(region: LocalRegion) -> None:
    """For as long as the region serves: the heads of the audit trail go to a file beside the database."""
    settings = Settings(_env_file=_operator_file(region.state))
    keyring = read_keyring(keyring_in(region.state))
    await audit.keep_anchored(settings, keyring, anchors_in(region.state), ANCHORED_EVERY_S)


async def _region(engines: Engines, settings: LocalSettings, narrator: Narrator) -> LocalRegion:
    endpoints = await engines.start()
    state = engines.state
    region = LocalRegion(state=state, endpoints=endpoints, ports=settings.ports, secrets=secrets_in(state))
    narrator.step("migrations and topics")
    applied = await prepare(region)
    narrator.say(f"database and topics are ready ({len(applied) or 'no'} migrations applied)")
    environment = region.operator_environment()
    write_private(_operator_file(state), "".join(f"{name}={value}\n" for name, value in environment.items()))
    narrator.step("starting intake, matching, referral and notify")
    await engines.supervisor.start(*programs(region))
    for program in programs(region):
        narrator.say(f"{program.name} serves; log: {engines.supervisor.log_of(program.name)}")
    return region


async def _first_case(region: LocalRegion, people: Demo, narrator: Narrator, *, again: bool) -> None:
    narrator.heading("One more case, from request to purge" if again else "The first case, from request to purge")
    narrator.step("walking a case")
    try:
        ahead = await regional_clock.ahead(region)
        async with timeline.watching(region.endpoints.kafka, ahead=ahead) as watcher:
            case = await walk.walked(region, people, watcher, narrator.say)
            seen = watcher.of(case)
    except (NoForm, TimeoutError, OSError) as error:
        raise DemoError("the walk", f"with {type(error).__name__}") from None
    narrator.heading("The same case as a timeline, from the events of this run")
    if narrator.console.is_terminal:
        narrator.console.print(timeline.table(seen))
    else:
        narrator.console.print(timeline.plain(seen), markup=False, highlight=False, soft_wrap=True)
    if region.endpoints.zipkin_url:
        search = search_link(region.endpoints.zipkin_url, case, clock.now())
        narrator.console.print(f"\nits traces: {search}", markup=False, highlight=False, soft_wrap=True)


def _addresses(region: LocalRegion, people: Demo, narrator: Narrator) -> None:
    zipkin = region.endpoints.zipkin_url
    narrator.heading("Addresses")
    rows = [
        ("requester's page", f"{region.url('intake')}/a/{cast.SLUG}"),
        ("team's page", f"{region.url('intake')}/a/{cast.SLUG}/team   (opens with the agency's key)"),
        ("everybody's mailbox", f"{region.endpoints.mailbox_url}   (PIN of all demo people: {people.pin})"),
        ("traces", f"{zipkin}/zipkin/   (search by tag: peerline.case=<case id>)" if zipkin else "off"),
        ("API and its docs", f"{region.url('intake')}/docs"),
        ("agency's key", f"in {_short(demo.key_file(region.state))}"),
        ("who is waiting", f"`{_waiting(region)}` in another terminal"),
        ("audit heads", f"{_short(anchors_in(region.state))}   (keep a copy on another machine)"),
        ("logs", _short(region.state / "log")),
    ]
    for name, value in rows:
        narrator.console.print(f"  {name:20} {value}", markup=False, highlight=False, soft_wrap=True)


def _waiting(region: LocalRegion) -> str:
    """The command that lists what is open in this region."""
    kept = _operator_file(region.state)
    return ("" if kept == waiting.LOCAL else f"PEERLINE_OPERATOR_ENV={_short(kept)} ") + ".venv/bin/peerline waiting"


def _operator_file(state: Path) -> Path:
    return state / waiting.LOCAL.name


def _short(path: Path) -> str:
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def main() -> None:
    """Run until Ctrl-C; a LocalError is one sentence and exit code 1."""
    narrator = Narrator(Console())
    try:
        # Names a port that is none in a sentence; the settings would say it in a document.
        ports_from_environment()
        asyncio.run(run(LocalSettings(), narrator))
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
