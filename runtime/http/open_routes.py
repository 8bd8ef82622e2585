"""The routes that describe the service itself: health, metrics, the document and its page."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Protocol

from govlang.runtime.control.answer import Answer, problem
from govlang.runtime.control.tokens import Role
from govlang.runtime.http import replies
from govlang.runtime.http.openapi import document
from govlang.runtime.http.page import page
from govlang.runtime.http.route import NOBODY, Ask, Load, Route
from govlang.runtime.http.service import Service

WATCHERS: Final = frozenset({Role.AUDITOR, Role.OPERATOR, Role.WORKER})
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Stopping(Protocol):
    """Whether the service is on its way out."""

    @property
    def began(self) -> bool: ...


class Exposed(Protocol):
    """What /metrics shows."""

    def exposition(self) -> str: ...


PAGE_HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


def open_routes(
    stop: Stopping, metrics: Exposed, others: tuple[Route, ...], *, metrics_open: bool
) -> tuple[Route, ...]:
    """The routes, which describe the `others` too; /metrics asks for a role unless it is open."""

    @cache
    def described() -> dict[str, Any]:
        return document((*others, *own))

    own = (*_watched(stop, metrics, metrics_open=metrics_open), *_descriptions(described))
    return own


def _read(path: str, name: str, does: str, **rest: Any) -> Route:
    return Route("GET", path, name, does, load=Load.OPEN, status=200, **rest)


def _watched(stop: Stopping, metrics: Exposed, *, metrics_open: bool) -> tuple[Route, ...]:
    def ready(service: Service, _: Ask) -> Answer:
        if stop.began:
            return problem("not_ready", "the service is stopping", retry_after_s=1)
        return service.ready()

    return (
        _read(
            "/healthz",
            "health",
            "Whether the process lives.",
            roles=NOBODY,
            act=lambda s, _: s.health(),
            answer=replies.Health,
        ),
        _read(
            "/readyz",
            "ready",
            "Whether the service can take work.",
            roles=NOBODY,
            act=ready,
            answer=replies.Health,
            problems=("not_ready",),
        ),
        _read(
            "/metrics",
            "metrics",
            "Measurements, for Prometheus.",
            roles=NOBODY if metrics_open else WATCHERS,
            act=lambda _, __: Answer(200, metrics.exposition(), {"content-type": METRICS_TYPE}),
            answer=None,
        ),
    )


def _descriptions(described: Callable[[], dict[str, Any]]) -> tuple[Route, ...]:
    @cache
    def text() -> str:
        return json.dumps(described(), ensure_ascii=False, indent=1)

    @cache
    def shown() -> str:
        return page(described())

    return (
        _read(
            "/openapi.json",
            "openapi",
            "This interface as OpenAPI 3.1.",
            roles=NOBODY,
            act=lambda _, __: Answer(200, text(), {"content-type": "application/json"}),
            answer=None,
            in_thread=True,
        ),
        _read(
            "/docs",
            "docs",
            "This interface as a page.",
            roles=NOBODY,
            act=lambda _, __: Answer(200, shown(), PAGE_HEADERS),
            answer=None,
            in_thread=True,
        ),
    )
