"""`make demo`: walk every scene against the region that `make up` serves; the exit code says whether all went well."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

from rich.console import Console

from deploy.local import demo, regional_clock, timeline
from deploy.local.browser import NoForm
from deploy.local.cast import LAKESIDE, RIVERTON, SUMMIT, TOWNS, Town
from deploy.local.engines import Endpoints
from deploy.local.errors import LocalError
from deploy.local.ports import LOOPBACK, ports_from_environment
from deploy.local.region import LocalRegion, secrets_in
from deploy.local.scenes import programs, trouble
from deploy.local.scenes.stage import Stage
from deploy.local.settings import LocalSettings
from shared.types import CaseId

Scene = Callable[[Stage], Awaitable[CaseId]]

SCENES: Sequence[tuple[str, Scene]] = (
    *((f"A routine case, {town.structure}", partial(programs.routine, town=town)) for town in TOWNS),
    *(
        (f"A family member asks for the clinician, {town.structure}", partial(programs.family, town=town))
        for town in TOWNS
    ),
    ("A civilian dispatcher goes to the clinician directly", programs.dispatcher),
    ("They want a clinician and the program has none", programs.no_clinician),
    ("A peer asks the clinical advisor", programs.consult),
    ("A referral, rejected and then accepted", programs.referral),
    ("An emergency whose first rungs are silent", trouble.emergency),
    ("A withdrawal in mid-offer", trouble.withdrawal),
    ("Nobody is available", trouble.nobody),
)
NEEDED = (RIVERTON, LAKESIDE, SUMMIT)


class NotRunningError(LocalError):
    """There is no region to walk in."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("`make demo` walks in the region that `make up` serves: start that in another terminal first.")


async def played(stage: Stage, console: Console) -> list[str]:
    """Play every scene and print its timeline; returns the names of those that went otherwise than they should."""
    failed = []
    for name, scene in SCENES:
        console.print(f"\n{name}", style="bold", markup=False, highlight=False)
        case: CaseId | None
        await stage.mailbox.forget_present()
        try:
            case = await scene(stage)
        except (LocalError, NoForm, TimeoutError, OSError) as error:
            failed.append(name)
            text = str(error) if isinstance(error, LocalError) else f"{type(error).__name__}: {error}"
            console.print(f"  went otherwise: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
            last = stage.cases[-1:]
            case = last[0] if last else None
        if case is not None:
            console.print(timeline.plain(stage.of(case)), markup=False, highlight=False, soft_wrap=True)
    return failed


def running(settings: LocalSettings) -> LocalRegion:
    """The region that `make up` serves from this checkout. Raises `NotRunningError`."""
    state, ports = settings.profile(), settings.ports
    password = state / "postgres.password"
    if not password.is_file() or not demo.is_seeded(state):
        raise NotRunningError
    endpoints = Endpoints(
        kafka=f"{LOOPBACK}:{ports.kafka}",
        postgres_host=LOOPBACK,
        postgres_port=ports.postgres,
        postgres_password=password.read_text().strip(),
        smtp_host=LOOPBACK,
        smtp_port=ports.smtp,
        mailbox_url=f"http://{LOOPBACK}:{ports.mailbox}",
        zipkin_url=None,
    )
    return LocalRegion(state=state, endpoints=endpoints, ports=ports, secrets=secrets_in(state))


@asynccontextmanager
async def staged(
    region: LocalRegion, say: Callable[[str], None], towns: Sequence[Town] = NEEDED
) -> AsyncIterator[Stage]:
    """A stage on a region that serves, with these agencies."""
    people = await demo.seeded(region, say, towns)
    mailbox = demo.mailbox_of(region)
    await mailbox.forget_present()

    ahead = await regional_clock.ahead(region)
    async with timeline.watching(region.endpoints.kafka, region.topic_prefix, ahead=ahead) as watcher:

        async def move_clock(by: timedelta) -> None:
            # What comes from now on may be said by the new time already: no due time is given while a scene waits.
            watcher.ahead += by
            await regional_clock.put_forward(region, by)

        yield Stage(region, people, mailbox, watcher, move_clock)


async def run(console: Console) -> list[str]:
    """Play all scenes against the running region."""
    region = running(LocalSettings())
    try:
        async with staged(region, console.print) as stage:
            return await played(stage, console)
    except OSError:
        raise NotRunningError from None


def main() -> None:
    """Exit code 0 when every scene went as it should."""
    console = Console()
    try:
        ports_from_environment()
        failed = asyncio.run(run(console))
    except LocalError as error:
        sys.exit(str(error))
    told = f"{len(SCENES) - len(failed)} of {len(SCENES)} scenes went as they should"
    console.print(f"\n{told}", style="bold", markup=False, highlight=False)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
