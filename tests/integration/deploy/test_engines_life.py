"""Starts, refusals and ends of the engines: again with their data, beside others, killed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from deploy.local.engines import Endpoints, Engines, forget, free_ports
from deploy.local.errors import PortBusyError, StateLockedError
from deploy.local.ports import Ports, check_free, setting_of
from deploy.local.postgres import system_home
from deploy.local.process import mark_of

pytestmark = pytest.mark.engines
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    forget(tmp_path / "state")


def engines(state: Path, *, ports: Ports | None = None) -> Engines:
    return Engines(
        state=state, ports=ports or free_ports(), durable=False, with_zipkin=False, on_progress=lambda _: None
    )


async def asked(at: Endpoints, statement: str) -> object:
    connection = await asyncpg.connect(
        host=at.postgres_host, port=at.postgres_port, user="postgres", password=at.postgres_password
    )
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_second_start_keeps_the_data_even_on_other_ports(state: Path) -> None:
    async with engines(state) as first:
        await asked(await first.start(), "CREATE TABLE kept AS SELECT 5 AS number")
        cluster = (state / "kafka" / "data" / "meta.properties").read_text()
    async with engines(state) as second:
        assert await asked(await second.start(), "SELECT number FROM kept") == 5
        assert (state / "kafka" / "data" / "meta.properties").read_text() == cluster


async def test_a_busy_port_starts_nothing_and_says_which_setting_moves_it(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = replace(free_ports(), kafka=server.getsockname()[1])
        with pytest.raises(PortBusyError, match="PEERLINE_LOCAL_KAFKA_PORT"):
            await engines(state, ports=ports).start()
    assert not (state / "log").exists()
    check_free(ports)


async def test_a_folder_in_use_is_refused_and_the_first_goes_on(state: Path) -> None:
    async with engines(state) as first:
        with pytest.raises(StateLockedError):
            await engines(state).start()
        assert await asked(await first.start(), "SELECT 1") == 1


async def test_forget_deletes_what_lies_elsewhere_too(state: Path) -> None:
    async with engines(state):
        pass
    forget(state)
    assert [folder for folder in (state, system_home(state)) if folder.exists()] == []


async def test_a_removed_state_folder_starts_anew_and_says_what_became_of_its_database(state: Path) -> None:
    said: list[str] = []
    async with engines(state) as first:
        await asked(await first.start(), "CREATE TABLE kept AS SELECT 5 AS number")
    shutil.rmtree(state)
    again = Engines(state=state, ports=free_ports(), durable=False, with_zipkin=False, on_progress=said.append)
    async with again:
        assert await asked(await again.start(), "SELECT to_regclass('kept') IS NULL") is True
    aside = list(system_home(state).glob("data-of-before-*"))
    # Only root keeps a database outside of the state folder.
    assert len(aside) == (os.geteuid() == 0)
    assert [str(one) in sentence for one in aside for sentence in said if "put aside" in sentence] == [True] * len(
        aside
    )
    forget(state)
    assert not system_home(state).exists()


def recorded(state: Path) -> list[int]:
    """Numbers of the processes that a state folder has on record."""
    return [json.loads(file.read_text())["pid"] for file in (state / "run").glob("*.json")]


class Command:
    """`python -m deploy.local.engines` as a person starts it."""

    def __init__(self, state: Path) -> None:
        """Start it on free ports."""
        self.ports = free_ports()
        moved = {setting_of(name): str(port) for name, port in self.ports.named().items()}
        argv = [sys.executable, "-m", "deploy.local.engines", "--state", str(state), "--without-zipkin"]
        self.process = subprocess.Popen(
            argv, cwd=ROOT, env={**os.environ, **moved}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.endpoints: dict[str, object] = json.loads("".join(iter(self._line, "}\n")) + "}")
        self.children = list(recorded(state))

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        return line

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, answer the exit code."""
        self.process.send_signal(number)
        self.process.communicate()
        return self.process.returncode


async def gone(children: list[int], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while any(mark_of(pid) for pid in children):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.05)
    return True


async def test_ctrl_c_stops_every_process_and_answers_zero(state: Path) -> None:
    command = Command(state)
    assert len(command.children) == 3
    assert command.end(signal.SIGINT) == 0
    assert await gone(command.children, 0)
    check_free(command.ports)


async def test_after_a_kill_of_the_command_nothing_runs_on_and_the_data_is_there(state: Path) -> None:
    command = Command(state)
    assert command.endpoints["kafka"] == f"127.0.0.1:{command.ports.kafka}"
    command.end(signal.SIGKILL)
    if sys.platform == "linux":
        assert await gone(command.children, 20)
    async with engines(state) as again:
        assert await asked(await again.start(), "SELECT 1") == 1
    assert await gone(command.children, 0)


async def test_a_start_that_is_broken_off_leaves_nothing(state: Path) -> None:
    ports = free_ports()
    start = asyncio.create_task(engines(state, ports=ports).start())
    async with asyncio.timeout(20):
        while not recorded(state):  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.02)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not recorded(state)
    check_free(ports)
