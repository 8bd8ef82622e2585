"""Interval arithmetic keeps a cell in its range only where no sample, by the solver, leads out of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import z3
from time_trials import Met, Trial

from govlang.compiler import ir
from govlang.compiler.frontend import compile_source
from govlang.dsl.source import Source
from govlang.verifier.columns import Columns
from govlang.verifier.encode import Encoder
from govlang.verifier.time.bounds import bounded
from govlang.verifier.time.flat import flat
from govlang.verifier.time.moment import Terms
from govlang.verifier.time.relation import Relation

COUNTING = """language 1
policy p version "1"
default allow
input { agent : key }
event bad
event ok
rule a when count(bad) since ok >= 3 deny
rule b when count(bad) in 1 min >= 2 and ok within 5 s deny
"""
COUNTER = "count(bad).since.ok.4"


def counting() -> tuple[ir.Policy, ir.Time]:
    policy = compile_source(Source("p.gov", COUNTING)).policy
    assert policy.time is not None
    assert COUNTER in {cell.name for cell in policy.time.cells}
    return flat(policy), policy.time


def with_value(time: ir.Time, value: ir.IntExpr, *, only_in: ir.Ranges | None = None) -> ir.Time:
    """The counter becomes a value whenever `bad` happens, or only where it is in some ranges."""
    kind = ir.InRanges(ir.SAMPLE, ((time.kind_of("bad"),) * 2,))
    tests = (kind,) if only_in is None else (kind, ir.InRanges(COUNTER, only_in))
    kept = tuple(one for one in time.updates if one.cell != COUNTER)
    added = ir.Update(ir.Stage.TAKE, COUNTER, ir.And(tests), value)
    return replace(time, updates=(*kept, added))


def one_more(name: str = COUNTER) -> ir.IntExpr:
    return ir.Arith(ir.ArithOp.ADD, ir.FieldValue(name), ir.IntConst(1))


def inside(time: ir.Time, cells: Terms) -> dict[str, z3.BoolRef]:
    """By cell that it is in its range."""
    kept = [cell for cell in time.cells if not cell.brief]
    return {c.name: z3.And(cells[c.name] >= c.field.lo, cells[c.name] <= c.field.hi) for c in kept}


def staying(policy: ir.Policy, time: ir.Time, columns: Columns) -> dict[str, bool]:
    """By bounded cell whether no sample leads it out of its range, from ranges of those because of which it stays."""
    relation = Relation(policy, time, (Encoder(columns, "!"),), lambda _: ())
    before = inside(time, relation.cells)
    behind = [inside(time, cells) for cells in (relation.taken[0].seen, relation.taken[0].after)]
    solver = z3.SimpleSolver()
    solver.add(*relation.laws)
    found = {}
    for name, read in bounded(policy, time).items():
        if name in before:
            solver.push()
            solver.add(*(before[one] for one in read), z3.Not(z3.And([b[name] for b in behind])))
            found[name] = solver.check() == z3.unsat
            solver.pop()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_no_sample_leads_a_bounded_cell_out_of_its_range(seed: int) -> None:
    trial = Trial(f"bounds {seed}", Met())
    found = staying(flat(trial.policy), trial.time, trial.columns)
    assert len(found) >= 5
    assert all(found.values()), found


def test_what_operators_keep_is_bounded() -> None:
    policy, time = counting()
    assert bounded(policy, time).keys() == {cell.name for cell in time.cells}


@pytest.mark.parametrize(
    ("value", "only_in", "stays"),
    [
        (one_more(), None, False),
        (one_more(), ((0, 3),), True),
        (one_more(), ((0, 0), (3, 4)), False),
        (one_more(), ((7, 9),), False),
        (ir.IntConst(4), None, True),
        (ir.IntConst(5), None, False),
        (ir.IntConst(-1), None, False),
        (ir.FieldValue("ok.age"), None, False),
        (ir.FieldValue("unheard of"), None, False),
    ],
)
def test_a_value_that_may_leave_the_range_is_not_bounded(
    value: ir.IntExpr, only_in: ir.Ranges | None, *, stays: bool
) -> None:
    policy, time = counting()
    assert (COUNTER in bounded(policy, with_value(time, value, only_in=only_in))) is stays


def test_what_comes_of_a_cell_that_may_leave_its_range_is_not_bounded_either() -> None:
    policy, time = counting()
    unlimited = with_value(time, one_more())
    least = ir.Arith(ir.ArithOp.LEAST, ir.FieldValue(COUNTER), ir.IntConst(0))
    other = ir.Update(
        ir.Stage.HOLD, "ok.age", ir.TRUE, ir.Arith(ir.ArithOp.GREATEST, least, ir.IntConst(0))
    )
    after = replace(unlimited, updates=(*unlimited.updates, other))
    assert "ok.age" in bounded(policy, replace(time, updates=(*time.updates, other)))
    assert "ok.age" not in bounded(policy, after)
