"""`peerline agency`: agencies of the region."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.cli.operator import EXIT_CODES, USAGE, AsJson, Region, run, show, show_table, stop
from services.intake.actions import agencies
from services.intake.domain.agency import Agency, Line
from shared import clock
from shared.types import AgencyId, Structure

app = typer.Typer(no_args_is_help=True, help=f"Agencies of the region. {EXIT_CODES}")

Name = Annotated[str, typer.Option(help="As people know it.")]
Slug = Annotated[str, typer.Option(help="Short public name: small letters, digits, hyphens; it stands in links.")]
KindName = Annotated[str, typer.Option(help="police, sheriff, fire, dispatch or corrections.")]
Jurisdiction = Annotated[str, typer.Option(help="ISO 3166-2, such as US-CA.")]
Language = Annotated[list[str], typer.Option(help="BCP 47, such as en or es; repeat it, the first is the default.")]
Zone = Annotated[str, typer.Option(help="IANA time zone, such as America/Denver.")]
StructureName = Annotated[Structure, typer.Option(help="The program's structure.")]
MailDomain = Annotated[str | None, typer.Option(help="The agency's own mail domain; addresses in it are warned about.")]
Lines = Annotated[list[str] | None, typer.Option("--line", help='A help line of its own, "Name=number"; repeat it.')]


@app.command()
def add(
    *,
    name: Name,
    slug: Slug,
    kind: KindName,
    jurisdiction: Jurisdiction,
    language: Language,
    time_zone: Zone,
    structure: StructureName = Structure.TEAM_COORDINATOR,
    mail_domain: MailDomain = None,
    line: Lines = None,
    as_json: AsJson = False,
) -> None:
    """Take on an agency and print its first key, once: it is kept nowhere."""
    wanted = Agency(
        agency_id=AgencyId(clock.random_id()),
        revision=1,
        active=True,
        name=name,
        slug=slug,
        kind=kind,
        jurisdiction=jurisdiction,
        structure=structure,
        languages=tuple(language),
        time_zone=time_zone,
        mail_domain=mail_domain,
        lines=tuple(_line(one, as_json=as_json) for one in line or ()),
    )

    async def work(region: Region) -> tuple[Agency, str]:
        return await agencies.add_agency(region.db, region.keyring, wanted)

    agency, key = run(work, as_json=as_json)
    told = f"{agency.name} is taken on as {agency.slug}. Its first key, shown this once:\n{key}"
    show({"agency": str(agency.agency_id), "slug": agency.slug, "key": key}, as_json=as_json, told=told)


def _line(text: str, *, as_json: bool) -> Line:
    name, sign, phone = text.rpartition("=")
    if not sign or not name.strip():
        stop(USAGE, "line", 'A line is "Name=number", such as "CopLine=18002676246".', as_json=as_json)
    return Line(name.strip(), phone.strip())


@app.command("list")
def listed(*, as_json: AsJson = False) -> None:
    """List every agency of the region."""

    async def work(region: Region) -> list[Agency]:
        return await agencies.list_agencies(region.db)

    rows = [_row(one) for one in run(work, as_json=as_json) if one.slug]
    show_table("agencies", rows, as_json=as_json)


def _row(agency: Agency) -> dict[str, object]:
    return {
        "slug": agency.slug,
        "name": agency.name,
        "kind": agency.kind,
        "jurisdiction": agency.jurisdiction,
        "structure": agency.structure.value,
        "languages": list(agency.languages),
        "time_zone": agency.time_zone,
        "directory": agency.directory_revision,
        "active": agency.active,
    }


@app.command("key")
def key(*, slug: Slug, as_json: AsJson = False) -> None:
    """Make a further key with every scope, for an agency that has lost its own; print it once."""

    async def work(region: Region) -> str:
        return await agencies.further_key(region.db, region.keyring, slug)

    made = run(work, as_json=as_json)
    show({"slug": slug, "key": made}, as_json=as_json, told=f"A further key of {slug}, shown this once:\n{made}")
