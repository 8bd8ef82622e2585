"""Five temporal rules that we and Dogwood can both say, on one trace of whole seconds.

Comes out: rows of the workload `both_times`, microseconds an event. What always holds: both permit the same requests
before a figure is taken, some permitted, some not.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from random import Random
from time import process_time_ns
from typing import Final

from benchmarks.measure import Row
from benchmarks.table import ROOT
from govlang import Policy
from govlang.cli.compiled import compile_policy
from govlang.compiler.frontend import compile_file

SOURCE: Final = ROOT / "benchmarks" / "both_times.gov"
EVENTS: Final = 4_000
RULES: Final = 5
WEIGHTS: Final = {None: 60, "approval": 6, "failure": 30, "restart": 3, "violation": 0.3}

Event = tuple[int, str, str | None]


def trace(count: int = EVENTS, agents: int = 20, seed: int = 1) -> list[Event]:
    """Seconds, agent, event (None: a request), in order of time."""
    rng, at, found = Random(seed), 0, []
    for _ in range(count):
        at += rng.choice((0, 0, 1, 3))
        (name,) = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))
        found.append((at, f"a{rng.randrange(agents)}", name))
    return found


def ours(table: bytes, events: list[Event]) -> list[bool]:
    """What we permit of the requests."""
    policy, found = Policy(table), []
    for at, agent, name in events:
        if name is None:
            outcome = policy.commit({"agent": agent}, now_ms=1_000 * at)
            found.append(outcome.decision.value == "allow")
        else:
            policy.observe({"at_ms": 1_000 * at, "event": name, "key": agent})
    return found


def both_rows() -> Iterator[Row]:
    """Ours and theirs, if it is installed."""
    events = trace()
    table = compile_policy(compile_file(SOURCE).policy).table
    found = ours(table, events)
    yield row("govlang", "Python, commit and observe", lambda: ours(table, events))
    try:
        installed = version("dogwood-py")
    except PackageNotFoundError:
        print("  dogwood-py: not installed", file=sys.stderr)
        return
    from benchmarks.peers import dogwood_time

    text = dogwood_time.log(events)
    theirs = dogwood_time.replay(text)
    asked = [said for (_, _, name), said in zip(events, theirs, strict=True) if name is None]
    if asked != found or not 0.05 < sum(found) / len(found) < 0.95:
        message = "dogwood-py decides otherwise"
        raise AssertionError(message)
    form = "native replay of a log, its text parsed"
    yield row(f"dogwood-py {installed}", form, lambda: dogwood_time.replay(text), 3)


def row(subject: str, form: str, run: Callable[[], object], times: int = 7) -> Row:
    """Microseconds an event, the median of some runs of the whole trace."""
    spent = []
    for _ in range(times):
        start = process_time_ns()
        run()
        spent.append((process_time_ns() - start) / EVENTS / 1e3)
    return Row("both_times", RULES, subject, form, statistics.median(spent), "µs an event")
