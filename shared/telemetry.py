"""Spans by hand, one per piece of work, and a filter at the exporter that lets nothing out which could name anybody.

The attribute names are those of the OpenTelemetry semantic conventions (messaging, HTTP) and `peerline.case`, by
which the trace search finds a case. Without an exporter nothing is recorded and a traceparent is only passed on.
Source: W3C Trace Context level 1; OpenTelemetry semantic conventions 1.3x, "Messaging spans", "Kafka".
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import TracebackType
from typing import Self
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from shared import clock
from shared.events.envelope import TOPICS

log = logging.getLogger(__name__)

_EXPORTERS = {
    "zipkin": ("opentelemetry.exporter.zipkin.json", "ZipkinExporter"),
    "otlp": ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "OTLPSpanExporter"),
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SERVER_ERROR = 500

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TOPIC = r"[A-Za-z0-9._-]{1,120}"
# The template of a route: what stands between braces is a name; no other character than these can come from us.
_ROUTE = r"(?:/(?:\{[a-z_:]{1,40}\}|[a-z0-9._-]{1,40}){0,4}){1,10}"
_TIMER = r"timer [a-z][a-z0-9._-]{0,60}"
_WORDS = r"[a-z][a-z_]{0,40}(?: [a-z][a-z_]{0,40}){0,3}"

ALLOWED: Mapping[str, re.Pattern[str]] = {
    name: re.compile(shape)
    for name, shape in {
        "messaging.system": "kafka",
        "messaging.operation.name": "process|send",
        "messaging.operation.type": "process|send",
        "messaging.destination.name": _TOPIC,
        "messaging.consumer.group.name": _TOPIC,
        "messaging.kafka.offset": r"\d{1,20}",
        "messaging.message.conversation_id": _UUID,
        "peerline.case": _UUID,
        "peerline.linked_trace": r"[0-9a-f]{32}",
        "http.request.method": r"[A-Z_]{1,10}",
        "http.route": _ROUTE,
        "http.response.status_code": r"\d{3}",
        "error.type": r"[A-Za-z_][A-Za-z0-9_]{0,60}|\d{3}",
    }.items()
}
"""Every attribute that may leave the process, and the only shape that its value may have."""

_ALLOWED_RESOURCE = frozenset(
    {
        "service.name",
        "service.namespace",
        "service.version",
        "service.instance.id",
        "deployment.environment.name",
        "k8s.namespace.name",
        "k8s.pod.name",
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
    }
)
_NAME = re.compile(rf"(?:process|send) {_TOPIC}|(?:{'|'.join(sorted(_METHODS))}|HTTP)(?: {_ROUTE})?|{_TIMER}|{_WORDS}")
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_CASELESS = tuple(topic.name for topic in TOPICS.values() if topic.compacted)


class UnknownExporter(Exception):
    """OTEL_TRACES_EXPORTER names an exporter that is not built in: none, zipkin or otlp."""


class _State:
    """What this process exports to, if anything."""

    provider: TracerProvider | None = None
    tracer: Tracer | None = None
    dropped: int = 0


def dropped_attributes() -> int:
    """How many attributes and names the filter has kept back since the process started."""
    return _State.dropped


def _kept(attributes: Mapping[str, object] | None) -> dict[str, str | int]:
    kept: dict[str, str | int] = {}
    for name, value in (attributes or {}).items():
        shape = ALLOWED.get(name)
        if shape is not None and isinstance(value, str | int) and shape.fullmatch(str(value)):
            kept[name] = value
        else:
            _State.dropped += 1
    return kept


def _named(name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    _State.dropped += 1
    return "unnamed"


def scrubbed(span: ReadableSpan) -> ReadableSpan:
    """The span with allowed attributes only: no events, status text, link attributes, odd names or trace state."""
    return ReadableSpan(
        name=_named(span.name),
        context=_bare(span.get_span_context()),
        parent=_bare(span.parent),
        resource=span.resource,
        attributes=_kept(span.attributes),
        links=[Link(bare) for link in span.links if (bare := _bare(link.context)) is not None],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _bare(context: SpanContext | None) -> SpanContext | None:
    if context is None:
        return None
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


class ScrubbingExporter(SpanExporter):
    """Hands scrubbed spans to another exporter. A collector that is down costs the spans and nothing else."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner, self._down = inner, False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the scrubbed spans; a failure is said once, by its class name, until it works again."""
        try:
            result = self._inner.export([scrubbed(span) for span in spans])
        except Exception as error:  # noqa: BLE001 - whatever a collector does must not disturb the work
            if not self._down:
                log.warning("spans cannot be exported: %s", type(error).__name__)
            self._down = True
            return SpanExportResult.FAILURE
        self._down = False
        return result

    def shutdown(self) -> None:
        """Close the other exporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the other exporter, within milliseconds."""
        return self._inner.force_flush(timeout_millis)


def _resource(service: str, instance: str) -> Resource:
    described = {"service.name": service} | ({"service.instance.id": instance} if instance else {})
    everything = Resource.create(described).attributes
    _State.dropped += len(everything.keys() - _ALLOWED_RESOURCE)
    return Resource({name: value for name, value in everything.items() if name in _ALLOWED_RESOURCE})


def configure(service: str, *, instance: str = "") -> None:
    """Export as `service` by OTEL_TRACES_EXPORTER (none, zipkin, otlp; none when unset) and the standard variables.

    Sampling follows OTEL_TRACES_SAMPLER, addresses OTEL_EXPORTER_*. Raises `UnknownExporter`.
    """
    shutdown()
    wanted = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "none"
    if wanted == "none" or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    if wanted not in _EXPORTERS:
        raise UnknownExporter(f"OTEL_TRACES_EXPORTER: one of none, {', '.join(_EXPORTERS)}")
    module, maker = _EXPORTERS[wanted]
    # Each exporter takes a tenth of a second to import: only the one that is wanted.
    inner: SpanExporter = getattr(import_module(module), maker)()
    provider = TracerProvider(resource=_resource(service, instance))
    provider.add_span_processor(BatchSpanProcessor(ScrubbingExporter(inner)))
    _State.provider, _State.tracer = provider, provider.get_tracer("peerline")


def shutdown() -> None:
    """Export what is waiting and stop; later work is not recorded."""
    provider, _State.provider, _State.tracer = _State.provider, None, None
    if provider is not None:
        provider.shutdown()


class Work:
    """One piece of work under way. `traceparent` is its own, to be given to whatever it causes."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span | None, traceparent: str) -> None:
        self._span, self.traceparent = span, traceparent

    def end(self, *, error: str | None = None) -> None:
        """The work is over; `error` is the name of an exception's class, nothing else. Ending twice does nothing."""
        span, self._span = self._span, None
        if span is None:
            return
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(StatusCode.ERROR)
        span.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error=kind.__name__ if kind else None)


class ServerWork(Work):
    """A request being answered."""

    __slots__ = ("_status", "method")

    def __init__(self, span: Span | None, traceparent: str) -> None:
        super().__init__(span, traceparent)
        self.method = "HTTP"
        self._status = 0

    def tag_case(self, case: UUID) -> None:
        """This request is about `case`: the trace search finds it."""
        if self._span is not None:
            self._span.set_attributes(_case(case))

    def route(self, template: str) -> None:
        """The route's template is known now; never the path."""
        if self._span is not None:
            self._span.set_attribute("http.route", template)
            self._span.update_name(f"{self.method} {template}")

    def status(self, code: int) -> None:
        """The status of the answer; 500 and above is an error."""
        self._status = code
        if self._span is not None:
            self._span.set_attribute("http.response.status_code", code)

    def end(self, *, error: str | None = None) -> None:
        """As `Work.end`; a status of 500 and above is an error even when none is named."""
        super().end(error=error or (str(self._status) if self._status >= _SERVER_ERROR else None))


def _context_of(traceparent: str | None) -> SpanContext | None:
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    trace, span, flags = found.groups()
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def _passed_on(traceparent: str | None) -> str:
    if traceparent and _TRACEPARENT.fullmatch(traceparent):
        return traceparent
    return f"00-{clock.random_id().hex}-{clock.random_id().hex[16:]}-00"


def _case(case: UUID | None) -> dict[str, str | int]:
    if case is None:
        return {}
    named = str(case)
    return {"messaging.message.conversation_id": named, "peerline.case": named}


def _begin(
    name: str, kind: SpanKind, *, traceparent: str | None, attributes: dict[str, str | int], link: bool = False
) -> tuple[Span | None, str]:
    tracer = _State.tracer
    if tracer is None:
        return None, _passed_on(None if link else traceparent)
    before = _context_of(traceparent)
    links = [Link(before)] if link and before else []
    if links and before:
        # Zipkin shows no links: the tag is what an operator copies into its search.
        attributes["peerline.linked_trace"] = f"{before.trace_id:032x}"
    parent = None if link or before is None else NonRecordingSpan(before)
    context = set_span_in_context(parent, Context()) if parent else Context()
    span = tracer.start_span(name, context, kind, attributes, links)
    own = span.get_span_context()
    traceparent = f"00-{own.trace_id:032x}-{own.span_id:016x}-{own.trace_flags:02x}"
    return (span if span.is_recording() else None), traceparent


def process_work(
    topic: str, group: str, *, case: UUID | None, traceparent: str | None, offset: int | None = None
) -> Work:
    """Work on one case's records of a batch ("process peerline.intake"), child of what caused them.

    `case` is None where the record's key is a person or an agency; of the compacted topics it is never tagged.
    """
    if _State.tracer is None:
        return Work(None, _passed_on(traceparent))
    attributes = _case(None if topic.endswith(_CASELESS) else case)
    attributes |= {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.consumer.group.name": group,
    }
    if offset is not None:
        attributes["messaging.kafka.offset"] = offset
    return Work(*_begin(f"process {topic}", SpanKind.CONSUMER, traceparent=traceparent, attributes=attributes))


def send_work(topic: str, *, case: UUID | None, traceparent: str | None) -> Work:
    """The publishing of one case's records ("send peerline.intake"). `case` as in `process_work`."""
    if _State.tracer is None:
        return Work(None, _passed_on(traceparent))
    attributes = _case(None if topic.endswith(_CASELESS) else case)
    attributes |= {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
    }
    return Work(*_begin(f"send {topic}", SpanKind.PRODUCER, traceparent=traceparent, attributes=attributes))


def server_work(method: str, route: str | None, *, traceparent: str | None) -> ServerWork:
    """A request at a door; `route` is its template, or None until it is known (then call `ServerWork.route`)."""
    known = method if method in _METHODS else "HTTP"
    attributes: dict[str, str | int] = {"http.request.method": method if known == method else "_OTHER"}
    work = ServerWork(*_begin(known, SpanKind.SERVER, traceparent=traceparent, attributes=attributes))
    work.method = known
    if route is not None:
        work.route(route)
    return work


def timer_work(kind: str, *, case: UUID | None, traceparent: str | None, link: bool) -> Work:
    """What a timer does when it is due ("timer <kind>").

    With `link` it is a trace of its own that points at the one which set the timer, because hours lie between.
    """
    attributes = _case(case)
    return Work(*_begin(f"timer {kind}", SpanKind.INTERNAL, traceparent=traceparent, attributes=attributes, link=link))


def client_work(name: str, *, case: UUID | None, traceparent: str | None) -> Work:
    """A call to something outside, such as "send mail"; never an address in its name."""
    return Work(*_begin(name, SpanKind.CLIENT, traceparent=traceparent, attributes=_case(case)))
