"""Traces (OpenTelemetry) where they are wanted and installed; nothing otherwise.

In: the name of a step, its attributes.  Out: a span around it, the parent taken from the request's `traceparent`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Protocol


class Traces(Protocol):
    """Spans around requests and steps."""

    def request(self, route: str, scope: Mapping[str, Any]) -> AbstractContextManager[None]: ...
    def step(self, name: str, **attributes: str | int) -> AbstractContextManager[None]: ...


class NoTraces:
    """Nothing is traced."""

    _nothing: Final = nullcontext()

    def request(self, route: str, scope: Mapping[str, Any]) -> AbstractContextManager[None]:
        del route, scope
        return self._nothing

    def step(self, name: str, **attributes: str | int) -> AbstractContextManager[None]:
        del name, attributes
        return self._nothing


NO_TRACES: Final = NoTraces()


class OpenTelemetryTraces:
    """Spans of the provider that the host has configured; attributes hold names and numbers, never a body."""

    def __init__(self, provider: Any = None) -> None:
        from opentelemetry import propagate, trace

        self._tracer = trace.get_tracer("govlang", tracer_provider=provider)
        self._kind = trace.SpanKind.SERVER
        self._extract = propagate.extract

    @contextmanager
    def request(self, route: str, scope: Mapping[str, Any]) -> Iterator[None]:
        """A span around a request."""
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in {b"traceparent", b"tracestate"}
        }
        attributes = {"http.request.method": scope["method"], "http.route": route}
        with self._tracer.start_as_current_span(
            route,
            context=self._extract(carrier),
            kind=self._kind,
            attributes=attributes,
            record_exception=False,
        ):
            yield

    @contextmanager
    def step(self, name: str, **attributes: str | int) -> Iterator[None]:
        """A span around a step of the control plane."""
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False
        ):
            yield


def traces() -> Traces:
    """OpenTelemetry's where it is installed (extra `otel`) and the host has set a provider; none otherwise.

    Without a provider every span would be thrown away, at its cost.
    """
    try:
        from opentelemetry import trace
    except ImportError:
        return NO_TRACES
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return NO_TRACES
    return OpenTelemetryTraces()
