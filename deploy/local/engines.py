"""Kafka, PostgreSQL, Zipkin and the mailbox as one thing to start and stop.

`python -m deploy.local.engines --state DIR` runs them until Ctrl-C and prints their endpoints as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.local import jars, java, postgres, zipkin
from deploy.local.errors import LocalError
from deploy.local.kafka import Kafka
from deploy.local.ports import ENGINE_NAMES, LOOPBACK, Ports, check_free, free_ports
from deploy.local.settings import LocalSettings, checkout, default_cache
from deploy.local.supervisor import Program, Supervisor
from deploy.local.together import together

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Endpoints", "Engines", "Ports", "forget", "free_ports"]


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where the engines answer; `kafka` is host:port, `postgres_password` that of the superuser `postgres`."""

    kafka: str
    postgres_host: str
    postgres_port: int
    postgres_password: str
    smtp_host: str
    smtp_port: int
    mailbox_url: str
    zipkin_url: str | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Elsewhere:
    """Kafka and PostgreSQL that somebody else runs, in containers for one; fields as in `Endpoints`."""

    kafka: str
    postgres_host: str
    postgres_port: int
    postgres_password: str


class Engines:
    """The engines of one state folder; an async context manager that starts them and stops them.

    `supervisor` takes further programs (the services) into the same care; they are stopped before the engines.
    Use it on the main thread.
    """

    def __init__(
        self,
        *,
        state: Path,
        ports: Ports,
        with_zipkin: bool = True,
        durable: bool = True,
        on_progress: Callable[[str], None] = print,
        cache: Path | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """Keep all below `state`; only with `durable` do database and broker flush to the disk (not for tests).

        What is `elsewhere` is not started here, only named among the endpoints.
        """
        self.state = state.resolve()
        self.ports = ports
        self.endpoints: Endpoints | None = None
        self.supervisor = Supervisor(self.state, on_event=on_progress)
        self._with_zipkin = with_zipkin
        self._durable = durable
        self._say = on_progress
        self._elsewhere = elsewhere
        self._cache = (cache or default_cache()).resolve()
        self._archive: java.Archive | None = None
        self._abandoned = threading.Event()

    async def __aenter__(self) -> Self:
        """Start all engines."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything that was started."""
        await self.stop()

    async def start(self) -> Endpoints:
        """Start all engines side by side and wait until they serve; a second call only answers.

        Raises LocalError: a busy port, no network for a first download, a file other than the locked, a dead engine,
        a state folder in use.
        """
        if self.endpoints:
            return self.endpoints
        self._abandoned.clear()
        self.state.mkdir(parents=True, exist_ok=True)
        # Mails hold live links and the password lies here.
        self.state.chmod(0o700)
        await self.supervisor.__aenter__()
        try:
            check_free(self.ports, self._port_names())
            starts = [self._start_java(), self._start_mailbox()]
            await together(*starts, *(() if self._elsewhere else (self._start_postgres(),)))
        except BaseException:
            await self.stop()
            raise
        return self._endpoints()

    async def stop(self) -> None:
        """Stop everything, what was started last first."""
        self._abandoned.set()
        await self.supervisor.__aexit__(None, None, None)
        self.endpoints = None
        if self._archive:
            self._archive.keep()

    async def restart(self, name: str) -> None:
        """Stop one engine and start it again with its data; returns when it serves."""
        await self.supervisor.restart(name)

    async def halt(self, name: str) -> None:
        """Stop one engine and keep it down until `resume`."""
        await self.supervisor.halt(name)

    async def resume(self, name: str) -> None:
        """Start a halted engine; returns when it serves."""
        await self.supervisor.resume(name)

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one engine; if it dies of it, it is started again (see `supervisor.wait_ready`)."""
        self.supervisor.kill(name, number)

    def _port_names(self) -> tuple[str, ...]:
        absent = set() if self._with_zipkin else {"zipkin"}
        absent |= {"kafka", "kafka_controller", "postgres"} if self._elsewhere else set()
        return tuple(name for name in ENGINE_NAMES if name not in absent)

    async def _jars(self, engine: str) -> list[Path]:
        return await asyncio.to_thread(
            jars.fetch, jars.locked(engine), self._cache, on_progress=self._say, abandoned=self._abandoned
        )

    async def _start_java(self) -> None:
        if self._elsewhere and not self._with_zipkin:
            return
        base = await java.base_archive(self._cache)
        await together(*(() if self._elsewhere else (self._start_kafka(base),)), self._start_zipkin(base))

    async def _start_kafka(self, base: Path) -> None:
        files = await self._jars("kafka")
        self._archive = java.archive("kafka", jars=files, cache=self._cache, base=base)
        kafka = Kafka(state=self.state, jars=files, archive=self._archive, durable=self._durable)
        await kafka.prepare(self.ports)
        await self._started(kafka.program(self.ports))

    async def _start_postgres(self) -> None:
        self._postgres = postgres.Postgres(state=self.state, durable=self._durable)
        await self._postgres.prepare()
        if self._postgres.account:
            self._say(
                f"PostgreSQL runs as the account {self._postgres.account}, its data lies in {self._postgres.home}"
            )
        if self._postgres.set_aside:
            self._say(
                "the database of a state folder that was removed does not open any more: it was put aside as "
                f"{self._postgres.set_aside}, and make clean deletes it"
            )
        await self._started(self._postgres.program(self.ports))

    async def _start_mailbox(self) -> None:
        options = (
            "--smtp-port",
            str(self.ports.smtp),
            "--http-port",
            str(self.ports.mailbox),
            "--state",
            str(self.state / "mailbox"),
        )
        argv = (sys.executable, "-m", "deploy.local.mailbox", *options)
        ready = f"http://{LOOPBACK}:{self.ports.mailbox}/health"
        await self._started(Program(name="mailbox", argv=argv, ready=ready, inherit=False, cwd=checkout()))

    async def _start_zipkin(self, base: Path) -> None:
        if self._with_zipkin:
            files = await self._jars("zipkin")
            archive = java.archive("zipkin", jars=files, cache=self._cache, base=base)
            await self._started(zipkin.program(files[0], archive=archive, state=self.state, ports=self.ports))

    async def _started(self, program: Program) -> None:
        await self.supervisor.start(program)
        self._say(f"{program.name} serves; log: {self.supervisor.log_of(program.name)}")

    def _endpoints(self) -> Endpoints:
        stores = self._elsewhere or Elsewhere(
            kafka=f"{LOOPBACK}:{self.ports.kafka}",
            postgres_host=LOOPBACK,
            postgres_port=self.ports.postgres,
            postgres_password=self._postgres.password,
        )
        self.endpoints = Endpoints(
            **asdict(stores),
            smtp_host=LOOPBACK,
            smtp_port=self.ports.smtp,
            mailbox_url=f"http://{LOOPBACK}:{self.ports.mailbox}",
            zipkin_url=f"http://{LOOPBACK}:{self.ports.zipkin}" if self._with_zipkin else None,
        )
        return self.endpoints


def forget(state: Path) -> None:
    """Delete a state folder and what belongs to it elsewhere on the machine (root's system state folder)."""
    postgres.forget(state)
    shutil.rmtree(state, ignore_errors=True)


def cancel_on_signals() -> None:
    """Let the first SIGINT or SIGTERM cancel the calling task, also in its start; later ones are ignored."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def heard() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        if task:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heard)


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _elsewhere(file: Path | None) -> Elsewhere | None:
    return Elsewhere(**json.loads(file.read_text())) if file else None


async def _run(
    *, state: Path, endpoints: Path | None, elsewhere: Elsewhere | None, with_zipkin: bool, durable: bool
) -> None:
    settings = LocalSettings()
    cancel_on_signals()
    engines = Engines(
        state=state,
        ports=settings.ports,
        cache=settings.cache,
        with_zipkin=with_zipkin,
        durable=durable,
        elsewhere=elsewhere,
        on_progress=_tell,
    )
    with suppress(asyncio.CancelledError):
        async with engines:
            text = json.dumps(asdict(await engines.start()), indent=1) + "\n"
            sys.stdout.write(text)
            sys.stdout.flush()
            if endpoints:
                await asyncio.to_thread(_write_private, endpoints, text)
            await asyncio.Event().wait()


def main() -> None:
    """Parse the command line, run until Ctrl-C; a LocalError is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.engines", description="Run the local engines until Ctrl-C."
    )
    parser.add_argument("--state", type=Path, required=True, help="folder of everything they keep")
    parser.add_argument("--endpoints", type=Path, help="also write the endpoints to this file")
    parser.add_argument("--without-zipkin", action="store_true")
    parser.add_argument("--quick", action="store_true", help="flush nothing to the disk: for tests alone")
    parser.add_argument("--elsewhere", type=Path, help="JSON of a Kafka and a PostgreSQL that run already")
    given = parser.parse_args()
    run = _run(
        state=given.state,
        endpoints=given.endpoints,
        elsewhere=_elsewhere(given.elsewhere),
        with_zipkin=not given.without_zipkin,
        durable=not given.quick,
    )
    try:
        asyncio.run(run)
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
