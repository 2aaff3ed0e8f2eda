"""The services as the region runs them: real processes on free ports, awaited by their readiness."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from deploy.local.ports import free_ports
from deploy.local.settings import checkout
from tests.harness.engines import guarded
from tests.harness.waiting import eventually

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 25.0


class Died(Exception):
    """A service ended before it was ready; the text is the end of its log."""


@dataclass
class Service:
    """One process of one service."""

    name: str
    replica: str
    url: str
    log: Path
    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def said(self) -> str:
        """Everything it has logged so far."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.running:
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, as the supervisor does; returns the exit code. A process that does not stop fails the test."""
        if self.running:
            self.process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                return await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"{self.name} did not stop within {STOP_WITHIN_S} s:\n{self.said()[-3000:]}") from None

    async def ended(self, within: float = 30.0) -> int:
        """Wait until it has ended by itself; returns the exit code."""
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def ready(self, http: aiohttp.ClientSession, within: float = READY_WITHIN_S) -> None:
        """Return when readiness says yes. Raises `Died`."""

        async def answer() -> bool:
            if not self.running:
                raise Died(f"{self.name} ended with {self.process.returncode}:\n{self.said()[-3000:]}")
            try:
                async with http.get(f"{self.url}/health/ready") as response:
                    return response.status == 200
            except aiohttp.ClientError:
                return False

        await eventually(answer, within, what=f"{self.name} ready; its log: {self.log}")


async def spawn(
    name: str, *, replica: str, environment: Mapping[str, str], port: int | None, log: Path, root: Path | None = None
) -> Service:
    """Start `python -m services.<name>.app` with exactly this environment added to a bare one.

    `root` is where its source lies; this checkout when not said.
    """
    port = port or free_ports().intake
    bare = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL") if key in os.environ}
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *guarded(sys.executable, "-m", f"services.{name}.app"),
            cwd=root or checkout(),
            env={**bare, "PYTHONDONTWRITEBYTECODE": "1", **environment, "PEERLINE_HTTP_PORT": str(port)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    return Service(name, replica, f"http://127.0.0.1:{port}", log, process)
