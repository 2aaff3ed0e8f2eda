"""Whether what has to be downloaded can be reached, asked with Python alone and answered by servers of this test."""

from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy.local import network
from deploy.local.errors import UnfitMachineError

CLIENT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class No(BaseHTTPRequestHandler):
    """Somebody who answers, and has nothing."""

    def do_HEAD(self) -> None:
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def refusing() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), No) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


def test_a_no_is_an_answer(refusing: str) -> None:
    network.check_answers(CLIENT, refusing, "PIP_INDEX_URL")


def test_nobody_there_is_one_sentence_without_a_login() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(UnfitMachineError, match="PIP_INDEX_URL") as told:
        network.check_answers(CLIENT, f"http://127.0.0.1:{port}/canary/simple", "PIP_INDEX_URL")
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, network.PYPI),
        ({"PIP_INDEX_URL": "https://mirror.test/simple"}, "https://mirror.test/simple"),
        ({"PIP_NO_INDEX": "1"}, None),
        ({"PIP_FIND_LINKS": "/wheels"}, None),
        ({"PIP_PROXY": "http://proxy.test"}, None),
    ],
)
def test_the_index_is_the_one_that_pip_asks(environment: dict[str, str], found: str | None) -> None:
    assert network.package_index(environment, []) == found


def test_pips_files_count_less_than_the_environment_and_a_broken_one_not_at_all(tmp_path: Path) -> None:
    good, broken = tmp_path / "pip.conf", tmp_path / "broken.conf"
    good.write_text("[global]\nindex-url = https://file.test/simple\n")
    broken.write_text("no section\n")
    files = [good, broken, tmp_path / "missing"]
    assert network.package_index({}, files) == "https://file.test/simple"
    assert network.package_index({"PIP_INDEX_URL": "https://env.test"}, files) == "https://env.test"
