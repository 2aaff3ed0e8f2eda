"""`peerline restore finish` where it cannot even begin: one sentence and the exit code that says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app

NOWHERE = {"PEERLINE_DATABASE_HOST": "127.0.0.1", "PEERLINE_DATABASE_PORT": "1", "PEERLINE_KAFKA": "127.0.0.1:1"}
SUPERUSER = {"PEERLINE_POSTGRES_PASSWORD": "a password"}


def finish(*words: str, **env: str) -> tuple[int, str, str]:
    unset: dict[str, str | None] = dict.fromkeys(("PEERLINE_POSTGRES_PASSWORD", "PEERLINE_DESTROYED_KEYS"))
    told = CliRunner().invoke(app, ["restore", "finish", *words], env={**unset, **NOWHERE, **env})
    return told.exit_code, told.stdout, told.stderr


@pytest.fixture
def listed(tmp_path: Path) -> str:
    path = tmp_path / "destroyed-keys"
    path.write_text("")
    return str(path)


def test_without_a_list_of_destroyed_keys_it_does_nothing() -> None:
    code, out, told = finish("--json", **SUPERUSER)
    assert (code, json.loads(out)) == (2, {"error": "no-list"})
    assert "--destroyed" in told


def test_a_list_that_is_not_there_is_no_list(tmp_path: Path) -> None:
    code, _, told = finish("--destroyed", str(tmp_path / "nowhere"), **SUPERUSER)
    assert (code, "FileNotFoundError" in told) == (2, True)


def test_a_database_that_does_not_answer_is_said_to_be_unreachable(listed: str) -> None:
    code, out, told = finish("--destroyed", listed, "--json", **SUPERUSER)
    assert (code, json.loads(out)) == (4, {"error": "unreachable"})
    assert "a password" not in told
