"""`peerline region`: what belongs to the region itself, its duty coordinators first of all."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli.operator import EXIT_CODES, AsJson, Region, run, show, show_table
from services.intake.actions import duty
from services.intake.actions.duty import DutyPerson
from shared.types import PersonId

app = typer.Typer(no_args_is_help=True, help=f"The region itself. {EXIT_CODES}")
duties = typer.Typer(no_args_is_help=True, help=f"Regional duty coordinators. {EXIT_CODES}")
app.add_typer(duties, name="duty")

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


@duties.command("list")
def listed(*, as_json: AsJson = False) -> None:
    """List the regional duty coordinators, and who has verified the address."""

    async def work(region: Region) -> list[DutyPerson]:
        return await duty.list_duty(region.db, region.keyring)

    show_table("duty", [one.__dict__ for one in run(work, as_json=as_json)], as_json=as_json)
