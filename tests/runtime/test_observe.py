"""`Policy.observe` reads steps in C; `runtime/memory.py` says what is right."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict, UserDict
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pytest

from govlang.cli.compiled import compile_policy
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.native.errors import TableError
from govlang.runtime.memory import clock_ms
from govlang.runtime.policy import Policy

POLICY: Final = """
language 1
policy observed version "1.0.0"
default allow

input {
  agent    : key
  resource : text max 8
  file     : path max 8
}
event moved {
  load     : number in -5..50 kg step 0.5
  speed    : number in 0..9 rounded up
  zone     : one of urban, rural
  labels   : set of write, delete, pii
  urgent   : bool
  length   : duration
  at       : time
  resource : text max 12
  file     : path max 12
}
event called { urgent : bool }
event plain
event failure after plain
shared event alarm { level : number in 0..3 }
signal heat : number in 0..200 step 0.1
shared signal mode : one of calm, busy

rule often   when count(moved per resource) in 1 h >= 3 deny
rule again   when count(moved per file) in 1 h >= 3 deny
rule heavy   when sum(moved.speed) in 1 h by 10 min > 100 deny
rule quick   when moved within 10 s deny
rule loud    when alarm within 1 min deny
rule hot     when has heat and heat > 150 deny
rule busy    when has mode and mode is busy deny
rule failing when count(failure) in 1 min >= 3 deny
rule calls   when called within 1 min deny
"""

FIELDS: Final[dict[str, tuple[Any, ...]]] = {
    "load": (
        0,
        1.5,
        -5,
        50,
        50.5,
        0.25,
        "1",
        True,
        None,
        2**70,
        Decimal("2.5"),
        Decimal("NaN"),
        np.int64(3),
        float("nan"),
    ),
    "speed": (0, 0.5, 9, 9.5, Fraction(1, 2), Decimal("0.1")),
    "zone": ("urban", "rural", "URBAN", 1, None, ["urban"]),
    "labels": (
        [],
        ["write"],
        ["pii", "write"],
        ["write", "write"],
        ("delete",),
        {"pii"},
        "write",
        ["x"],
        [1],
    ),
    "urgent": (True, False, 1, "true"),
    "length": (0, 1_000, 10**30, 1.0, 1.5, -1),
    "at": (0, 1_700_000_000_000, -1, "now"),
    "resource": ("", "a", "b", "é", "longer than", "\ud800", 7),
    "file": ("a", "a/b", "a//b", "../a", "", "/a", "abcdefghij"),
    "level": (0, 3, 4),
}
EVENTS: Final = {
    "moved": ("load", "speed", "zone", "labels", "urgent", "length", "at", "resource", "file"),
    "called": ("urgent",),
    "plain": (),
    "failure": (),
    "alarm": ("level",),
}
SIGNALS: Final[dict[str, tuple[Any, ...]]] = {
    "heat": (0, 0.1, 150.5, 200, 200.05, "hot", None, Decimal("0.1")),
    "mode": ("calm", "busy", "x", 0),
}


class Name(str):
    """A text that says another one than it holds."""

    __slots__ = ()

    def __str__(self) -> str:
        return "b"


KEYS: Final[tuple[Any, ...]] = (
    "a", "b", "é", "", "x" * 300, None, 7, Name("a"), {"agent": "a"}, {"agent": None}, {"who": "a"}, {},
    {"agent": "a", "more": 1}, OrderedDict(agent="a"), UserDict(agent="b"), "\ud800",
)  # fmt: skip
TIMES: Final[tuple[Any, ...]] = (
    1_000,
    2_000,
    2_000,
    50_000,
    10**7,
    True,
    1.0,
    "1",
    2**53 - 1,
    2**53,
    -(2**70),
)


def fitting(rng: random.Random, name: str) -> Any:
    """A value that the field takes."""
    return {
        "load": 1.5,
        "speed": 3,
        "zone": "urban",
        "labels": ["pii"],
        "urgent": True,
        "length": 5,
    }.get(name, {"at": 7, "resource": rng.choice("ab"), "file": "a/b", "level": 2}.get(name))


def random_fields(rng: random.Random, name: str) -> Any:
    """Fields of an event, mostly those that it has."""
    found = {f: fitting(rng, f) for f in EVENTS[name]}
    odd = rng.random()
    if odd < 0.3 and found:
        field = rng.choice(list(found))
        found[field] = rng.choice(FIELDS[field])
    elif odd < 0.35:
        found[rng.choice(("more", "agent", 7))] = 1
    elif odd < 0.4 and found:
        del found[rng.choice(list(found))]
    return rng.choice(
        (found, found, found, found, UserDict(found), OrderedDict(found), None, [], 7)
    )


def random_step(rng: random.Random) -> Any:
    """A step, mostly one that can be taken in."""
    found: dict[Any, Any] = {"at_ms": rng.choice(TIMES[:5] if rng.random() < 0.9 else TIMES)}
    kind = rng.random()
    if kind < 0.6:
        found["event"] = rng.choice(list(EVENTS))
        if rng.random() < 0.95:
            found["fields"] = random_fields(rng, found["event"])
    elif kind < 0.8:
        found["signal"] = rng.choice(list(SIGNALS))
        if rng.random() < 0.95:
            found["value"] = rng.choice(SIGNALS[found["signal"]])
    elif kind < 0.9:
        found["tick"] = rng.choice((True, None))
    if kind < 0.9 and found.get("event") != "alarm" and found.get("signal") != "mode":
        found["key"] = rng.choice("ab") if rng.random() < 0.7 else rng.choice(KEYS)
    if rng.random() < 0.1:
        part = rng.choice(("event", "signal", "value", "fields", "key", "tick", "more", 7))
        found[part] = rng.choice(
            (None, 7, "plain", "heat", "nobody", Name("plain"), "a", {}, [], b"a")
        )
    return found if rng.random() < 0.9 else rng.choice((UserDict, OrderedDict))(found)


def loaded(capacity: int = 100) -> Policy:
    checked = compile_source(Source("observed.gov", POLICY))
    return Policy(compile_policy(checked.policy).table, capacity=capacity)


def told(observe: Callable[[Any], int | None], step: Any) -> object:
    """The next deadline, or what is wrong."""
    try:
        return observe(step)
    except TableError as error:
        return error.code, str(error), error.help


@pytest.mark.parametrize("capacity", [100, 3])
@pytest.mark.parametrize("seed", range(4))
def test_c_reads_a_step_as_python_does(seed: int, capacity: int) -> None:
    rng = random.Random(seed)
    quick, slow = loaded(capacity), loaded(capacity)
    results = set()
    for _ in range(1_500):
        step = random_step(rng)
        expected = told(slow._observe_otherwise, step)
        assert told(quick.observe, step) == expected, step
        results.add(expected[0] if isinstance(expected, tuple) else "taken")
    assert quick.save(now_ms=0) == slow.save(now_ms=0)
    assert results == {"taken", "GOV415", "GOV417"} | ({"GOV418"} if capacity == 3 else set())


@pytest.mark.parametrize("event", EVENTS)
def test_a_step_that_fits_needs_no_python(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "_observe_otherwise", None)
    policy, rng = loaded(), random.Random(1)
    fields = {f: fitting(rng, f) for f in EVENTS[event]}
    key = {} if event == "alarm" else {"key": "a"}
    policy.observe({"at_ms": 1, "event": "plain", "key": "a"})
    policy.observe({"at_ms": 2, "event": event, "fields": fields} | key)
    policy.observe({"at_ms": 3, "signal": "heat", "value": 1.5, "key": {"agent": "a"}})
    policy.observe({"at_ms": 4, "signal": "mode", "value": "busy"})
    policy.observe({"at_ms": 5, "tick": True})


def test_a_step_without_a_time_is_of_now() -> None:
    policy = loaded()
    before = clock_ms()
    deadline = policy.observe({"signal": "heat", "value": 3, "key": "a"})
    policy.observe({"signal": "heat", "value": 3, "key": "a"})
    assert (deadline or 0) > before
    assert (
        policy.commit({"agent": "a", "resource": "r", "file": "f"}, now_ms=before - 1).rule_id
        == "clock_fault"
    )


class Fickle:
    """A key of a dict that empties it when it is compared."""

    def __init__(self, like: str, empties: dict[Any, Any]) -> None:
        self.like, self.empties = like, empties

    def __hash__(self) -> int:
        return hash(self.like)

    def __eq__(self, other: object) -> bool:
        self.empties.clear()
        return False


@pytest.mark.parametrize("part", ["at_ms", "key", "event", "signal", "value", "fields", "tick"])
def test_a_step_that_changes_while_it_is_read_does_no_harm(part: str) -> None:
    policy = loaded()
    for inner in (False, True):
        fields: dict[Any, Any] = {"urgent": True}
        step: dict[Any, Any] = {}
        step[Fickle(part, fields if inner else step)] = 1
        step |= {"at_ms": 1, "key": b"ab".decode(), "event": "called", "fields": fields}
        told(policy.observe, step)
    assert policy.observe({"at_ms": 9, "event": "plain", "key": "a"}) == 600_009


class Emptying(set[Any]):
    """A set of labels that empties a dict while it is read."""

    def __init__(self, members: tuple[str, ...], empties: dict[Any, Any]) -> None:
        super().__init__(members)
        self.empties = empties

    def __iter__(self) -> Iterator[Any]:
        self.empties.clear()
        return super().__iter__()


def test_a_value_that_empties_its_step_does_no_harm() -> None:
    policy, rng = loaded(), random.Random(1)
    for inner in (False, True):
        fields = {f: fitting(rng, f) for f in EVENTS["moved"]}
        step = {"at_ms": 1, "event": "moved", "key": b"ac".decode(), "fields": fields}
        fields["labels"] = Emptying(("pii", "write"), fields if inner else step)
        told(policy.observe, step)
    assert policy.observe({"at_ms": 9, "event": "plain", "key": "a"}) == 600_009


def test_reports_of_many_threads_are_all_counted() -> None:
    policy, rounds = loaded(), 500
    name = next(c.name for c in policy.memory.cells if "without a result" in c.name)  # type: ignore[union-attr]

    def work(key: str) -> None:
        for at in range(rounds):
            policy.observe({"event": "plain", "key": key})
            policy.observe({"signal": "heat", "value": at % 200, "key": key})

    threads = [threading.Thread(target=work, args=(f"k{number % 3}",)) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [policy.remembered(name, f"k{number}") for number in range(3)] == [2 * rounds] * 3
