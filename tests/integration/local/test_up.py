"""`make up` as a newcomer runs it, from an empty state folder to Ctrl-C, twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.request import urlopen

import pytest

from deploy.local.engines import forget, free_ports
from deploy.local.ports import Ports, setting_of
from deploy.local.process import Mark, is_alive
from deploy.local.settings import checkout

FIRST_WITHIN_S, AGAIN_WITHIN_S, STOP_WITHIN_S = 240.0, 120.0, 60.0
SERVING = "serving until Ctrl-C"
SERVICES = ("intake", "matching", "referral", "notify")


@dataclass
class Up:
    """One run of the command, with its output so far."""

    state: Path
    ports: Ports
    lines: list[str] = field(default_factory=list)

    def started(self) -> subprocess.Popen[str]:
        settings = {setting_of(name): str(port) for name, port in asdict(self.ports).items()}
        return subprocess.Popen(
            (sys.executable, "-m", "deploy.local.up"),
            cwd=checkout(),
            env={**os.environ, **settings, "PEERLINE_LOCAL_STATE": str(self.state), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def until_serving(self, process: subprocess.Popen[str], within: float) -> None:
        assert process.stdout is not None
        self.lines.clear()
        until = time.monotonic() + within
        for line in process.stdout:
            self.lines.append(line.rstrip("\n"))
            if SERVING in line:
                return
            assert time.monotonic() < until, self.text
        raise AssertionError(f"it ended with {process.wait()}:\n{self.text}")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def marks(self) -> dict[str, Mark]:
        """Every process that it started and has not seen ending, by name."""
        files = (self.state / "up" / "run").glob("*.json")
        return {file.stem: Mark(**json.loads(file.read_text())) for file in files}

    def stop(self, process: subprocess.Popen[str]) -> int:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        self.lines += process.stdout.read().splitlines()
        process.stdout.close()
        return process.wait(STOP_WITHIN_S)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path / "state", free_ports())
    yield made
    forget(made.state / "up")


@pytest.mark.engines
def test_it_walks_a_first_case_serves_stops_everything_and_comes_back_with_its_data(up: Up) -> None:
    process = up.started()
    try:
        up.until_serving(process, FIRST_WITHIN_S)
        first, marks = up.text, up.marks()
        assert "peer A has accepted" in first
        assert "the case is closed" in first
        for address in (f":{up.ports.intake}/a/riverton", f":{up.ports.mailbox}", f":{up.ports.zipkin}/zipkin"):
            assert address in first
        assert set(SERVICES) <= set(marks)
        assert len({mark.pid for mark in marks.values()}) == len(marks) == 8
        with urlopen(f"http://127.0.0.1:{up.ports.intake}/a/riverton") as page:
            assert page.status == 200
        _waiting_answers(up)
    finally:
        code = up.stop(process)
    assert code == 0, up.text
    assert not [name for name, mark in marks.items() if is_alive(mark)]

    process = up.started()
    try:
        up.until_serving(process, AGAIN_WITHIN_S)
        assert "the demo region of the last run is there" in up.text
        assert "is added" not in up.text
        assert "the case is closed" in up.text
    finally:
        assert up.stop(process) == 0


def _waiting_answers(up: Up) -> None:
    """The operator's command finds the region by the file that was left for it."""
    answer = subprocess.run(
        (sys.executable, "-m", "deploy.cli.main", "waiting", "--json"),
        cwd=checkout(),
        env={"PATH": os.defpath, "PEERLINE_OPERATOR_ENV": str(up.state / "up" / "operator.env")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert (told["waiting"], [one["failed"] for one in told["checks"]]) == ([], [[]] * len(SERVICES))
    assert (up.state / "up" / "audit-heads.jsonl").read_text().count("\n") > 0


def test_a_busy_port_is_one_sentence_and_nothing_is_started(up: Up) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", up.ports.intake))
        busy.listen()
        process = up.started()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"Port {up.ports.intake} " in out
    assert "is in use" in out
    assert "Traceback" not in out
    assert up.marks() == {}
