"""What leaves the process as spans, read where a collector would read it."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor, SpanExportResult
from opentelemetry.trace import Link, StatusCode

from shared import telemetry
from shared.errors import Refused
from shared.http import foundation, health
from shared.http.health import Health
from shared.http.tracing import work_of
from tests.harness.health import nobody
from tests.unit.shared.asgi import call
from tests.unit.shared.collector import Collector, collecting

CASE = UUID("4f0c2a51-8f5e-4f0b-9a39-0f6f1f3d9c11")
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
CANARY = "Canary-7f3a"
SHAPE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as running:
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
        monkeypatch.setenv("OTEL_EXPORTER_ZIPKIN_ENDPOINT", running.address)
        telemetry.configure("peerline-test", instance="7")
        yield running
        telemetry.shutdown()


@pytest.fixture
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    telemetry.configure("peerline-test")


def test_a_processed_record_is_a_child_of_what_caused_it(collector: Collector) -> None:
    work = telemetry.process_work("peerline.intake", "matching.ordinary", case=CASE, traceparent=PARENT, offset=41)
    work.end()
    telemetry.shutdown()
    span = collector.named("process peerline.intake")
    assert (span["traceId"], span["parentId"], span["kind"]) == (TRACE, "b7ad6b7169203331", "CONSUMER")
    assert work.traceparent.split("-")[1:3] == [TRACE, span["id"]]
    wanted = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": "peerline.intake",
        "messaging.consumer.group.name": "matching.ordinary",
        "messaging.kafka.offset": "41",
        "messaging.message.conversation_id": str(CASE),
        "peerline.case": str(CASE),
        "service.instance.id": "7",
    }
    assert wanted.items() <= span["tags"].items()


def test_one_trace_leads_from_the_door_to_the_mail(collector: Collector) -> None:
    door = telemetry.server_work("POST", "/v1/agencies/{slug}/requests", traceparent=None)
    door.tag_case(CASE)
    door.status(201)
    sent = telemetry.send_work("peerline.intake", case=CASE, traceparent=door.traceparent)
    done = telemetry.process_work("peerline.intake", "g", case=CASE, traceparent=sent.traceparent)
    mail = telemetry.client_work("send mail", case=CASE, traceparent=done.traceparent)
    for work in (mail, done, sent, door):
        work.end()
    telemetry.shutdown()
    assert {span["traceId"] for span in collector.spans} == {door.traceparent.split("-")[1]}
    assert {span["tags"]["peerline.case"] for span in collector.spans} == {str(CASE)}
    assert collector.named("POST /v1/agencies/{slug}/requests")["tags"]["http.response.status_code"] == "201"
    assert collector.named("send mail")["parentId"] == collector.named("process peerline.intake")["id"]


def test_a_timer_hours_later_is_a_trace_of_its_own_that_points_back(collector: Collector) -> None:
    telemetry.timer_work("offer_expiry", case=CASE, traceparent=PARENT, link=True).end()
    telemetry.timer_work("send", case=CASE, traceparent=PARENT, link=False).end()
    telemetry.shutdown()
    later, soon = collector.named("timer offer_expiry"), collector.named("timer send")
    assert later["traceId"] != TRACE
    assert later["tags"]["peerline.linked_trace"] == TRACE
    assert "parentId" not in later
    assert (soon["traceId"], soon["parentId"]) == (TRACE, "b7ad6b7169203331")


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "00",
        "00-0-0-01",
        PARENT.upper(),
        PARENT + "-x",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"ff{PARENT[2:]}",
        "é",
    ],
)
def test_a_malformed_parent_is_ignored(collector: Collector, broken: str) -> None:
    work = telemetry.send_work("peerline.intake", case=CASE, traceparent=broken)
    work.end()
    telemetry.shutdown()
    assert "parentId" not in collector.spans[0]
    assert SHAPE.fullmatch(work.traceparent)


def test_an_unsampled_parent_stays_unsampled(collector: Collector) -> None:
    work = telemetry.send_work("peerline.intake", case=CASE, traceparent=PARENT[:-2] + "00")
    work.end()
    telemetry.shutdown()
    assert collector.spans == []
    assert work.traceparent.startswith(f"00-{TRACE}-")
    assert int(work.traceparent[-2:], 16) & 1 == 0


def test_an_error_is_a_class_name(collector: Collector) -> None:
    with pytest.raises(LookupError), telemetry.client_work("send mail", case=None, traceparent=None):
        raise LookupError(CANARY)
    telemetry.shutdown()
    assert collector.spans[0]["tags"]["error.type"] == "LookupError"
    assert CANARY.encode() not in collector.raw


def test_records_keyed_by_a_person_are_never_tagged(collector: Collector) -> None:
    telemetry.process_work("t1.peerline.contacts", "g", case=CASE, traceparent=None).end()
    telemetry.send_work("peerline.directory", case=CASE, traceparent=None).end()
    telemetry.process_work("peerline.notify", "g", case=None, traceparent=None).end()
    telemetry.shutdown()
    assert len(collector.spans) == 3
    assert str(CASE).encode() not in collector.raw


def test_whoever_ends_twice_exports_once(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    work = telemetry.client_work("send mail", case=None, traceparent=None)
    work.end()
    work.end(error="LookupError")
    telemetry.shutdown()
    assert len(collector.spans) == 1
    assert caplog.text == ""


class Kept(ConsoleSpanExporter):
    """Keeps the spans that would have left."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


def leaked(name: str, attributes: dict[str, str], describe: str = "") -> ReadableSpan:
    """What leaves when somebody careless puts things on a span by the SDK itself."""
    kept, provider = Kept(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(telemetry.ScrubbingExporter(kept)))
    tracer = provider.get_tracer("careless")
    before = tracer.start_span("before").get_span_context()
    span = tracer.start_span(name, attributes=attributes, links=[Link(before, {"note": describe})])
    span.record_exception(RuntimeError(describe))
    span.set_status(StatusCode.ERROR, describe)
    span.end()
    provider.shutdown()
    return kept.spans[0]


def test_what_is_not_on_the_list_is_dropped_and_counted() -> None:
    before = telemetry.dropped_attributes()
    span = leaked("send mail", {"messaging.kafka.message.key": CANARY, "peerline.case": str(CASE)}, CANARY)
    assert dict(span.attributes or {}) == {"peerline.case": str(CASE)}
    assert telemetry.dropped_attributes() == before + 1
    assert CANARY not in span.to_json()


@pytest.mark.parametrize("name", sorted(telemetry.ALLOWED))
def test_no_allowed_name_carries_a_persons_name(name: str) -> None:
    span = leaked("send mail", {name: "René Müller, Unit 12"})
    assert not span.attributes


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"])))
def test_no_free_text_leaves_as_a_span_name(text: str) -> None:
    assert leaked(f"offer to 7 {text}", {}).name == "unnamed"


@pytest.mark.parametrize(
    "name",
    [
        "GET",
        "POST /m/{token}",
        "GET /v1/agency/reports/{period}",
        "process t1.peerline.intake.crisis",
        "timer offer-expiry",
    ],
)
def test_the_names_of_the_house_pass(name: str) -> None:
    assert leaked(name, {}).name == name


def test_events_links_and_descriptions_lose_their_text() -> None:
    span = leaked("send mail", {}, CANARY)
    assert (list(span.events), span.status.description) == ([], None)
    assert [dict(link.attributes or {}) for link in span.links] == [{}]


def test_resource_attributes_of_the_machine_do_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"host.name={CANARY},service.version=1")
    with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_ZIPKIN_ENDPOINT", running.address)
        telemetry.configure("peerline-test")
        telemetry.client_work("send mail", case=None, traceparent=None).end()
        telemetry.shutdown()
    assert running.spans[0]["tags"]["service.version"] == "1"
    assert running.spans[0]["localEndpoint"]["serviceName"] == "peerline-test"
    assert CANARY.encode() not in running.raw


def test_a_collector_that_is_gone_is_said_once_and_disturbs_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting() as running:
        address = running.address
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    monkeypatch.setenv("OTEL_EXPORTER_ZIPKIN_ENDPOINT", address)
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    telemetry.configure("peerline-test")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            telemetry.client_work("send mail", case=CASE, traceparent=None).end()
        telemetry.shutdown()
    assert [one.getMessage() for one in caplog.records] == ["spans cannot be exported: ConnectionError"]


@pytest.mark.parametrize("wanted", ["console", "jaeger"])
def test_an_unknown_exporter_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", wanted)
    with pytest.raises(telemetry.UnknownExporter):
        telemetry.configure("peerline-test")


def test_otlp_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    telemetry.configure("peerline-test")
    telemetry.shutdown()


MAKERS: list[Callable[[str | None], telemetry.Work]] = [
    lambda parent: telemetry.process_work("peerline.intake", "g", case=CASE, traceparent=parent),
    lambda parent: telemetry.send_work("peerline.intake", case=CASE, traceparent=parent),
    lambda parent: telemetry.server_work("GET", "/a/{slug}", traceparent=parent),
    lambda parent: telemetry.timer_work("send", case=CASE, traceparent=parent, link=False),
    lambda parent: telemetry.client_work("send mail", case=CASE, traceparent=parent),
]


@pytest.mark.usefixtures("unconfigured")
@pytest.mark.parametrize("make", MAKERS)
def test_without_an_exporter_a_trace_is_handed_on(make: Callable[[str | None], telemetry.Work]) -> None:
    assert make(PARENT).traceparent == PARENT
    fresh = make("broken")
    assert SHAPE.fullmatch(fresh.traceparent)
    assert fresh.traceparent.endswith("-00")
    fresh.end()


def web() -> FastAPI:
    app = FastAPI()
    app.state.seen = []

    @app.get("/m/{token}")
    async def page(token: str, request: Request) -> None:
        assert token
        work = work_of(request)
        work.tag_case(CASE)
        app.state.seen.append(work.traceparent)

    @app.get("/fails/{token}")
    async def fails(token: str) -> None:
        raise LookupError(token)

    @app.get("/refuses")
    async def refuses() -> None:
        raise Refused("no", 409)

    async def ready() -> dict[str, bool]:
        return {"kafka": False, "database": True}

    app.include_router(health.router(Health(ready, nobody)))
    return app


async def test_a_request_is_named_by_its_route_and_never_by_its_path(collector: Collector) -> None:
    app = web()
    foundation(app)
    await call(app, "GET", f"/m/{CANARY}?code={CANARY}", headers={"traceparent": PARENT})
    telemetry.shutdown()
    span = collector.named("GET /m/{token}")
    assert (span["kind"], span["tags"]["peerline.case"]) == ("SERVER", str(CASE))
    assert span["traceId"] != TRACE
    assert CANARY.encode() not in collector.raw
    assert app.state.seen[0].split("-")[2] == span["id"]


async def test_a_callers_trace_is_continued_only_when_trusted(collector: Collector) -> None:
    app = web()
    foundation(app, trust_traceparent=True)
    await call(app, "GET", "/m/x", headers={"traceparent": PARENT})
    telemetry.shutdown()
    assert collector.spans[0]["parentId"] == "b7ad6b7169203331"


async def test_failures_refusals_and_unknown_paths_are_told_apart(collector: Collector) -> None:
    app = web()
    foundation(app)
    for method, path in (("GET", f"/fails/{CANARY}"), ("GET", "/refuses"), ("BREW", f"/{CANARY}")):
        await call(app, method, path)
    telemetry.shutdown()
    failed, refused = collector.named("GET /fails/{token}")["tags"], collector.named("GET /refuses")["tags"]
    assert (failed["error.type"], failed["http.response.status_code"]) == ("LookupError", "500")
    assert (refused["http.response.status_code"], "error.type" in refused) == ("409", False)
    assert collector.named("HTTP")["tags"]["http.request.method"] == "_OTHER"
    assert CANARY.encode() not in collector.raw


async def test_health_is_answered_by_names_and_not_traced(collector: Collector) -> None:
    app = web()
    foundation(app)
    assert (await call(app, "GET", "/health/live")).status == 200
    answer = await call(app, "GET", "/health/ready")
    telemetry.shutdown()
    assert (answer.status, answer.json) == (503, {"ready": False, "missing": ["kafka"]})
    assert collector.spans == []


@pytest.mark.parametrize(("fine", "status"), [(True, 200), (False, 503)])
async def test_readiness_follows_its_checks(fine: bool, status: int) -> None:
    async def ready() -> dict[str, bool]:
        return {"kafka": fine}

    app = FastAPI()
    app.include_router(health.router(Health(ready, nobody)))
    assert (await call(app, "GET", "/health/ready")).status == status


async def test_a_check_that_fails_is_a_no() -> None:
    async def ready() -> dict[str, bool]:
        raise LookupError(CANARY)

    app = FastAPI()
    app.include_router(health.router(Health(ready, nobody)))
    answer = await call(app, "GET", "/health/ready")
    assert (answer.status, answer.json["missing"]) == (503, ["checks"])
