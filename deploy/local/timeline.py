"""One case as a timeline, from the events of this run as Kafka has them: times relative, persons as letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from rich.table import Table

from deploy.local.sentences import sentence, spoken
from shared.errors import UnknownEvent, Unprocessable
from shared.events import TOPICS, Envelope, Fact, decode, from_headers
from shared.types import CaseId, PersonId

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Seen:
    """An event as it stood in Kafka."""

    envelope: Envelope
    fact: Fact
    ahead: timedelta = timedelta()
    """How far the region's clock was ahead of the machine's: due times are the region's, events say the machine's."""


@dataclass
class Watcher:
    """Everything published since it began to watch, in the order of arrival."""

    ahead: timedelta = timedelta()
    """How far the region's clock is ahead of the machine's; whoever moves the one says so here."""
    seen: list[Seen] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, record: ConsumerRecord) -> None:
        """Note one record; what cannot be read is not this case's."""
        try:
            envelope = from_headers(record.headers)
            fact = decode(envelope.type, record.value or b"")
        except (UnknownEvent, Unprocessable):
            return
        self.seen.append(Seen(envelope, fact, self.ahead))
        self._news.set()

    def of(self, case: CaseId) -> list[Seen]:
        """What was published about a case, by the time it was said."""
        mine = [one for one in self.seen if one.envelope.subject == case]
        return sorted(mine, key=lambda one: one.envelope.time)

    async def first(self, kind: type[F], *, case: CaseId | None = None, within_s: float = 30.0) -> tuple[Seen, F]:
        """The first event of this kind, of a case if given; waits for it. Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while True:
                for one in self.seen:
                    if isinstance(one.fact, kind) and case in {None, one.envelope.subject}:
                        return one, one.fact
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def watching(kafka: str, prefix: str = "", *, ahead: timedelta = timedelta()) -> AsyncIterator[Watcher]:
    """Read every topic of a region from now on, as a consumer of its own that no service shares an offset with.

    `ahead` is how far the region's clock is ahead of the machine's.
    """
    consumer = AIOKafkaConsumer(
        *(prefix + topic for topic in TOPICS),
        bootstrap_servers=kafka,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="latest",
        client_id="peerline-timeline",
    )
    await consumer.start()
    # Where each partition ends is asked lazily; the first event must not come before that.
    for place in consumer.assignment():
        await consumer.position(place)
    watcher = Watcher(ahead)
    reading = asyncio.create_task(_read(consumer, watcher))
    try:
        yield watcher
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, watcher: Watcher) -> None:
    async for record in consumer:
        watcher.take(record)


class Letters:
    """Calls persons A, B, C in the order in which they are first named."""

    def __init__(self) -> None:
        self._known: dict[PersonId, str] = {}

    def __call__(self, person: PersonId) -> str:
        """The letter of a person."""
        number = len(self._known)
        return self._known.setdefault(person, f"{chr(ord('A') + number % 26)}{number // 26 or ''}")


@dataclass(frozen=True)
class Line:
    """One line of a timeline: how long after its beginning, who said it, what happened."""

    after: timedelta
    service: str
    text: str


def lines(seen: Sequence[Seen]) -> list[Line]:
    """The timeline of one case's events."""
    if not seen:
        return []
    begin, letters, ahead = seen[0].envelope.time, Letters(), seen[0].ahead
    found = []
    for one in seen:
        after = one.envelope.time - begin
        if one.ahead > ahead:
            found.append(Line(after, "", f"(the region's clock has been put forward by {spoken(one.ahead - ahead)})"))
            ahead = one.ahead
        text = sentence(one.fact, letters, one.envelope.time + one.ahead)
        if text:
            found.append(Line(after, one.fact.type.partition(".")[0], text))
    return found


def table(seen: Sequence[Seen]) -> Table:
    """The timeline for a terminal."""
    shown = Table("after", "who says it", "what has happened", box=None, pad_edge=False, header_style="bold")
    for line in lines(seen):
        shown.add_row(f"{line.after.total_seconds():6.2f} s", line.service, line.text)
    return shown


def plain(seen: Sequence[Seen]) -> str:
    """The timeline for a file or a pipe: a line per event, never broken."""
    return "\n".join(f"{line.after.total_seconds():6.2f} s  {line.service:8}  {line.text}" for line in lines(seen))
