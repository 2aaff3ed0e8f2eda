"""A region of four services in one process: two replicas of each on the real database, and nothing runs by itself.

Whatever happens, happens in a move: a relay publishes, a group takes records, timers fire, time passes, a frozen
process goes on. The services' own code does all of it; only Kafka and the mail server are not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from services.intake import app as intake
from services.matching import app as matching
from services.notify import app as notify
from services.notify.actions.sender import Sender
from services.notify.actions.sending import Office
from services.referral import app as referral
from shared import inbox, timers
from shared.db import AGAIN, UNAVAILABLE, Pool, Signals, connect, lazy_pool
from shared.delivery import Received
from shared.migrate import SERVICES, app_of, loop_of
from shared.parking import Raw
from shared.relay import Relay
from shared.timers import Action, Fired
from shared.types import Lane
from tests.harness.databases import Sql, TestDatabase
from tests.simulation.bus import PARTITIONS, Logs, Mood, Place, Producer, Reading
from tests.simulation.ground import Time, simulated
from tests.simulation.post import Post
from tests.simulation.replica import Crashed, Fate, Replica
from tests.simulation.watch import Watch

T = TypeVar("T")
REPLICAS = 2
SMTP_AT_ONCE = 8
ROUND, MOST_ROUNDS = 100, 400
_FOREVER_S = 3600.0


@dataclass
class Frozen:
    """A process that stands still in the middle of something; `go` lets it go on to its end."""

    go: Callable[[], Coroutine[Any, Any, None]]
    replica: Replica | None = None


@dataclass
class _Seat:
    """The relay that holds the locks of a lane, and its session."""

    connection: Sql
    producer: Producer


class Region:
    """Use `opened`. Every method is one thing that happens; none returns before its consequences have come to rest."""

    def __init__(self, database: TestDatabase, sql: Sql, pools: dict[str, tuple[Pool, Pool]], office: Office) -> None:
        """`sql` is a superuser's connection, for clocks and checks alone."""
        self.database, self.sql, self.office = database, sql, office
        self.time, self.logs = Time(sql), Logs()
        self.post = Post()
        self.on_effect: Callable[[str, str, Sequence[Received]], None] = lambda *_: None
        self.stirred: set[tuple[str, Lane]] = set()
        """Outboxes that may hold something."""
        self.ringing: set[tuple[str, Lane]] = set()
        """Timers that may be due."""
        self.frozen: list[Frozen] = []
        self.crashes = 0
        self.steps = 0
        """Records taken, timers fired, rounds of relays and everything else that has happened."""
        self._pools = pools
        self._seats: dict[tuple[str, Lane], _Seat] = {}
        self.replicas = {service: [self._wired(service) for _ in range(REPLICAS)] for service in SERVICES}
        self.readings = {
            (service, group): Reading(0) for service in SERVICES for group in self.replicas[service][0].groups
        }

    def _wired(self, service: str) -> Replica:
        replica = Replica(service, self._pools[service], partial(self._effect, service), partial(self._woken, service))
        match service:
            case "intake":
                intake.wire(replica, self.office.keyring, None)
            case "matching":
                matching.wire(replica)
            case "referral":
                referral.wire(replica)
            case _:
                senders = {
                    lane: Sender(replica.db, self.office, self.post, at_once=SMTP_AT_ONCE, company_s=0.0)
                    for lane in Lane
                }
                replica.senders = senders
                notify.wire(replica, senders, None)
        return replica

    def _effect(self, service: str, group: str, received: Sequence[Received]) -> None:
        self.on_effect(service, group, received)

    def _woken(self, service: str, wake: str) -> None:
        kind, _, lane = wake.partition(":")
        (self.stirred if kind == "outbox" else self.ringing).add((service, Lane[lane]))

    def attach(self, watch: Watch) -> None:
        """From now on everything is looked at."""
        self.logs.on_append, self.on_effect, self.post.on_arrival = watch.published, watch.took, watch.arrived

    def ring_all(self) -> None:
        """Timers of every lane may be due now."""
        self.ringing |= {(service, lane) for service in SERVICES for lane in self.replicas[service][0].timers}

    def stir_all(self) -> None:
        """Every outbox may hold something."""
        self.stirred |= {(service, lane) for service in SERVICES for lane in Lane}

    def places(self, service: str, group: str) -> list[Place]:
        """Partitions with records that this group has yet to take."""
        reading, topics = self.readings[service, group], self.replicas[service][0].groups[group].topics
        return [
            (topic, part)
            for topic in topics
            for part in range(PARTITIONS)
            if reading.next.get((topic, part), 0) < self.logs.end((topic, part))
        ]

    async def publish(self, service: str, lane: Lane, mood: Mood = "take") -> None:
        """One round of a lane's relay."""
        self.steps += 1
        if (service, lane) not in self._seats:
            login = simulated(self.database.login(loop_of(service), service))
            self._seats[service, lane] = _Seat(await connect(login, idle_timeout_s=_FOREVER_S), Producer(self.logs))
        seat = self._seats[service, lane]
        seat.producer.mood = mood
        login = self.database.login(loop_of(service), service)
        publisher: Any = seat.producer
        relay = Relay(login, lane, publisher, Signals(), prefix="")
        at_work = asyncio.create_task(relay.once(seat.connection))
        if mood == "hold":
            await _first(at_work, seat.producer.frozen)
            seat.producer.mood = "take"
        if not at_work.done() and seat.producer.frozen.is_set():
            await self._lose_session(service, lane, seat, at_work)
        elif not await at_work and mood == "take":
            self.stirred.discard((service, lane))

    async def _lose_session(self, service: str, lane: Lane, seat: _Seat, at_work: asyncio.Task[bool]) -> None:
        # What the server does to a session that is silent for too long; its locks are free from then on.
        await self.sql.fetchval("SELECT pg_terminate_backend($1, 5000)", seat.connection.get_server_pid())
        del self._seats[service, lane]

        async def go() -> None:
            seat.producer.thaw.set()
            await _whatever(at_work)

        self.frozen.append(Frozen(go))

    async def deliver(self, service: str, group: str, raws: Sequence[Raw], fate: Fate | None = None) -> None:
        """The owner of a group takes these records, and goes on behind them."""
        self.steps += len(raws)
        reading = self.readings[service, group]
        replica = self.replicas[service][reading.owner]
        try:
            positions = await self._with_fate(replica, fate, replica.groups[group].delivery.take(raws))
        except Crashed:
            await self.crash(replica)
        else:
            reading.next.update(positions)

    async def deliver_again(self, replica: Replica, group: str, raws: Sequence[Raw]) -> None:
        """A replica that has lost its partitions without knowing takes what it had fetched."""
        await replica.groups[group].delivery.take(raws)

    async def retry_parked(self, service: str, group: str) -> int:
        """One round of trying again what is parked; how many records that were."""
        return await self.replicas[service][0].groups[group].delivery.retry_due()

    def committed(self, service: str) -> dict[Place, int]:
        """What Kafka remembers of all groups of a service, where it remembers anything."""
        readings = [reading for (of, _), reading in self.readings.items() if of == service]
        return {place: at for reading in readings for place, at in reading.committed.items() if at}

    def commit(self, service: str, group: str) -> None:
        """Kafka hears how far a group has come."""
        reading = self.readings[service, group]
        reading.committed |= reading.next

    async def rebalance(self, service: str, group: str) -> None:
        """The partitions of a group go to the other replica, which starts where a group starts."""
        reading = self.readings[service, group]
        reading.owner = (reading.owner + 1) % REPLICAS
        async with self.replicas[service][0].db.loop() as connection:
            stored = await inbox.load_positions(connection)
        topics = self.replicas[service][0].groups[group].topics
        reading.next = {
            (topic, part): min(stored.get((topic, part), 0), reading.committed.get((topic, part), 0))
            for topic in topics
            for part in range(PARTITIONS)
        }

    async def fire(self, service: str, lane: Lane, *, limit: int, number: int, fate: Fate | None = None) -> int:
        """A replica takes due timers of a lane and does their work. Returns how many it took."""
        replica = self.replicas[service][number]
        if lane in replica.still:
            return 0
        action, most = replica.timers[lane]
        fired = await timers.claim(replica.db, lane, min(limit, most))
        if len(fired) < min(limit, most):
            self.ringing.discard((service, lane))
        self.steps += len(fired)
        if fired:
            await self.act(replica, lane, action, fired, fate)
        return len(fired)

    async def act(
        self, replica: Replica, lane: Lane, action: Action, fired: Sequence[Fired], fate: Fate | None = None
    ) -> None:
        """The work of timers that this replica has leased."""
        try:
            await self._with_fate(replica, fate, self._acted(replica, lane, action, fired))
        except Crashed:
            await self.crash(replica)
        except AGAIN:
            # As the loop does: it is leased again when its lease is over.
            self.ringing.add((replica.service, lane))

    async def _acted(self, replica: Replica, lane: Lane, action: Action, fired: Sequence[Fired]) -> None:
        await action(fired)
        sender = replica.senders.get(lane)
        if sender is None:
            return
        settled = asyncio.create_task(sender.settled())
        await _first(settled, self.post.holding)
        if settled.done():
            await settled
            return
        held = self.post.held.pop()
        self.post.holding.clear()
        replica.still.add(lane)

        async def go() -> None:
            replica.still.discard(lane)
            held.set()
            try:
                await settled
            except Crashed:
                await self.crash(replica)

        self.frozen.append(Frozen(go, replica))

    async def _with_fate(self, replica: Replica, fate: Fate | None, work: Coroutine[Any, Any, Any]) -> Any:
        replica.fated.fate = fate
        try:
            return await work
        finally:
            replica.fated.fate = None

    async def at_door(
        self, service: str, number: int, work: Coroutine[Any, Any, T], fate: Fate | None = None
    ) -> T | None:
        """What somebody does at a replica's door; None when it dies in the middle."""
        replica = self.replicas[service][number]
        try:
            answer: T = await self._with_fate(replica, fate, work)
        except Crashed:
            await self.crash(replica)
            return None
        return answer

    async def side_by_side(
        self, first: Coroutine[Any, Any, None], fate: Fate, second: Coroutine[Any, Any, None]
    ) -> None:
        """The first is held at its commit until the second has ended, or waits for a lock of the first."""
        leading = asyncio.create_task(first)
        await _first(leading, fate.reached)
        following = asyncio.create_task(second)
        while not following.done() and not (fate.reached.is_set() and await self.sql.fetchval(_WAITING)):
            await asyncio.wait({following}, timeout=0.001)
        fate.go.set()
        await leading
        await following

    async def crash(self, replica: Replica) -> None:
        """The process is gone with all that it held in memory. Another takes its place, its groups go to its fellow."""
        self.crashes += 1
        number = self.replicas[replica.service].index(replica)
        self.frozen = [one for one in self.frozen if one.replica is not replica]
        replica.fated.dead = True
        self.replicas[replica.service][number] = self._wired(replica.service)
        for (service, group), reading in self.readings.items():
            if service == replica.service and reading.owner == number:
                await self.rebalance(service, group)

    async def freeze_timers(self, service: str, lane: Lane, *, limit: int, number: int) -> None:
        """A replica leases timers and stands still before it does their work."""
        replica = self.replicas[service][number]
        action, most = replica.timers[lane]
        if fired := await timers.claim(replica.db, lane, min(limit, most)):
            go = partial(self.act, replica, lane, action, fired)
            self.frozen.append(Frozen(go, replica))

    async def freeze_reader(self, service: str, group: str, raws: Sequence[Raw]) -> None:
        """A replica has fetched these records, stands still, and its partitions go to the other one."""
        replica = self.replicas[service][self.readings[service, group].owner]
        go = partial(self.deliver_again, replica, group, raws)
        self.frozen.append(Frozen(go, replica))
        await self.rebalance(service, group)

    async def settle(self) -> None:
        """Whatever can happen now happens, without a fault, until nothing is left to happen before time passes."""
        for _ in range(MOST_ROUNDS):
            if not await self._round():
                return
        raise RuntimeError("the region does not come to rest")

    async def _round(self) -> bool:
        busy = False
        for service, lane in sorted(self.stirred):
            busy = True
            await self.publish(service, lane)
        for service, group in self.readings:
            for place in self.places(service, group):
                busy = True
                start = self.readings[service, group].next.get(place, 0)
                await self.deliver(service, group, self.logs.of[place][start : start + ROUND])
        for service, lane in sorted(self.ringing):
            busy = bool(await self.fire(service, lane, limit=ROUND, number=0)) or busy
        return busy

    async def thaw(self, one: Frozen) -> None:
        """A process that stood still goes on."""
        self.frozen.remove(one)
        await one.go()

    async def pass_(self, seconds: float) -> None:
        """Time passes."""
        await self.time.pass_(seconds)
        self.ring_all()

    async def jump(self, seconds: float) -> None:
        """The region's clock is moved forward."""
        await self.time.jump(seconds)
        self.ring_all()

    async def close(self) -> None:
        """Give everything back."""
        for one in list(self.frozen):
            await self.thaw(one)
        for seat in self._seats.values():
            await seat.connection.close()


_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def _first(task: asyncio.Task[Any], event: asyncio.Event) -> None:
    """Return when the task has ended or the event is set."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _whatever(task: asyncio.Task[Any]) -> None:
    try:
        await task
    except UNAVAILABLE:
        return


@asynccontextmanager
async def opened(database: TestDatabase, office: Office) -> AsyncIterator[Region]:
    """A region on this database; its logs are empty."""
    async with AsyncExitStack() as stack:
        sql = await database.superuser()
        stack.push_async_callback(sql.close)
        pools = {}
        for service in SERVICES:
            app = await lazy_pool(simulated(database.login(app_of(service), service)), size=4)
            loop = await lazy_pool(simulated(database.login(loop_of(service), service)), size=2)
            stack.push_async_callback(app.close)
            stack.push_async_callback(loop.close)
            pools[service] = (app, loop)
        region = Region(database, sql, pools, office)
        await region.time.read()
        stack.push_async_callback(region.close)
        yield region
