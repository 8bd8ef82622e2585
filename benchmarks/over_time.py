"""Ten temporal rules: the trace, and how fast Python and its threads take it in.

Goes in: nothing but a seed. Comes out: rows of the workload `over_time`. One trace of 65 536 samples of 1 000 agents in
a random order: 60 % requests, signals, events of all kinds, some of which come after nothing and are refused.
What always holds: the reference step has given the same rule on the first samples, and everybody names the same rule on
all of them, before a figure is taken.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from random import Random
from time import perf_counter, process_time_ns
from typing import Any, Final

import numpy as np

from benchmarks.limits import Array
from benchmarks.measure import Row
from benchmarks.table import ROOT
from benchmarks.targets import OVER_TIME, TIME_PYTHON
from govlang import Policy
from govlang.cli.compiled import compile_policy
from govlang.compiler.frontend import compile_file
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import State, step
from govlang.native.errors import TableError
from govlang.native.layout import FIRST_KIND

SOURCE: Final = ROOT / "benchmarks" / "over_time.gov"
SAMPLES: Final = 65_536
AGENTS: Final = 1_000
CHECKED: Final = 4_000
RULES: Final = 10
SAMPLE = np.dtype([("at", "i8"), ("kind", "u4"), ("key", "u4"), ("words", "i8", 4)])
BROUGHT: Final = ("load", "cost", "approved", "heat")
WEIGHTS: Final = {"dispatched": 60, "success": 50, "failure": 20, "restart": 1, "violation": 1}
THREADS: Final = (1, 2, 4)
CALLS: Final = 40_000


@dataclass(frozen=True, slots=True)
class Told:
    """A sample; `name` is that of an event or a signal."""

    at_ms: int
    agent: int
    name: str | None
    load: int = 0
    cost: int = 0
    heat: int = 0

    @property
    def request(self) -> dict[str, Any]:
        """The request, if it is one."""
        return {"agent": f"agent-{self.agent}", "load": self.load, "cost": self.cost}

    @property
    def step(self) -> dict[str, Any]:
        """The step of a trace, if it is none."""
        said = {"at_ms": self.at_ms, "key": f"agent-{self.agent}"}
        if self.name == "heat":
            return said | {"signal": "heat", "value": self.heat}
        return said | {"event": self.name}


def trace(count: int = SAMPLES, agents: int = AGENTS, seed: int = 3) -> list[Told]:
    """Samples of many agents, in order of time."""
    rng, at, found = Random(seed), 0, []
    for _ in range(count):
        at += rng.choice((0, 1, 1, 2, 5, 20, 40)) * 1_000 // agents
        agent, kind = rng.randrange(agents), rng.random()
        if kind < 0.6:
            found.append(Told(at, agent, None, rng.randint(0, 100), rng.randint(0, 1_000)))
        elif kind < 0.75:
            found.append(Told(at, agent, "heat", heat=rng.randint(0, 170)))
        else:
            (name,) = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
            found.append(Told(at, agent, name))
    return found


class Case:
    """The policy, its table, the trace."""

    def __init__(self, count: int = SAMPLES, agents: int = AGENTS) -> None:
        self.agents = agents
        self.policy = compile_file(SOURCE).policy
        self.table = compile_policy(self.policy).table
        self.told = trace(count, agents)
        self.names = {rule.id: at for at, rule in enumerate(self.policy.rules)} | {"default": -1}

    @cached_property
    def loaded(self) -> Policy:
        """The table with nothing remembered yet."""
        return Policy(self.table)

    @cached_property
    def expected(self) -> list[int]:
        """What the reference step says of the first samples: rules of requests, -2 where there is none."""
        state, found = State(), []
        for one in self.told[:CHECKED]:
            key = f"agent-{one.agent}"
            values = {"heat": one.heat} if one.name == "heat" else {}
            sample: Any = (
                read_sample(self.policy, one.request, {}, one.at_ms)
                if one.name is None
                else read_report(self.policy, one.name, key, values, one.at_ms)
            )
            state, outcome = step(self.policy, {}, state, sample)
            found.append(-2 if outcome is None else self.names[outcome.rule_id])
        return found

    def samples(self) -> Array:
        """The trace as records of `c/time_driver.c`."""
        memory = self.loaded.memory
        assert memory is not None
        kinds = {one.name: FIRST_KIND + at for at, one in enumerate(memory.samples)}
        rows = [
            (o.at_ms, 0 if o.name is None else kinds[o.name], o.agent, (o.load, o.cost, 0, o.heat))
            for o in self.told
        ]
        return np.array(rows, dtype=SAMPLE)

    def columns(self) -> Array:
        """The columns of what a sample brings."""
        memory = self.loaded.memory
        assert memory is not None
        own = {one.name: one.column for one in self.loaded.fields}
        own |= {one.name: one.column for sample in memory.samples for one in sample.fields}
        return np.array([own[name] for name in BROUGHT], dtype="u4")

    def row(self, subject: str, form: str, value: float, unit: str = "ns") -> Row:
        """A figure of this case."""
        return Row(OVER_TIME, RULES, subject, form, value, unit)


def same_rules(expected: Sequence[int], found: Sequence[int], who: str) -> None:
    """Raises unless all rules are the same."""
    for at, (mine, theirs) in enumerate(zip(expected, found, strict=False)):
        if mine != theirs:
            message = f"{who}: sample {at} gives rule {theirs}, must be {mine}"
            raise AssertionError(message)


def time_rows(case: Case) -> Iterator[Row]:
    """Python, threads; C stands in `over_time_c`."""
    yield from python_rows(case)
    yield from thread_rows(case)


# --- Python --------------------------------------------------------------------------------------


def python_rows(case: Case) -> Iterator[Row]:
    """`commit` and `observe`, from dicts, each with the trace of the other in between."""
    same_rules(case.expected, replay(case, Policy(case.table)), "Policy")
    spent = [python_times(case) for _ in range(5)]
    for form, at in ((TIME_PYTHON, 0), ("Python, observe", 1)):
        yield case.row("govlang", form, statistics.median(one[at] for one in spent))


def replay(case: Case, policy: Policy) -> list[int]:
    """The rules that a policy names on the checked part of the trace."""
    found = []
    for one in case.told[:CHECKED]:
        if one.name is None:
            outcome = policy.commit(one.request, now_ms=one.at_ms)
            found.append(case.names[outcome.rule_id])
            continue
        with suppress(TableError):  # an event that comes after nothing
            policy.observe(one.step)
        found.append(-2)
    return found


def python_times(case: Case, chunk: int = 64) -> tuple[float, float]:
    """Nanoseconds a commit and a report, the trace taken in chunks of one sort, in order of time within each."""
    policy, spent, counts = Policy(case.table), [0, 0], [0, 0]
    for start in range(0, len(case.told), chunk):
        part = case.told[start : start + chunk]
        requests = [(one.request, one.at_ms) for one in part if one.name is None]
        steps = [one.step | {"at_ms": part[-1].at_ms} for one in part if one.name is not None]
        began = process_time_ns()
        for request, at_ms in requests:
            policy.commit(request, now_ms=at_ms)
        between = process_time_ns()
        for said in steps:
            with suppress(TableError):
                policy.observe(said)
        spent[0] += between - began
        spent[1] += process_time_ns() - between
        counts[0] += len(requests)
        counts[1] += len(steps)
    return spent[0] / counts[0], spent[1] / counts[1]


# --- threads -------------------------------------------------------------------------------------


def thread_rows(case: Case) -> Iterator[Row]:
    """Commits and reports a second of wall time, by threads; each on agents of its own, or all on one.

    One sample is read and taken in under the interpreter's lock, so threads take turns: the rate of all together stays
    about that of one.
    """
    for prepare, unit in ((commits, "M decisions/s"), (reports, "M reports/s")):
        for count in THREADS:
            for form, shared in (("keys of their own", False), ("one key", True)):
                spent = [calls_a_second(case, prepare, count, shared=shared) for _ in range(3)]
                what = "commit" if prepare is commits else "observe"
                name = f"Python, {what}, {count} thread{'s' * (count > 1)}, {form}"
                yield case.row("govlang", name, statistics.median(spent) / 1e6, unit)


Prepare = Callable[[Policy, Sequence[str]], Callable[[], None]]


def commits(policy: Policy, keys: Sequence[str]) -> Callable[[], None]:
    """What commits requests of some agents; the clock is read by each commit."""
    requests = [{"agent": keys[at % len(keys)], "load": 10, "cost": 10} for at in range(CALLS)]

    def run() -> None:
        for request in requests:
            policy.commit(request)

    return run


def reports(policy: Policy, keys: Sequence[str]) -> Callable[[], None]:
    """What reports signals of some agents, likewise."""
    steps = [{"signal": "heat", "value": 20, "key": keys[at % len(keys)]} for at in range(CALLS)]

    def run() -> None:
        for said in steps:
            policy.observe(said)

    return run


def calls_a_second(case: Case, prepare: Prepare, count: int, *, shared: bool) -> float:
    """The rate of all threads together, from when the first one begins until the last one has done."""
    policy, begin = Policy(case.table), threading.Barrier(count)
    spans: list[tuple[float, float]] = []

    def work(number: int) -> None:
        keys = ["agent"] if shared else [f"agent-{number}-{at}" for at in range(100)]
        run = prepare(policy, keys)
        begin.wait()
        start = perf_counter()
        run()
        spans.append((start, perf_counter()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return count * CALLS / (max(end for _, end in spans) - min(start for start, _ in spans))
