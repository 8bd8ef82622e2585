from __future__ import annotations

import sys

import pytest
from asgi_call import call
from fake_service import NOW_MS, FakeService, bearer, token_book

from govlang.runtime.control.settings import Settings
from govlang.runtime.http.app import build_app
from govlang.runtime.http.traces import NO_TRACES, OpenTelemetryTraces, traces

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_without_the_extra_nothing_is_traced(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert traces() is NO_TRACES
    with NO_TRACES.step("commit", operations=3), NO_TRACES.request("evaluate", {}):
        pass


def test_a_request_is_a_span_below_the_callers() -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    made = OpenTelemetryTraces(provider)
    app = build_app(FakeService(), Settings(), token_book(), traces=made, clock_ms=lambda: NOW_MS)
    headers = [*bearer("agent").items(), ("traceparent", PARENT)]
    reply = call(
        app, "POST", "/v1/policy/evaluate", headers=headers, plain={"request": {"a": "hush"}}
    )
    assert reply.status == 200
    with made.step("commit", operations=3):
        pass
    request, step = exporter.get_finished_spans()
    assert request.name == "evaluate"
    assert format(request.context.trace_id, "032x") == PARENT.split("-")[1]
    assert dict(request.attributes) == {"http.request.method": "POST", "http.route": "evaluate"}
    assert (step.name, dict(step.attributes)) == ("commit", {"operations": 3})
    assert "hush" not in request.to_json()


def test_traces_are_made_where_a_provider_takes_them(monkeypatch) -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    assert traces() is NO_TRACES
    monkeypatch.setattr(trace, "get_tracer_provider", sdk.TracerProvider)
    assert isinstance(traces(), OpenTelemetryTraces)
