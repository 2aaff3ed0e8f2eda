"""The supervisor with real child processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.errors import EngineDeadError, StateLockedError
from deploy.local.ports import free_ports
from deploy.local.process import RunFolder, mark_of
from deploy.local.supervisor import Program, Supervisor

ROOT = Path(__file__).resolve().parents[3]
TOUCH = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).write_text('up'); "
STEADY = TOUCH + "print('a line of the log', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + STEADY
PARENT = """
import asyncio, pathlib, sys
from deploy.local.supervisor import Program, Supervisor
async def main(state, ready, code):
    async def up(): return ready.exists()
    async with Supervisor(state) as care:
        await care.start(Program(name="child", argv=(sys.executable, "-c", code, str(ready)), ready=up))
        print(care.pid("child"), flush=True)
        await asyncio.Event().wait()
asyncio.run(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]))
"""


def program(tmp_path: Path, code: str = STEADY, *, name: str = "child", grace: float = 5.0) -> Program:
    ready = tmp_path / f"{name}.ready"

    async def is_up() -> bool:
        return ready.exists()

    return Program(name=name, argv=(sys.executable, "-c", code, str(ready)), ready=is_up, grace=grace, ready_within=10)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.02)


async def test_a_program_is_started_logged_and_stopped(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as care:
        await care.start(program(tmp_path))
        mark = mark_of(care.pid("child"))
        assert mark is not None
        assert care.is_ready("child")
        await until(lambda: "a line of the log" in care.log_of("child").read_text())
    assert mark_of(mark.pid) != mark


async def test_a_killed_program_comes_back_with_a_sentence(tmp_path: Path) -> None:
    said: list[str] = []
    async with Supervisor(tmp_path, on_event=said.append) as care:
        await care.start(program(tmp_path))
        first = care.pid("child")
        care.kill("child")
        await care.wait_ready("child")
        assert care.pid("child") != first
    assert str(care.log_of("child")) in said[0]
    assert said[-1] == "child serves again"


async def test_the_pauses_between_starts_grow(tmp_path: Path) -> None:
    said: list[str] = []
    brief = TOUCH + "sys.exit(3) if pathlib.Path(sys.argv[1]).with_suffix('.die').exists() else signal.pause()"
    async with Supervisor(tmp_path, on_event=said.append) as care:
        await care.start(program(tmp_path, brief))
        (tmp_path / "child.die").touch()
        care.kill("child")
        await until(lambda: sum("starting it again" in line for line in said) == 3)
    pauses = [line.partition("again in ")[2].split()[0] for line in said if "starting it again" in line]
    assert pauses == ["0.5", "1", "2"]


async def test_a_halted_program_stays_down_until_it_is_resumed(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as care:
        await care.start(program(tmp_path))
        first = care.pid("child")
        await care.halt("child")
        assert mark_of(first) is None
        assert not care.is_ready("child")
        await care.resume("child")
        assert care.is_ready("child")


async def test_a_program_that_ignores_its_stop_is_killed_after_its_grace(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as care:
        await care.start(program(tmp_path, STUBBORN, grace=0.3))
        number = care.pid("child")
    assert mark_of(number) is None


async def test_programs_are_stopped_in_reverse_order(tmp_path: Path) -> None:
    note = tmp_path / "order"
    code = (
        "import pathlib, signal, sys, time\n"
        f"def bye(*_):\n open({str(note)!r}, 'a').write(pathlib.Path(sys.argv[1]).stem + ' ')\n sys.exit()\n"
        "signal.signal(signal.SIGTERM, bye)\npathlib.Path(sys.argv[1]).touch()\nsignal.pause()"
    )
    async with Supervisor(tmp_path) as care:
        for name in ("first", "second", "third"):
            await care.start(program(tmp_path, code, name=name))
    assert note.read_text().split() == ["third", "second", "first"]


async def test_a_program_that_dies_at_once_names_its_log(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as care:
        with pytest.raises(EngineDeadError, match=r"child ended with code 7 .*child\.log") as refusal:
            await care.start(program(tmp_path, "import sys; print('why'); sys.exit(7)"))
        assert "why" in refusal.value.log.read_text()


async def test_a_program_is_not_taken_for_ready_when_somebody_else_answers_in_its_place(tmp_path: Path) -> None:
    port = free_ports().intake
    server = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    url = f"http://127.0.0.1:{port}/"
    async with Supervisor(tmp_path) as care:
        await care.start(Program(name="first", argv=server, ready=url))
        with pytest.raises(EngineDeadError):
            await care.start(Program(name="second", argv=server, ready=url))


async def test_one_folder_has_one_supervisor(tmp_path: Path) -> None:
    async with Supervisor(tmp_path):
        with pytest.raises(StateLockedError, match=str(tmp_path)):
            await Supervisor(tmp_path).__aenter__()
    async with Supervisor(tmp_path):
        pass


@pytest.mark.parametrize("code", [STEADY, STUBBORN], ids=["steady", "stubborn"])
async def test_a_killed_parent_leaves_nothing_behind(tmp_path: Path, code: str) -> None:
    command = (sys.executable, "-c", PARENT, str(tmp_path), str(tmp_path / "ready"), code)
    parent = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    if code == STEADY and sys.platform == "linux":
        await until(lambda: mark_of(child) is None)
    # What ignores the wish, or another system that knows no such wish: the next start ends it.
    await asyncio.to_thread(RunFolder(tmp_path).sweep, grace=0.5, on_event=lambda _: None)
    assert mark_of(child) is None
