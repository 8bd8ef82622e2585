"""What is said to stay possible agrees with every state that a small policy reaches, step by step."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import pytest

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.step import Report, Request, State, Tick, step
from govlang.dsl.source import Source
from govlang.verifier.report import verify

HEADER: Final = """language 1
policy p version "1.0.0"
default deny
input {
  agent : key
  tool  : key
}
event ok
event bad
event up { tool : key }
event down { tool : key }
shared event storm
shared event calm
"""
MACHINES: Final = {
    "own": ("machine own", ("ok", "bad", "up", "down")),
    "tooled": ("machine tooled per tool", ("up", "down")),
    "plant": ("shared machine plant", ("storm", "calm")),
}
Standing = frozenset[tuple[tuple[str, str], tuple[int, ...]]]
Taken = Request | Report | Tick


NAMES: Final = ('agent == "a"', 'agent != "a"', 'tool == "x"', 'agent == "a" and tool == "x"')


def policy_of(rng: random.Random, *, named: bool = False) -> ir.Policy:
    """A machine of each sort with three states, and a rule about some of them; `named`: and about who asks."""
    text = HEADER
    for name, (declared, events) in MACHINES.items():
        ways = [(0, 1, events[0]), (1, 2, events[1])]
        ways += [(*rng.sample(range(3), 2), rng.choice(events)) for _ in range(rng.randint(0, 3))]
        lines = [f"  {name}{a} -> {name}{b} on {event}\n" for a, b, event in ways]
        text += f"{declared} {{\n  start {name}0\n{''.join(lines)}}}\n"
    asked = [
        f"{name} is {name}{rng.randrange(3)}"
        for name in rng.sample(list(MACHINES), rng.randint(1, 3))
    ]
    text += f"rule fine when {' and '.join(asked)} allow\n"
    if named:
        way = "" if rng.random() < 3 / 4 else f"  own2 -> own0 when {rng.choice(NAMES[:2])}\n"
        text = text.replace("  start own0\n", f"  start own0\n{way}")
        other = rng.choice(("tooled is tooled0", "own is own0", "plant is plant0"))
        text += f"rule known when {rng.choice(NAMES)} and {other} allow\n"
    text += "prove back: always possible (decision is allow)\n"
    return compile_source(Source("p.gov", text)).policy


def samples() -> Iterator[Taken]:
    """Everything that two agents do with two tools."""
    for who in "ab":
        for tool in "xy":
            yield Request({"agent": who, "tool": tool})
            for name in ("up", "down"):
                yield Report(name, {f"${name}.tool": tool}, key=who)
        yield from (Report(name, key=who) for name in ("ok", "bad"))
    yield from (Report(name) for name in ("storm", "calm"))


def stays_possible(policy: ir.Policy, agent: str = "a", tool: str = "x") -> bool:
    """Whether from every state that is reached some samples lead to a request of one for one that is allowed."""
    asked, every = Request({"agent": agent, "tool": tool}), tuple(samples())
    before: defaultdict[Standing, set[Standing]] = defaultdict(set)
    start = standing(policy, State())
    met, left, good = {start}, [State()], set()
    while left:
        state = left.pop()
        here = standing(policy, state)
        outcome = step(policy, {}, state, asked)[1]
        if outcome is not None and outcome.decision is ir.Effect.ALLOW:
            good.add(here)
        for sample in every:
            after, _ = step(policy, {}, state, sample)
            there = standing(policy, after)
            before[there].add(here)
            if there not in met:
                met.add(there)
                left.append(after)
    waiting = list(good)
    while waiting:
        new = before[waiting.pop()] - good
        good |= new
        waiting += new
    return good == met


def standing(policy: ir.Policy, state: State) -> Standing:
    """Where all machines stand that have moved."""
    assert policy.time is not None
    first = {cell.name: cell.initial for cell in policy.time.cells}
    return frozenset(
        (address, tuple(one.cells.values()))
        for address, one in state.instances.items()
        if any(value != first[name] for name, value in one.cells.items())
    )


def is_said(policy: ir.Policy) -> bool | None:
    """The verdict on the property; None if it is open."""
    report = verify(policy)
    if "back" in {one.property for one in report.proved}:
        return True
    (found,) = [one for one in report.findings if one.property == "back"]
    return {"GOV306": False, "GOV309": None}[found.code]


def judged(seeds: range) -> list[bool]:
    """The verdicts, all of which are right; hardly any question is open."""
    found = []
    for seed in seeds:
        policy = policy_of(random.Random(seed))
        said = is_said(policy)
        if said is not None:
            assert said == stays_possible(policy), seed
            found.append(said)
    assert len(found) >= 0.9 * len(seeds)
    return found


def judged_of_names(seeds: range) -> list[bool]:
    """The same of policies that name an agent or a tool: right for every agent and tool, or open."""
    found = []
    for seed in seeds:
        policy = policy_of(random.Random(seed), named=True)
        said = is_said(policy)
        if said is not None:
            assert said == all(stays_possible(policy, a, t) for a in "ab" for t in "xy"), seed
            found.append(said)
    assert len(found) >= len(seeds) / 2, "what stays open is a part, not most"
    return found


def test_where_rules_name_who_asks_what_is_said_holds_for_every_one() -> None:
    assert {True, False} == {*judged_of_names(range(6))}


@pytest.mark.long
@pytest.mark.parametrize("tens", range(10, 16))
def test_of_many_policies_with_names_what_is_said_holds_for_every_one(tens: int) -> None:
    assert judged_of_names(range(10 * tens, 10 * tens + 10))


def test_what_is_said_to_stay_possible_is_so_and_nothing_else() -> None:
    assert {True, False} == {*judged(range(6))}


@pytest.mark.long
@pytest.mark.parametrize("tens", range(10, 20))
def test_of_many_policies_what_is_said_to_stay_possible_is_so(tens: int) -> None:
    assert judged(range(10 * tens, 10 * tens + 10))
