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

from shared.errors import LostClaim
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
    # No disk, no memory, no connection left; and what a server says that has become a stand-by.
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""The database is not there now: "not now", never "bad"."""

CONTENDED: tuple[type[BaseException], ...] = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
AGAIN: tuple[type[BaseException], ...] = (*CONTENDED, LostClaim)
"""Somebody else was in the way: run it again at once."""

ACQUIRE_WITHIN_S = 4.0
"""For a connection, and for the first answer on it: a database that accepts but is silent is not there."""
ROLLBACK_WITHIN_S = 1.0
COMMAND_WITHIN_S = 30.0
"""For one statement of any kind; longer than a lock is waited for, shorter than a half-open connection lasts."""
DOORS_WITHIN_S = 10.0
"""For a whole transaction at a door: whoever asks hears of trouble while still there."""


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
    steady_clock: bool = False
    """Whether a region's clock that was moved is refused: production has the machine's."""


class NotInView(Exception):
    """Rows of an agency were wanted that this transaction does not see: none at all would look like nobody there."""


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
    purged_parked: set[tuple[int, int]] = field(default_factory=set)
    """The same of parked records (seq, attempts)."""
    _now: datetime | None = None

    async def now(self) -> datetime:
        """The region's time at the start of this transaction (UTC)."""
        if self._now is None:
            self._now = await self.connection.fetchval("SELECT region.now()")
        return self._now

    def told_now(self, now: datetime) -> None:
        """A statement of this transaction has brought the region's time with it."""
        self._now = now

    def may_be_due(self, at: datetime) -> bool:
        """Whether this moment has come, as far as this transaction knows the time without asking."""
        return self._now is None or at <= self._now

    def must_see(self, agencies: Collection[AgencyId]) -> None:
        """Raises `NotInView` unless all of these are in view, where a missing row would be believed."""
        if not self.agencies.issuperset(agencies):
            raise NotInView


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

    def __init__(self, app: Pool, loop: Pool, schema: str, *, within_s: float | None = None) -> None:
        """Take over two open pools; `close` closes them. `within_s` bounds every transaction."""
        self._app, self._loop, self.schema = app, loop, schema
        self.signals = Signals()
        self._within_s = within_s

    def beside(self, app: Pool, loop: Pool | None = None) -> Database:
        """The same database through other pools: what uses it waits for nobody here. Those pools are closed apart."""
        other = Database(app, loop or self._loop, self.schema)
        other.signals = self.signals
        return other

    def within(self, seconds: float) -> Database:
        """The same database for somebody who waits: a transaction that takes longer than this ends in TimeoutError."""
        other = Database(self._app, self._loop, self.schema, within_s=seconds)
        other.signals = self.signals
        return other

    async def reached(self) -> None:
        """Return when both logins have connected. Raises what `UNAVAILABLE` lists, or `UnsafeLogin`."""
        for pool in (self._app, self._loop):
            async with _taken(pool):
                pass

    @asynccontextmanager
    async def transaction(self, agencies: Collection[AgencyId]) -> AsyncIterator[Transaction]:
        """Run as `app` with exactly these agencies in view; commit at the end, roll back when anything is raised."""
        async with asyncio.timeout(self._within_s), _taken(self._app) as connection:
            async with _between(connection, _begin(agencies)):
                tx = Transaction(connection, frozenset(agencies))
                yield tx
            for name in tx.wakes:
                self.signals.set(name)

    @asynccontextmanager
    async def door(self) -> AsyncIterator[Connection]:
        """A connection that may only ask `door(hash)`: no agency is in view, so every table raises."""
        async with asyncio.timeout(ACQUIRE_WITHIN_S), _taken(self._app) as connection:
            yield connection

    @asynccontextmanager
    async def loop(self) -> AsyncIterator[Connection]:
        """A connection as `loop`, outside any transaction: each statement commits by itself."""
        async with _taken(self._loop) as connection:
            yield connection

    async def close(self) -> None:
        """Close both pools, waiting for what is under way."""
        await asyncio.gather(self._app.close(), self._loop.close())


@asynccontextmanager
async def _taken(pool: Pool) -> AsyncIterator[Connection]:
    # Not the pool's own time-out, which makes a task of every acquisition.
    async with asyncio.timeout(ACQUIRE_WITHIN_S):
        connection = await pool.acquire()
    try:
        yield connection
    except (TimeoutError, asyncio.CancelledError):
        # Its server is silent, or still at work for nobody: giving it back whole would mean to wait for it.
        connection.terminate()
        raise
    finally:
        await pool.release(connection)


@asynccontextmanager
async def _between(connection: Connection, begin: str) -> AsyncIterator[None]:
    await connection.execute(begin, timeout=ACQUIRE_WITHIN_S)
    try:
        yield
    except BaseException:
        # A broken or cancelled connection cannot roll back; PostgreSQL does when it goes.
        try:
            async with asyncio.timeout(ROLLBACK_WITHIN_S):
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


class MovedClock(Exception):
    """The region's clock is not the machine's and this is production; the service does not start."""


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


async def lazy_pool(login: Login, *, size: int) -> Pool:
    """A pool that connects when it is asked; its connections need no reset.

    Every new connection is checked before anybody has it: `UnsafeLogin` when the login sees more than it may,
    `MovedClock` when time is not the machine's and should be.
    """

    async def check(connection: Connection) -> None:
        await refuse_unsafe(connection, login.schema)
        if login.steady_clock and await connection.fetchval("SELECT shift <> '0' FROM region.clock"):
            raise MovedClock

    return await asyncpg.create_pool(
        host=login.host,
        port=login.port,
        database=login.database,
        user=login.user,
        password=login.password,
        min_size=0,
        max_size=size,
        connection_class=_PooledConnection,
        init=check,
        command_timeout=COMMAND_WITHIN_S,
        server_settings=_session(login),
    )


async def open_pool(login: Login, *, size: int) -> Pool:
    """As `lazy_pool`, with a connection. Raises `UnsafeLogin`, or what `UNAVAILABLE` lists."""
    pool = await lazy_pool(login, size=size)
    try:
        async with _taken(pool):
            pass
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
        timeout=ACQUIRE_WITHIN_S,
        command_timeout=COMMAND_WITHIN_S,
        server_settings=_session(login) | {"idle_session_timeout": str(int(idle_timeout_s * 1000))},
    )
