"""What a consumer passes over would have had no effect: a fact that is not heeded never touches the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn, cast

import pytest

from services.intake import subscribers as intake
from services.matching import subscribers as matching
from services.notify import subscribers as notify
from services.referral import subscribers as referral
from shared import clock
from shared.db import Connection, Transaction
from shared.delivery import Absorb, Facts, Received
from shared.events import FACTS, Envelope, decode, source_of
from shared.types import AgencyId, EventId, Lane

GOLDEN = Path(__file__).parent / "golden"
GROUPS: dict[str, tuple[Absorb, Facts]] = {
    "intake": (intake.ordinary, intake.ORDINARY),
    "matching": (matching.ordinary, matching.ORDINARY),
    "notify": (notify.ordinary, notify.ORDINARY),
    "referral": (referral.ordinary, referral.ORDINARY),
}
HEARD = [
    (service, kind)
    for service in GROUPS
    for kind, fact in FACTS.items()
    if fact.TOPIC.lane is Lane.ORDINARY and fact.TOPIC.writer != service
]


class Untouched:
    """A connection that nobody may use."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"the database was asked: {name}")


def received(kind: str) -> Received:
    body = json.loads((GOLDEN / f"{kind}.json").read_text())["body"]
    topic = FACTS[kind].TOPIC
    envelope = Envelope(
        event_id=EventId(clock.ordered_id()),
        type=kind,
        source=source_of(topic),
        time=clock.now(),
        subject=clock.random_id(),
        agency_id=AgencyId(clock.random_id()),
    )
    return Received(envelope, decode(kind, json.dumps(body).encode()), topic.name)


@pytest.mark.parametrize(("service", "kind"), HEARD)
async def test_only_what_is_heeded_reaches_the_database(service: str, kind: str) -> None:
    absorb, heeds = GROUPS[service]
    tx = Transaction(cast("Connection", Untouched()), frozenset())
    one = received(kind)
    if isinstance(one.fact, heeds):
        return
    await absorb(tx, [one])


@pytest.mark.parametrize("service", GROUPS)
def test_every_consumer_passes_something_over(service: str) -> None:
    _, heeds = GROUPS[service]
    heard = [FACTS[kind] for of, kind in HEARD if of == service]
    assert 0 < sum(issubclass(fact, heeds) for fact in heard) < len(heard)
