"""Start, health-check, log, restart and stop child processes; leave none behind, whatever ends the parent."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.local import guard
from deploy.local.errors import EngineDeadError, StateLockedError
from deploy.local.probe import Probe, http_probe
from deploy.local.process import RunFolder, signal_group
from deploy.local.together import together

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType
    from typing import IO

READY_POLL_SECONDS = 0.05
HEALTH_SECONDS = 5.0
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
STEADY_SECONDS = 60.0
LOG_BYTES = 20 << 20
PLAIN_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


async def _nothing() -> None:
    """Default of `Program.prepare`."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process to keep running.

    `ready` is a URL that answers 2xx, or a coroutine function that answers whether the process serves. `argv[0]` is an
    absolute path. `user` is an account to drop to when root. `env` is added to this process's environment, or to a bare
    one unless `inherit`. `prepare` runs before every start. `grace` and `ready_within` are seconds.
    """

    name: str
    argv: tuple[str, ...]
    ready: Probe | str
    env: Mapping[str, str] = field(default_factory=dict)
    inherit: bool = True
    cwd: Path | None = None
    user: str | None = None
    prepare: Callable[[], Awaitable[None]] = _nothing
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 15.0
    ready_within: float = 90.0

    @property
    def probe(self) -> Probe:
        """The readiness question as a coroutine function."""
        return http_probe(self.ready) if isinstance(self.ready, str) else self.ready

    @property
    def environment(self) -> dict[str, str]:
        """What the process will see."""
        names = os.environ if self.inherit else PLAIN_ENVIRONMENT
        return {**{name: os.environ[name] for name in names if name in os.environ}, **self.env}


@dataclass(eq=False)
class Child:
    """A program, its present process, and what is wanted of it."""

    program: Program
    process: Process
    wanted: bool = True
    failures: int = 0
    signals: int = 0
    ready_since: float | None = None
    halted: asyncio.Event = field(default_factory=asyncio.Event)
    watch: asyncio.Task[None] | None = None


class Supervisor:
    """Owner of all child processes of one state folder; an async context manager that stops them all at its end.

    Enter it on the main thread: Linux ends the children when the thread that started them ends.
    """

    def __init__(self, state: Path, *, on_event: Callable[[str], None] = print) -> None:
        """Keep logs and records below `state`; tell `on_event` each thing a person should know, one sentence a time."""
        self.state = state
        self.on_event = on_event
        self._children: dict[str, Child] = {}
        self._lock: IO[str] | None = None

    async def __aenter__(self) -> Self:
        """Take the state folder and end what a killed parent left there; raises StateLockedError."""
        self._run = RunFolder(self.state)
        self._run.path.mkdir(parents=True, exist_ok=True)
        self._lock = (self.state / "run" / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise StateLockedError(self.state) from error
        await asyncio.to_thread(self._run.sweep, grace=15.0, on_event=self.on_event)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything and give the folder back."""
        await self.stop_all()
        if self._lock:
            self._lock.close()

    def log_of(self, name: str) -> Path:
        """File that holds everything the named process has printed."""
        return self.state / "log" / f"{name}.log"

    def pid(self, name: str) -> int:
        """Number of the process that runs `name` now (or ran it last)."""
        return self._children[name].process.pid

    def is_ready(self, name: str) -> bool:
        """Whether the named process has answered its readiness probe since it was last started."""
        return self._children[name].ready_since is not None

    async def start(self, *programs: Program) -> None:
        """Start programs side by side and wait until all serve.

        Raises EngineDeadError for the first that ends or stays silent; a first start is not tried again.
        """
        await together(*(self._start(program) for program in programs))

    async def stop_all(self) -> None:
        """Stop everything, the last started first."""
        for name in reversed(self._children):
            await self.halt(name)

    async def halt(self, name: str) -> None:
        """Stop one process and keep it down until `resume`: its stop signal, then SIGKILL after its grace."""
        child = self._children[name]
        child.wanted = False
        child.halted.set()
        if child.watch:
            await child.watch
        await self._end(child)

    async def resume(self, name: str) -> None:
        """Start a halted process again and wait until it serves."""
        await self._start(self._children[name].program)

    async def restart(self, name: str) -> None:
        """Stop one process and start it again."""
        await self.halt(name)
        await self.resume(name)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one process; if it ends of it, it is started again as after any other death."""
        child = self._children[name]
        child.signals += 1
        child.ready_since = None
        with suppress(ProcessLookupError):
            child.process.send_signal(number)

    async def wait_ready(self, name: str, seconds: float = 60.0) -> None:
        """Wait until the named process serves (again); raises EngineDeadError after `seconds`."""
        until = time.monotonic() + seconds
        while not self.is_ready(name):
            if time.monotonic() > until:
                raise EngineDeadError(name=name, reason=f"was not ready within {seconds:.0f} s", log=self.log_of(name))
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _start(self, program: Program) -> None:
        if isinstance(program.ready, str) and await program.probe():
            reason = "was not started, as somebody else already answers at its address"
            raise EngineDeadError(name=program.name, reason=f"{reason} {program.ready}", log=self.log_of(program.name))
        child = Child(program, await self._spawn(program))
        self._children.pop(program.name, None)
        self._children[program.name] = child
        try:
            await self._await_ready(child)
        except BaseException:
            await self._end(child)
            raise
        child.watch = asyncio.create_task(self._watch(child), name=f"watch {program.name}")

    async def _spawn(self, program: Program) -> Process:
        await program.prepare()
        log = self.log_of(program.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        bound = (str(os.getpid()), str(int(program.stop_signal)), program.user or "-")
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", guard.__file__, *bound, *program.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=program.cwd or self.state,
                env=program.environment,
                start_new_session=True,
            )
        self._run.record(program.name, process.pid)
        return process

    async def _await_ready(self, child: Child) -> None:
        program, until = child.program, time.monotonic() + child.program.ready_within
        while not await program.probe():
            if child.halted.is_set():
                return
            if child.process.returncode is not None:
                raise self._dead(child, f"ended with code {child.process.returncode} before it was ready")
            if time.monotonic() > until:
                raise self._dead(child, f"was not ready within {program.ready_within:.0f} s")
            await asyncio.sleep(READY_POLL_SECONDS)
        if child.process.returncode is not None:
            raise self._dead(child, "ended at once while somebody else answers at its address")
        child.ready_since = time.monotonic()

    def _dead(self, child: Child, reason: str) -> EngineDeadError:
        return EngineDeadError(name=child.program.name, reason=reason, log=self.log_of(child.program.name))

    async def _watch(self, child: Child) -> None:
        """Until halted: keep an eye on its health, and start it again after each death, pausing longer each time."""
        while not child.halted.is_set():
            ended = await self._ended_within(child, HEALTH_SECONDS)
            if child.halted.is_set():
                return
            await (self._revive(child) if ended else self._check(child))

    async def _check(self, child: Child) -> None:
        """Say when a running process stops or begins to answer; it is not killed for silence."""
        signals, healthy = child.signals, await child.program.probe()
        if signals != child.signals or healthy == (child.ready_since is not None):
            return
        child.ready_since = time.monotonic() if healthy else None
        state = "serves again" if healthy else "runs but does not answer"
        self.on_event(f"{child.program.name} {state}; log: {self.log_of(child.program.name)}")

    async def _ended_within(self, child: Child, seconds: float) -> bool:
        waits = {asyncio.ensure_future(child.process.wait()), asyncio.ensure_future(child.halted.wait())}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        return child.process.returncode is not None

    async def _revive(self, child: Child) -> None:
        name, code = child.program.name, child.process.returncode
        steady = child.ready_since is not None and time.monotonic() - child.ready_since > STEADY_SECONDS
        child.failures, child.ready_since = (0 if steady else child.failures), None
        pause = PAUSES[min(child.failures, len(PAUSES) - 1)]
        child.failures += 1
        self.on_event(f"{name} ended with code {code}, starting it again in {pause:g} s; log: {self.log_of(name)}")
        await self._end(child)
        with suppress(TimeoutError):
            await asyncio.wait_for(child.halted.wait(), pause)
        if child.halted.is_set():
            return
        child.process = await self._spawn(child.program)
        try:
            await self._await_ready(child)
            self.on_event(f"{name} serves again")
        except EngineDeadError as error:
            self.on_event(str(error))

    async def _end(self, child: Child) -> None:
        """End the process and whatever is left of its group."""
        process = child.process
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(child.program.stop_signal)
                process.send_signal(signal.SIGCONT)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), child.program.grace)
        signal_group(process.pid, signal.SIGKILL)
        await process.wait()
        self._run.forget(child.program.name)
        child.ready_since = None
