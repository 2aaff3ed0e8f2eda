"""The timeline: every fact that a case can have says something, and none of it names anybody."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from deploy.local.sentences import sentence, spoken
from deploy.local.timeline import Letters, Seen, lines, plain
from shared.events import FACTS, TOPICS, Fact, decode, encode, from_headers
from shared.events.matching import OfferMade
from shared.types import PersonId

GOLDEN = Path(__file__).resolve().parents[2] / "contract" / "golden"
SILENT = {"matching.reply_settled.v1", "referral.reply_settled.v1", "referral.answer_settled.v1"}


def sample(path: Path) -> Seen:
    raw = json.loads(path.read_text())
    envelope = from_headers([(name, value.encode()) for name, value in raw["headers"].items()])
    return Seen(envelope, decode(envelope.type, json.dumps(raw["body"]).encode()))


def samples() -> list[Seen]:
    return [sample(path) for path in sorted(GOLDEN.glob("*.json"))]


def of_cases() -> list[Seen]:
    without_case = {
        "intake.renewal_due.v1",
        "matching.check_in_due.v1",
        "intake.verification_asked.v1",
        "notify.contact_stopped.v1",
        "notify.contact_verified.v1",
    }
    return [one for one in samples() if not one.fact.TOPIC.compacted and one.fact.type not in without_case]


def test_every_kind_of_fact_has_a_sample_here() -> None:
    assert {one.fact.type for one in samples()} == set(FACTS)
    assert {one.fact.TOPIC.name for one in samples()} <= set(TOPICS)


@pytest.mark.parametrize("seen", of_cases(), ids=lambda seen: str(seen.fact.type))
def test_every_fact_of_a_case_says_something_and_names_nobody(seen: Seen) -> None:
    text = sentence(seen.fact, Letters(), seen.envelope.time)
    assert bool(text) == (seen.fact.type not in SILENT)
    identities = [part for part in _texts(seen.fact) if _is_identity(part)]
    assert not [one for one in identities if one in text]


def _texts(fact: Fact) -> list[str]:
    return [str(value) for value in json.loads(encode(fact)).values()]


def _is_identity(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def test_persons_are_letters_in_the_order_in_which_they_come() -> None:
    letters = Letters()
    people = [PersonId(UUID(int=number)) for number in range(27)]
    assert [letters(person) for person in people[:3]] == ["A", "B", "C"]
    assert letters(people[0]) == "A"
    assert [letters(person) for person in people][-1] == "A1"


def test_times_are_relative_to_the_first_event() -> None:
    told = lines(of_cases()[:3])
    assert told[0].after == timedelta()
    assert lines([]) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 seconds"), (59, "59 seconds"), (180, "3 minutes"), (3600, "60 minutes"), (86_400, "24 hours")],
)
def test_spans_are_told_in_the_unit_people_would_use(seconds: int, text: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == text


def test_the_plain_timeline_is_a_line_per_event() -> None:
    told = plain(of_cases()[:5]).splitlines()
    assert len(told) == 5
    assert all(" s  intake    " in line for line in told)


def test_due_times_are_told_by_the_regions_clock_and_a_clock_put_forward_is_said() -> None:
    made = sample(GOLDEN / "matching.offer_made.v1.json")
    assert isinstance(made.fact, OfferMade)
    made = replace(made, envelope=replace(made.envelope, time=made.fact.expires - timedelta(minutes=65)))
    texts = [line.text for line in lines([made, replace(made, ahead=timedelta(minutes=5))])]
    assert texts == [
        "peer A is asked, and has 65 minutes to answer",
        "(the region's clock has been put forward by 5 minutes)",
        "peer A is asked, and has 60 minutes to answer",
    ]
