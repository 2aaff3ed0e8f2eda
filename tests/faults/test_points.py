"""A point can be armed while the process runs; production starts with none of them, however it is said."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from deploy.local.engines import Endpoints
from deploy.local.ports import free_ports
from deploy.local.region import LocalRegion, Secrets, keyring_in
from deploy.local.settings import checkout
from shared import faults
from shared.faults import ORDER
from shared.migrate import SERVICES
from shared.vault import make_keyring

NOWHERE = Endpoints(
    kafka="127.0.0.1:1",
    postgres_host="127.0.0.1",
    postgres_port=1,
    postgres_password="",
    smtp_host="127.0.0.1",
    smtp_port=1,
    mailbox_url="http://127.0.0.1:1",
    zipkin_url=None,
)
PROGRAM = """
import sys
from pathlib import Path
from shared import faults
faults.arm_from(sys.argv[1], production=False, marker=Path(sys.argv[2]))
faults.reached("after-commit", "peerline.intake")
print("alive", flush=True)
sys.stdin.readline()
faults.reached("after-commit", "peerline.matching")
faults.reached("after-commit", "peerline.notify", "peerline.intake")
print("too late", flush=True)
"""


async def ended(*words: str, env: dict[str, str] | None = None) -> tuple[int | None, str]:
    """Run Python to its end: the exit code, and what it said at the last."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words), cwd=checkout(), env=env, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode, said.decode().strip().splitlines()[-1]


async def test_a_point_is_armed_while_the_process_runs_and_counts_from_then(tmp_path: Path) -> None:
    order, marker = tmp_path / "order", tmp_path / "marker"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, f"{ORDER}{order}", str(marker)),
        cwd=checkout(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"alive\n"
    order.write_text("after-commit:peerline.intake")
    said, _ = await process.communicate(b"\n")
    assert (process.returncode, said) == (-signal.SIGKILL, b"")
    assert marker.read_text().split()[0] == "after-commit"


def test_an_order_that_cannot_be_read_is_refused_when_it_comes(tmp_path: Path) -> None:
    order = tmp_path / "order"
    faults.arm_from(f"{ORDER}{order}", production=False)
    try:
        faults.reached("after-commit")
        order.write_text("some-day")
        with pytest.raises(faults.UnknownFault):
            faults.reached("after-commit")
    finally:
        faults.arm_from("", production=False)


@pytest.mark.parametrize("fault", ["after-commit", f"{ORDER}order"])
@pytest.mark.parametrize("service", SERVICES)
async def test_no_service_starts_in_production_with_a_fault_armed(service: str, fault: str, tmp_path: Path) -> None:
    region = LocalRegion(
        state=tmp_path,
        endpoints=NOWHERE,
        ports=free_ports(),
        secrets=Secrets.made(),
    )
    make_keyring(keyring_in(tmp_path))
    armed = {"PEERLINE_ENVIRONMENT": "production", "PEERLINE_FAULT": fault, "PYTHONDONTWRITEBYTECODE": "1"}
    code, said = await ended("-m", f"services.{service}.app", env=region.service_environment(service) | armed)
    assert code == 1
    assert said.startswith("shared.faults.FaultInProduction")
