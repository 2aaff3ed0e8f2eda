"""`make clean`: forget everything that regions of this checkout have kept, unless one of them is running."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from deploy.local.engines import forget
from deploy.local.errors import LocalError
from deploy.local.settings import LocalSettings
from deploy.local.supervisor import Supervisor


async def clean(state: Path) -> None:
    """Stop what a killed run has left over of one state folder, then forget it. Raises `StateLockedError`."""
    async with Supervisor(state):
        pass
    forget(state)


def clean_all(root: Path) -> list[str]:
    """Forget every state folder below `root`; returns a sentence for each that is in use and therefore stays."""
    staying = []
    for state in sorted(path for path in root.glob("*") if path.is_dir()):
        try:
            asyncio.run(clean(state))
        except LocalError as error:
            staying.append(str(error))
    with suppress(OSError):
        root.rmdir()
    return staying


def main() -> None:
    """Exit code 1 when something is still running."""
    root = LocalSettings().state
    staying = clean_all(root)
    if staying:
        sys.exit("\n".join(staying))
    print(f"{root} is forgotten; downloaded packages are kept.")


if __name__ == "__main__":
    main()
