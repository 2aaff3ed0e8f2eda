"""The house limits: they hold for this checkout, and each of them notices when it is crossed."""

from pathlib import Path, PurePath

import pytest

from tools.lint import house
from tools.lint.tree import ROOT

SHORT = "def walk() -> None:\n    return None\n"


def found(name: str, text: str) -> list[str]:
    return list(house.offences(PurePath(name), text))


def test_this_checkout_keeps_the_house_limits() -> None:
    assert list(house.check(ROOT)) == []


def test_the_lint_reads_every_python_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "services" / "intake").mkdir(parents=True)
    (tmp_path / "services" / "intake" / "actions.py").write_text("raise NotImplementedError\n")
    assert list(house.check(tmp_path)) == ["services/intake/actions.py:1: NotImplementedError"]


@pytest.mark.parametrize("name", ["shared/db.py", "services/intake/domain.py", "tests/unit/test_db.py"])
def test_clean_code_passes(name: str) -> None:
    assert found(name, SHORT) == []


@pytest.mark.parametrize(("name", "limit"), [("shared/db.py", 400), ("tests/unit/test_db.py", 600)])
def test_a_file_may_reach_its_limit_and_not_pass_it(name: str, limit: int) -> None:
    assert found(name, "\n" * limit) == []
    assert found(name, "\n" * (limit + 1)) == [f"{name}: {limit + 1} lines, at most {limit}"]


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_function_of_71_lines_is_too_long(keyword: str) -> None:
    head = f"{keyword} walk() -> None:\n"
    assert found("shared/db.py", head + "    pass\n" * 69) == []
    assert found("shared/db.py", head + "    pass\n" * 70) == ["shared/db.py:1: walk has 71 lines, at most 70"]


def test_a_sixth_positional_parameter_is_one_too_many() -> None:
    assert found("shared/db.py", "def walk(self, a, b, c, d, e, *, f, g): ...\n") == []
    assert found("shared/db.py", "def walk(a, b, /, c, d, e, f): ...\n") == [
        "shared/db.py:1: walk takes 6 by position, at most 5"
    ]


@pytest.mark.parametrize("word", ["# TODO later", "# FIXME", "# XXX", "raise NotImplementedError"])
def test_unfinished_work_is_named_wherever_it_stands(word: str) -> None:
    assert len(found("shared/db.py", f"{word}\n")) == 1
    assert len(found("tests/unit/test_db.py", f"{word}\n")) == 1


@pytest.mark.parametrize(
    "word", ["from unittest.mock import patch", "x = AsyncMock()", "monkeypatch.setattr(a, 'b', c)"]
)
def test_a_double_of_our_own_code_is_named_in_tests(word: str) -> None:
    assert len(found("tests/unit/test_db.py", f"{word}\n")) == 1


@pytest.mark.parametrize(
    "name", ["services/notify/domain.py", "services/notify/domain/quiet.py", "shared/events/intake.py"]
)
@pytest.mark.parametrize("line", ["import time", "from asyncio import sleep", "import os.path", "import secrets"])
def test_a_pure_room_imports_nothing_impure(name: str, line: str) -> None:
    assert len(found(name, f"{line}\n")) == 1


@pytest.mark.parametrize("name", ["services/notify/store.py", "tests/unit/domain/test_quiet.py", "shared/clock.py"])
def test_other_rooms_may_import_what_they_need(name: str) -> None:
    assert found(name, "import time\n") == []
