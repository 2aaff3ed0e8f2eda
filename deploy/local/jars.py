"""Java packages by lock file: downloaded once per user, every file checked by SHA-256 at every start."""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from deploy.local.errors import AbandonedError, HashMismatchError, NoNetworkError
from deploy.local.maven import READ_SECONDS, Repository, find_repository, opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event
    from typing import IO

LOCK_FILE = Path(__file__).with_name("jars.lock.json")
PARALLEL = 6
TRIES = 3
CHUNK = 1 << 20
TELL_SECONDS = 2.0
LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One locked file: its path in a Maven repository, SHA-256 in hexadecimal, size in bytes."""

    path: str
    sha256: str
    size: int

    def at(self, cache: Path) -> Path:
        """Where the file lies in a cache folder (the repository's own layout)."""
        return cache / "jars" / self.path


def locked(engine: str) -> tuple[Jar, ...]:
    """Jars of an engine (`kafka` or `zipkin`) in class path order, from the committed lock file."""
    rows = json.loads(LOCK_FILE.read_text())[engine]
    return tuple(Jar(**row) for row in rows)


def missing_bytes(jars: Sequence[Jar], cache: Path) -> int:
    """Bytes still to be downloaded."""
    return sum(jar.size for jar in jars if not _present(jar, cache))


def fetch(
    jars: Sequence[Jar],
    cache: Path,
    *,
    on_progress: Callable[[str], None],
    abandoned: Event,
    repository: Repository | None = None,
) -> list[Path]:
    """Paths of all jars, downloaded where missing, each checked.

    Blocks until done or `abandoned` is set (then AbandonedError); raises NoNetworkError when nothing can be reached and
    HashMismatchError for a file that is not the locked one. Of two processes that call it, one downloads, one waits.
    """
    if missing_bytes(jars, cache):
        with _alone(cache, abandoned):
            _Download(cache, repository or find_repository(), abandoned).run(jars, on_progress)
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(lambda jar: _checked(jar, jar.at(cache)), jars))


def _present(jar: Jar, cache: Path) -> bool:
    path = jar.at(cache)
    return path.is_file() and path.stat().st_size == jar.size


def _checked(jar: Jar, path: Path) -> Path:
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != jar.sha256:
        # Discarded, so that the next start downloads it again.
        path.unlink(missing_ok=True)
        raise HashMismatchError(path=path, expected=jar.sha256, actual=actual)
    return path


@contextmanager
def _alone(cache: Path, abandoned: Event) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "download.lock").open("w") as lock:
        while not _took(lock):
            if abandoned.wait(LOCK_POLL_SECONDS):
                raise AbandonedError
        yield


def _took(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        error.close()
        return f"the repository answered {error.code}"
    return str(getattr(error, "reason", error)) or type(error).__name__


class _Download:
    """One round of downloads from one repository into one cache folder."""

    def __init__(self, cache: Path, repository: Repository, abandoned: Event) -> None:
        self._cache = cache
        self._repository = repository
        self._abandoned = abandoned
        self._client = opener(repository)
        self._failure: NoNetworkError | None = None

    def run(self, jars: Sequence[Jar], on_progress: Callable[[str], None]) -> None:
        wanted = sorted((jar for jar in jars if not _present(jar, self._cache)), key=lambda jar: -jar.size)
        total, done, told = sum(jar.size for jar in wanted), 0, time.monotonic()
        on_progress(f"downloading {len(wanted)} Java packages, {total >> 20} MB, into {self._cache}")
        with ThreadPoolExecutor(PARALLEL) as pool:
            for jar in pool.map(self._one, wanted):
                done += jar.size
                if done == total or time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    on_progress(f"downloaded {done >> 20} of {total >> 20} MB")

    def _one(self, jar: Jar) -> Jar:
        target = jar.at(self._cache)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        reason = "no answer"
        for _ in range(TRIES):
            try:
                self._read_into(part, f"{self._repository.url}/{jar.path}")
            except (OSError, HTTPException) as error:
                reason = _reason(error)
            else:
                _checked(jar, part).replace(target)
                return jar
        part.unlink(missing_ok=True)
        # The others would each wait for their own time-out to say the same.
        self._failure = self._failure or NoNetworkError(what=target.name, reason=reason)
        raise self._failure

    def _go_on(self) -> None:
        if self._failure:
            raise self._failure
        if self._abandoned.is_set():
            raise AbandonedError

    def _read_into(self, part: Path, url: str) -> None:
        self._go_on()
        with self._client.open(url, timeout=READ_SECONDS) as answer, part.open("wb") as file:
            while block := answer.read(CHUNK):
                self._go_on()
                file.write(block)
