"""What the operator's command and an upload write leaves through intake's own relay, in order, for the region."""

import json
import sys
from asyncio import create_subprocess_exec, subprocess

from deploy.local.settings import checkout
from deploy.local.timeline import watching
from shared.events.intake import AgencySet, ContactPointsSet, DutySet, PersonSet
from shared.migrate import OPERATOR
from tests.harness.region import Region
from tests.integration.intake_agency.office import peer
from tests.integration.intake_agency.test_command import AGENCY


async def command(region: Region, *words: str) -> dict[str, str]:
    password = region.database.cluster.passwords[OPERATOR]
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", *words, "--json"),
        cwd=checkout(),
        env=region.environment("intake") | {"PEERLINE_OPERATOR_PASSWORD": password, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
    )
    out, _ = await process.communicate()
    document: dict[str, str] = json.loads(out)
    return document


async def test_agency_duty_and_directory_reach_the_bus(region: Region) -> None:
    await region.start("intake")
    async with watching(region.topics.kafka, region.topics.prefix) as seen:
        key = (await command(region, *AGENCY))["key"]
        duty = ("--name", "Sam Quill", "--contact", "duty@region.test")
        await command(region, "region", "duty", "add", *duty)
        headers = {"Authorization": f"Bearer {key}", "If-None-Match": "*"}
        url = f"{region.url('intake')}/v1/agency/directory"
        async with region.http.put(url, json={"people": [peer("p1")]}, headers=headers) as answer:
            assert answer.status == 200
        for kind in (AgencySet, DutySet, PersonSet, ContactPointsSet):
            await seen.first(kind)
