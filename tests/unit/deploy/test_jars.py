"""Downloads by lock file, against a real HTTP server on loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.local.errors import AbandonedError, HashMismatchError, NoNetworkError
from deploy.local.jars import Jar, fetch, locked, missing_bytes
from deploy.local.maven import Repository
from deploy.local.ports import free_ports

CONTENT = b"not really Java"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Keep the test's output clean."""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    folder = tmp_path / "repository"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "one.jar").write_bytes(CONTENT)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Repository(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    thread.join()
    server.server_close()


def jar(*, path: str = "a/one.jar", content: bytes = CONTENT) -> Jar:
    return Jar(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def fetched(jars: list[Jar], cache: Path, repository: Repository) -> tuple[list[Path], list[str]]:
    said: list[str] = []
    files = fetch(jars, cache, on_progress=said.append, abandoned=threading.Event(), repository=repository)
    return files, said


def test_a_missing_jar_is_downloaded_once_and_then_taken_from_the_cache(tmp_path: Path, repository: Repository) -> None:
    files, said = fetched([jar()], tmp_path / "cache", repository)
    again, said_again = fetched([jar()], tmp_path / "cache", Repository(url="http://127.0.0.1:1"))
    assert files[0].read_bytes() == CONTENT
    assert again == files
    assert said
    assert not said_again


def test_a_jar_that_is_not_the_locked_one_is_refused_and_not_kept(tmp_path: Path, repository: Repository) -> None:
    wanted = jar(content=b"something else")
    with pytest.raises(HashMismatchError, match=r"one\.jar.*discarded"):
        fetched([wanted], tmp_path / "cache", repository)
    assert missing_bytes([wanted], tmp_path / "cache") == wanted.size
    assert not [file for file in (tmp_path / "cache" / "jars").rglob("*") if file.is_file()]


def test_a_jar_changed_in_the_cache_is_found_at_the_next_start(tmp_path: Path, repository: Repository) -> None:
    files, _ = fetched([jar()], tmp_path / "cache", repository)
    files[0].write_bytes(bytes(reversed(CONTENT)))
    with pytest.raises(HashMismatchError):
        fetched([jar()], tmp_path / "cache", repository)
    assert fetched([jar()], tmp_path / "cache", repository)[0] == files


def test_no_network_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    nowhere = Repository(url=f"http://127.0.0.1:{free_ports().kafka}")
    with pytest.raises(NoNetworkError) as refusal:
        fetched([jar(), jar(path="a/two.jar")], tmp_path / "cache", nowhere)
    assert "Connection refused" in str(refusal.value)
    assert "HTTPS_PROXY" in str(refusal.value)


def test_a_jar_that_the_repository_does_not_have_names_itself(tmp_path: Path, repository: Repository) -> None:
    with pytest.raises(NoNetworkError, match=r"missing\.jar"):
        fetched([jar(path="a/missing.jar")], tmp_path / "cache", repository)


def test_an_abandoned_start_downloads_nothing(tmp_path: Path, repository: Repository) -> None:
    abandoned = threading.Event()
    abandoned.set()
    with pytest.raises(AbandonedError):
        fetch([jar()], tmp_path / "cache", on_progress=lambda _: None, abandoned=abandoned, repository=repository)


def test_the_committed_lock_names_kafka_its_client_of_the_same_version_and_zipkin() -> None:
    kafka, zipkin = locked("kafka"), locked("zipkin")
    versions = {row.path.split("/")[-3]: row.path.split("/")[-2] for row in kafka}
    assert versions["kafka_2.13"] == versions["kafka-clients"]
    assert versions["kafka_2.13"].startswith("4.")
    assert [row.path.endswith("-exec.jar") for row in zipkin] == [True]


def test_every_locked_file_has_a_full_hash_a_size_and_is_named_once() -> None:
    rows = [*locked("kafka"), *locked("zipkin")]
    assert len({row.path for row in rows}) == len(rows)
    assert all(len(row.sha256) == 64 and row.size > 0 for row in rows)
