"""One case as a timeline, from the events of this run as Kafka has them: times relative, persons as letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from rich.table import Table

from shared.errors import UnknownEvent, Unprocessable
from shared.events import TOPICS, Envelope, Fact, decode, from_headers
from shared.events import intake as said
from shared.events import matching as matched
from shared.events import notify as told
from shared.events import referral as brought
from shared.types import CaseId, PersonId

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Seen:
    """An event as it stood in Kafka."""

    envelope: Envelope
    fact: Fact


@dataclass
class Watcher:
    """Everything published since it began to watch, in the order of arrival."""

    seen: list[Seen] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, record: ConsumerRecord) -> None:
        """Note one record; what cannot be read is not this case's."""
        try:
            envelope = from_headers(record.headers)
            fact = decode(envelope.type, record.value or b"")
        except (UnknownEvent, Unprocessable):
            return
        self.seen.append(Seen(envelope, fact))
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
async def watching(kafka: str, prefix: str = "") -> AsyncIterator[Watcher]:
    """Read every topic of a region from now on, as a consumer of its own that no service shares an offset with."""
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
    watcher = Watcher()
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
    begin, letters = seen[0].envelope.time, Letters()
    found = []
    for one in seen:
        text = sentence(one.fact, letters, one.envelope.time)
        if text:
            found.append(Line(one.envelope.time - begin, one.fact.type.partition(".")[0], text))
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


def spoken(span: timedelta) -> str:
    """A time span in the unit people would use."""
    seconds = max(0, round(span.total_seconds()))
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} seconds"


def sentence(fact: Fact, who: Callable[[PersonId], str], now: datetime) -> str:
    """What a fact says, without identity; "" when it has nothing to say to a reader."""
    match fact:
        case said.RequestSubmitted(ask=ask) | said.CrisisRaised(ask=ask):
            kinds = ", ".join(one.value.replace("_", " ") for one in ask.help) or "anything"
            return f"somebody asks for support: {ask.urgency.value}, {kinds}"
        case said.PeerChosen():
            return "the requester has chosen" if fact.person else "the requester takes anyone"
        case said.AnotherPeerAsked():
            return f"the requester wants somebody else than peer {who(fact.refused)}, who never learns of it"
        case said.ContactReleased():
            how = "sealed" if fact.sealed else "none: the requester will use the peer's number"
            return f"peer {who(fact.recipient)} may see how to reach the requester ({how})"
        case said.CaseClosing():
            return "the case is closing: one unlinkable number is kept, the grace time runs"
        case said.CaseWithdrawn():
            return "the requester has taken it back"
        case said.CaseClosed():
            return "the case is closed: its key is destroyed, its rows are purged everywhere"
        case said.KeyDestroyed():
            return "the key of the case is destroyed: nothing sealed under it opens any more"
        case _:
            return _of_notify(fact, who) or _of_referral(fact, who, now) or _of_search(fact, who, now)


def _of_notify(fact: Fact, who: Callable[[PersonId], str]) -> str:
    match fact:
        case told.ReplyReceived():
            return f"peer {who(fact.person)} answers behind link and PIN: {fact.verb.replace('_', ' ')}"
        case told.IntentSettled(outcome="accepted"):
            return f"the mail server has taken a neutral message to peer {who(fact.person)}"
        case told.IntentSettled():
            return f"a message to peer {who(fact.person)}: {fact.outcome}"
        case told.PageSettled(outcome="accepted"):
            return f"the mail server has taken the page to {who(fact.person)}"
        case told.PageSettled():
            return f"a page to {who(fact.person)}: {fact.outcome}"
        case told.PageReplied():
            return f"{who(fact.person)} answers the page: {fact.verb.replace('_', ' ')}"
        case _:
            return ""


def _of_referral(fact: Fact, who: Callable[[PersonId], str], now: datetime) -> str:
    match fact:
        case brought.LadderStarted():
            return "the emergency is taken to people"
        case brought.RungPaged():
            return f"{len(fact.pages)} are being paged; somebody should answer within {spoken(fact.expires - now)}"
        case brought.LadderAcknowledged():
            return f"{who(fact.person)} has taken it"
        case brought.HumanContactConfirmed():
            return f"{who(fact.person)} has spoken with the requester"
        case brought.LadderEnded():
            return f"paging is over: {fact.how}"
        case _:
            return ""


def _of_search(fact: Fact, who: Callable[[PersonId], str], now: datetime) -> str:
    match fact:
        case matched.SearchStarted():
            return "suitable peers are looked for"
        case matched.ShortlistReady():
            return f"{len(fact.candidates)} peers stand to choose from"
        case matched.OfferMade():
            return f"peer {who(fact.person)} is asked, and has {spoken(fact.expires - now)} to answer"
        case matched.OfferDeclined():
            return f"peer {who(fact.person)} says no"
        case matched.OfferExpired():
            return f"peer {who(fact.person)} did not answer in time"
        case matched.OfferRescinded():
            return f"peer {who(fact.person)} is no longer needed"
        case matched.NobodyFound():
            return f"nobody suitable is left; {len(fact.recipients)} coordinators hear a count"
        case _:
            return _of_assignment(fact, who, now)


def _of_assignment(fact: Fact, who: Callable[[PersonId], str], now: datetime) -> str:
    match fact:
        case matched.PeerAssigned():
            within = spoken(fact.contact_by - now)
            return f"peer {who(fact.person)} has accepted and should make contact within {within}"
        case matched.ContactConfirmed():
            return f"peer {who(fact.person)} and the requester have spoken"
        case matched.ContactOverdue():
            return f"peer {who(fact.person)} was silent"
        case matched.AssignmentEnded():
            return f"the support by peer {who(fact.person)} has ended: {fact.how.replace('_', ' ')}"
        case _:
            return ""
