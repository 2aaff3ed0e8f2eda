"""What must hold of a history. Every rule yields what breaks it, by the name of the promise and with the ids."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notify.domain.intents import KINDS
from shared.events import FACTS
from tests.chaos.history import Attempt, History, Record, Rest

WHOLE_WITHIN_S = 60.0
PAGE_WITHIN_S = 60.0
LATE_S = 60.0
"""What is open may be overdue for so long: the sweeper lags, and a lease of a dead process has to run out."""
BEGINNINGS = frozenset({"intake.request_submitted.v1", "intake.crisis_raised.v1", "intake.direct_asked.v1"})
CLOSED = "intake.case_closed.v1"


@dataclass(frozen=True)
class Broken:
    """A promise that was not kept: which, by what, and what was seen."""

    promise: str
    ids: tuple[str, ...]
    seen: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.seen} [{', '.join(self.ids)}]"


def check(history: History) -> list[Broken]:
    """Everything that is broken in a history, the gravest promise first."""
    return [broken for rule in RULES for broken in rule(history)]


def _rest(history: History) -> Rest:
    if history.rest is None:
        raise ValueError("a history that has not come to its end")
    return history.rest


def _by_case(history: History) -> dict[UUID, list[Record]]:
    """The records of each case, each event once, in the order of their offsets within a topic."""
    found: dict[UUID, dict[UUID, Record]] = defaultdict(dict)
    for record in sorted(history.records, key=lambda one: (one.topic, one.part, one.offset)):
        found[record.key].setdefault(record.event, record)
    return {case: list(records.values()) for case, records in found.items()}


def lost_requests(history: History) -> Iterator[Broken]:
    """I1: what was accepted is known, and is over or open with somebody who looks after it in time."""
    rest, records = _rest(history), _by_case(history)
    waiting = {one.id for one in rest.open if one.service == "intake"}
    for request in history.requests:
        if request.accepted_at is None:
            continue
        if request.case is None:
            yield Broken("I1", (f"request {request.number}",), "accepted, and no case was ever known")
            continue
        types = {record.type for record in records.get(request.case, ())}
        if not types & BEGINNINGS:
            yield Broken("I1", (str(request.case),), "accepted, and nothing of it was ever said")
        elif CLOSED in types:
            yield from _left_of(request.case, rest)
        elif request.ended:
            yield Broken("I1", (str(request.case),), f"{request.ended} by its requester, and never closed")
        elif request.case not in waiting:
            yield Broken("I1", (str(request.case),), "neither closed nor among the open things of intake")


def _left_of(case: UUID, rest: Rest) -> Iterator[Broken]:
    left = [service for service, cases in rest.cases.items() if case in cases]
    if left:
        yield Broken("I1", (str(case),), f"closed, and still known to {', '.join(left)}")
    if case in rest.keys:
        yield Broken("I10", (str(case),), "closed, and its key is not destroyed")


def unowned(history: History) -> Iterator[Broken]:
    """I1: every open thing of every service has an owner, and a due time that is not past."""
    rest = _rest(history)
    for one in rest.open:
        if not one.owner or one.due is None:
            yield Broken("I1", (str(one.id),), f"{one.service}: {one.state} without owner or due time")
        elif one.due < rest.now - LATE_S:
            yield Broken("I1", (str(one.id),), f"{one.service}: {one.state} is overdue by {rest.now - one.due:.0f} s")


def second_peers(history: History) -> Iterator[Broken]:
    """I2: at most one accepted peer stands per case."""
    for case, number in _rest(history).accepted.items():
        if number > 1:
            yield Broken("I2", (str(case),), f"{number} accepted offers stand")
    for case, records in _by_case(history).items():
        standing: set[str] = set()
        for record in records:
            if record.type == "matching.peer_assigned.v1":
                standing.add(str(record.body["assignment"]))
                if len(standing) > 1:
                    yield Broken("I2", (str(case), *sorted(standing)), "a second peer while the first one stands")
            elif record.type == "matching.assignment_ended.v1":
                standing.discard(str(record.body["assignment"]))


def unsaid(history: History) -> Iterator[Broken]:
    """I9: what was committed to an outbox is in its topic, and nothing else is; every outbox is empty."""
    rest = _rest(history)
    for service, number in rest.outbox.items():
        if number:
            yield Broken("I9", (service,), f"{number} events are still in its outbox")
    there = {record.event for record in history.records}
    written = {one.event for one in history.said}
    for said in history.said:
        if said.event not in there:
            yield Broken("I9", (str(said.event), str(said.key)), f"{said.type} was committed and never published")
    for event in there - written:
        yield Broken("I9", (str(event),), "published, and never committed")


def disordered(history: History) -> Iterator[Broken]:
    """I9: per topic and key events first appear in the order in which they were committed."""
    numbers = {one.event: one.number for one in history.said}
    last: dict[tuple[str, UUID], Record] = {}
    for record in _first_of_each(history):
        before = last.get((record.topic, record.key))
        if before and numbers.get(record.event, 0) < numbers.get(before.event, 0):
            ids = (str(record.key), str(record.event), str(before.event))
            yield Broken("order", ids, f"on {record.topic} {record.type} came after a later {before.type}")
        last[record.topic, record.key] = record


def _first_of_each(history: History) -> list[Record]:
    found: dict[UUID, Record] = {}
    for record in sorted(history.records, key=lambda one: (one.topic, one.part, one.offset)):
        found.setdefault(record.event, record)
    return list(found.values())


def taken_wrongly(history: History) -> Iterator[Broken]:
    """Every event took effect once in every consumer: its inbox holds exactly what was said on what it hears."""
    rest = _rest(history)
    for service, topics in history.heard.items():
        said = {record.event: record for record in history.records if record.topic in topics}
        taken = rest.inbox[service]
        for event in said.keys() - taken.keys():
            ids = (str(event), str(said[event].key))
            yield Broken("once", ids, f"{service} has never taken {said[event].type}")
        for event in taken.keys() - said.keys():
            yield Broken("once", (str(event),), f"{service} has taken what nobody said")
    for parked in rest.parked:
        yield Broken("once", (parked,), "parked or dead, and nothing here explains it")


def taken_out_of_order(history: History) -> Iterator[Broken]:
    """Per topic and key every consumer took events in the order in which they stand there."""
    rest = _rest(history)
    for service, topics in history.heard.items():
        last: dict[tuple[str, UUID], Record] = {}
        taken = rest.inbox[service]
        for record in _first_of_each(history):
            # A stop event may pass by what is parked before it.
            if record.topic not in topics or record.event not in taken or _stops(record):
                continue
            before = last.get((record.topic, record.key))
            one, other = taken[record.event], before and taken[before.event]
            if other and one.transaction != other.transaction and one.at < other.at:
                ids = (str(record.key), str(record.event))
                yield Broken("order", ids, f"{service} took {record.type} before what stands before it")
            last[record.topic, record.key] = record


def _stops(record: Record) -> bool:
    fact = FACTS.get(record.type)
    return fact is not None and fact.STOP


def unsettled(history: History) -> Iterator[Broken]:
    """I3: every planned notification came to an end that was said, or is not due to have one yet."""
    rest = _rest(history)
    told = {(one.body.get("intent") or one.body.get("page"), one.body.get("outcome")) for one in history.records}
    for intent in history.intents.values():
        purged = intent.case is not None and intent.case not in rest.cases["notify"]
        if intent.state in {"planned", "sending"} and not purged:
            yield Broken("I3", (str(intent.intent),), f"{intent.template} is still {intent.state}")
        elif intent.state in {"accepted", "failed", "unknown", "expired"} and intent.case is not None:
            named = str(intent.subject if intent.template == "page" else intent.intent)
            if (named, intent.state) not in told and intent.template != "over":
                yield Broken("I3", (named, str(intent.case)), f"{intent.template} is {intent.state}; nobody was told")


def no_fallback(history: History) -> Iterator[Broken]:
    """I3: after an offer or page that could not be sent somebody else is asked, or nobody has to be."""
    for case, records in _by_case(history).items():
        over = {record.body.get("offer") for record in records if record.type.startswith("matching.")}
        for record in records:
            if record.type == "notify.intent_settled.v1" and record.body["outcome"] in {"failed", "expired"}:
                intent = history.intents.get(UUID(str(record.body["intent"])))
                ended = any(one.type in {CLOSED, "intake.case_withdrawn.v1"} for one in records)
                if intent and intent.template == "offer" and not ended and str(intent.subject) not in over:
                    yield Broken("I3", (str(case), str(intent.subject)), "an offer failed and nothing came of it")


def doubled(history: History) -> Iterator[Broken]:
    """I3: of one attempt one copy at most, of one message a second one only after a recorded unknown outcome."""
    for number, copies in Counter(letter.number for letter in history.letters).items():
        if copies > 1:
            yield Broken("I3", (number,), f"{copies} copies of one mail")
    by_intent: dict[UUID, list[Attempt]] = defaultdict(list)
    for letter in history.letters:
        if letter.attempt is not None:
            by_intent[history.attempts[letter.attempt].intent].append(history.attempts[letter.attempt])
    for intent, seen in by_intent.items():
        yield from _copies(history, intent, sorted(seen, key=lambda one: one.at))


def _copies(history: History, intent: UUID, seen: Sequence[Attempt]) -> Iterator[Broken]:
    template = history.intents[intent].template
    ids = (str(intent), *(str(one.attempt) for one in seen))
    if len(seen) != len({one.attempt for one in seen}):
        yield Broken("I3", ids, f"two copies of one attempt of {template}")
    elif len(seen) > 2 or (len(seen) == 2 and not KINDS[history.intents[intent].template].again):  # type: ignore[index]
        yield Broken("I3", ids, f"{len(seen)} copies of {template}")
    elif len(seen) == 2 and seen[0].outcome != "unknown":
        yield Broken("I3", ids, f"a second copy of {template} after one that was {seen[0].outcome or 'never ended'}")
    for one in seen:
        if one.outcome in {"failed", "not_sent"}:
            yield Broken("I3", ids, f"{template} was {one.outcome}, and is in the mailbox")


def vanished(history: History) -> Iterator[Broken]:
    """I3: what a provider has accepted is in the mailbox."""
    there = {letter.attempt for letter in history.letters}
    for attempt in history.attempts.values():
        linked = KINDS[history.intents[attempt.intent].template].purpose is not None  # type: ignore[index]
        if attempt.outcome == "accepted" and linked and attempt.attempt not in there:
            yield Broken("I3", (str(attempt.attempt),), "accepted, and not in the mailbox")


def sent_too_late(history: History) -> Iterator[Broken]:
    """I5: no attempt starts after its message expired, nor after notify wrote down that the case is over."""
    for attempt in history.attempts.values():
        intent = history.intents[attempt.intent]
        ids = (str(attempt.attempt), str(attempt.intent))
        if attempt.started >= intent.expires:
            yield Broken("I5", ids, f"{intent.template} was begun {attempt.started - intent.expires:.1f} s too late")
        stop = history.stops.get(attempt.case) if attempt.case else None
        if stop is not None and attempt.at > stop:
            yield Broken("I5", ids, f"{intent.template} was begun {attempt.at - stop:.1f} s after the end of its case")


def unpaged(history: History) -> Iterator[Broken]:
    """I4: a page is accepted within a minute, counted anew from the end of what is no short single fault."""
    at = {one.event: one.at for one in history.said}
    records = _by_case(history)
    for request in history.requests:
        if request.urgency != "emergency" or request.accepted_at is None or request.case is None:
            continue
        own = records.get(request.case, ())
        pages = [at[one.event] for one in own if one.type == "notify.page_settled.v1" and _accepted(one)]
        ends = [history.stops[request.case]] if request.case in history.stops else []
        by = _page_due(history, request.accepted_at)
        first = min([*pages, *ends], default=None)
        if first is None or first > by:
            took = "never" if first is None else f"after {first - request.accepted_at:.1f} s"
            yield Broken("I4", (str(request.case),), f"the first page was accepted {took}")


def _accepted(record: Record) -> bool:
    return str(record.body["outcome"]) == "accepted"


def _page_due(history: History, asked: float) -> float:
    """By when the first page of an emergency must be accepted."""
    met = [one for one in history.strokes if one.began < asked + PAGE_WITHIN_S and one.ended > asked - LATE_S / 2]
    excused = not all(one.single for one in met) or len(met) > 1
    return (max(one.ended for one in met) if excused else asked) + PAGE_WITHIN_S


def unaudited(history: History) -> Iterator[Broken]:
    """I8, as far as it is seen here: every accepted request stands in the audit."""
    for request in history.requests:
        if request.accepted_at is not None and request.case not in _rest(history).audited:
            yield Broken("I8", (str(request.case),), "accepted, and not in the audit")


def failed_doors(history: History) -> Iterator[Broken]:
    """No door fails of itself: whatever is broken behind it, it says "not now"."""
    for act in history.acts:
        if act.answer == 500:
            yield Broken("doors", (str(act.case), act.what), "answered 500")


def not_whole(history: History) -> Iterator[Broken]:
    """Everything came to rest, and within a minute of every fault's end the region was whole again."""
    if not _rest(history).at_rest:
        yield Broken("whole", (), "the region did not come to rest")
    for stroke in history.strokes:
        if stroke.whole_after_s is None or stroke.whole_after_s > WHOLE_WITHIN_S:
            took = "never" if stroke.whole_after_s is None else f"{stroke.whole_after_s:.0f} s after its end"
            yield Broken("whole", (stroke.what,), f"whole again {took}")


RULES: Sequence[Callable[[History], Iterator[Broken]]] = (
    lost_requests,
    second_peers,
    unsaid,
    disordered,
    taken_wrongly,
    taken_out_of_order,
    doubled,
    vanished,
    sent_too_late,
    unpaged,
    unsettled,
    no_fallback,
    unowned,
    unaudited,
    failed_doors,
    not_whole,
)
