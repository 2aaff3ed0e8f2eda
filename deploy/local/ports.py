"""The doors of a local region: TCP ports on loopback. Needs Python alone, as preflight runs before any install."""

from __future__ import annotations

import os
import random
import socket
from dataclasses import asdict, dataclass, fields

from deploy.local.errors import PortBusyError, UnfitMachineError

LOOPBACK = "127.0.0.1"
PREFIX = "PEERLINE_LOCAL_"
HIGHEST = 65_535
# Below the range from which Linux (32768) and macOS (49152) take ports for outgoing connections.
TEST_PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1, one per door; the defaults are those of `make up`."""

    kafka: int = 19092
    kafka_controller: int = 19093
    postgres: int = 15432
    zipkin: int = 19411
    smtp: int = 11025
    mailbox: int = 18025
    intake: int = 18080
    notify: int = 18081
    matching: int = 18082
    referral: int = 18083

    def named(self) -> dict[str, int]:
        """Port by name, in the order of the fields."""
        return asdict(self)


NAMES = tuple(field.name for field in fields(Ports))
ENGINE_NAMES = NAMES[: NAMES.index("intake")]


def setting_of(name: str) -> str:
    """Name of the environment variable that moves a port of `Ports`."""
    return f"{PREFIX}{name.upper()}_PORT"


def ports_from_environment() -> Ports:
    """Ports as the environment sets them; raises UnfitMachineError for a value that is no port."""
    given = {name: os.environ[setting_of(name)] for name in NAMES if os.environ.get(setting_of(name))}
    for name, text in given.items():
        if not (text.isdecimal() and 0 < int(text) <= HIGHEST):
            raise UnfitMachineError(
                f"{setting_of(name)} is no port: set it to a number from 1 to {HIGHEST}, or unset it."
            )
    return Ports(**{name: int(text) for name, text in given.items()})


def is_free(port: int) -> bool:
    """Whether a server could bind the port on 127.0.0.1 now."""
    probe = _bound(port)
    if probe:
        probe.close()
    return probe is not None


def check_free(ports: Ports, names: tuple[str, ...] = NAMES) -> None:
    """Raise PortBusyError for the first named port that somebody listens on."""
    for name in names:
        port = ports.named()[name]
        if not is_free(port):
            raise PortBusyError(name=name, port=port, setting=setting_of(name))


def free_ports() -> Ports:
    """Ports that were free a moment ago, for tests that run beside `make up` and each other."""
    held: list[tuple[int, socket.socket]] = []
    for port in random.SystemRandom().sample(TEST_PORTS, len(TEST_PORTS)):
        probe = _bound(port)
        if probe:
            held.append((port, probe))
        if len(held) == len(NAMES):
            break
    for _, probe in held:
        probe.close()
    return Ports(*(port for port, _ in held))


def _bound(port: int) -> socket.socket | None:
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, port))
    except OSError:
        probe.close()
        return None
    return probe
