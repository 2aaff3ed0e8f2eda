"""Apache Kafka as one KRaft node on loopback."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local import java
from deploy.local.errors import EngineDeadError
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.probe import kafka_probe
from deploy.local.supervisor import Program
from deploy.local.tool import run_tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEAP_MEGABYTES = 400
UUID_BYTES = 16


def settings(*, durable: bool) -> dict[str, str]:
    """What a broker is told wherever it runs, in a container too; nothing of it is an address or a place.

    Flushing every message is what lets an acknowledged one survive a power cut.
    """
    single = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.listener.names": "CONTROLLER",
        "auto.create.topics.enable": "false",
        "delete.topic.enable": "true",
        "num.partitions": "12",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        **{f"{name}.replication.factor": "1" for name in single},
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        # A killed broker is let in again when its old session has ended: 9 s by default, and nobody else waits here.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "message.max.bytes": str(1 << 20),
        "log.cleaner.dedupe.buffer.size": str(16 << 20),
        "num.recovery.threads.per.data.dir": "2",
        **({"log.flush.interval.messages": "1"} if durable else {}),
    }


def properties(*, data: Path, ports: Ports, durable: bool) -> dict[str, str]:
    """Settings of the broker on this machine, with its addresses."""
    return settings(durable=durable) | {
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports.kafka_controller}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{ports.kafka},CONTROLLER://{LOOPBACK}:{ports.kafka_controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{ports.kafka}",
        "log.dirs": str(data),
    }


def environment(properties: Mapping[str, str]) -> dict[str, str]:
    """The same as variables, as the image `apache/kafka` takes them: KAFKA_ and the name, `.` as `_`."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in properties.items()}


LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601_OFFSET_DATE_TIME_HHCMM} %p %c{1} %m%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = OUT
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
"""


class Kafka:
    """Files and command line of the broker below `<state>/kafka`."""

    def __init__(self, *, state: Path, jars: Sequence[Path], archive: java.Archive, durable: bool) -> None:
        """`jars` is the class path; `durable` flushes every record to the disk before it is acknowledged."""
        self.folder = state / "kafka"
        self.data = self.folder / "data"
        self._jars = tuple(jars)
        self._durable = durable
        self._archive = archive

    async def prepare(self, ports: Ports) -> None:
        """Write the settings and format the data folder if it is new; raises EngineDeadError when formatting fails."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = (
            f"{name}={value}" for name, value in properties(data=self.data, ports=ports, durable=self._durable).items()
        )
        self._properties.write_text("\n".join([*lines, ""]))
        (self.folder / "log4j2.properties").write_text(LOGGING)
        if not (self.data / "meta.properties").is_file():
            await self._format()

    def program(self, ports: Ports) -> Program:
        """The broker as a process to supervise; `prepare` comes first."""
        return Program(
            name="kafka",
            argv=self._java("kafka.Kafka", str(self._properties), options=self._archive.options),
            ready=kafka_probe(LOOPBACK, ports.kafka),
            inherit=False,
            cwd=self.folder,
            grace=30.0,
        )

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _java(self, *run: str, options: Sequence[str]) -> tuple[str, ...]:
        logging = (f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}", f"-Dkafka.logs.dir={self.folder}")
        path = ("-cp", os.pathsep.join(map(str, self._jars)))
        return java.command(heap_megabytes=HEAP_MEGABYTES, options=(*options, *logging, *path), run=run)

    async def _format(self) -> None:
        log = self.folder / "format.log"
        # Kafka's own identifiers are 16 bytes in URL-safe base 64 and must not begin with a dash.
        cluster = "P" + secrets.token_urlsafe(UUID_BYTES)[1:]
        run = ("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
        if await run_tool(*self._java(*run, options=self._archive.reading), log=log):
            raise EngineDeadError(name="kafka", reason="could not format its data folder", log=log)
