from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.errors import Refused
from shared.joiner import MOST, Joiner


class Work:
    """Doubles numbers; refuses negative ones; remembers its batches and holds the first until told."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        await self.go.wait()
        if any(number < 0 for number in numbers):
            raise Refused("negative")
        return [2 * number for number in numbers]


async def test_a_lone_act_is_run_at_once() -> None:
    work = Work()
    work.go.set()

    assert await Joiner(work).do(21) == 42
    assert work.batches == [[21]]


async def test_what_arrives_meanwhile_shares_the_next_batch() -> None:
    work = Work()
    joiner = Joiner(work, abreast=1)
    acts = [asyncio.create_task(joiner.do(number)) for number in range(5)]
    await asyncio.sleep(0)
    work.go.set()

    assert await asyncio.gather(*acts) == [0, 2, 4, 6, 8]
    assert work.batches == [[0], [1, 2, 3, 4]]


async def test_a_batch_has_an_upper_size() -> None:
    work = Work()
    joiner = Joiner(work, abreast=1)
    acts = [asyncio.create_task(joiner.do(number)) for number in range(2 * MOST)]
    await asyncio.sleep(0)
    work.go.set()
    await asyncio.gather(*acts)

    assert max(len(batch) for batch in work.batches) == MOST


async def test_a_refused_act_does_not_refuse_its_neighbours() -> None:
    work = Work()
    joiner = Joiner(work, abreast=1)
    acts = [asyncio.create_task(joiner.do(number)) for number in (1, 2, -3, 4)]
    await asyncio.sleep(0)
    work.go.set()
    answers = await asyncio.gather(*acts, return_exceptions=True)

    assert [answer for answer in answers if isinstance(answer, int)] == [2, 4, 8]
    assert [type(answer) for answer in answers if not isinstance(answer, int)] == [Refused]


async def test_a_caller_that_went_away_does_not_disturb_the_others() -> None:
    work = Work()
    joiner = Joiner(work, abreast=1)
    first = asyncio.create_task(joiner.do(1))
    gone = asyncio.create_task(joiner.do(2))
    stays = asyncio.create_task(joiner.do(3))
    await asyncio.sleep(0)
    gone.cancel()
    work.go.set()

    assert list(await asyncio.gather(first, stays)) == [2, 6]
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_without_a_database_nobody_waits_for_it_a_second_time() -> None:
    batches: list[int] = []

    async def gone(numbers: Sequence[int]) -> list[int]:
        batches.append(len(numbers))
        await asyncio.sleep(0)
        raise TimeoutError

    joiner = Joiner(gone, abreast=1)
    answers = await asyncio.gather(*(joiner.do(number) for number in range(4)), return_exceptions=True)

    assert [type(one) for one in answers] == [TimeoutError] * 4
    assert batches == [1, 3]
