"""What a region on one machine consists of beyond its engines: secrets, database, topics, and its services' settings.

`make up` and the tests both stand on this, so that a service finds the same names in its environment in both.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from deploy.local.engines import Endpoints
from deploy.local.errors import LocalError
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.settings import checkout
from deploy.local.supervisor import Program
from deploy.prepare import Place, prepared
from shared.broker import PARTITIONS
from shared.db import Login
from shared.migrate import OPERATOR, SERVICES, BadMigration, Server, app_of, logins, loop_of
from shared.vault import make_keyring

DATABASE = "peerline"
WITH_KEYS = ("intake", "notify")
"""The services that may read the keyring; the others have no rights in the vault either."""


class OldStateError(LocalError):
    """The database was made by another version of the migrations than those of this checkout."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "The kept data was made by another version of Peerline: `make clean` forgets it, then start again."
        )


class BadSecretsError(LocalError):
    """The file with the region's secrets cannot be read."""

    def __init__(self, path: Path) -> None:
        """Name the file, never its content."""
        super().__init__(
            f"{path} is not what was written there: `make clean` forgets it and its data, then start again."
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Secrets:
    """What only this region knows: a password per login of the database, and a key for fingerprints."""

    passwords: Mapping[str, str]
    fingerprint_key: str

    @classmethod
    def made(cls) -> Self:
        """New random ones."""
        return cls(
            passwords={login: secrets.token_urlsafe(24) for login in logins()}, fingerprint_key=secrets.token_hex(32)
        )


def secrets_in(folder: Path) -> Secrets:
    """The secrets kept in a state folder, made at the first call; readable by their owner alone.

    The keyring lies beside them (`keyring_in`). Raises `BadSecretsError`.
    """
    path = folder / "secrets.json"
    if not keyring_in(folder).is_file():
        make_keyring(keyring_in(folder))
    if not path.is_file():
        write_private(path, json.dumps(asdict(Secrets.made()), indent=1))
    try:
        kept = Secrets(**json.loads(path.read_text()))
        if set(kept.passwords) != set(logins()):
            raise BadSecretsError(path)
    except (ValueError, TypeError):
        raise BadSecretsError(path) from None
    return kept


def keyring_in(folder: Path) -> Path:
    """Where the keyring of a state folder lies."""
    return folder / "keyring.json"


def anchors_in(folder: Path) -> Path:
    """Where the heads of the audit trail of a state folder are appended."""
    return folder / "audit-heads.jsonl"


def destroyed_in(folder: Path) -> Path:
    """Where the list of destroyed keys of a state folder lies."""
    return folder / "destroyed-keys"


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read; it is whole or not there at all, whenever the power goes."""
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


@dataclass(frozen=True, kw_only=True, repr=False)
class LocalRegion:
    """One region on one machine: where its engines answer, its secrets, and the ports of its services."""

    state: Path
    endpoints: Endpoints
    ports: Ports
    secrets: Secrets
    database: str = DATABASE
    topic_prefix: str = ""
    environment: Literal["demo", "test"] = "demo"

    def url(self, service: str) -> str:
        """Where a service's pages and API answer."""
        return f"http://{LOOPBACK}:{self.ports.named()[service]}"

    def operator(self, schema: str) -> Login:
        """The operator's login, looking at one service's schema."""
        return Login(
            self.endpoints.postgres_host,
            self.endpoints.postgres_port,
            self.database,
            OPERATOR,
            self.secrets.passwords[OPERATOR],
            schema,
        )

    def service_environment(self, service: str, *, replica: str = "0") -> dict[str, str]:
        """What the process of a service finds in its environment."""
        found = self._common() | {
            "PEERLINE_TOPIC_PREFIX": self.topic_prefix,
            "PEERLINE_REPLICA": replica,
            "PEERLINE_APP_PASSWORD": self.secrets.passwords[app_of(service)],
            "PEERLINE_LOOP_PASSWORD": self.secrets.passwords[loop_of(service)],
            "PEERLINE_FINGERPRINT_KEY": self.secrets.fingerprint_key,
            "PEERLINE_HTTP_PORT": str(self.ports.named()[service]),
            "PEERLINE_PUBLIC_URL": self.url("notify" if service == "notify" else "intake"),
        }
        if service in WITH_KEYS:
            found["PEERLINE_KEYRING"] = str(keyring_in(self.state))
            found["PEERLINE_DESTROYED_KEYS"] = str(destroyed_in(self.state))
        if service == "notify":
            found["PEERLINE_INTAKE_URL"] = self.url("intake")
            found["PEERLINE_SMTP_HOST"] = self.endpoints.smtp_host
            found["PEERLINE_SMTP_PORT"] = str(self.endpoints.smtp_port)
        return found | self._tracing()

    def operator_environment(self) -> dict[str, str]:
        """What the `peerline` command finds in its environment."""
        return self._common() | {
            "PEERLINE_OPERATOR_PASSWORD": self.secrets.passwords[OPERATOR],
            "PEERLINE_KEYRING": str(keyring_in(self.state)),
            "PEERLINE_DESTROYED_KEYS": str(destroyed_in(self.state)),
            "PEERLINE_INTAKE_URL": self.url("intake"),
            "PEERLINE_TRACES_URL": self.endpoints.zipkin_url or "",
        }

    def _common(self) -> dict[str, str]:
        return {
            "PEERLINE_ENVIRONMENT": self.environment,
            "PEERLINE_KAFKA": self.endpoints.kafka,
            "PEERLINE_DATABASE": self.database,
            "PEERLINE_DATABASE_HOST": self.endpoints.postgres_host,
            "PEERLINE_DATABASE_PORT": str(self.endpoints.postgres_port),
        }

    def _tracing(self) -> dict[str, str]:
        if not self.endpoints.zipkin_url:
            return {"OTEL_TRACES_EXPORTER": "none"}
        return {
            "OTEL_TRACES_EXPORTER": "zipkin",
            "OTEL_EXPORTER_ZIPKIN_ENDPOINT": f"{self.endpoints.zipkin_url}/api/v2/spans",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }

    def program(self, service: str) -> Program:
        """The process of a service, to be supervised."""
        return Program(
            name=service,
            argv=(sys.executable, "-m", f"services.{service}.app"),
            ready=f"{self.url(service)}/health/ready",
            env=self.service_environment(service),
            inherit=False,
            cwd=checkout(),
            grace=25.0,
        )


async def prepare(region: LocalRegion, *, partitions: int = PARTITIONS) -> list[str]:
    """Roles, database, migrations and topics of a region; what is there already stays as it is.

    Returns the migrations that were applied. Raises `OldStateError`.
    """
    endpoints = region.endpoints
    place = Place(
        postgres=Server(endpoints.postgres_host, endpoints.postgres_port),
        superuser_password=endpoints.postgres_password,
        passwords=region.secrets.passwords,
        kafka=endpoints.kafka,
        database=region.database,
        topic_prefix=region.topic_prefix,
    )
    try:
        return await prepared(place, partitions=partitions)
    except BadMigration:
        raise OldStateError from None


def programs(region: LocalRegion) -> list[Program]:
    """The four services of a region."""
    return [region.program(service) for service in SERVICES]
