"""What can go wrong on a newcomer's machine, each as one sentence that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class LocalError(Exception):
    """A trouble of this machine; its text is one sentence for the person at the terminal."""


class PortBusyError(LocalError):
    """Somebody else listens on a port that an engine or service needs."""

    def __init__(self, *, name: str, port: int, setting: str) -> None:
        """Name the port, who wants it, and the setting that moves it."""
        super().__init__(
            f"Port {port} (for {name}) on 127.0.0.1 is in use: stop its listener, or set {setting} to a free port."
        )
        self.port = port


class NoNetworkError(LocalError):
    """A package had to be downloaded and no repository could be reached."""

    def __init__(self, *, what: str, reason: str) -> None:
        """Name the file and the system's reason."""
        super().__init__(
            f"Could not download {what} ({reason}): connect this machine, or set HTTPS_PROXY or a mirror "
            "in ~/.m2/settings.xml, and start again; what was already downloaded is kept."
        )


class HashMismatchError(LocalError):
    """A downloaded file is not the one that the lock file names."""

    def __init__(self, *, path: Path, expected: str, actual: str) -> None:
        """Name the file and both SHA-256 sums (their beginnings are enough to compare)."""
        super().__init__(
            f"{path.name} has SHA-256 {actual[:16]}…, not {expected[:16]}… as locked: it was discarded; start again, "
            "and if this repeats do not trust the repository or proxy it comes from."
        )


class EngineDeadError(LocalError):
    """A child process ended, or did not become ready, when it should have run."""

    def __init__(self, *, name: str, reason: str, log: Path) -> None:
        """Name the process, what happened, and the file that tells why."""
        super().__init__(f"{name} {reason}: read {log} for the cause.")
        self.name = name
        self.log = log


class StateLockedError(LocalError):
    """Another supervisor runs from the same state folder."""

    def __init__(self, state: Path) -> None:
        """Name the folder."""
        super().__init__(
            f"Peerline already runs from {state}: use that one, or stop it with Ctrl-C in its own terminal first."
        )


class StrayDataError(LocalError):
    """A database lies where the state folder keeps its own, and is not the one that the state folder opens."""

    def __init__(self, *, state: Path, data: Path, running: bool) -> None:
        """Name both, and what to do; nothing has been touched."""
        super().__init__(
            f"PostgreSQL of an earlier start still runs on {data}, whose state folder {state} was removed: stop that "
            "region in its own terminal with Ctrl-C, then start again."
            if running
            else f"{state}/postgres.password does not open the database in {data}: put the file back as it was, or run "
            "make clean, which forgets both, and start again."
        )


class UnfitMachineError(LocalError):
    """The machine lacks something that no setting can replace."""


class AbandonedError(LocalError):
    """A download was given up because its start was."""

    def __init__(self) -> None:
        """Say that nothing is lost."""
        super().__init__("The download was given up: start again to go on with it.")
