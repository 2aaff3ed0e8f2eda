"""The secrets of a region in containers."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from deploy.local.compose import kept, write_env
from deploy.local.settings import checkout
from deploy.prepare import password_variable, place_of
from shared.migrate import logins

REQUIRED = set(re.findall(r"\$\{([A-Z_]+):\?", (checkout() / "docker-compose.yml").read_text()))


def test_the_file_has_every_variable_that_compose_refuses_to_start_without(tmp_path: Path) -> None:
    added = write_env(tmp_path / ".env", tmp_path / "state")
    assert set(added) >= REQUIRED
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert all(kept(tmp_path / ".env").values())


def test_a_second_time_changes_nothing_and_keeps_what_somebody_added(tmp_path: Path) -> None:
    write_env(tmp_path / ".env", tmp_path / "state")
    with (tmp_path / ".env").open("a") as file:
        file.write("PEERLINE_KAFKA_IMAGE=mine:1.0\n")
    before = kept(tmp_path / ".env")
    assert write_env(tmp_path / ".env", tmp_path / "state") == []
    assert kept(tmp_path / ".env") == before
    assert before["PEERLINE_KAFKA_IMAGE"] == "mine:1.0"


def test_no_two_logins_share_a_password(tmp_path: Path) -> None:
    write_env(tmp_path / ".env", tmp_path / "state")
    place = place_of(kept(tmp_path / ".env") | {"PEERLINE_DATABASE_HOST": "postgres", "PEERLINE_KAFKA": "kafka:9092"})
    every = [*place.passwords.values(), place.superuser_password]
    assert place.passwords.keys() == set(logins())
    assert len(set(every)) == len(every)
    assert len({password_variable(login) for login in logins()}) == len(logins())
