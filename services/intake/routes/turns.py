"""Whole directories in turn: one at a time of an agency, and few in the process, so that the requests of others go on.

An upload holds a connection, a core and some hundred megabytes for seconds; who waits here holds none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from shared.types import AgencyId

AT_ONCE = 2
"""Directories in work in one process: a fraction of its connections."""


class Turns:
    """Who may work on a directory now. The turn of an agency is taken before a body is read, a place after."""

    def __init__(self) -> None:
        """Everything is free."""
        self._agencies: WeakValueDictionary[AgencyId, asyncio.Lock] = WeakValueDictionary()
        self._places = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def of(self, agency: AgencyId) -> AsyncIterator[None]:
        """The turn of this agency; waits for whoever has it."""
        lock = self._agencies.setdefault(agency, asyncio.Lock())
        async with lock:
            yield

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the few places; waits for one."""
        async with self._places:
            yield
