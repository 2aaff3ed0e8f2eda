"""The only door to PostgreSQL: transactions that name the agencies they have in view.

Two logins per service: `app` sees the agencies in view and nothing else (forced row security); `loop` sees the
outbox, timers and parked rows of all agencies and nothing else. Source: PostgreSQL 18, "Row Security Policies".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

from shared.types import AgencyId, Lane

Row = asyncpg.Record
# The stubs are generic where the library is not.
if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]
    Pool = asyncpg.Pool[Any]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

UNAVAILABLE: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # What a statement gets that is sent after the server's good-bye was read and before the socket is seen closed.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""The database is not there now: "not now", never "bad"."""

CONTENDED: tuple[type[BaseException], ...] = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Run it again at once."""

ACQUIRE_WITHIN_S = 5.0


class _PooledConnection(asyncpg.Connection):
    """No session state is ever set on a pooled connection, so there is nothing to reset on release."""

    def get_reset_query(self) -> str:
        return ""


@dataclass(frozen=True)
class Login:
    """Where and as whom to connect; `schema` comes first in the search path."""

    host: str
    port: int
    database: str
    user: str
    password: str
    schema: str


@dataclass
class Transaction:
    """An open transaction that has exactly `agencies` in view.

    `traces` maps a case to the traceparent of the work being done for it; `emit` and `schedule` pass it on.
    """

    connection: Connection
    agencies: frozenset[AgencyId]
    traces: dict[UUID, str] = field(default_factory=dict)
    wakes: set[str] = field(default_factory=set)
    purged_timers: set[tuple[UUID, int]] = field(default_factory=set)
    """Timers (id, fence) that this transaction has purged with their case: the one that runs it may be among them."""
    _now: datetime | None = None

    async def now(self) -> datetime:
        """The region's time at the start of this transaction (UTC)."""
        if self._now is None:
            self._now = await self.connection.fetchval("SELECT region.now()")
        return self._now


def outbox_wake(lane: Lane) -> str:
    """The name of the signal that something was written to this lane's outbox."""
    return f"outbox:{lane.name}"


def timers_wake(lane: Lane) -> str:
    """The name of the signal that a timer due at once was set on this lane."""
    return f"timers:{lane.name}"


class Signals:
    """Named wake-ups inside one process: a loop waits for its own, a commit sets it."""

    def __init__(self) -> None:
        """Nothing is set at first."""
        self._events: dict[str, asyncio.Event] = {}

    def _event(self, name: str) -> asyncio.Event:
        return self._events.setdefault(name, asyncio.Event())

    def set(self, name: str) -> None:
        """Wake whoever waits for `name`, now or next."""
        self._event(name).set()

    async def wait(self, name: str, within_s: float) -> None:
        """Return when `name` is set, or after `within_s` seconds; the signal is then clear."""
        event = self._event(name)
        try:
            async with asyncio.timeout(within_s):
                await event.wait()
        except TimeoutError:
            return
        event.clear()


def _begin(agencies: Collection[AgencyId]) -> str:
    # Simple query protocol takes no parameters: the ids are UUID objects, so their text cannot be anything else.
    listed = ",".join(str(UUID(int=agency.int)) for agency in sorted(agencies))
    return f"BEGIN; SELECT set_config('peerline.agencies', '{{{listed}}}', true)"


class Database:
    """The two pools of one service and what wakes its loops."""

    def __init__(self, app: Pool, loop: Pool, schema: str) -> None:
        """Take over two open pools; `close` closes them."""
        self._app, self._loop, self.schema = app, loop, schema
        self.signals = Signals()

    def beside(self, app: Pool) -> Database:
        """The same database through another app pool: what uses it waits for nobody here. That pool is closed apart."""
        other = Database(app, self._loop, self.schema)
        other.signals = self.signals
        return other

    @asynccontextmanager
    async def transaction(self, agencies: Collection[AgencyId]) -> AsyncIterator[Transaction]:
        """Run as `app` with exactly these agencies in view; commit at the end, roll back when anything is raised."""
        async with self._app.acquire(timeout=ACQUIRE_WITHIN_S) as connection:
            async with _between(connection, _begin(agencies)):
                tx = Transaction(connection, frozenset(agencies))
                yield tx
            for name in tx.wakes:
                self.signals.set(name)

    @asynccontextmanager
    async def door(self) -> AsyncIterator[Connection]:
        """A connection that may only ask `door(hash)`: no agency is in view, so every table raises."""
        async with self._app.acquire(timeout=ACQUIRE_WITHIN_S) as connection:
            yield connection

    @asynccontextmanager
    async def loop(self) -> AsyncIterator[Connection]:
        """A connection as `loop`, outside any transaction: each statement commits by itself."""
        async with self._loop.acquire(timeout=ACQUIRE_WITHIN_S) as connection:
            yield connection

    async def close(self) -> None:
        """Close both pools, waiting for what is under way."""
        await asyncio.gather(self._app.close(), self._loop.close())


@asynccontextmanager
async def _between(connection: Connection, begin: str) -> AsyncIterator[None]:
    await connection.execute(begin)
    try:
        yield
    except BaseException:
        # A broken or cancelled connection cannot roll back; PostgreSQL does when it goes.
        try:
            async with asyncio.timeout(ACQUIRE_WITHIN_S):
                await connection.execute("ROLLBACK")
        except UNAVAILABLE:
            connection.terminate()
        raise
    # PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error.
    if await connection.execute("COMMIT") != "COMMIT":
        raise RolledBack


class RolledBack(Exception):
    """The transaction had failed before its commit; nothing of it stays."""


class UnsafeLogin(Exception):
    """This login would see more than it may; the service does not start."""


_UNSAFE = """
SELECT 'login ' || rolname || ' is a superuser or bypasses row security' AS why
  FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)
UNION ALL
SELECT 'login ' || current_user || ' owns ' || c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND pg_has_role(current_user, c.relowner, 'MEMBER')
UNION ALL
SELECT 'table ' || c.relname || ' is without forced row security'
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'agency_id' AND NOT a.attisdropped
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
 ORDER BY why LIMIT 1
"""


async def refuse_unsafe(connection: Connection, schema: str) -> None:
    """Raise `UnsafeLogin` for a superuser, an owner, BYPASSRLS, or an agency's table without forced row security."""
    why = await connection.fetchval(_UNSAFE, schema)
    if why:
        raise UnsafeLogin(why)


async def open_pool(login: Login, *, size: int) -> Pool:
    """A pool whose connections need no reset. Raises `UnsafeLogin` when the login sees more than it may."""
    pool = await asyncpg.create_pool(
        host=login.host,
        port=login.port,
        database=login.database,
        user=login.user,
        password=login.password,
        min_size=1,
        max_size=size,
        connection_class=_PooledConnection,
        command_timeout=60,
        server_settings=_session(login),
    )
    try:
        async with pool.acquire() as connection:
            await refuse_unsafe(connection, login.schema)
    except BaseException:
        pool.terminate()
        raise
    return pool


def _session(login: Login) -> dict[str, str]:
    return {
        "application_name": f"peerline:{login.user}",
        "search_path": login.schema,
        "idle_in_transaction_session_timeout": "30000",
        "jit": "off",
    }


async def connect(login: Login, *, idle_timeout_s: float) -> asyncpg.Connection[Any]:
    """A connection of its own, for session locks. The server drops it, and its locks, when it is silent too long."""
    return await asyncpg.connect(
        host=login.host,
        port=login.port,
        database=login.database,
        user=login.user,
        password=login.password,
        command_timeout=60,
        server_settings=_session(login) | {"idle_session_timeout": str(int(idle_timeout_s * 1000))},
    )
