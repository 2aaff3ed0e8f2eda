"""Every place in which this region's engines and services write something down, searched for texts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.migrate import SERVICES
from tests.harness.region import Region
from tests.trust.scan import files_of, found_in_files, found_in_text, found_number
from tests.trust.tables import rows

BROKER_ID = "1"
ANSWERS = ("/health/live", "/health/ready", "/health/deadman", "/metrics", "/openapi.json", "/docs", "/")
LOOKBACK_MS = 3_600_000
MOST_TRACES = 5_000

Texts = Mapping[str, str]
_OF_A_TEST = re.compile(r"t\d+\.")


@dataclass(frozen=True)
class Stores:
    """`kafka` and `postgres` are the folders in which the engines keep what they were given.

    Engines may be shared with other tests: of their topics and databases only this region's own are read.
    """

    region: Region
    kafka: Path
    postgres: Path
    oid: str
    since: float
    """When the region was made (real time): files that nobody has written to since hold nothing of it."""

    @property
    def logs(self) -> list[Path]:
        """What was logged by the engines, and by the services of this region."""
        # The engines of one state folder keep their logs beside Kafka's data: `<state>/kafka/data`, `<state>/log`.
        return [self.kafka.parents[1] / "log", *self.region.folder.glob("*.log")]

    @property
    def segments(self) -> list[Path]:
        """The folders of the region's topics, and of those that belong to no test."""
        own = self.region.topics.prefix
        return [one for one in self.kafka.iterdir() if one.name.startswith(own) or not _OF_A_TEST.match(one.name)]

    @property
    def pages(self) -> list[Path]:
        """The files of the database, without its log."""
        beside = [one for one in self.postgres.iterdir() if one.name not in {"base", "pg_wal"}]
        return [self.postgres / "base" / self.oid, *beside]

    async def search(self, texts: Texts, *, stems: Sequence[str] = ()) -> dict[str, set[str]]:
        """Which texts stand in which store. PostgreSQL has then written everything to its files."""
        sql = await self.region.sql()
        await sql.execute("CHECKPOINT")

        async def in_files(roots: list[Path]) -> set[str]:
            return await asyncio.to_thread(found_in_files, roots, texts, stems=stems, since=self.since)

        found = {
            "kafka": await in_files(self.segments),
            "postgres": await in_files(self.pages),
            "wal": await in_files([self.postgres / "pg_wal"]),
            "logs": await in_files(self.logs),
            "rows": found_in_text("\n".join(row.text for row in await rows(sql)), texts),
            "spans": found_in_text(await self.spans(), texts),
            "answers": found_in_text(await self.answers(), texts),
        }
        return {store: names for store, names in found.items() if names}

    async def number(self, number: str) -> list[str]:
        """The stores in which a number of few digits stands by itself; of files, those of this region alone."""
        sql = await self.region.sql()
        own = [self.kafka.glob(f"{self.region.topics.prefix}*"), self.region.folder.glob("*.log")]
        texts = {
            "files": "\n".join(_text_of(path) for group in own for root in group for path in files_of(root)),
            "rows": "\n".join(row.text for row in await rows(sql)),
            "spans": await self.spans(),
            "answers": await self.answers(),
        }
        return [name for name, text in texts.items() if found_number(text, number)]

    async def spans(self) -> str:
        """Every trace of the last hour, as Zipkin gives it out."""
        url = f"{self.region.endpoints.zipkin_url}/api/v2/traces"
        options = {"limit": str(MOST_TRACES), "lookback": str(LOOKBACK_MS)}
        async with self.region.http.get(url, params=options) as answer:
            answer.raise_for_status()
            return await answer.text()

    async def answers(self) -> str:
        """What the services say to whoever asks how they are, headers included."""
        said = [await _said(self.region, self.region.url(name) + path) for name in SERVICES for path in ANSWERS]
        return "\n".join(said)


@asynccontextmanager
async def log_kept(region: Region) -> AsyncIterator[None]:
    """While this lasts PostgreSQL removes nothing of its log: what was written is there to be searched at the end."""
    sql = await region.sql()
    await sql.execute("ALTER SYSTEM SET wal_keep_size = '8GB'")
    await sql.execute("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        await sql.execute("ALTER SYSTEM RESET wal_keep_size")
        await sql.execute("SELECT pg_reload_conf()")


async def _said(region: Region, url: str) -> str:
    try:
        async with region.http.get(url, allow_redirects=False) as answer:
            return f"{dict(answer.headers)}\n{await answer.text()}"
    except aiohttp.ClientError:
        return ""


def _text_of(path: Path) -> str:
    return path.read_bytes().decode("latin-1")


async def stores_of(region: Region) -> Stores:
    """Where the engines of a region keep their data, as they say themselves."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=region.endpoints.kafka)
    await admin.start()
    try:
        (told,) = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, BROKER_ID)])
    finally:
        await admin.close()
    entries = told.resources[0][4]
    folder = next(entry[1] for entry in entries if entry[0] == "log.dirs")
    sql = await region.sql()
    oid = await sql.fetchval("SELECT oid::text FROM pg_database WHERE datname = current_database()")
    made = region.keyring.stat().st_mtime
    return Stores(region, Path(folder), Path(await sql.fetchval("SHOW data_directory")), oid, made)
