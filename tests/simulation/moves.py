"""What can happen next, and the scheduler that picks it: a move is a kind, a place and dice, and can be done again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from shared.parking import Raw
from shared.types import Lane
from tests.simulation.bus import Mood
from tests.simulation.people import People
from tests.simulation.region import REPLICAS, Region
from tests.simulation.replica import Fate
from tests.simulation.spoilt import spoil

Kind = Literal[
    "publish", "deliver", "fire", "commit", "again", "rebalance", "freeze", "thaw", "pass", "jump", "ask", "ask_again",
    "act", "answer", "race", "staff", "spoil",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
CRASHES, NOT_TAKEN, SLOW_MAIL = 0.03, 0.05, 0.12
"""How often a process dies at a commit, a batch is not simply taken, and a mail does not simply go."""
LOST: tuple[Mood, ...] = ("refuse", "lose", "hold")
PASSES_S = (1, 5, 20, 31, 61, 300, 900)


@dataclass(frozen=True)
class Move:
    """Something that happens at a place (a service, and a lane or a group). Everything else follows from the dice."""

    kind: Kind
    at: tuple[str, ...] = ()
    dice: int = 0

    def __str__(self) -> str:
        """As a history is printed."""
        return f"{self.kind}({', '.join(self.at)}) {self.dice}"


def choose(scheduler: random.Random, region: Region, asked: int, most: int) -> Move:
    """The next move. What waits to happen is likelier than that something new begins."""
    kinds: dict[Kind, float] = {"pass": 3, "jump": 0.3, "commit": 2, "rebalance": 0.5, "again": 0.7, "freeze": 1}
    readable = [(s, g) for s, g in region.readings if region.places(s, g)]
    kinds["publish"] = 12 if region.stirred else 0
    kinds["deliver"] = 30 if readable else 0
    kinds["race"] = 3 if readable else 0
    kinds["fire"] = 14 if region.ringing else 0
    kinds["thaw"] = 2 if region.frozen else 0
    kinds["ask"] = 4 if asked < most else 0
    kinds["staff"] = 0.5
    kinds["spoil"] = 0.6 if asked else 0
    kinds["ask_again"] = 0.5 if asked else 0
    kinds["act"] = 3 if asked else 0
    kinds["answer"] = 9 if asked else 0
    kind = scheduler.choices(list(kinds), list(kinds.values()))[0]
    dice = scheduler.randrange(2**32)
    match kind:
        case "publish":
            service, lane = scheduler.choice(sorted(region.stirred))
            return Move(kind, (service, lane.name), dice)
        case "deliver" | "race":
            return Move(kind, scheduler.choice(readable), dice)
        case "fire":
            service, lane = scheduler.choice(sorted(region.ringing))
            return Move(kind, (service, lane.name), dice)
        case "commit" | "rebalance" | "again" | "freeze":
            return Move(kind, scheduler.choice(list(region.readings)), dice)
        case _:
            return Move(kind, (), dice)


async def make(move: Move, region: Region, people: People) -> None:
    """Let it happen; a move whose occasion is not there does nothing."""
    dice = random.Random(move.dice)
    fate = Fate(dice.choice((1, 1, 2, 3)), dice.choice(("before", "after"))) if dice.random() < CRASHES else None
    match move.kind:
        case "publish":
            mood: Mood = dice.choice(LOST) if dice.random() < NOT_TAKEN else "take"
            await region.publish(move.at[0], Lane[move.at[1]], mood)
        case "deliver":
            await region.deliver(*_group(move), _some(region, *_group(move), dice), fate)
        case "fire":
            await _fire(move, region, dice, fate)
        case "ask":
            await people.ask(dice, fate)
        case "ask_again":
            await people.ask_again(dice, fate)
        case "act":
            await people.act(dice, fate)
        case "answer":
            await people.answer(dice, fate)
        case "staff":
            await people.staff(dice, fate)
        case "race":
            await _race(move, region, people, dice)
        case _:
            await _trouble(move, region, dice)


async def _trouble(move: Move, region: Region, dice: random.Random) -> None:
    region.steps += 1
    match move.kind:
        case "commit":
            region.commit(*_group(move))
        case "rebalance":
            await region.rebalance(*_group(move))
        case "again":
            await region.deliver(*_group(move), _old(region, *_group(move), dice))
        case "freeze":
            await _freeze(move, region, dice)
        case "thaw":
            if region.frozen:
                await region.thaw(dice.choice(region.frozen))
        case "spoil":
            spoil(region, dice)
        case "pass":
            due = await region.time.next_due() if dice.random() < 0.5 else None
            await region.pass_(min(due + 1, 3600 * 6) if due is not None else dice.choice(PASSES_S))
        case _:
            await region.jump(dice.choice((3600, 4 * 3600, 24 * 3600)))


def _group(move: Move) -> tuple[str, str]:
    return move.at[0], move.at[1]


def _some(region: Region, service: str, group: str, dice: random.Random) -> list[Raw]:
    """The next records of some of the partitions that have any, in the order of each."""
    places = region.places(service, group)
    chosen = dice.sample(places, dice.randint(1, len(places))) if places else []
    found: list[Raw] = []
    for place in chosen:
        start = region.readings[service, group].next.get(place, 0)
        found += region.logs.of[place][start : start + dice.choice((1, 2, 5, 20, 60))]
    return found


def _old(region: Region, service: str, group: str, dice: random.Random) -> list[Raw]:
    """Records that were taken before, from somewhere on up to where the group is: it has lost its place."""
    reading = region.readings[service, group]
    places = sorted(place for place, at in reading.next.items() if at)
    if not places:
        return []
    place = dice.choice(places)
    at = reading.next[place]
    return region.logs.of[place][max(0, at - dice.choice((1, 3, 10, 30))) : at]


async def _fire(move: Move, region: Region, dice: random.Random, fate: Fate | None) -> None:
    service, lane, limit = move.at[0], Lane[move.at[1]], dice.choice((1, 3, 20, 100))
    if service == "notify" and dice.random() < SLOW_MAIL:
        limit = 1
        region.post.moods = [dice.choice(("refuse", "not_now", "not_now", "lose", "hold"))]
    try:
        await region.fire(service, lane, limit=limit, number=dice.randrange(REPLICAS), fate=fate)
    finally:
        region.post.moods = []


async def _freeze(move: Move, region: Region, dice: random.Random) -> None:
    service, group = _group(move)
    if dice.random() < 0.5:
        if raws := _some(region, service, group, dice):
            await region.freeze_reader(service, group, raws)
        return
    lane = dice.choice(sorted(region.replicas[service][0].timers))
    await region.freeze_timers(service, lane, limit=dice.choice((1, 10)), number=dice.randrange(REPLICAS))


async def _race(move: Move, region: Region, people: People, dice: random.Random) -> None:
    """A group's commit is held back while something else happens beside it: whoever needs the same rows has to wait."""
    service, group = _group(move)
    raws = _some(region, service, group, dice)
    if not raws:
        return
    fate = Fate(1, "hold")
    others = [one for one in region.readings if one != (service, group) and region.places(*one)]
    beside = dice.choice(["group", "answer", "act"])
    if beside == "group" and others:
        other = dice.choice(others)
        second = region.deliver(*other, _some(region, *other, dice))
    elif beside == "answer":
        second = people.answer(dice, None)
    else:
        second = people.act(dice, None)
    await region.side_by_side(region.deliver(service, group, raws, fate), fate, second)


def replayable(moves: Sequence[Move]) -> list[list[object]]:
    """A history as JSON."""
    return [[move.kind, list(move.at), move.dice] for move in moves]


def replayed(document: Sequence[Sequence[object]]) -> list[Move]:
    """A history from JSON. Raises ValueError for one that is none."""
    found = []
    for kind, at, dice in document:
        if kind not in KINDS or not isinstance(at, list) or not isinstance(dice, int):
            raise ValueError("no history of moves")
        found.append(Move(kind, tuple(map(str, at)), dice))
    return found
