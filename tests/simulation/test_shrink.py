"""How a failing history is made shorter."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.moves import Move, replayable, replayed
from tests.simulation.shrink import shrunk


def always() -> bool:
    return True


async def test_only_the_moves_that_matter_are_left() -> None:
    tried = 0

    async def fails(moves: Sequence[int]) -> bool:
        nonlocal tried
        tried += 1
        return {17, 203, 388} <= set(moves)

    assert await shrunk(range(400), fails, go_on=always) == [17, 203, 388]
    assert tried < 200


async def test_their_order_is_kept() -> None:
    async def fails(moves: Sequence[int]) -> bool:
        return [one for one in moves if one in {9, 1, 5}] == [9, 1, 5]

    assert await shrunk([9, 8, 1, 7, 5, 2], fails, go_on=always) == [9, 1, 5]


async def test_when_time_is_up_the_best_so_far_is_told() -> None:
    left = 5

    async def fails(moves: Sequence[int]) -> bool:
        nonlocal left
        left -= 1
        return 3 in moves

    found = await shrunk(range(1000), fails, go_on=lambda: left > 0)
    assert 3 in found
    assert len(found) < 1000


def test_a_history_can_be_kept_and_read_again() -> None:
    moves = [Move("deliver", ("notify", "crisis"), 7), Move("pass", (), 2**31)]
    assert replayed(replayable(moves)) == moves
