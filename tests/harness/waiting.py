"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

POLL_S = 0.02


@overload
async def eventually(
    condition: Callable[[], Coroutine[Any, Any, T | None]], within: float = ..., *, what: str = ..., every: float = ...
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T | None], within: float = ..., *, what: str = ..., every: float = ...
) -> T: ...


async def eventually(
    condition: Callable[[], Any], within: float = 15.0, *, what: str = "", every: float = POLL_S
) -> Any:
    """The first truthy answer of `condition` (plain or async), asked again and again for `within` seconds.

    `AssertionError` raised by the condition counts as "not yet" and is what the test fails with at the end.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while True:
        failure: AssertionError | None = None
        answer = None
        try:
            asked = condition()
            answer = await asked if inspect.isawaitable(asked) else asked
        except AssertionError as error:
            failure = error
        if answer:
            return answer
        if loop.time() > until:
            raise failure or AssertionError(f"not within {within} s: {what or condition}, last answer {answer!r}")
        await asyncio.sleep(every)
