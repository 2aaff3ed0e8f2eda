"""What the lints read: the files of this checkout that git tracks, or would track if they were added."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def files(root: Path, pattern: str) -> list[Path]:
    """Existing files under `root` that match a git pathspec such as `*.py`, ignored ones left out.

    Outside a git checkout (an unpacked archive) every matching file outside hidden folders counts.
    """
    command = ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard", "--", pattern]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    if listing.returncode:
        found = (path for path in root.rglob(pattern.rpartition("/")[2]) if path.is_file())
        return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(root).parts))
    return sorted(path for name in listing.stdout.split("\0") if name and (path := root / name).is_file())


def report(title: str, offences: Iterable[str]) -> None:
    """Print each offence and leave with 1, or say in one line that there was none."""
    found = list(offences)
    for line in found:
        print(line)
    print(f"{title}: {len(found) or 'no'} offence{'' if len(found) == 1 else 's'}")
    sys.exit(1 if found else 0)
