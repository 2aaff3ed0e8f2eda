"""Programs that are run to their end during set-up."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path


async def run_tool(*argv: str, log: Path, cwd: Path | None = None) -> int:
    """Exit code of a program in a bare environment, its output in `log`; it is ended when the caller is cancelled."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*argv, stdout=output, stderr=output, cwd=cwd, env={})
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
