"""The headers of a record: what they hold, how they are read back, and how a bad one is named."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unprocessable
from shared.events import TOPICS, Envelope, from_headers, source_of, to_headers
from shared.types import AgencyId, EventId, Lane

ENVELOPE = Envelope(
    event_id=EventId(UUID("019f0b52-6c3a-7d41-9e52-1f6a7b8c9d11")),
    type="intake.case_closing.v1",
    source="/peerline/intake",
    time=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
    subject=UUID("4f0c2a51-8f5e-4f0b-9a39-0f6f1f3d9c11"),
    agency_id=AgencyId(UUID("9d2b7c64-1a0f-4c1e-8b53-6f2d1c7e4a10")),
)
REQUIRED = ["ce_id", "ce_type", "ce_source", "ce_time", "ce_subject", "ce_agency"]


def replaced(name: str, value: bytes) -> list[tuple[str, bytes]]:
    return [*(pair for pair in to_headers(ENVELOPE) if pair[0] != name), (name, value)]


def test_an_envelope_is_cloudevents_in_binary_mode() -> None:
    headers = dict(to_headers(ENVELOPE))
    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == b"application/json"
    assert headers["ce_dataschema"] == b"/schemas/intake.case_closing.v1.json"


def test_a_trace_travels_only_when_there_is_one() -> None:
    assert "traceparent" not in dict(to_headers(ENVELOPE))
    traced = replaced("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert from_headers(traced).traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(Unprocessable, match=rf"^header {name}$"):
        from_headers([pair for pair in to_headers(ENVELOPE) if pair[0] != name])


@pytest.mark.parametrize("name", [*REQUIRED, "traceparent"])
def test_a_header_that_is_not_utf8_is_named_and_not_quoted(name: str) -> None:
    with pytest.raises(Unprocessable, match=rf"^header {name}$"):
        from_headers(replaced(name, b"Canary\xff"))


@pytest.mark.parametrize("value", [b"2026-11-20T08:00:00", b"Canary", b"", b"1763625600"])
def test_a_time_without_a_zone_is_no_time(value: bytes) -> None:
    with pytest.raises(Unprocessable, match=r"^header ce_time$"):
        from_headers(replaced("ce_time", value))


def test_headers_of_others_are_ignored() -> None:
    assert from_headers([*to_headers(ENVELOPE), ("x-other", b"\xff")]) == ENVELOPE


@given(
    st.builds(
        Envelope,
        event_id=st.uuids(),
        type=st.just("intake.case_closing.v1"),
        source=st.just("/peerline/intake"),
        time=st.datetimes(timezones=st.just(UTC)),
        subject=st.uuids(),
        agency_id=st.uuids(),
        traceparent=st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    )
)
def test_every_envelope_makes_the_round_trip(envelope: Envelope) -> None:
    assert from_headers(to_headers(envelope)) == envelope


def test_every_topic_has_one_writer_and_the_crisis_lane_a_name_of_its_own() -> None:
    assert all(source_of(topic) == f"/peerline/{topic.writer}" for topic in TOPICS.values())
    assert all((topic.lane is Lane.CRISIS) == name.endswith(".crisis") for name, topic in TOPICS.items())


def test_compacted_topics_are_the_directory_and_the_contacts() -> None:
    assert {name for name, topic in TOPICS.items() if topic.compacted} == {"peerline.directory", "peerline.contacts"}
