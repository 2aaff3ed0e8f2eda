"""One history of a region: moves that the seed picks, then rest, then the end of every case; promises all along."""

from __future__ import annotations

import asyncio
import hashlib
import json
import pickle
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.intake.routes.desk import PAGES, read_notices
from services.notify.actions.sending import Office
from shared.vault import Keyring
from tests.simulation import rebuilt, spoilt, trail
from tests.simulation import region as regions
from tests.simulation import town as towns
from tests.simulation.entropy import STREAM
from tests.simulation.ground import Ground
from tests.simulation.moves import Move, choose, make
from tests.simulation.people import People
from tests.simulation.region import Region
from tests.simulation.watch import Broken, Watch

OFFICE = Office(Keyring({1: bytes(32)}, bytes(range(32))), "http://simulation.test")
MOVES = 400
"""Of one history, before everything comes to rest."""
MOST_ASKED = 25
LOOK_EVERY = 100
STUCK_S = 30.0
"""A move that takes longer waits for something that never comes."""
MOST_HOPS = 400
SEALED = {"sealed", "points", "question", "answer"}
"""Fields that are sealed under keys which no seed makes."""


@dataclass
class Told:
    """What came of a history. `broken` is the promise that did not hold, after so many moves."""

    moves: list[Move] = field(default_factory=list)
    steps: int = 0
    crashes: int = 0
    requests: int = 0
    mails: int = 0
    digest: str = ""
    """Tells two histories apart: what was published, in which order, and who was sent what."""
    broken: Broken | None = None
    error: Exception | None = None

    @property
    def failed(self) -> str:
        """The name of what did not hold, or of the error; "" when all went well."""
        if self.broken is not None:
            return str(self.broken).partition(":")[0]
        return type(self.error).__name__ if self.error is not None else ""


@dataclass(frozen=True)
class Prepared:
    """A region with its agencies, to begin histories from: the database's name, and what was in memory."""

    template: str
    memory: bytes


@asynccontextmanager
async def prepared(ground: Ground) -> AsyncIterator[Prepared]:
    """Build the agencies once."""
    STREAM.restart()
    STREAM.seed(1)
    async with ground.database() as database:
        async with regions.opened(database, OFFICE) as region:
            region.attach(watch := _watch(region))
            town = await towns.build(region)
            await watch.after_move()
            memory = pickle.dumps((dict(region.logs.of), region.readings, region.post.arrived, watch.memory(), town))
        yield Prepared(database.name, memory)


def _watch(region: Region) -> Watch:
    groups = {
        (service, name): group.topics
        for service, replicas in region.replicas.items()
        for name, group in replicas[0].groups.items()
    }
    return Watch(region.sql, OFFICE, groups)


class History:
    """A region in which moves are made."""

    def __init__(self, region: Region, watch: Watch, people: People) -> None:
        """Use `opened`."""
        self.region, self.watch, self.people = region, watch, people
        self.told = Told()
        self._rests = 0

    @property
    def directory_moved(self) -> bool:
        """Somebody has come or gone: whoever reads it all again must come to the same."""
        return any(move.kind == "staff" for move in self.told.moves)

    @property
    def spoilt(self) -> bool:
        """Somebody has written what is not ours."""
        return any(move.kind == "spoil" for move in self.told.moves)

    async def make(self, move: Move) -> None:
        """One move, and what must hold after it."""
        STREAM.seed(move.dice)
        self.told.moves.append(move)
        async with asyncio.timeout(STUCK_S):
            await make(move, self.region, self.people)
        self.people.tell(self.watch)
        await self.watch.after_move()

    def _reseed(self, what: str) -> None:
        """Chance goes on from the last move, and never twice from the same place."""
        self._rests += 1
        last = self.told.moves[-1].dice if self.told.moves else 0
        STREAM.seed(int.from_bytes(hashlib.blake2b(f"{what} {self._rests} {last}".encode(), digest_size=8).digest()))

    async def rest(self) -> None:
        """Everything frozen goes on, everything that can happen happens, and it must hold what holds at rest."""
        self._reseed("rest")
        for one in list(self.region.frozen):
            if one in self.region.frozen:
                await self.region.thaw(one)
        # Whatever a dead process had leased is free again.
        await self.region.time.end_leases()
        self.region.stir_all()
        self.region.ring_all()
        await self.region.settle()
        while self.spoilt and await spoilt.give_up(self.region):
            await self.region.settle()
        self.people.tell(self.watch)
        await self.watch.after_move()
        await self.watch.at_rest()

    async def end(self) -> None:
        """Whoever was not answered asks again; everybody withdraws; time passes until nothing of any case is left."""
        self._reseed("end")
        dice = random.Random(0)
        for one in self.people.requesters:
            if not one.answered:
                await self.people.submit(one, 0, None)
        await self.rest()
        for one in self.people.requesters:
            await self.people.act_of(one, dice, None, only="withdraw")
        await self.rest()
        for _ in range(MOST_HOPS):
            due = await self.region.time.next_of_cases()
            if due is None:
                break
            await self.region.pass_(due + 1)
            await self.region.settle()
        await self.rest()
        await self.watch.at_end(len(self.people.cases))


@asynccontextmanager
async def opened(ground: Ground, start: Prepared) -> AsyncIterator[History]:
    """A history that begins with the agencies in place."""
    STREAM.restart()
    STREAM.seed(2)
    logs, readings, arrived, known, town = pickle.loads(start.memory)  # noqa: S301 - our own, of this very process
    async with ground.database(start.template) as database, regions.opened(database, OFFICE) as region:
        region.logs.of.update(logs)
        region.readings.update(readings)
        region.post.arrived.extend(arrived)
        watch = _watch(region)
        watch.recall(known)
        region.attach(watch)
        yield History(region, watch, People(region, town, read_notices(PAGES / "notices")))


async def told_by(ground: Ground, start: Prepared, moves: Callable[[History], AsyncIterator[Move]]) -> Told:
    """Make moves, rest, end; whatever breaks is told and not raised."""
    async with opened(ground, start) as history:
        told = history.told
        try:
            made = 0
            async for move in moves(history):
                await history.make(move)
                made += 1
                if made % LOOK_EVERY == 0:
                    await history.rest()
            await history.rest()
            await trail.whole(history.region)
            await history.end()
            await trail.whole(history.region)
            if history.directory_moved:
                await rebuilt.same(ground, history.region, OFFICE)
        except Broken as broken:
            told.broken = broken
        except Exception as error:  # noqa: BLE001 - an error of the product is what is looked for
            told.error = error
        told.steps, told.crashes = history.region.steps, history.region.crashes
        told.digest = _digest(history.region)
        told.requests, told.mails = len(history.people.requesters), len(history.region.post.arrived)
        return told


def _digest(region: Region) -> str:
    found = hashlib.sha256()
    for place, raws in sorted(region.logs.of.items()):
        for raw in raws:
            found.update(repr((place, raw.key, _unsealed(raw.value))).encode())
    for mail in region.post.arrived:
        found.update(repr((mail.address, mail.purpose, mail.token)).encode())
    return found.hexdigest()


def _unsealed(value: bytes) -> object:
    try:
        return {name: told for name, told in json.loads(value).items() if name not in SEALED}
    except ValueError:
        return value


async def of_seed(ground: Ground, start: Prepared, seed: int, *, moves: int = MOVES) -> Told:
    """The history that a seed picks."""
    scheduler = random.Random(seed)

    async def picked(history: History) -> AsyncIterator[Move]:
        for _ in range(moves):
            yield choose(scheduler, history.region, len(history.people.requesters), MOST_ASKED)

    return await told_by(ground, start, picked)


async def of_moves(ground: Ground, start: Prepared, moves: Sequence[Move]) -> Told:
    """A history that is known already, or a part of one."""

    async def known(history: History) -> AsyncIterator[Move]:
        del history
        for move in moves:
            yield move

    return await told_by(ground, start, known)
