"""The life of a service's process: open what it needs, serve, keep its loops running, stop cleanly.

HTTP is up before anything else is. With the bus down a request is still accepted and flows when it is back; with the
database down or silent every door says so, within seconds.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import uvicorn
import uvloop
from aiokafka.errors import KafkaError
from starlette.types import ASGIApp

from shared import brake, broker, checks, clock, faults, heartbeats, metrics, telemetry
from shared.auditor import Auditor
from shared.checks import Beat, Bounds, Limits, Offsets, Pulse
from shared.db import AGAIN, DOORS_WITHIN_S, UNAVAILABLE, Connection, Database, Login, lazy_pool
from shared.delivery import Absorb, Delivery
from shared.errors import places_of
from shared.http import metrics as metrics_door
from shared.http.health import Health
from shared.migrate import app_of, loop_of
from shared.publisher import Publisher
from shared.relay import Relay
from shared.sealer import Sealer
from shared.settings import Settings
from shared.timers import BATCH, Action, TimerLoop
from shared.types import AgencyId, Lane

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0
CATCH_UP_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
GARBAGE_AFTER = 20_000
"""New objects between two looks for cyclic garbage; a batch of some hundred events makes as many and keeps none."""
ASKED_EVERY_S = 1.0
CRISIS_POOL = 4
LOOP_POOL = 4
CRISIS_LOOP_POOL = 2
"""Claims of crisis timers and crisis records: they wait for no other loop of this process either."""


class OffBus(Exception):
    """This process has not reached Kafka yet."""


class _Server(uvicorn.Server):
    """Signals belong to the process, not to its HTTP server."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave them alone."""
        yield


class Process:
    """One replica of one service. Declare groups, timers and the ASGI app, then `run`."""

    def __init__(self, service: str, settings: Settings, db: Database, crisis: Database) -> None:
        """Use `opened`."""
        self.service, self.settings, self._db, self._crisis = service, settings, db, crisis
        self.broker = broker.broker(settings)
        self.publisher = Publisher(partial(broker.producer, settings))
        self.relays = [
            Relay(login(service, settings, loop=True), lane, self.publisher, db.signals, prefix=settings.topic_prefix)
            for lane in Lane
        ]
        self.auditor = Auditor(db, self, replica=settings.replica, limits=Limits(late_s=settings.late_s))
        self._groups: list[broker.Group] = []
        self._deliveries: dict[str, Delivery] = {}
        self._loops: list[Callable[[], Coroutine[Any, Any, None]]] = [
            Sealer(login(service, settings, loop=True)).run,
            self.auditor.run,
        ]
        self._firsts: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._app: ASGIApp | None = None
        self._asking, self._asked_at, self._beats = asyncio.Lock(), float("-inf"), list[Beat]()
        self._sources = [metrics.HOUSE, metrics.Source((metrics.OVER_LIMIT,), self._over_limit)]
        self._on_bus = False
        self._connected = asyncio.Event()

    @property
    def db(self) -> Database:
        """The database of everything but emergencies."""
        return self._db

    def db_of(self, lane: Lane) -> Database:
        """The database as a lane reaches it: the crisis lane has connections of its own and waits for nobody's."""
        return self._crisis if lane is Lane.CRISIS else self.db

    def doors_of(self, lane: Lane) -> Database:
        """The same for doors: whoever stands there is told within seconds that the database is not there."""
        return self.db_of(lane).within(DOORS_WITHIN_S)

    def consume(
        self,
        lane: str,
        topics: Sequence[str],
        absorb: Absorb,
        *,
        beside: Collection[AgencyId] = (),
    ) -> None:
        """A consumer group `<service>.<lane>` over logical topics; `absorb` brings events to their effect.

        The agencies in `beside` are in view with those of the records.
        """
        road = Lane[lane.upper()] if lane.upper() in Lane.__members__ else Lane.BULK
        delivery = Delivery(
            self.db_of(road),
            absorb,
            group=f"{self.service}.{lane}",
            topics=topics,
            fingerprint_key=self.settings.fingerprint_key.get_secret_value(),
            beside=beside,
            limits=brake.Limits(),
            # An emergency behind a bad record cannot wait for somebody who mends something.
            halts=road is not Lane.CRISIS,
            reread=broker.reread(self.settings),
        )
        self._deliveries[lane] = delivery
        group = broker.Group(self.broker, self.db_of(road), delivery, self.settings)
        group.subscribe(f"{self.service}.{lane}", topics)
        self._groups.append(group)
        self._loops += [group.keep_committing, delivery.retry_parked]
        if len(self._groups) == 1:
            self._loops.append(delivery.sweep)

    def on_timers(self, lane: Lane, action: Action, *, batch: int = BATCH) -> None:
        """Run `action` with up to `batch` due timers of a lane; they must be done within `timers.LEASE_S`.

        Crisis timers never wait for consumers to catch up.
        """
        ready = self._at_once if lane is Lane.CRISIS else self._caught_up
        self._loops.append(TimerLoop(self.db_of(lane), lane, action, ready=ready, batch=batch).run)

    def first(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Something to do once, as soon as the database is there and before any loop; the doors are open meanwhile."""
        self._firsts.append(work)

    def serve(self, app: ASGIApp) -> None:
        """The ASGI application to serve on the settings' host and port."""
        self._app = app

    @property
    def app(self) -> ASGIApp:
        """What it serves. Raises `RuntimeError` before `serve`."""
        if self._app is None:
            raise RuntimeError("a process serves at least its health")
        return self._app

    def measure(self, source: metrics.Source) -> None:
        """Tell Prometheus these metrics too."""
        self._sources.append(source)

    async def measured(self) -> str:
        """Every metric of this service, as Prometheus reads it. Raises what the database raises."""
        async with asyncio.timeout(2), self.db.loop() as connection:
            samples = [sample for source in self._sources for sample in await source.read(connection)]
        return metrics.exposition(self.service, [name for source in self._sources for name in source.names], samples)

    async def ready(self) -> dict[str, bool]:
        """What readiness depends on, by name."""
        try:
            async with asyncio.timeout(2), self.db.loop() as connection:
                database = await connection.fetchval("SELECT true")
        except UNAVAILABLE:
            database = False
        return {
            "database": bool(database),
            "bus": self._on_bus,
            "relay": not any(relay.stuck for relay in self.relays),
            "consumers": not self.stopped(),
        }

    async def _over_limit(self, _: Connection) -> list[metrics.Sample]:
        return [
            metrics.Sample(metrics.OVER_LIMIT, float(one.over_limit), lane) for lane, one in self._deliveries.items()
        ]

    @property
    def health(self) -> Health:
        """What the doors of health are answered from."""
        return Health(self.ready, self.pulses)

    async def pulses(self) -> list[Pulse]:
        """How all four services are. Raises what the database raises."""
        # The door is public: whoever asks again and again gets the same answer, and one connection for all.
        async with self._asking:
            if clock.monotonic() - self._asked_at >= ASKED_EVERY_S:
                async with self.db.loop() as connection:
                    self._beats, self._asked_at = await heartbeats.read(connection), clock.monotonic()
        return checks.pulses(self._beats, self.settings.deadman_s)

    def stopped(self) -> int:
        """How many consumers of this process have stopped, having parked too much."""
        return sum(delivery.stopped for delivery in self._deliveries.values())

    def committed(self) -> Offsets:
        """What the consumers of this process have committed, of the partitions that they have."""
        return {place: at for group in self._groups for place, at in group.committed().items()}

    async def bounds(self) -> Bounds:
        """Where all partitions of the topics of its running consumers begin and end now, whichever replica has them.

        Raises when Kafka does not answer, or never has.
        """
        if not self._on_bus:
            raise OffBus
        found = await asyncio.gather(*(group.bounds() for group in self._groups))
        return {place: bounds for one in found for place, bounds in one.items()}

    def _servers(self) -> list[_Server]:
        settings = self.settings
        doors: list[tuple[ASGIApp, str, int]] = [(self.app, settings.http_host, settings.http_port)]
        if settings.metrics_port:
            doors.append((metrics_door.app(self.measured), settings.metrics_host, settings.metrics_port))
        quiet: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False, "lifespan": "off"}
        return [_Server(uvicorn.Config(app, host=host, port=port, **quiet)) for app, host, port in doors]

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop in order: no new work, finish, commit offsets.

        Raises `UnsafeLogin` as soon as the database has told that a login may too much, `MovedClock` in production.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        servers = self._servers()
        serving = [asyncio.create_task(server.serve()) for server in servers]
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, *serving, working], return_when=asyncio.FIRST_COMPLETED)
        for number in (signal.SIGTERM, signal.SIGINT):
            # A second signal must not cut the clean stop short, not even when the loop has given its handlers back.
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        for server in servers:
            server.should_exit = True
        await asyncio.wait(serving, timeout=STOP_WITHIN_S)
        failed = working.exception() if working.done() else None
        await self._stop(working)
        if failed is not None:
            raise failed

    async def _work(self) -> None:
        """Everything but the doors, from the moment that the database is there."""
        # Reaching it is the first of all.
        for one in (self.db.reached, *self._firsts):
            await self._patiently(one)
        async with asyncio.TaskGroup() as together:
            for one in self._loops:
                together.create_task(self._forever(one))
            for relay in self.relays:
                together.create_task(self._relay(relay))
            together.create_task(self.join_bus())

    async def _patiently(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await work()
            except (*UNAVAILABLE, *AGAIN) as error:
                log.warning("waiting for the database: %s", type(error).__name__)
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                return

    async def _stop(self, working: asyncio.Task[None]) -> None:
        for group in self._groups:
            await group.commit()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self.broker.stop()
                await self.publisher.stop()
        except (KafkaError, TimeoutError) as error:
            log.warning("the bus did not stop in time: %s", type(error).__name__)

    async def join_bus(self) -> None:
        """Connect to Kafka, for as long as it takes; the clients reconnect by themselves afterwards."""
        while not self._on_bus:
            try:
                if not self._connected.is_set():
                    await self.publisher.start()
                    # Started twice, it would send with two loops under one id.
                    self._connected.set()
                await self.broker.start()
            except Exception as error:
                where = "Kafka" if isinstance(error, (KafkaError, OSError)) else places_of(error)
                log.warning("%s waits for the bus: %s at %s", self.service, type(error).__name__, where)
                await self._off_bus()
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                self._on_bus = True
                log.info("%s is on the bus", self.service)

    async def _off_bus(self) -> None:
        """Stop the consumers that had started: the next start starts all of them, and none may run twice."""
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self.broker.stop()
        except Exception as error:
            log.warning("consumers did not stop in order: %s", type(error).__name__)

    async def _relay(self, relay: Relay) -> None:
        await self._connected.wait()
        await self._forever(relay.run)

    async def _forever(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await run()
            except Exception as error:
                log.error("a loop of %s failed: %s at %s", self.service, type(error).__name__, places_of(error))
                await asyncio.sleep(AGAIN_AFTER_S)

    async def _at_once(self) -> None:
        return

    async def _caught_up(self) -> None:
        try:
            async with asyncio.timeout(CATCH_UP_WITHIN_S):
                await asyncio.gather(*(group.caught_up() for group in self._groups))
        except TimeoutError:
            log.warning("%s has not caught up within %d s; timers run now", self.service, CATCH_UP_WITHIN_S)


def launch(main: Coroutine[Any, Any, None]) -> None:
    """Run a service's main coroutine on uvloop, until it ends."""
    # What was imported stays for ever: the collector need not go through it again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    uvloop.run(main)


def login(service: str, settings: Settings, *, loop: bool = False) -> Login:
    """A service's login: as `app`, or as `loop`."""
    return Login(
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database,
        user=loop_of(service) if loop else app_of(service),
        password=(settings.loop_password if loop else settings.app_password).get_secret_value(),
        schema=service,
        steady_clock=settings.environment == "production",
    )


@asynccontextmanager
async def opened(service: str, settings: Settings) -> AsyncIterator[Process]:
    """A process with pools that connect when they are asked: nothing here waits for the database."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    faults.arm_from(settings.fault, settings.environment == "production", marker=settings.fault_marker)
    telemetry.configure(service, instance=settings.replica)
    app_pool = await lazy_pool(login(service, settings), size=settings.pool_size)
    loop_pool = await lazy_pool(login(service, settings, loop=True), size=LOOP_POOL)
    crisis_pool = await lazy_pool(login(service, settings), size=CRISIS_POOL)
    crisis_loop_pool = await lazy_pool(login(service, settings, loop=True), size=CRISIS_LOOP_POOL)
    db = Database(app_pool, loop_pool, service)
    try:
        yield Process(service, settings, db, db.beside(crisis_pool, crisis_loop_pool))
    finally:
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await asyncio.gather(crisis_pool.close(), crisis_loop_pool.close(), db.close())
        except TimeoutError:
            log.warning("connections were cut at the stop")
        telemetry.shutdown()
