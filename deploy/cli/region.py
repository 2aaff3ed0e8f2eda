"""`peerline region`: what belongs to the region itself, its duty coordinators first of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.operator import EXIT_CODES, USAGE, AsJson, Region, run, show, show_table, stop
from services.intake.actions import duty, listings, verifications
from services.intake.actions.duty import DutyPerson
from services.intake.domain.listing import Listing
from shared.types import REGION, PersonId

app = typer.Typer(no_args_is_help=True, help=f"The region itself. {EXIT_CODES}")
duties = typer.Typer(no_args_is_help=True, help=f"Regional duty coordinators. {EXIT_CODES}")
resources = typer.Typer(no_args_is_help=True, help=f"The region's own directory of resources. {EXIT_CODES}")
app.add_typer(duties, name="duty")
app.add_typer(resources, name="resources")

Name = Annotated[str, typer.Option(help="Who it is; sealed, and shown only by `duty list`.")]
Contact = Annotated[str, typer.Option(help="A mail address, which its owner has to verify.")]
Language = Annotated[str, typer.Option(help="BCP 47, such as en.")]
Zone = Annotated[str, typer.Option(help="IANA time zone.")]


@duties.command()
def add(
    *, name: Name, contact: Contact, language: Language = "en", time_zone: Zone = "UTC", as_json: AsJson = False
) -> None:
    """Name a regional duty coordinator; nothing is told to them before they have verified the address."""

    async def work(region: Region) -> PersonId:
        return await duty.add_duty(region.db, region.keyring, DutyPerson(name, contact, language, time_zone))

    person = run(work, as_json=as_json)
    told = "Named. A link to verify the address is on its way; nothing else is sent before that."
    show({"person": str(person)}, as_json=as_json, told=told)


@duties.command()
def verify(*, as_json: AsJson = False) -> None:
    """Mail a new link to those who have not verified the address, each once an hour and five times a week at most."""

    async def work(region: Region) -> dict[str, int]:
        return (await verifications.ask_again(region.db, region.keyring, REGION)).document()

    asked = run(work, as_json=as_json)
    told = "{asked} asked again, {verified} verified already, {too_soon} asked too short a time ago."
    show(asked, as_json=as_json, told=told.format(**asked))


@duties.command("list")
def listed(*, as_json: AsJson = False) -> None:
    """List the regional duty coordinators, and who has verified the address."""

    async def work(region: Region) -> list[DutyPerson]:
        return await duty.list_duty(region.db, region.keyring)

    show_table("duty", [one.__dict__ for one in run(work, as_json=as_json)], as_json=as_json)


@resources.command("load")
def load(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help='JSON: {"resources": [{...}, ...]}.')],
    *,
    as_json: AsJson = False,
) -> None:
    """Replace the whole list of the region by a file. All of it, or nothing."""
    try:
        document = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        stop(USAGE, "malformed", "The file is no JSON.", as_json=as_json)

    async def work(region: Region) -> Sequence[Listing]:
        return await listings.load_regional(region.db, document)

    kept = run(work, as_json=as_json)
    show({"resources": len(kept)}, as_json=as_json, told=f"{len(kept)} resources stand in the region's directory.")


@resources.command("list")
def regional(*, as_json: AsJson = False) -> None:
    """List the region's resources, as every agency's requesters see them."""

    async def work(region: Region) -> list[Listing]:
        return await listings.list_regional(region.db)

    rows = [one.document() for one in run(work, as_json=as_json)]
    show_table("resources", rows, as_json=as_json)
