"""The shortest history that still fails, as far as it can be found in time: delta debugging over moves.

Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), the algorithm ddmin.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

M = TypeVar("M")


async def shrunk(
    moves: Sequence[M], fails: Callable[[Sequence[M]], Awaitable[bool]], *, go_on: Callable[[], bool]
) -> list[M]:
    """A part of `moves` that fails as well, from which no single move can be left out; or the best so far.

    `go_on` says whether there is still time; `fails` runs a candidate.
    """
    best, parts = list(moves), 2
    while len(best) > 1 and go_on():
        size = -(-len(best) // parts)
        for start in range(0, len(best), size):
            candidate = best[:start] + best[start + size :]
            if not go_on():
                return best
            if candidate and await fails(candidate):
                best, parts = candidate, max(parts - 1, 2)
                break
        else:
            if size == 1:
                return best
            parts = min(parts * 2, len(best))
    return best
