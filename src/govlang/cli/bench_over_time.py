"""`gov bench` of a policy over time: how long a commit, a question and a report take.

In: a policy and its table.  Out: a row a backend.  Each sample comes a second after the one before, so that no clock
goes back.  Random requests alone would mostly meet what is stale or missing: short random histories that end in a
request which is not denied lead each few commits, from the empty state on.  Questions and reports go on from the state
behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from random import Random
from time import perf_counter_ns
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

TRIALS: Final = 400
"""Histories that are tried, each on a policy that remembers nothing yet."""

LEADING: Final = 16
"""Histories that are enough."""

REPORTS_MAX: Final = 8
"""Reports of one history."""

CHUNK: Final = 16
"""Requests behind one history; they are timed together, so reading the clock counts for little."""

KEYS_MAX: Final = 1_024
"""Far more than requests name; beginning anew stays cheap."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Leading:
    """Reports, and a request that is not denied behind them."""

    reports: list[Json]
    request: tuple[Json, Json]


@dataclass(slots=True)
class Histories:
    """A policy with samples in the form that each backend takes; `now_ms` is the time of the last one."""

    policy: ir.Policy
    time: ir.Time
    table: bytes
    values: list[dict[str, Value]]
    plain: list[tuple[Json, Json]]
    reports: list[Json]
    now_ms: int = 0
    decider: Policy = field(init=False)
    committer: Policy = field(init=False)
    blank: bytes = field(init=False)
    texts: list[str] = field(init=False)
    leading: list[Leading] = field(init=False)
    decisions: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.decider, self.committer = Policy(self.table), Policy(self.table, capacity=KEYS_MAX)
        self.blank = self.committer.save(now_ms=0)
        self.texts = [json_text(request) for request, _ in self.plain]
        self.leading = list(self._permitted())
        self.reports = list(self._accepted())
        found: list[str] = []
        self.by_commit(found)
        self.decisions = {word: found.count(word) for word in sorted(set(found))}

    def runs(self) -> Iterator[tuple[str, Callable[[], object], int]]:
        """Each backend, how it is run, and on how many samples."""
        yield "interpreter", self.by_interpreter, self.interpreted
        yield "commit", self.by_commit, len(self.plain)
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

    def by_commit(self, found: list[str] | None = None) -> int:
        """Requests as dicts, decided and written; the ns that these took, without the reports between them."""
        spent = 0
        for reports, requests in self._chunks():
            self.committer.restore(self.blank, downtime_ms=0, now_ms=self.now_ms)
            self._observe(self.committer, reports)
            start = perf_counter_ns()
            outcomes = [self._commit(*one) for one in requests]
            spent += perf_counter_ns() - start
            if found is not None:
                found.extend(one.decision.value for one in outcomes)
        return spent

    def _commit(self, request: Json, host: Json) -> Any:
        self.now_ms += WAIT_MS
        return self.committer.commit(request, now_ms=self.now_ms, runtime=host)

    def _observe(self, policy: Policy, reports: list[Json]) -> None:
        """Takes in what something called for."""
        for one in reports:
            self.now_ms += WAIT_MS
            with suppress(TableError):
                policy.observe(one | {"at_ms": self.now_ms})

    def _chunks(self) -> Iterator[tuple[list[Json], list[tuple[Json, Json]]]]:
        """All requests a few at a time; half of them are those of the histories that lead them."""
        leading = cycle(self.leading or [Leading([], self.plain[0])])
        for start in range(0, len(self.plain), CHUNK):
            one, part = next(leading), self.plain[start : start + CHUNK]
            if self.leading:
                part = [one.request if at % 2 == 0 else own for at, own in enumerate(part)]
            yield one.reports, part

    def _permitted(self) -> Iterator[Leading]:
        """Short random histories whose request is not denied."""
        rng, count = Random(0), 0  # noqa: S311  # a workload, not a secret
        for _ in range(TRIALS):
            policy, request = Policy(self.table, capacity=KEYS_MAX), rng.choice(self.plain)
            reports = (
                rng.choices(self.reports, k=rng.randint(0, REPORTS_MAX)) if self.reports else []
            )
            self._observe(policy, reports)
            self.now_ms += WAIT_MS
            outcome = policy.commit(request[0], now_ms=self.now_ms, runtime=request[1])
            if outcome.decision.value != "deny":
                count += 1
                yield Leading(reports, request)
            if count == LEADING:
                return

    def _accepted(self) -> Iterator[Json]:
        """The reports that something called for; those it permits once it permits in every round."""
        for one in self.reports:
            self.now_ms += WAIT_MS
            with suppress(TableError):
                self.decider.observe(one | {"at_ms": self.now_ms})
                yield one
