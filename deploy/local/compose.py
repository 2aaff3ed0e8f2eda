"""The region in containers, from outside: its secrets before it starts, and a walk through it once it runs.

`python -m deploy.local.compose env` writes `.env` beside docker-compose.yml; `... walk` makes the demo region in the
running containers and walks a first case through their real doors, as `make up` does without containers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.local import demo, timeline, walk
from deploy.local.browser import NoForm
from deploy.local.engines import Endpoints
from deploy.local.errors import LocalError
from deploy.local.ports import LOOPBACK
from deploy.local.region import LocalRegion, keyring_in, secrets_in, write_private
from deploy.local.settings import LocalSettings, checkout
from deploy.prepare import SUPERUSER_PASSWORD, password_variable

PROFILE = "compose"
ANCHORS = "anchors"
"""The folder in which the container `anchors` keeps heads of the audit trail: on the host, outside of every volume."""
IMAGE_USER = 10_001
"""Who runs in the image when root made the keyring; else whoever made it, so that its owner alone can read it."""


def env_file() -> Path:
    """The file that Docker Compose reads beside docker-compose.yml; git ignores it."""
    return checkout() / ".env"


def kept(path: Path) -> dict[str, str]:
    """The variables that a file sets; none when there is no file."""
    lines = path.read_text().splitlines() if path.is_file() else []
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def wanted(state: Path, owner: tuple[int, int]) -> dict[str, str]:
    """Every variable without which docker-compose.yml refuses to start; secrets come from the state folder."""
    own = secrets_in(state)
    return {
        **{password_variable(login): password for login, password in own.passwords.items()},
        SUPERUSER_PASSWORD: secrets.token_urlsafe(24),
        "PEERLINE_FINGERPRINT_KEY": own.fingerprint_key,
        "PEERLINE_GRAFANA_PASSWORD": secrets.token_urlsafe(24),
        "PEERLINE_KEYRING_FILE": str(keyring_in(state)),
        "PEERLINE_ANCHORS": str(state / ANCHORS),
        "PEERLINE_DESTROYED_FOLDER": str(destroyed_folder(state)),
        "PEERLINE_UID": str(owner[0]),
        "PEERLINE_GID": str(owner[1]),
    }


def destroyed_folder(state: Path) -> Path:
    """Where the services write the list of destroyed keys; Compose mounts it and restores nothing into it."""
    return state / "destroyed"


def completed(present: Mapping[str, str], made: Mapping[str, str]) -> dict[str, str]:
    """What is set stays as it is, since volumes may have been made with it; only what is missing is added."""
    return {**made, **present}


def write_env(file: Path, state: Path) -> list[str]:
    """Make the secrets and the file, or add what is missing; returns the names that were added."""
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    (state / ANCHORS).mkdir(exist_ok=True)
    owner = (os.getuid(), os.getgid()) if os.getuid() else (IMAGE_USER, IMAGE_USER)
    present = kept(file)
    every = completed(present, wanted(state, owner))
    destroyed_folder(state).mkdir(mode=0o700, exist_ok=True)
    if not os.getuid():
        os.chown(keyring_in(state), *owner)
        os.chown(state / ANCHORS, *owner)
        os.chown(destroyed_folder(state), *owner)
    write_private(file, "".join(f"{name}={value}\n" for name, value in every.items()))
    return [name for name in every if name not in present]


def region_of(settings: LocalSettings, state: Path) -> LocalRegion:
    """The region behind the published ports."""
    ports = settings.ports
    endpoints = Endpoints(
        kafka=f"{LOOPBACK}:{ports.kafka}",
        postgres_host=LOOPBACK,
        postgres_port=ports.postgres,
        postgres_password="",
        smtp_host=LOOPBACK,
        smtp_port=ports.smtp,
        mailbox_url=f"http://{LOOPBACK}:{ports.mailbox}",
        zipkin_url=None,
    )
    return LocalRegion(state=state, endpoints=endpoints, ports=ports, secrets=secrets_in(state))


async def walked(region: LocalRegion) -> None:
    """The demo region and one case from request to purge. Raises `LocalError`."""
    people = await demo.seeded(region, print)
    try:
        async with timeline.watching(region.endpoints.kafka) as watcher:
            case = await walk.walked(region, people, watcher, print)
            print(timeline.plain(watcher.of(case)))
    except (NoForm, TimeoutError, OSError) as error:
        raise demo.DemoError("the walk", f"with {type(error).__name__}") from None


def main() -> None:
    """Do what is asked; a LocalError is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.compose", description=__doc__)
    parser.add_argument("act", choices=("env", "walk"))
    act = parser.parse_args().act
    settings = LocalSettings()
    state = settings.profile(PROFILE)
    try:
        if act == "env":
            added = write_env(env_file(), state)
            print(f"{env_file()}: {len(added) or 'no'} variables added; the keyring is {keyring_in(state)}")
        else:
            asyncio.run(walked(region_of(settings, state)))
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
