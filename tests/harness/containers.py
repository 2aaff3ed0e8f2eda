"""Kafka and PostgreSQL of a test run in containers, told exactly what the local engines are told.

Images are never pulled: either Docker has them or the local engines serve. Data lies in the run's state folder under
the same path inside and outside, so that a test which reads files of an engine finds them in both.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from deploy.local import kafka, postgres
from deploy.local.engines import Elsewhere
from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.probe import Probe, kafka_probe, postgres_probe
from tools.images import names

IMAGES = {
    "PEERLINE_KAFKA_IMAGE": ("apache/kafka:4.3.1", names.KAFKA),
    "PEERLINE_POSTGRES_IMAGE": ("postgres:18.4", names.POSTGRES),
}
"""The variable that names an image, and what is looked for without it: docker-compose.yml's, then a stand-in."""
OWNER = "peerline.test-run"
CONTROLLER = 9093
SERVES_WITHIN_S = 120.0
PROGRAM_OF_ROOT = 999
"""PostgreSQL never runs as root."""


class NotServing(Exception):
    """A container ended or stayed silent; the text is the end of its log."""


def found() -> tuple[str, str] | None:
    """The images of Kafka and PostgreSQL that Docker has, or None where Docker does not answer or one is missing."""
    if not _listens():
        return None
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return None
    try:
        kafka_image, postgres_image = (_present(client, variable) for variable in IMAGES)
    finally:
        client.close()
    return (kafka_image, postgres_image) if kafka_image and postgres_image else None


def _listens() -> bool:
    """Whether anybody is behind Docker's socket: its client would leave one of its own open when nobody is."""
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not address.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(1)
        try:
            asking.connect(address.removeprefix("unix://"))
        except OSError:
            return False
    return True


def _present(client: docker.DockerClient, variable: str) -> str | None:
    given = os.environ.get(variable)
    for image in (given,) if given else IMAGES[variable]:
        try:
            client.images.get(image)
        except ImageNotFound:
            continue
        return image
    return None


def sweep(lives: Callable[[int], bool]) -> None:
    """Remove the containers of test runs that were killed."""
    client = docker.from_env(timeout=5)
    try:
        for one in client.containers.list(all=True, filters={"label": OWNER}):
            if not lives(int(one.labels[OWNER])):
                one.remove(force=True, v=True)
    finally:
        client.close()


@contextmanager
def running(images: tuple[str, str], state: Path) -> Iterator[Elsewhere]:
    """Both engines until the end. Raises `NotServing`."""
    # Its reaper is one more image to pull; `sweep` does its work.
    testcontainers_config.ryuk_disabled = True
    ports, password = free_ports(), secrets.token_urlsafe(24)
    # Where the local engines have theirs.
    folders = {name: state / name / "data" for name in ("kafka", "postgres")}
    broker = _broker(images[0], folders["kafka"], ports.kafka)
    database = _database(images[1], folders["postgres"], ports.postgres, password)
    with ExitStack() as stack:
        for container, (name, data) in zip((broker, database), folders.items(), strict=True):
            stack.enter_context(container)
            _keep_log(container, state / "log" / f"{name}.log")
            # What another account wrote can only be deleted by it.
            stack.callback(container.exec, ["sh", "-c", f"rm -rf {data}/*"])
        _await(broker, kafka_probe(LOOPBACK, ports.kafka))
        _await(database, postgres_probe(LOOPBACK, ports.postgres, password))
        yield Elsewhere(
            kafka=f"{LOOPBACK}:{ports.kafka}",
            postgres_host=LOOPBACK,
            postgres_port=ports.postgres,
            postgres_password=password,
        )


def broker_environment(data: Path, port: int) -> dict[str, str]:
    """The local broker's settings with a container's addresses; outside and inside the port is the same."""
    places = {
        "controller.quorum.voters": f"1@localhost:{CONTROLLER}",
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:{CONTROLLER}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
    }
    return kafka.environment(kafka.settings(durable=False) | places)


def database_command() -> list[str]:
    """The local server's settings; nothing is flushed, as in the local engines of a test run."""
    settings = {**postgres.SETTINGS, **postgres.QUICK_SETTINGS}
    return ["postgres", *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))]


def _broker(image: str, data: Path, port: int) -> DockerContainer:
    data.mkdir(parents=True)
    # The image's own account writes there, whoever runs the tests.
    data.chmod(0o777)
    return _container(image, port, port, data).with_envs(**broker_environment(data, port))


def _database(image: str, data: Path, port: int, password: str) -> DockerContainer:
    data.mkdir(parents=True)
    account = os.getuid() or PROGRAM_OF_ROOT
    if not os.getuid():
        os.chown(data, account, account)
    container = _container(image, 5432, port, data, user=f"{account}:{account}")
    container.with_envs(
        POSTGRES_PASSWORD=password,
        POSTGRES_INITDB_ARGS=" ".join((*postgres.INITDB, "--no-sync")),
        PGDATA=str(data / "18"),
    )
    return container.with_command(database_command())


def _container(image: str, inside: int, outside: int, data: Path, **more: Any) -> DockerContainer:
    container = DockerContainer(image, **more, labels={OWNER: str(os.getpid())})
    container.with_volume_mapping(data, str(data), "rw")
    # The library publishes on every address; Docker takes a pair for one.
    ports: Mapping[str, Any] = {f"{inside}/tcp": (LOOPBACK, outside)}
    container.ports.update(ports)
    return container


def _keep_log(container: DockerContainer, file: Path) -> None:
    """Write what a container prints to where a local engine's log would be, until it ends."""
    file.parent.mkdir(exist_ok=True)
    stream = container.get_wrapped_container().logs(stream=True, follow=True)

    def copy() -> None:
        with file.open("wb", buffering=0) as log:
            for chunk in stream:
                log.write(chunk)

    threading.Thread(target=copy, daemon=True).start()


async def _asked(probe: Probe) -> bool:
    return await probe()


def _await(container: DockerContainer, probe: Probe) -> None:
    until = time.monotonic() + SERVES_WITHIN_S
    wrapped = container.get_wrapped_container()
    while not asyncio.run(_asked(probe)):
        wrapped.reload()
        if wrapped.status == "exited" or time.monotonic() > until:
            raise NotServing(wrapped.logs(tail=40).decode(errors="replace"))
        time.sleep(0.1)
