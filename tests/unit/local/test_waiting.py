"""What `peerline waiting` tells, apart from the database it reads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.cli import waiting

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    waiting.register(made)
    return made


@pytest.mark.parametrize(("minute", "told"), [(0, 0), (2, 0), (3, 5), (57, 55), (58, 60)])
def test_due_times_are_told_to_five_minutes(minute: int, told: int) -> None:
    exact = NOON.replace(minute=minute)
    assert (waiting.rounded(exact) - NOON).total_seconds() == told * 60


def test_without_a_password_one_sentence_says_what_to_set(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PEERLINE_OPERATOR_PASSWORD", raising=False)
    monkeypatch.setenv("PEERLINE_OPERATOR_ENV", str(tmp_path / "none"))
    answer = CliRunner().invoke(app, ["waiting"])
    assert answer.exit_code == waiting.USAGE
    assert "PEERLINE_OPERATOR_PASSWORD" in answer.output


def test_a_database_that_is_not_there_is_one_sentence_without_the_password(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEERLINE_OPERATOR_PASSWORD", "canary-password")
    monkeypatch.setenv("PEERLINE_DATABASE_PORT", "9")
    answer = CliRunner().invoke(app, ["waiting"])
    assert answer.exit_code == waiting.UNREACHABLE
    assert "127.0.0.1:9 does not answer" in answer.output
    assert "canary-password" not in answer.output


def test_the_version_is_told(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, ["version"]).output.startswith("peerline 0.")
    assert '"peerline": "0.' in CliRunner().invoke(app, ["version", "--json"]).output
