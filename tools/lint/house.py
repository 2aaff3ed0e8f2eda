"""The limits of the house that neither ruff nor mypy holds: sizes, banned doubles, unfinished marks, pure rooms."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path, PurePath

from tools.lint.tree import ROOT, files, report

MAX_LINES = 400
MAX_TEST_LINES = 600
MAX_FUNCTION_LINES = 70
MAX_POSITIONAL = 5

UNFINISHED = ("TODO", "FIXME", "XXX", "NotImplementedError")
DOUBLES = ("unittest.mock", "MagicMock", "AsyncMock", "mocker.", "monkeypatch.setattr")

PURE_ROOMS = frozenset({"domain", "events"})
IMPURE = frozenset(
    {
        "aiokafka",
        "asyncio",
        "asyncpg",
        "faststream",
        "logging",
        "opentelemetry",
        "os",
        "random",
        "secrets",
        "time",
        "uuid_utils",
    }
)


def is_test(name: PurePath) -> bool:
    """Whether the limits of tests apply: anything below a folder `tests`."""
    return "tests" in name.parts


def is_pure(name: PurePath) -> bool:
    """Whether this is a module of a pure room (`domain` or `events`, as a file or as a folder) of product code."""
    return not is_test(name) and bool(PURE_ROOMS & {*name.parent.parts, name.stem})


def oversized(name: PurePath, text: str, tree: ast.AST) -> Iterator[str]:
    """Files, functions and parameter lists above their limits."""
    lines, limit = text.count("\n"), MAX_TEST_LINES if is_test(name) else MAX_LINES
    if lines > limit:
        yield f"{name}: {lines} lines, at most {limit}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MAX_FUNCTION_LINES:
            yield f"{name}:{node.lineno}: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}"
        positional = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args) if arg.arg not in {"self", "cls"}]
        if len(positional) > MAX_POSITIONAL:
            yield f"{name}:{node.lineno}: {node.name} takes {len(positional)} by position, at most {MAX_POSITIONAL}"


def unwanted_words(name: PurePath, text: str) -> Iterator[str]:
    """Marks of unfinished work anywhere, doubles of our own code in tests. Modules of this lint must name them."""
    if "house" in name.stem:
        return
    banned = (*UNFINISHED, *DOUBLES) if is_test(name) else UNFINISHED
    for number, line in enumerate(text.splitlines(), start=1):
        yield from (f"{name}:{number}: {word}" for word in banned if word in line)


def impure_imports(name: PurePath, tree: ast.AST) -> Iterator[str]:
    """Imports by which a pure room would reach clock, I/O or randomness."""
    if not is_pure(name):
        return
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        for module in modules:
            if module.split(".")[0] in IMPURE:
                yield f"{name}:{getattr(node, 'lineno', 1)}: a pure room imports {module}"


def offences(name: PurePath, text: str) -> Iterator[str]:
    """Everything wrong with one file; `name` is its path inside the checkout."""
    tree = ast.parse(text, filename=str(name))
    yield from oversized(name, text, tree)
    yield from unwanted_words(name, text)
    yield from impure_imports(name, tree)


def check(root: Path) -> Iterator[str]:
    """Everything wrong with the Python files of a checkout."""
    for path in files(root, "*.py"):
        yield from offences(path.relative_to(root), path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    report("house limits", check(ROOT))
