"""`gov bench` of a policy over time: how long a commit, a question and a report take.

In: a policy and its table.  Out: a row a backend.  Every round goes on from the state behind the one before,
a second further with each sample, so that no clock goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from govlang.cli.formats.exact_json import json_text
from govlang.compiler import ir
from govlang.compiler.interpret import Value, default_params
from govlang.compiler.step import Request, State, step
from govlang.native.errors import TableError
from govlang.runtime.policy import Policy

WAIT_MS: Final = 1_000
INTERPRETED: Final = 100_000
"""Cells, updates and rules times requests for the interpreter, which is slow on purpose."""

Json = dict[str, Any]


@dataclass(slots=True)
class Histories:
    """A policy with samples in the form that each backend takes; `now_ms` is the time of the last one."""

    policy: ir.Policy
    time: ir.Time
    decider: Policy
    values: list[dict[str, Value]]
    plain: list[tuple[Json, Json]]
    reports: list[Json]
    now_ms: int = 0
    texts: list[str] = field(init=False)
    decisions: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.texts = [json_text(request) for request, _ in self.plain]
        self.reports = list(self._accepted())
        found = [one.decision.value for one in self._committed()]
        self.decisions = {word: found.count(word) for word in sorted(set(found))}

    def runs(self) -> Iterator[tuple[str, Callable[[], object], int]]:
        """Each backend, how it is run, and on how many samples."""
        yield "interpreter", self.by_interpreter, self.interpreted
        yield "commit", lambda: sum(1 for _ in self._committed()), len(self.plain)
        yield "json", self.by_json, len(self.texts)
        if self.reports:
            yield "report", self.by_report, len(self.reports)

    @property
    def interpreted(self) -> int:
        """How many requests the interpreter gets."""
        work = len(self.policy.rules) + len(self.time.cells) + len(self.time.updates)
        return min(len(self.values), max(10, INTERPRETED // work))

    def by_interpreter(self) -> None:
        """The reference step, from the empty state on."""
        params, state = default_params(self.policy), State()
        for number, one in enumerate(self.values[: self.interpreted]):
            state, _ = step(self.policy, params, state, Request(one, number * WAIT_MS))

    def by_json(self) -> None:
        """Questions, as JSON text."""
        for text, (_, host) in zip(self.texts, self.plain, strict=True):
            self.decider.decide_json(text, now_ms=self.now_ms, runtime=host)

    def by_report(self) -> None:
        """Events and signals, taken in."""
        for one in self.reports:
            self.now_ms += WAIT_MS
            one["at_ms"] = self.now_ms
            self.decider.observe(one)

    def _committed(self) -> Iterator[Any]:
        """Requests as dicts, decided and written."""
        for request, host in self.plain:
            self.now_ms += WAIT_MS
            yield self.decider.commit(request, now_ms=self.now_ms, runtime=host)

    def _accepted(self) -> Iterator[Json]:
        """The reports that something called for; those it permits once it permits in every round."""
        for one in self.reports:
            self.now_ms += WAIT_MS
            with suppress(TableError):
                self.decider.observe(one | {"at_ms": self.now_ms})
                yield one
