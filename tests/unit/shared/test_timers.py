"""The traces of timers: a timer due at once goes on with the burst that set it, a later one begins a new one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared import telemetry, timers
from shared.timers import Fired
from shared.types import AgencyId, Lane
from tests.unit.shared.collector import Collector, collecting

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def fired(key: int, *, waited_s: float, traceparent: str | None = TRACE) -> Fired:
    return Fired(
        timer_id=UUID(int=key),
        agency_id=AgencyId(UUID(int=99)),
        lane=Lane.ORDINARY,
        kind="offer",
        key=UUID(int=key),
        subject_id=UUID(int=key),
        version=1,
        due_at=datetime(2026, 11, 23, tzinfo=UTC),
        attempts=1,
        fence=1,
        traceparent=traceparent,
        waited_s=waited_s,
    )


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
        monkeypatch.setenv("OTEL_EXPORTER_ZIPKIN_ENDPOINT", found.address)
        telemetry.configure("intake")
        yield found
        telemetry.shutdown()


def test_a_timer_due_at_once_goes_on_with_its_burst(collector: Collector) -> None:
    with timers.traced([fired(1, waited_s=0.1)]) as traces:
        pass
    telemetry.shutdown()
    assert traces[UUID(int=1)].split("-")[1] == TRACE.split("-")[1]
    assert collector.named("timer offer")["parentId"] == TRACE.split("-")[2]


def test_a_later_timer_begins_a_trace_that_points_back(collector: Collector) -> None:
    with timers.traced([fired(1, waited_s=3600)]) as traces:
        pass
    telemetry.shutdown()
    assert traces[UUID(int=1)].split("-")[1] != TRACE.split("-")[1]
    assert collector.named("timer offer")["tags"]["peerline.linked_trace"] == TRACE.split("-")[1]


def test_each_case_of_a_batch_has_a_span_of_its_own(collector: Collector) -> None:
    with timers.traced([fired(key, waited_s=0.1) for key in (1, 2, 3)]) as traces:
        assert set(traces) == {UUID(int=key) for key in (1, 2, 3)}
    telemetry.shutdown()
    assert len(collector.spans) == 3


def test_a_failure_is_noted_by_its_type_alone(collector: Collector) -> None:
    with pytest.raises(ZeroDivisionError), timers.traced([fired(1, waited_s=0.1)]):
        raise ZeroDivisionError("801-555-0142")
    telemetry.shutdown()
    assert collector.named("timer offer")["tags"]["error.type"] == "ZeroDivisionError"
    assert b"555-0142" not in collector.raw


def test_without_a_trace_a_timer_still_runs() -> None:
    with timers.traced([fired(1, waited_s=0.1, traceparent=None)]) as traces:
        assert list(traces) == [UUID(int=1)]
