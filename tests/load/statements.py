"""What each statement costs PostgreSQL, by its own account: CPU time of parsing, binding and executing it.

The server's `log_statement_stats` writes what the kernel counted for each message of a client (getrusage), beside the
statement. It is switched on for one database; sessions that begin afterwards are logged. The cost of writing the log
lies outside of what is counted. Source: PostgreSQL 18, "Statistics Monitoring" and "Error Reporting and Logging".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

PREFIX = "@%u@"
"""Before every entry of the log: who."""
_ENTRY = re.compile(r"^@(?P<user>[^@]*)@(?P<kind>LOG|DETAIL|STATEMENT):\s+(?P<text>.*)$")
_CPU = re.compile(r"(?P<user>[\d.]+) s user, (?P<system>[\d.]+) s system, [\d.]+ s elapsed")
_EXECUTED = ("EXECUTE MESSAGE STATISTICS", "QUERY STATISTICS")
_MESSAGES = (*_EXECUTED, "PARSE MESSAGE STATISTICS", "BIND MESSAGE STATISTICS")


@dataclass(frozen=True)
class Cost:
    """One statement of one service: how often it was executed and what it cost, in milliseconds of CPU."""

    user: str
    statement: str
    executions: int
    cpu_ms: float

    @property
    def service(self) -> str:
        """Whose it is; app and loop are logins of one service."""
        return self.user.removesuffix("_app").removesuffix("_loop")


async def switch_on(superuser: dict[str, Any], database: str) -> None:
    """Log from now on what statements of new sessions cost."""
    connection = await asyncpg.connect(**superuser, database=database)
    try:
        for setting in ("log_statement_stats = on", "log_min_error_statement = log", "log_error_verbosity = 'default'"):
            await connection.execute(f"ALTER DATABASE {database} SET {setting}")
        await connection.execute(f"ALTER SYSTEM SET log_line_prefix = '{PREFIX}'")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Entries of the log: who, of which kind, and its lines; those that follow an entry begin with a tab."""
    entry: tuple[str, str, list[str]] | None = None
    for line in lines:
        if found := _ENTRY.match(line):
            if entry is not None:
                yield entry
            entry = found["user"], found["kind"], [found["text"]]
        elif entry is not None:
            entry[2].append(line.strip())
    if entry is not None:
        yield entry


def read(lines: Iterable[str]) -> list[Cost]:
    """The costs in a log, the dearest first."""
    executions: dict[tuple[str, str], int] = defaultdict(int)
    spent: dict[tuple[str, str], float] = defaultdict(float)
    message, cpu = "", 0.0
    for user, kind, text in _entries(lines):
        if kind == "LOG":
            message = text[0] if text[0] in _MESSAGES else ""
        elif kind == "DETAIL" and message and (found := _CPU.search(" ".join(text))):
            cpu = 1000 * (float(found["user"]) + float(found["system"]))
        elif kind == "STATEMENT" and message:
            place = user, short(" ".join(text))
            spent[place] += cpu
            executions[place] += message in _EXECUTED
            message, cpu = "", 0.0
    costs = [Cost(user, statement, executions[user, statement], ms) for (user, statement), ms in spent.items()]
    return sorted(costs, key=lambda cost: -cost.cpu_ms)


def short(statement: str) -> str:
    """A statement on one line, without what differs from one transaction to the next."""
    line = " ".join(statement.split())
    return re.sub(r"'\{[0-9a-f,-]*\}'", "'{…}'", line)


class Log:
    """The server's log from where it stands now."""

    def __init__(self, path: Path) -> None:
        """`path` is the file that the server writes."""
        self._path, self._at = path, path.stat().st_size

    def costs(self) -> list[Cost]:
        """What has been logged since."""
        with self._path.open(errors="replace") as log:
            log.seek(self._at)
            return read(log)
