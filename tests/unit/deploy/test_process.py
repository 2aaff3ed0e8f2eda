"""Left-overs are told from strangers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.process import Mark, RunFolder, end_group, is_alive, mark_of, runs_with

Start = Callable[[str], subprocess.Popen[bytes]]
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
MILD = "import signal; print('up', flush=True); signal.pause()"


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(code: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def marked(process: subprocess.Popen[bytes]) -> Mark:
    mark = mark_of(process.pid)
    assert mark is not None
    return mark


def test_a_living_process_has_a_mark_and_an_ended_one_has_none(start: Start) -> None:
    process = start(MILD)
    mark = marked(process)
    assert is_alive(mark)
    process.kill()
    process.wait()
    assert not is_alive(mark)


def test_a_left_over_is_swept_and_its_record_goes(start: Start, tmp_path: Path) -> None:
    process, folder, said = start(MILD), RunFolder(tmp_path), list[str]()
    folder.record("engine", process.pid)
    folder.sweep(grace=5, on_event=said.append)
    assert process.wait() == -signal.SIGTERM
    assert folder.left_over() == {}
    assert "left over" in said[0]


def test_a_stranger_with_a_recycled_number_is_spared(start: Start, tmp_path: Path) -> None:
    process, folder = start(MILD), RunFolder(tmp_path)
    folder.path.mkdir()
    (folder.path / "engine.json").write_text(json.dumps({"pid": process.pid, "began": "another boot/1"}))
    folder.sweep(grace=5, on_event=lambda _: None)
    assert process.poll() is None
    assert list(folder.path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"pid": "x"}', "null"])
def test_a_torn_record_is_dropped(tmp_path: Path, text: str) -> None:
    folder = RunFolder(tmp_path)
    folder.path.mkdir()
    (folder.path / "engine.json").write_text(text)
    assert folder.left_over() == {}
    assert list(folder.path.iterdir()) == []


def test_a_process_that_ignores_the_question_is_ended(start: Start) -> None:
    process = start(STUBBORN)
    end_group(marked(process), grace=0.2)
    assert process.wait() == -signal.SIGKILL


def test_a_stopped_process_hears_the_question(start: Start) -> None:
    process = start(MILD)
    process.send_signal(signal.SIGSTOP)
    end_group(marked(process), grace=5)
    assert process.wait() == -signal.SIGTERM


def test_a_process_is_known_by_a_whole_word_of_its_command_line(start: Start) -> None:
    process = start(MILD)
    assert runs_with(process.pid, MILD)
    assert not runs_with(process.pid, "another word")
    assert not runs_with(os.getpid(), MILD)
