"""Lints every migration with squawk, after rendering the placeholders that `shared.migrate` fills at run time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.lint.tree import ROOT, files, report

DUMMIES = {"{schema}": "house", "{app}": "house_app", "{loop}": "house_loop", "{owner}": "house_owner"}
NAME = re.compile(r"^\d{4}_(pre|post)_[a-z0-9_]+\.sql$")
SQUAWK = Path(sys.executable).with_name("squawk")


def rendered(text: str) -> str:
    """The migration as PostgreSQL would get it, with names that stand for no service."""
    for placeholder, name in DUMMIES.items():
        text = text.replace(placeholder, name)
    return text


def misnamed(names: list[Path]) -> Iterator[str]:
    """Migrations that are not `NNNN_pre_words.sql` or `NNNN_post_words.sql`, and numbers that a folder has twice."""
    seen: dict[tuple[Path, str], Path] = {}
    for name in names:
        if not NAME.match(name.name):
            yield f"{name}: the name must be NNNN_pre_words.sql or NNNN_post_words.sql"
        other = seen.setdefault((name.parent, name.name[:4]), name)
        if other is not name:
            yield f"{name}: {other.name} has the same number"


def squawked(texts: dict[Path, str]) -> Iterator[str]:
    """What squawk says about these migrations, one line each, by their names inside the checkout."""
    with TemporaryDirectory() as folder:
        for name, text in texts.items():
            target = Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(rendered(text), encoding="utf-8")
        command = [str(SQUAWK), "--config", str(ROOT / ".squawk.toml"), "--reporter", "gcc", *map(str, texts)]
        told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    yield from (line for line in told.stdout.splitlines() if re.match(r"^\S+\.sql:\d+", line))
    if told.returncode and not told.stdout.strip():
        yield f"squawk failed: {told.stderr.strip()}"


def check(root: Path) -> Iterator[str]:
    """Everything wrong with the migrations of a checkout."""
    names = [name for path in files(root, "*.sql") if "migrations" in (name := path.relative_to(root)).parts]
    yield from misnamed(names)
    if names:
        yield from squawked({name: (root / name).read_text(encoding="utf-8") for name in names})


if __name__ == "__main__":
    report("migrations", check(ROOT))
