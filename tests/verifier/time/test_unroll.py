"""A model of some samples is what the reference step makes of them, whatever the policy."""

from __future__ import annotations

import random

import pytest
import z3

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.step import Report
from govlang.dsl.source import Source
from govlang.verifier.columns import Columns
from govlang.verifier.encode import Encoder
from govlang.verifier.solve import forget
from govlang.verifier.time.flat import flat, with_update_texts
from govlang.verifier.time.traces import run, samples_of, taking
from govlang.verifier.time.unroll import History

HEADER = """language 1
policy p version "1.0.0"
default deny

input {
  agent    : key
  resource : text
  size     : number in 0..9
  zone     : one of urban, rural
  up       : bool
}

event start
event ok after start
event bad after start
event deletion {
  resource : text
  amount   : number in 0..20
}
shared event alarm
signal level : number in 0..30
"""

POLICIES = {
    "ages": "rule a when bad within 5 min and not (ok within 2 s) allow\n"
    "rule b when alarm within 1 min deny\n",
    "rings": "rule a when count(bad) in 1 min >= 2 and count(bad) in 5 s < 1 allow\n",
    "allowed": "rule a when size > 3 allow\nrule b when count(allowed) in 1 min >= 2 throttle retry 1 s\n",
    "holds": "rule a when up for 10 s and zone is urban allow\n"
    "rule b when (up and size > 4) within 1 min deny\n",
    "between": "rule a when bad between 1 s and 3 s ago allow\n",
    "since": "rule a when up since (start within 1 min) allow\n"
    "rule b when count(bad) since ok >= 2 deny\n",
    "machine": "machine m {\n  start off\n  off -> on when count(bad) since ok >= 2\n"
    "  on -> off after 30 s\n  on -> stuck on start\n}\n"
    "rule a when m is on allow\nrule b when count(allowed) since enters m.on >= 2 deny\n",
    "per": "rule a when count(deletion per resource) in 10 min >= 2 deny\nrule b when size > 2 allow\n",
    "signals": "rule a when fresh(level, 5 s) and level > 10 and not (changed(level) within 3 s) allow\n"
    "rule b when deviates(level, alpha 0.5, by 2, floor 1, after 2 samples) deny\n",
    "sums": "rule a when sum(deletion.amount) in 1 min by 20 s > 25 deny\nrule b when size > 1 allow\n",
    "clock": "rule a when gap > 5 s and not clock_fault allow\nrule b when clock_fault within 1 min deny\n",
    "texts": 'rule a when (resource like "a*") within 5 s and resource like "b*" allow\n',
}


def history(source: str, counts: tuple[int, ...]) -> tuple[ir.Policy, History]:
    forget()
    checked = compile_source(Source("p.gov", HEADER + source)).policy
    assert checked.time is not None
    wide = flat(checked)
    columns = Columns(with_update_texts(wide, checked.time))
    back = any(one.name == ir.CLOCK_FAULT for one in checked.time.reads)
    return checked, History(wide, checked.time, Encoder(columns), counts, back=back)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("counts", [(1,), (1, 1), (1, 1, 1), (2, 1, 1)])
def test_the_cells_of_a_model_are_those_of_the_reference_step(
    name: str, counts: tuple[int, ...]
) -> None:
    policy, unrolled = history(POLICIES[name], counts)
    time = policy.time
    assert time is not None
    solver = z3.SimpleSolver()
    solver.add(*unrolled.laws, *unrolled.view(), *unrolled.last.lemmas)
    rng = random.Random(f"{name} {counts}")
    last = unrolled.moments[-1]
    compared = 0
    reports = 0
    for _ in range(16):
        solver.push()
        for moment in unrolled.moments:
            if rng.random() < 0.3:
                kinds = ir.FIRST_KIND + len(time.samples)
                solver.add(moment.kind == rng.randrange(kinds))
            solver.add(moment.at <= rng.choice([0, 3000, 10**5, 10**6]) * len(counts))
        cell = rng.choice([c for c in time.cells if not c.brief] or time.cells)
        low, high = cell.field.lo, cell.field.hi
        wanted = rng.choice([low, high, rng.randint(low, high)])
        pivot = rng.choice(
            [last.column(cell.name) == wanted, last.column(cell.name) != cell.initial]
        )
        if solver.check(pivot) == z3.sat or solver.check() == z3.sat:
            model = solver.model()
            found = samples_of(unrolled, model)
            assert isinstance(found, tuple)
            samples, params = found
            reached = run(taking(policy), params, samples)
            assert reached is not None, samples
            addressed = {c.name: c for c in time.cells if c.name in reached.values}
            for one in addressed:
                ours = model.eval(last.column(one), model_completion=True).as_long()
                assert ours == reached.values[one], (one, samples)
            for one in (ir.GAP, ir.CLOCK_FAULT):
                ours = model.eval(last.column(one), model_completion=True).as_long()
                assert ours == reached.values[one], (one, samples)
            compared += 1
            reports += any(isinstance(one, Report) for one in samples)
        solver.pop()
    assert compared >= 3
    assert reports >= 1
