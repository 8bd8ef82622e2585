"""For each of some rules a short history in which it decides, looked for among the cells of that rule alone.

In: a policy over time and the rules that random histories of the whole have shown by themselves.  Out: rows that
were reached, with the samples that lead there.

What always holds: what comes out was computed by the reference step of the whole policy from the empty state.  A
sample costs as much as there are cells, so of a large policy chance sees little; a rule by itself has few.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Final

from govlang.compiler import ir
from govlang.verifier.columns import Columns
from govlang.verifier.shapes import Box
from govlang.verifier.time.divide import Sources, part
from govlang.verifier.time.simulate import Simulation
from govlang.verifier.time.traces import Reached, Sample, Taking, run, taking

WORK_MAX: Final = 20_000
"""Cells and updates that are computed for one rule."""

SAMPLES_MAX: Final = 500
"""Samples that are tried for one rule."""


def decided_alone(
    policy: ir.Policy,
    take: Taking,
    columns: Columns,
    boxes: Sequence[Sequence[Box]],
    known: Collection[str],
    texts: Mapping[str, list[str]],
) -> Iterator[Reached]:
    """For each rule but those known to have done so, a request that it decides, if one is found."""
    assert policy.time is not None
    origins = Sources(policy.time)
    for rule, own in zip(policy.rules, boxes, strict=True):
        if rule.id not in known and own:
            few = part(policy, [rule], (), origins=origins)
            found = _shown(
                few, Simulation(few, columns, taking(few), [own], _seed(rule), texts=dict(texts))
            )
            reached = found and run(take, found.params, found.samples)
            if reached:
                yield reached.as_chance()


def _seed(rule: ir.Rule) -> Random:
    return Random(f"govlang {rule.id}")  # noqa: S311  # no secret


def _shown(few: ir.Policy, simulation: Simulation) -> Reached | None:
    """A history in which the one rule of a policy decides, without samples that are not needed for that."""
    assert few.time is not None
    cost = len(few.time.cells) + len(few.time.updates) + 1
    tries = islice(simulation.run(), min(SAMPLES_MAX, WORK_MAX // cost))
    found = next((one for one in tries if _decides(few, one)), None)
    for i in reversed(range(len(found.samples) - 1) if found else ()):
        assert found is not None
        found = _without(few, found, i) or found
    return found


def _without(few: ir.Policy, found: Reached, i: int) -> Reached | None:
    samples: tuple[Sample, ...] = (*found.samples[:i], *found.samples[i + 1 :])
    other = run(taking(few), found.params, samples)
    return other if other is not None and _decides(few, other) else None


def _decides(few: ir.Policy, reached: Reached) -> bool:
    last = reached.outcomes[-1]
    return last is not None and last.rule_id == few.rules[0].id
