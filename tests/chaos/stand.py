"""A region of its own with two replicas of every service, made to be broken, and the demo agencies in it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.local import demo
from deploy.local.browser import Browser
from deploy.local.cast import TOWNS
from deploy.local.engines import Engines, forget, free_ports
from deploy.local.ports import LOOPBACK, TEST_PORTS, Ports, is_free
from deploy.local.region import LocalRegion, keyring_in, prepare, secrets_in
from deploy.local.settings import checkout
from deploy.local.supervisor import Program
from shared.vault import read_keyring
from tests.chaos import witness
from tests.chaos.front import Front
from tests.chaos.plan import PROCESSES
from tests.chaos.post import Post
from tests.chaos.witness import Eye
from tests.harness.proxy import Proxy, between
from tests.trust.town import OPEN_DOORS

POLICY = {
    "grace_s": 1,
    "open_cases_per_peer": 20,
    "crisis_cases_per_peer": 5,
    "crisis_cooldown_s": 0,
    "rung_within_s": 30,
    "routine": {"answer_within_s": 60},
    "soon": {"answer_within_s": 60},
    "urgent": {"answer_within_s": 60},
    "emergency": {"answer_within_s": 30},
}
"""The shortest times that an agency may set: whoever is silent is not waited for long."""
PATIENT = {**OPEN_DOORS, "PEERLINE_FORMS_PER_SOURCE": "100000"}
"""Everybody comes from one address here."""


@dataclass
class Stand:
    """Engines, eight processes with a wire to the database each, the doors before them, and the post."""

    engines: Engines
    local: LocalRegion
    eye: Eye
    post: Post
    wires: dict[str, Proxy]
    ports: dict[str, int]
    pin: str = ""

    @property
    def folder(self) -> Path:
        return self.engines.state

    @property
    def pepper(self) -> bytes:
        """The key of the hashes behind codes and links."""
        return read_keyring(keyring_in(self.folder)).derived("doors")

    def ready_urls(self) -> list[str]:
        """Where each replica says whether it is ready."""
        return [f"http://{LOOPBACK}:{self.ports[name]}/health/ready" for name in PROCESSES]


def program(local: LocalRegion, name: str, *, port: int, database: int) -> Program:
    """One replica, whose way to the database leads over the port `database`."""
    service, replica = name.split("-")
    own = {"PEERLINE_HTTP_PORT": str(port), "PEERLINE_DATABASE_PORT": str(database)} | PATIENT
    return Program(
        name=name,
        argv=(sys.executable, "-m", f"services.{service}.app"),
        ready=f"http://{LOOPBACK}:{port}/health/ready",
        env=local.service_environment(service, replica=replica) | own,
        inherit=False,
        cwd=checkout(),
        grace=25.0,
    )


@asynccontextmanager
async def standing(state: Path, say: Callable[[str], None], *, durable: bool) -> AsyncIterator[Stand]:
    """The region, everybody in it verified. What it keeps is forgotten at the end, the logs too."""
    ports = free_ports()
    wanted = _free(ports)
    engines = Engines(state=state, ports=ports, with_zipkin=False, durable=durable, on_progress=say)
    try:
        async with AsyncExitStack() as stack:
            endpoints = await (await stack.enter_async_context(engines)).start()
            post = Post(next(wanted), endpoints.smtp_port)
            await post.start()
            stack.push_async_callback(post.stop)
            local = LocalRegion(
                state=engines.state,
                endpoints=replace(endpoints, smtp_port=post.port),
                ports=replace(ports, intake=next(wanted), notify=next(wanted)),
                secrets=secrets_in(engines.state),
                environment="test",
            )
            await prepare(local)
            eye = Eye(endpoints, local.database)
            stack.push_async_callback(eye.close)
            await witness.watch(eye)
            stand = Stand(engines, local, eye, post, {}, {name: next(wanted) for name in PROCESSES})
            await _started(stack, stand)
            stand.pin = (await demo.seeded(local, say, TOWNS)).pin
            await _policies(local)
            yield stand
    finally:
        forget(engines.state)


def _free(beside: Ports) -> Iterator[int]:
    """Ports that are free, other than those of the engines, which are not taken yet."""
    engines = set(beside.named().values())
    first = TEST_PORTS.start + os.getpid() % 4000
    return (port for port in range(first, TEST_PORTS.stop) if port not in engines and is_free(port))


async def _started(stack: AsyncExitStack, stand: Stand) -> None:
    for name in PROCESSES:
        stand.wires[name] = await stack.enter_async_context(between(stand.local.endpoints.postgres_port, flowing=True))
    programs = [
        program(stand.local, name, port=stand.ports[name], database=stand.wires[name].port) for name in PROCESSES
    ]
    await stand.engines.supervisor.start(*programs)
    for service in ("intake", "notify"):
        front = Front(
            stand.local.ports.named()[service], [stand.ports[name] for name in PROCESSES if name.startswith(service)]
        )
        await front.start()
        stack.push_async_callback(front.stop)


async def _policies(local: LocalRegion) -> None:
    url, browser = f"{local.url('intake')}/v1/agency/policy", Browser()
    for town in TOWNS:
        key = demo.key_file(local.state, town.slug).read_text().strip()
        tag = (await browser.api("GET", url, bearer=key)).headers["etag"]
        answer = await browser.api("PUT", url, POLICY, bearer=key, If_Match=tag)
        if answer.status != 200:
            raise AssertionError(f"PUT policy: {answer.status} {json.dumps(answer.text)[:300]}")


def logs(folder: Path) -> list[Path]:
    """What every process has written down."""
    return sorted((folder / "log").glob("*.log*"))
