"""The `peerline` command as an operator runs it: a process of its own, its output and its exit code."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from deploy.local.ports import free_ports
from deploy.local.settings import checkout
from shared.migrate import OPERATOR
from tests.harness.databases import TestDatabase
from tests.harness.waiting import eventually
from tests.integration.intake_agency.office import Office

AGENCY = (
    *("agency", "add", "--name", "Riverton Police", "--slug", "riverton", "--kind", "police"),
    *("--jurisdiction", "US-UT", "--language", "en", "--time-zone", "America/Denver"),
    *("--mail-domain", "riverton.gov", "--line", "CopLine=18002676246"),
)
CSV = "person_ref;role;name;contact\r\nP1;peer;Ana;ana@home.test\r\nP2;peer;Ben;ben@home.test\r\n"


def environment(database: TestDatabase, folder: Path) -> dict[str, str]:
    endpoints = database.cluster.endpoints
    return {
        "PEERLINE_OPERATOR_PASSWORD": database.cluster.passwords[OPERATOR],
        "PEERLINE_DATABASE": database.name,
        "PEERLINE_DATABASE_HOST": endpoints.postgres_host,
        "PEERLINE_DATABASE_PORT": str(endpoints.postgres_port),
        "PEERLINE_KEYRING": str(folder / "keyring.json"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


async def peerline(env: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Exit code, and what was printed on either stream."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", *words),
        cwd=checkout(),
        env=dict(env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.fixture
def env(office: Office, database: TestDatabase, tmp_path: Path) -> dict[str, str]:
    assert office.keyring.current
    return environment(database, tmp_path)


async def test_an_agency_is_taken_on_and_its_key_opens(office: Office, env: dict[str, str]) -> None:
    code, out = await peerline(env, *AGENCY, "--json")
    told = json.loads(out)
    about = await office.ask("GET", "/v1/agency", told["key"])
    assert (code, told["slug"]) == (0, "riverton")
    assert about.json["lines"] == [{"name": "CopLine", "phone": "+18002676246", "hours": ""}]
    code, out = await peerline(env, "agency", "list", "--json")
    assert [one["slug"] for one in json.loads(out)["agencies"]] == ["riverton"]


async def test_a_refusal_names_slug_and_field_and_ends_with_three(office: Office, env: dict[str, str]) -> None:
    await office.take_on("riverton")
    taken, out = await peerline(env, *AGENCY)
    wrong, told = await peerline(env, *AGENCY, "--time-zone", "Canary/Zone", "--json")
    bare, _ = await peerline(env, *AGENCY, "--slug", "lakeside", "--structure", "clinical-advisor")
    assert (taken, wrong, bare) == (3, 3, 3)
    assert "slug-taken" in out
    assert json.loads(told)["errors"] == [{"pointer": "/time_zone", "code": "invalid"}]


async def test_duty_coordinators_are_named_and_listed(env: dict[str, str]) -> None:
    nobody = await peerline(env, "region", "duty", "list", "--json")
    added, _ = await peerline(env, "region", "duty", "add", "--name", "Sam Quill", "--contact", "duty@region.test")
    _, out = await peerline(env, "region", "duty", "list", "--json")
    assert (nobody, added) == ((0, '{"duty": []}\n'), 0)
    assert [(one["name"], one["verified"]) for one in json.loads(out)["duty"]] == [("Sam Quill", False)]
    asked = [await peerline(env, "region", "duty", "verify", "--json") for _ in range(2)]
    assert [json.loads(out)["asked"] for _, out in asked] == [1, 0]


async def test_the_regions_resources_are_loaded_whole_and_listed(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "resources.json"
    line = {"kind": "crisis", "name": "County team", "phone": "801-555-0151", "verified_on": "2026-10-01"}
    file.write_text(json.dumps({"resources": [line]}))
    loaded, _ = await peerline(env, "region", "resources", "load", str(file))
    file.write_text(json.dumps({"resources": [line | {"phone": "canary"}]}))
    refused, told = await peerline(env, "region", "resources", "load", str(file), "--json")
    _, out = await peerline(env, "region", "resources", "list", "--json")
    assert (loaded, refused, "canary" in told) == (0, 3, False)
    assert [one["phone"] for one in json.loads(out)["resources"]] == ["+18015550151"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"PEERLINE_DATABASE_PORT": "9"}, 4),
        ({"PEERLINE_OPERATOR_PASSWORD": "canary-password"}, 4),
        ({"PEERLINE_KEYRING": "/nowhere/keyring.json"}, 2),
        ({"PEERLINE_DATABASE_PORT": "canary-port"}, 2),
    ],
)
async def test_what_does_not_work_is_one_sentence(env: dict[str, str], changed: dict[str, str], expected: int) -> None:
    code, out = await peerline(env | changed, "agency", "list")
    assert code == expected
    assert len(out.strip().splitlines()) == 1
    assert "canary" not in out


async def test_an_unknown_option_is_wrong_usage(env: dict[str, str]) -> None:
    code, out = await peerline(env, "agency", "list", "--surprise")
    assert code == 2
    assert "--surprise" in out


@asynccontextmanager
async def served(office: Office) -> AsyncIterator[str]:
    """The office's doors on a socket."""
    port = free_ports().intake
    server = uvicorn.Server(uvicorn.Config(office.app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started, 10, what="the server")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def test_a_directory_is_checked_and_loaded_by_http(office: Office, env: dict[str, str], tmp_path: Path) -> None:
    _, key = await office.take_on("riverton")
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    async with served(office) as url:
        env |= {"PEERLINE_KEY": key, "PEERLINE_INTAKE_URL": url}
        checked = await peerline(env, "directory", "check", str(file), "--json")
        first = await peerline(env, "directory", "load", str(file), "--json")
        again = await peerline(env, "directory", "load", str(file))
        file.write_text(CSV + "P3;peer;Cy;canary-text\r\n")
        bad = await peerline(env, "directory", "load", str(file))
        verified = await peerline(env, "directory", "verify")
        nobody = await peerline(env, "directory", "verify", "--person", "P9")
    assert counts(checked) == counts(first) == (0, True, 2)
    assert (verified[0], "2 asked again" in verified[1]) == (0, True)
    assert (nobody[0], "not-found" in nobody[1]) == (3, True)
    assert (again[0], "2 unchanged" in again[1]) == (0, True)
    assert (bad[0], "row 4, contact: not-an-address" in bad[1], "canary" in bad[1]) == (3, True, False)


def counts(answer: tuple[int, str]) -> tuple[int, bool, Any]:
    document = json.loads(answer[1])
    return answer[0], "check" in document, document["added"]


async def test_a_wrong_key_is_refused_and_no_intake_is_unreachable(
    office: Office, env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    async with served(office) as url:
        refused, out = await peerline(env | {"PEERLINE_KEY": "pk_x"}, "directory", "load", str(file), "--url", url)
    gone, _ = await peerline(env | {"PEERLINE_KEY": "pk_x"}, "directory", "check", str(file), "--url", url)
    without, _ = await peerline(env, "directory", "check", str(file))
    assert (refused, gone, without) == (3, 4, 2)
    assert "unauthorized" in out
