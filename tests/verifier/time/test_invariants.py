"""What is proved of cells holds in every state that random histories reach on the reference step."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
import z3
from time_trials import Met, Trial

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.step import Report, Request, State, Tick, step
from govlang.dsl.source import Source
from govlang.verifier.columns import Columns
from govlang.verifier.limits import Solvers
from govlang.verifier.solve import forget
from govlang.verifier.time.flat import flat, with_update_texts
from govlang.verifier.time.invariants import find_invariants

if TYPE_CHECKING:
    from govlang.compiler.interpret import Value

HEADER = """language 1
policy p version "1.0.0"
default deny

input {
  agent    : key
  resource : text
  size     : number in 0..9
  up       : bool
}

event start
event ok after start
event bad
event deletion { resource : text }
shared event alarm
signal level : number in 0..30
"""

POLICIES = {
    "rings": "rule a when count(bad) in 1 min >= 3 and bad within 5 s and count(bad) in 2 s < 2 allow\n",
    "holds": "rule a when up for 10 s and up within 1 min and not (bad within 3 s) allow\n",
    "machine": "machine m {\n  start off\n  off -> on when count(bad) since ok >= 2\n"
    "  on -> off after 30 s\n  on -> stuck on start\n}\n"
    "rule a when m is on and bad within 1 min allow\n"
    "rule b when count(allowed) since enters m.on >= 2 and count(allowed) in 1 min >= 3 deny\n"
    "prove p: m is on implies bad within 1 min\n",
    "per": "rule a when count(deletion per resource) in 10 min >= 2 and alarm within 5 s deny\n",
    "signals": "rule a when fresh(level, 5 s) and level > 10 and not (changed(level) within 3 s) allow\n"
    "rule b when deviates(level, alpha 0.5, by 2, floor 1, after 2 samples) deny\n",
    "between": "rule a when bad between 1 s and 3 s ago and bad within 4 s allow\n",
}
TIMES = (0, 0, 1, 500, 1000, 2000, 5000, 29_999, 30_000, 60_000, 10**7)


def sample(rng: random.Random, policy: ir.Policy, at_ms: int) -> Request | Tick | Report:
    assert policy.time is not None
    agent, resource = rng.choice("ab"), rng.choice("xy")
    choice = rng.random()
    if choice < 0.4:
        own = {"agent": agent, "resource": resource, "size": 3, "up": rng.randrange(2)}
        return Request({n: v for n, v in own.items() if policy.field(n)}, at_ms)
    if choice < 0.5:
        return Tick(at_ms, agent)
    kind = rng.choice(policy.time.samples)
    values: dict[str, Value] = {
        column.name: resource if column.is_text else rng.randint(column.lo, column.hi)
        for column in kind.fields
    }
    return Report(kind.name, values, at_ms, None if kind.shared else agent)


@pytest.mark.parametrize("name", POLICIES)
def test_a_proved_fact_holds_in_every_state_of_random_histories(name: str) -> None:
    forget()
    policy = compile_source(Source("p.gov", HEADER + POLICIES[name])).policy
    assert policy.time is not None
    columns = Columns(with_update_texts(flat(policy), policy.time))
    known = find_invariants(flat(policy), policy.time, columns, Solvers(10))
    assert known.ranges_hold
    telling = [fact for fact in known.kept if not fact.plain]
    assert telling
    cells = {c.name: z3.Int(f"v:{c.name}") for c in policy.time.cells}
    whole = z3.And([fact.of(cells) for fact in known.kept])
    initial = {c.name: c.initial for c in policy.time.cells}
    rng = random.Random(name)
    seen: set[tuple[tuple[str, int], ...]] = set()
    for _ in range(40):
        state, at_ms = State(), 0
        for _ in range(25):
            at_ms += rng.choice(TIMES) if rng.random() < 0.95 else -min(at_ms, 700)
            state, _ = step(policy, {}, state, sample(rng, policy, at_ms))
            seen |= {tuple(one.cells.items()) for one in state.instances.values() if one.cells}
    assert len(seen) >= 20
    for found in sorted(seen)[:400]:
        values = initial | dict(found)
        fixed = [(cells[n], z3.IntVal(v)) for n, v in values.items()]
        assert z3.is_true(z3.simplify(z3.substitute(whole, *fixed))), [
            f.text
            for f in known.kept
            if not z3.is_true(z3.simplify(z3.substitute(f.of(cells), *fixed)))
        ]


def hold_in_random_policies(seed: str, samples: int) -> int:
    """Facts about a random policy, in all states that a history leads to; the number of states."""
    trial = Trial(seed, Met())
    known = find_invariants(flat(trial.policy), trial.time, trial.columns, Solvers(10))
    assert known.ranges_hold
    cells = {c.name: z3.Int(f"v:{c.name}") for c in trial.time.cells}
    whole = z3.And([fact.of(cells) for fact in known.kept])
    initial = {c.name: c.initial for c in trial.time.cells}
    state, seen = State(), set()
    for sample in trial.samples(samples):
        state, _ = step(trial.policy, trial.params, state, sample)
        seen |= {tuple(one.cells.items()) for one in state.instances.values() if one.cells}
    params = [(trial.param(name), z3.IntVal(value)) for name, value in trial.params.items()]
    for found in seen:
        fixed = [(cells[n], z3.IntVal(v)) for n, v in (initial | dict(found)).items()]
        assert z3.is_true(z3.simplify(z3.substitute(whole, *fixed, *params))), found
    return len(seen)


def test_what_is_proved_of_random_policies_holds_in_random_histories() -> None:
    assert sum(hold_in_random_policies(f"facts {seed}", 120) for seed in range(3)) >= 100


@pytest.mark.long
@pytest.mark.parametrize("batch", range(4))
def test_what_is_proved_of_random_policies_holds_at_length(batch: int) -> None:
    states = sum(hold_in_random_policies(f"facts at length {batch} {n}", 300) for n in range(5))
    assert states >= 500
