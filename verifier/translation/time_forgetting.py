"""The proof that what is forgotten is as if it had never been.

In: a policy over time, its updates, the points of the gap.  Out: what may tell a forgotten instance from a kept one.

The engine forgets an instance whose growing cells have stopped and that has its initial values once the stages
below 0 have run.  The next sample runs these stages again, on what was kept or on the initial values.  Both come
to the same if these stages read nothing but cells of the instance and leave the initial values as they are.  The
gap of a forgotten instance is the longest one, so beyond its last point nothing may tell gaps apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.native.layout import MemoryFlag
from govlang.verifier.translation.drift import Drift, columns_of
from govlang.verifier.translation.proof import Verdict
from govlang.verifier.translation.source import expressions
from govlang.verifier.translation.time_decode import Memory
from govlang.verifier.translation.time_moments import Moments
from govlang.verifier.translation.time_points import Silence, keep_still
from govlang.verifier.translation.time_updates import Updates, moment_of

_FIRST: Final = ir.Stage.TAKE
"""The stages below this one turn panes over."""


def told_apart(moments: Moments, memory: Memory, updates: Updates) -> dict[str, Verdict]:
    """What may tell a forgotten instance from one that was kept."""
    time = moments.policy.time
    assert time is not None
    alone = [*_strangers(memory, updates)] or [*_restless(moments.policy, time)]
    return dict.fromkeys(alone, Verdict.UNDECIDED) | _by_gaps(moments, memory, time)


def _strangers(memory: Memory, updates: Updates) -> Iterator[str]:
    """Cells that are turned over by what is no cell of their own instance."""
    scope_of_column = {cell.column: cell.scope for cell in memory.cells}
    scope_of = {cell.name: cell.scope for cell in memory.cells}
    for (stage, name), cases in updates.ours.items():
        read = chain.from_iterable(columns_of(tree) for case in cases for tree in case)
        if stage < _FIRST and any(scope_of_column.get(one) != scope_of[name] for one in read):
            yield f"what turns cell `{name}` over"


def _restless(policy: ir.Policy, time: ir.Time) -> Iterator[str]:
    """Cells that the first stages move although nothing has happened."""
    values = {cell.name: cell.initial for cell in time.cells}
    turning = [update for update in time.updates if update.stage < _FIRST]
    names = frozenset(update.cell for update in turning)
    for stage in sorted({update.stage for update in turning}):
        env, new = Environment(policy, {}, values), dict[str, int]()
        for update in (one for one in turning if one.stage == stage and one.cell not in new):
            if env.holds(update.condition):
                new[update.cell] = env.evaluate(update.value)
        values = values | new
    yield from (
        f"the start of cell `{n}`" for n in sorted(names) if values[n] != time.cell(n).initial
    )


def _by_gaps(moments: Moments, memory: Memory, time: ir.Time) -> dict[str, Verdict]:
    """What still looks at the gap beyond its last point; an instance is kept where all of the gap is read."""
    if MemoryFlag.GAP_WHOLE in memory.flags:
        return {}
    decide = moments.layout()
    last = memory.gap_points[-1] if memory.gap_points else 0
    beyond = {decide.value[ir.GAP]: (Drift(last, ir.GAP_MAX, fixed=last == ir.GAP_MAX),)}
    silence = Silence(moments.widest, memory.columns, beyond, lambda at: moments.solver(at.moment))
    updates = ((moments.layout(moment_of(one.stage)), one) for one in time.updates)
    keep_still(moments.policy, decide, updates, silence)
    for expr in (expr for rule in moments.policy.rules for expr in expressions(rule)):
        silence.fixed(decide, decide.integer(expr))
    return silence.doubts
