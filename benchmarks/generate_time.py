"""Generates policies over time of any size: `generate_time_policy(rules, seed)` verifies without errors.

Goes in: a number of rules (at least 10) and a seed. Comes out: the .gov text.
There are two sets. In `generate_overlapping_policy` no field tells any rules apart: each has an event of its own, and
every two may fire together; half of them have a window of their own, half count within one of twelve.
In `generate_time_policy` every rule stands for one tool and one of four zones and reads what was before the request:
whether something happened within a window, how often, for how long a signal stood too high, what came since, what is
long ago, or the state of a machine. Windows have 40 lengths from 50 ms to 3 h; twelve rules share a tool, three of
them a zone; every twelfth is an `allow` that only what was before keeps apart from the two rules above it, so that
the absence of conflicts has to be found out.
Rules of one tool and zone read different events and signals, so that none of them covers another.
What always holds: the same arguments give the same bytes; no two rules conflict, none is unreachable.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count, islice

SMALLEST = 10
RULES_A_TOOL = 12
RULES_A_MACHINE = 25
FORMS = 6
EFFECTS = ("deny", "throttle retry 1 min")
ZONES = ("urban", "rural", "field", "depot")
EVENTS = ("failure", "timeout", "refund", "login", "export", "alarm", "retry", "transfer")
SIGNALS = ("voltage", "heat", "load", "queue")
WINDOWS_MS = tuple(round(50 * 1.37**i) for i in range(40))
"""Lengths of windows: 50 ms to about 3 h."""


def generate_time_policy(rules: int, seed: int) -> str:
    """A policy of exactly `rules` rules, as .gov text."""
    if rules < SMALLEST:
        message = f"a policy of {rules} rules must have at least {SMALLEST}"
        raise ValueError(message)
    rng = random.Random(f"time {rules} {seed}")
    tools = [f"tool{i}" for i in range(max(2, -(-rules // RULES_A_TOOL)))]
    machines = [f"machine{i}" for i in range(max(1, rules // RULES_A_MACHINE))]
    parts = [_declarations(tools), *(_machine(rng, name) for name in machines)]
    written = islice(_rules(rng, tools, machines), rules)
    return "\n".join([*parts, *written]) + "\n"


def generate_overlapping_policy(rules: int, seed: int) -> str:
    """A policy of exactly `rules` rules, of which every two may fire together, as .gov text."""
    rng = random.Random(f"overlapping {rules} {seed}")
    shared = [50 * 3**i for i in range(12)]
    head = ["language 1", 'policy generated_overlapping version "1.0.0"', "default allow"]
    events = [f"event e{number}" for number in range(rules)]
    written = []
    for number in range(rules):
        own = f"e{number} within {1_000 + 137 * number} ms"
        count = f"count(e{number}) in {rng.choice(shared)} ms >= {rng.randint(2, 4)}"
        condition = count if number % 2 else own
        written.append(f"rule r{number} when {condition} {rng.choice(EFFECTS)}")
    return "\n".join([*head, "input { agent : key }", *events, *written]) + "\n"


def _declarations(tools: list[str]) -> str:
    fields = f"  tool : one of {', '.join(tools)}\n  zone : one of {', '.join(ZONES)}"
    return "\n".join(
        [
            "language 1",
            'policy generated_time version "1.0.0"',
            "default allow",
            f"input {{\n  agent : key\n{fields}\n}}",
            *(f"event {name}" for name in (*EVENTS, "fault", "success")),
            *(f"signal {name} : number in 0..100 = 0" for name in SIGNALS),
        ]
    )


def _machine(rng: random.Random, name: str) -> str:
    """A breaker: opens on too many of one event, tries again after a while."""
    return f"""machine {name} {{
  start closed
  closed -> open when count(fault) since success >= {rng.randint(2, 4)}
  open -> half after {_window(rng)}
  half -> closed on success
  half -> open on fault
}}"""


def _window(rng: random.Random) -> str:
    return f"{rng.choice(WINDOWS_MS)} ms"


def _rules(rng: random.Random, tools: list[str], machines: list[str]) -> Iterator[str]:
    """Rules without end: three for a tool and a zone, then the next zone."""
    slot: list[str] = []
    forms, events = list(range(FORMS)), list(EVENTS)
    for number in count():
        tool = tools[number // RULES_A_TOOL % len(tools)]
        if number % 3 == 0:
            slot, forms, events = [], rng.sample(range(FORMS), 3), rng.sample(EVENTS, 6)
        where = f"tool is {tool} and zone is {ZONES[number // 3 % len(ZONES)]}"
        if number % RULES_A_TOOL == RULES_A_TOOL - 1:
            neither = " and ".join(f"not ({one})" for one in slot)
            yield f"rule r{number} when {where} and {neither} allow"
            continue
        slot.append(_condition(rng, forms[number % 3], events[number % 3 :: 3], machines))
        yield f"rule r{number} when {where} and {slot[-1]} {EFFECTS[number % len(EFFECTS)]}"


def _condition(rng: random.Random, form: int, events: list[str], machines: list[str]) -> str:
    event, other = events
    signal = rng.choice(SIGNALS)
    match form:
        case 0:
            return f"{event} within {_window(rng)}"
        case 1:
            return f"count({event}) in {_window(rng)} >= {rng.randint(2, 5)}"
        case 2:
            return f"({signal} > {rng.randint(50, 95)}) for {_window(rng)}"
        case 3:
            return f"count({event}) since {other} >= {rng.randint(1, 6)}"
        case 4:
            return f"elapsed({event}) > {_window(rng)}"
        case _:
            return f"{rng.choice(machines)} is {rng.choice(('open', 'half'))}"
