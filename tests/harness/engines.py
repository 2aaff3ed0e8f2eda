"""Kafka, PostgreSQL, mail and traces for one test run: those of a developer, or a set of its own that is forgotten.

Kafka and PostgreSQL are containers when Docker answers and has their images, else local processes: the settings are
the same and so are the tests. PEERLINE_ENGINES=local or =containers leaves no choice.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from deploy.local import guard
from deploy.local.engines import Elsewhere, Endpoints, forget
from deploy.local.ports import free_ports, setting_of
from deploy.local.settings import LocalSettings, checkout
from tests.harness import containers

REUSED = "PEERLINE_TEST_ENGINES"
"""Names a JSON file with the endpoints of engines that already run; they are left running."""
KIND = "PEERLINE_ENGINES"
"""`local` or `containers`; whatever is there when unset."""
START_WITHIN_S = 900.0
"""The first start on a machine downloads some 250 MB."""
STOP_WITHIN_S = 60.0


class NoEngines(Exception):
    """The engines did not start; its text is their own last words."""


def chosen(kind: str) -> tuple[str, str] | None:
    """The images of Kafka and PostgreSQL to run, or None for local engines. Raises `NoEngines`."""
    if kind not in {"", "local", "containers"}:
        raise NoEngines(f"{KIND} is local or containers")
    images = None if kind == "local" else containers.found()
    if kind == "containers" and images is None:
        wanted = " and ".join(os.environ.get(name, also[0]) for name, also in containers.IMAGES.items())
        raise NoEngines(f"Docker does not answer or has no {wanted}; images are never pulled here")
    return images


@contextmanager
def running(*, with_zipkin: bool = True) -> Iterator[tuple[Endpoints, bool]]:
    """Endpoints, and whether the engines are this run's own."""
    reused = os.environ.get(REUSED)
    if reused:
        yield Endpoints(**json.loads(Path(reused).read_text())), False
        return
    images = chosen(os.environ.get(KIND, ""))
    _sweep()
    state = LocalSettings().profile(f"test-{os.getpid()}")
    state.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            if images:
                containers.sweep(lives)
                _tell(state, stack.enter_context(containers.running(images, state)))
            yield stack.enter_context(_serving(state, with_zipkin=with_zipkin)), True
    except containers.NotServing as error:
        raise NoEngines(str(error)) from None
    finally:
        forget(state)


def _tell(state: Path, elsewhere: Elsewhere) -> None:
    (state / "elsewhere.json").write_text(json.dumps(asdict(elsewhere)))


@contextmanager
def _serving(state: Path, *, with_zipkin: bool) -> Iterator[Endpoints]:
    process = _started(state, with_zipkin=with_zipkin)
    try:
        yield _endpoints(process, state)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _sweep() -> None:
    """Forget what killed test runs have left behind."""
    for state in LocalSettings().state.glob("test-*"):
        pid = state.name.removeprefix("test-")
        if pid.isdecimal() and not lives(int(pid)):
            forget(state)


def lives(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def guarded(*program: str) -> tuple[str, ...]:
    """A command line that dies with this test run, however that ends."""
    return (sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "-", *program)


def _started(state: Path, *, with_zipkin: bool) -> subprocess.Popen[bytes]:
    ports = {setting_of(name): str(port) for name, port in asdict(free_ports()).items()}
    options = ["--state", str(state), "--endpoints", str(state / "endpoints.json"), "--quick"]
    if (state / "elsewhere.json").is_file():
        options += ["--elsewhere", str(state / "elsewhere.json")]
    if not with_zipkin:
        options.append("--without-zipkin")
    with (state / "engines.log").open("wb") as log:
        return subprocess.Popen(
            guarded(sys.executable, "-m", "deploy.local.engines", *options),
            cwd=checkout(),
            env={**os.environ, **ports},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def _endpoints(process: subprocess.Popen[bytes], state: Path) -> Endpoints:
    until = time.monotonic() + START_WITHIN_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise NoEngines((state / "engines.log").read_text(errors="replace")[-2000:])
        try:
            return Endpoints(**json.loads((state / "endpoints.json").read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.05)
    raise NoEngines(f"the engines did not serve within {START_WITHIN_S} s")
