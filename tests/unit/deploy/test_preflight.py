"""What preflight asks, and that its answers are sentences."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import preflight
from deploy.local.errors import UnfitMachineError
from deploy.local.ports import NAMES, free_ports, setting_of

ROOT = Path(__file__).resolve().parents[3]


def environment(tmp_path: Path) -> dict[str, str]:
    ports = {setting_of(name): str(port) for name, port in free_ports().named().items()}
    kept = {"PATH": os.defpath, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    return {**kept, **ports, "PEERLINE_LOCAL_STATE": str(tmp_path / "state")}


def asked(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    # -S: preflight runs before anything is installed, so nothing installed may be needed.
    command = [sys.executable, "-S", "-m", "deploy.local.preflight", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_a_fit_machine_hears_how_much_and_how_long_with_python_alone(tmp_path: Path) -> None:
    answer = asked(environment(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert "MB will be downloaded" in answer.stdout
    assert "minutes" in answer.stdout


def test_a_busy_port_is_one_line_and_exit_code_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = {setting_of("mailbox"): str(server.getsockname()[1])}
        answer = asked({**environment(tmp_path), **busy})
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert setting_of("mailbox") in answer.stderr


def test_a_test_run_asks_nobody_for_the_ports_of_make_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = {setting_of("mailbox"): str(server.getsockname()[1])}
        answer = asked({**environment(tmp_path), **busy}, preflight.WITHOUT_PORTS)
    assert answer.returncode == 0, answer.stderr


def test_what_cannot_be_downloaded_is_said_before_anything_is(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2" / "settings.xml").write_text(
        f"<settings><mirrors><mirror><mirrorOf>*</mirrorOf><url>{nobody}</url></mirror></mirrors></settings>"
    )
    answer = asked(environment(tmp_path) | {"PIP_INDEX_URL": nobody}, preflight.NETWORK)
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (1, "", 1)
    assert "Nothing can be downloaded from 127.0.0.1" in answer.stderr


def test_what_set_up_has_said_is_said_once(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / preflight.SAID).touch()
    assert [preflight.was_said(tmp_path) for _ in range(2)] == [True, False]


def test_set_up_stops_before_it_makes_an_environment_on_a_machine_that_is_not_fit(tmp_path: Path) -> None:
    place = tmp_path / "checkout"
    place.mkdir()
    for name in ("requirements.lock", "pyproject.toml"):
        (place / name).touch()
    for name in ("tools", "deploy"):
        (place / name).symlink_to(ROOT / name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = {setting_of("mailbox"): str(server.getsockname()[1])}
        answer = subprocess.run(
            ["/bin/sh", "tools/setup.sh", "up"],
            cwd=place,
            env={**environment(tmp_path), **busy, "PEERLINE_PYTHON": sys.executable},
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer.returncode == 1
    assert setting_of("mailbox") in answer.stderr
    assert not (place / ".venv").exists()


def test_an_old_python_is_named() -> None:
    with pytest.raises(UnfitMachineError, match=r"Python 3\.9 is too old"):
        preflight.check_python((3, 9))


def test_a_python_without_venv_says_what_to_install() -> None:
    with pytest.raises(UnfitMachineError, match="python3-venv"):
        preflight.check_python(modules=("no_such_module",))


@pytest.mark.parametrize("found", [("Windows", "AMD64"), ("Linux", "riscv64")])
def test_a_platform_without_engines_is_refused(found: tuple[str, str]) -> None:
    with pytest.raises(UnfitMachineError, match=found[1]):
        preflight.check_platform(*found)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_closed_folder_is_one_sentence() -> None:
    with pytest.raises(UnfitMachineError, match="may not write in /"):
        preflight.check_writable(Path("/peerline"))


def test_a_full_disk_says_how_much_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UnfitMachineError, match="make room"):
        preflight.check_disk(tmp_path / "not" / "yet", needed=1 << 60)


def test_the_size_shrinks_with_what_is_there(tmp_path: Path) -> None:
    nothing = preflight.expected_bytes(tmp_path, environment=tmp_path / "no")
    with_environment = preflight.expected_bytes(tmp_path, environment=tmp_path)
    assert nothing - with_environment == preflight.WHEEL_BYTES
    assert with_environment > 150 * preflight.MEGABYTE
    assert preflight.expectation(0).startswith("Everything is downloaded")


@dataclass(frozen=True)
class Measured:
    """What a first start of this size may claim."""

    size: int
    minutes: int


@pytest.mark.parametrize("case", [Measured(1, 1), Measured(400 << 20, 4)])
def test_the_minutes_grow_with_the_size(case: Measured) -> None:
    assert f"about {case.minutes} minutes" in preflight.expectation(case.size)


def test_names_of_ports_are_those_of_the_settings() -> None:
    assert {setting_of(name) for name in NAMES} >= {"PEERLINE_LOCAL_KAFKA_PORT", "PEERLINE_LOCAL_SMTP_PORT"}
