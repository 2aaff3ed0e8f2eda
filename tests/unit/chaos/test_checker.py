"""A checker that cannot find anything proves nothing: each promise is broken here once, and has to be named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tests.chaos.checker import Broken, check
from tests.chaos.history import Attempt, History, Intent, Letter, Open, Record, Request, Rest, Said, Stroke, Taken

CASE, PEER, OFFER, INTENT, ATTEMPT = (UUID(int=number) for number in range(1, 6))
TOLD: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("peerline.intake", "intake.request_submitted.v1", {}),
    ("peerline.matching", "matching.offer_made.v1", {"offer": str(OFFER)}),
    ("peerline.notify", "notify.intent_settled.v1", {"intent": str(INTENT), "outcome": "accepted"}),
    ("peerline.matching", "matching.peer_assigned.v1", {"assignment": "a", "offer": str(OFFER)}),
)
HEARD = {
    "intake": frozenset({"peerline.matching", "peerline.notify"}),
    "matching": frozenset({"peerline.intake", "peerline.notify"}),
    "referral": frozenset[str](),
    "notify": frozenset({"peerline.intake", "peerline.matching"}),
}


def held() -> History:
    """One request that found its peer, in a region in which nothing went wrong for long."""
    history = History(7, HEARD)
    history.requests = [Request(0, "peer closes", "riverton", "soon", 100.0, 100.1, CASE)]
    for number, (topic, kind, body) in enumerate(TOLD):
        event = UUID(int=100 + number)
        history.records.append(Record(topic, 0, number, event, CASE, kind, body))
        history.said.append(Said(topic.split(".")[1], number, event, topic, CASE, kind, 101.0 + number))
    history.intents = {INTENT: Intent(INTENT, CASE, PEER, "offer", OFFER, 500.0, "accepted")}
    history.attempts = {ATTEMPT: Attempt(ATTEMPT, INTENT, CASE, 102.0, 102.0, "accepted", 102.1)}
    history.letters = [Letter("m1", 102.05, "ana@home.test", "token", ATTEMPT)]
    history.strokes = [Stroke("notify-1 killed", frozenset({"kill"}), True, 90.0, 90.0, 12.0)]
    inbox = {
        service: {
            one.event: Taken(110.0 + one.offset, f"x{one.offset}") for one in history.records if one.topic in topics
        }
        for service, topics in HEARD.items()
    }
    history.rest = Rest(
        now=200.0,
        at_rest=True,
        outbox=dict.fromkeys(HEARD, 0),
        parked=(),
        inbox=inbox,
        open=(Open("intake", CASE, "released", "peer", 900.0),),
        cases=dict.fromkeys(HEARD, frozenset({CASE})),
        accepted={CASE: 1},
        audited=frozenset({CASE}),
        keys=frozenset({CASE}),
    )
    return history


def at_rest(history: History) -> Rest:
    assert history.rest is not None
    return history.rest


def lost_request(history: History) -> None:
    lost = uuid4()
    history.requests.append(Request(1, "peer closes", "riverton", "soon", 100.0, 100.1, lost))
    history.rest = replace(at_rest(history), audited=frozenset({CASE, lost}))


def forgotten_case(history: History) -> None:
    history.rest = replace(at_rest(history), open=())


def never_closed(history: History) -> None:
    history.requests[0].ended = "withdrawn"


def overdue(history: History) -> None:
    history.rest = replace(at_rest(history), open=(Open("intake", CASE, "released", "peer", 20.0),))


def second_peer(history: History) -> None:
    said(history, "peerline.matching", "matching.peer_assigned.v1", {"assignment": "b"})


def never_published(history: History) -> None:
    history.said.append(Said("intake", 99, uuid4(), "peerline.intake", CASE, "intake.case_closing.v1", 120.0))


def disordered_case(history: History) -> None:
    history.said[1], history.said[3] = (
        replace(history.said[1], number=history.said[3].number),
        replace(history.said[3], number=history.said[1].number),
    )


def never_taken(history: History) -> None:
    forget(history, "notify", history.records[1].event)


def taken_from_nobody(history: History) -> None:
    inbox = dict(at_rest(history).inbox)
    inbox["referral"] = {uuid4(): Taken(120.0, "x9")}
    history.rest = replace(at_rest(history), inbox=inbox)


def taken_out_of_order(history: History) -> None:
    inbox = {service: dict(taken) for service, taken in at_rest(history).inbox.items()}
    inbox["notify"][history.records[3].event] = Taken(105.0, "x0")
    history.rest = replace(at_rest(history), inbox=inbox)


def parked(history: History) -> None:
    history.rest = replace(at_rest(history), parked=("matching peerline.intake dead KeyError",))


def doubled_mail(history: History) -> None:
    history.letters.append(replace(history.letters[0], mail="m2"))


def second_offer_mail(history: History) -> None:
    other = UUID(int=6)
    history.attempts[ATTEMPT].outcome = "unknown"
    history.attempts[other] = Attempt(other, INTENT, CASE, 140.0, 140.0, "accepted", 140.1)
    history.letters.append(Letter("m2", 140.0, "ana@home.test", "another", other))


def vanished_mail(history: History) -> None:
    history.letters.clear()


def sent_though_refused(history: History) -> None:
    history.attempts[ATTEMPT].outcome = "not_sent"


def sent_after_the_end(history: History) -> None:
    history.stops[CASE] = 101.9


def sent_after_expiry(history: History) -> None:
    history.intents[INTENT] = replace(history.intents[INTENT], expires=101.0)


def nobody_told_of_failure(history: History) -> None:
    history.intents[INTENT] = replace(history.intents[INTENT], state="failed")


def nothing_after_failure(history: History) -> None:
    other, offer = UUID(int=8), UUID(int=9)
    history.intents[other] = Intent(other, CASE, PEER, "offer", offer, 500.0, "failed")
    said(history, "peerline.notify", "notify.intent_settled.v1", {"intent": str(other), "outcome": "failed"})


def unpaged(history: History) -> None:
    history.requests[0].urgency = "emergency"


def unaudited(history: History) -> None:
    history.rest = replace(at_rest(history), audited=frozenset())


def slow_to_recover(history: History) -> None:
    history.strokes[0].whole_after_s = 61.0


def restless(history: History) -> None:
    history.rest = replace(at_rest(history), at_rest=False)


def said(history: History, topic: str, kind: str, body: dict[str, str]) -> None:
    """One more event, published and taken as it should be."""
    event, number = uuid4(), len(history.records)
    history.records.append(Record(topic, 0, number, event, CASE, kind, body))
    history.said.append(Said(topic.split(".")[1], number, event, topic, CASE, kind, 150.0))
    inbox = {service: dict(taken) for service, taken in at_rest(history).inbox.items()}
    for service, topics in HEARD.items():
        if topic in topics:
            inbox[service][event] = Taken(150.0 + number, f"x{number}")
    history.rest = replace(at_rest(history), inbox=inbox)


def forget(history: History, service: str, event: UUID) -> None:
    inbox = {name: dict(taken) for name, taken in at_rest(history).inbox.items()}
    del inbox[service][event]
    history.rest = replace(at_rest(history), inbox=inbox)


BREAKS: dict[Callable[[History], None], str] = {
    lost_request: "I1",
    forgotten_case: "I1",
    never_closed: "I1",
    overdue: "I1",
    second_peer: "I2",
    never_published: "I9",
    disordered_case: "order",
    never_taken: "once",
    taken_from_nobody: "once",
    taken_out_of_order: "order",
    parked: "once",
    doubled_mail: "I3",
    second_offer_mail: "I3",
    vanished_mail: "I3",
    sent_though_refused: "I3",
    sent_after_the_end: "I5",
    sent_after_expiry: "I5",
    nobody_told_of_failure: "I3",
    nothing_after_failure: "I3",
    unpaged: "I4",
    unaudited: "I8",
    slow_to_recover: "whole",
    restless: "whole",
}


def test_a_history_in_which_everything_held_breaks_nothing() -> None:
    assert check(held()) == []


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.__name__)
def test_what_is_broken_is_named_with_its_promise(broken: Callable[[History], None]) -> None:
    history = held()
    broken(history)
    found = check(history)
    assert {one.promise for one in found} == {BREAKS[broken]}, list(map(str, found))


def test_what_is_broken_is_named_with_its_ids() -> None:
    history = held()
    doubled_mail(history)
    assert Broken("I3", ("token",), "2 copies of one mail") in check(history)


def test_a_page_may_come_twice_after_an_outcome_that_nobody_knows() -> None:
    history = held()
    history.intents[INTENT] = replace(history.intents[INTENT], template="page")
    second_offer_mail(history)
    assert [one for one in check(history) if "copies" in one.seen or "second copy" in one.seen] == []
    history.attempts[ATTEMPT].outcome = "accepted"
    assert [one.promise for one in check(history) if "second copy" in one.seen] == ["I3"]


@pytest.mark.parametrize(("single", "broken"), [(True, ["I4"]), (False, [])])
def test_a_page_that_takes_long_is_excused_by_what_is_no_short_single_fault(single: bool, broken: list[str]) -> None:
    history = held()
    history.requests[0].urgency = "emergency"
    history.strokes = [Stroke("something", frozenset({"kafka"}), single, 95.0, 120.0, 12.0)]
    said(history, "peerline.notify", "notify.page_settled.v1", {"page": "p", "outcome": "accepted"})
    history.said[-1] = replace(history.said[-1], at=170.0)
    assert [one.promise for one in check(history)] == broken
