"""What PostgreSQL says that its statements cost, read from its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.load import profile
from tests.load.floors.pipeline import Drained
from tests.load.statements import Log, read, short

ENTRIES = """\
@{user}@LOG:  {message}
@{user}@DETAIL:  ! system usage stats:
\t!\t{user_s:f} s user, 0.000500 s system, 9.000000 s elapsed
\t!\t[0.6 s user, 0.4 s system total]
@{user}@STATEMENT:  {statement}
"""


def said(user: str, message: str, user_s: float, statement: str) -> str:
    return ENTRIES.format(user=user, message=message, user_s=user_s, statement=statement.replace("\n", "\n\t"))


LOG = "".join(
    [
        said("notify_app", "PARSE MESSAGE STATISTICS", 0.001, "SELECT a\n  FROM b"),
        said("notify_app", "BIND MESSAGE STATISTICS", 0.001, "SELECT a\n  FROM b"),
        said("notify_app", "EXECUTE MESSAGE STATISTICS", 0.0005, "SELECT a\n  FROM b"),
        "@notify_app@LOG:  something else\n@notify_app@STATEMENT:  SELECT a FROM b\n",
        said("notify_loop", "QUERY STATISTICS", 0.0, "COMMIT"),
    ]
)


def test_parsing_binding_and_executing_are_one_statements_cost() -> None:
    costs = read(LOG.splitlines())
    assert [(cost.user, cost.statement, cost.executions) for cost in costs] == [
        ("notify_app", "SELECT a FROM b", 1),
        ("notify_loop", "COMMIT", 1),
    ]
    assert [cost.cpu_ms for cost in costs] == pytest.approx([4.0, 0.5])


def test_both_logins_are_their_service() -> None:
    assert {cost.service for cost in read(LOG.splitlines())} == {"notify"}


def test_which_agencies_are_in_view_makes_no_other_statement() -> None:
    one = "BEGIN; SELECT set_config('peerline.agencies', '{00000000-0000-4000-8000-000000000001}', true)"
    assert short(one) == "BEGIN; SELECT set_config('peerline.agencies', '{…}', true)"


def test_only_what_is_logged_from_now_on_counts(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    log = Log(tmp_path / "log")
    with (tmp_path / "log").open("a") as more:
        more.write(said("intake_app", "QUERY STATISTICS", 0.002, "COMMIT"))
    assert [(cost.user, cost.executions) for cost in log.costs()] == [("intake_app", 1)]


def test_a_profile_scales_samples_to_what_the_kernel_has_counted(tmp_path: Path) -> None:
    (tmp_path / "notify.json").write_text('{"samples": 4, "families": {"SMTP": 3, "domain": 1}}')
    found = profile.profiled(tmp_path, Drained(10, 100.0, {"notify": 2.0, "postgres": 1.0}), read(LOG.splitlines()))
    assert found.families == {"notify": {"SMTP": 1.5, "domain": 0.5}}
    assert found.commits == {"notify": 0.1}


def test_a_profile_is_told_in_tables(tmp_path: Path) -> None:
    (tmp_path / "notify.json").write_text('{"samples": 4, "families": {"SMTP": 3, "domain": 1}}')
    found = profile.profiled(tmp_path, Drained(10, 100.0, {"notify": 2.0, "postgres": 1.0}), read(LOG.splitlines()))
    text = profile.markdown(found, "2026-11-26")
    assert "| SMTP | 1.500 | 1.500 |" in text
    assert "| notify_app | `SELECT a FROM b` | 0.100 | 400.0 | 4000 |" in text
