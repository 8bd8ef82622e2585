"""The proof that a table remembers what its policy does: the state, the step, the deadline.

In: a policy over time and its decoded table.  Out: obligations, and doubts about what failed.

What always holds where the records agree and all of these are proved: a table that steps by the rule of
`native/gov_time.h` takes every sample in as `compiler/step.py` does, from every state; no value is held to the
range of its cell; neither a request nor a tick before the deadline finds a condition changed; and what is
forgotten is as if it had never been.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from govlang.compiler import ir
from govlang.verifier.translation.drift import Drift, columns_of
from govlang.verifier.translation.proof import Obligation, Verdict
from govlang.verifier.translation.search import Doubt
from govlang.verifier.translation.source import Moment
from govlang.verifier.translation.time_decode import Memory
from govlang.verifier.translation.time_forgetting import told_apart
from govlang.verifier.translation.time_moments import Moments
from govlang.verifier.translation.time_points import Silence, intervals, keep_still
from govlang.verifier.translation.time_updates import Updates


def prove_time(moments: Moments, memory: Memory, doubts: list[Doubt]) -> Iterator[Obligation]:
    """Every obligation of what is remembered, beyond the comparison of records; what may differ goes to `doubts`."""
    time = moments.policy.time
    assert time is not None
    updates = Updates(moments, time, memory, doubts)
    undecided = dict.fromkeys((*updates.differing(), *_assumed(moments)), Verdict.UNDECIDED)
    yield _obligation("updates", "normal form, solver", len(memory.updates), undecided)
    leaving = dict.fromkeys(updates.leaving(), Verdict.UNDECIDED)
    yield _obligation("ranges", "intervals, solver", len(time.updates), leaving)
    drifting = intervals(memory)
    failed = _changing(moments, memory, time, drifting)
    yield _obligation("deadlines", "intervals, solver", sum(map(len, drifting.values())), failed)
    apart = told_apart(moments, memory, updates)
    yield _obligation("forgetting", "intervals, solver", len(memory.cells), apart)


def _assumed(moments: Moments) -> Iterator[str]:
    """Assumptions about what is remembered: they would be asked again once updates have changed it."""
    layout = moments.layout()
    for one in moments.policy.assumptions:
        if columns_of(layout.condition(one.condition)) & layout.remembered.keys():
            yield f"the assumption `{one.text}`, which reads what is remembered"


def _changing(
    moments: Moments, memory: Memory, time: ir.Time, drifting: Mapping[int, tuple[Drift, ...]]
) -> Mapping[str, Verdict]:
    """The columns on which something may change before the deadline."""
    silent = moments.layout(Moment.SILENT)
    silence = Silence(
        moments.widest, memory.columns, drifting, lambda at: moments.solver(at.moment)
    )
    before = ((silent, one) for one in time.updates if one.stage < ir.Stage.CLOSE)
    keep_still(moments.policy, moments.layout(), before, silence)
    return silence.doubts


def _obligation(name: str, method: str, count: int, failed: Mapping[str, Verdict]) -> Obligation:
    verdict = Verdict.PROVED
    if failed:
        refuted = Verdict.REFUTED in failed.values()
        verdict = Verdict.REFUTED if refuted else Verdict.UNDECIDED
    return Obligation(name, verdict, method, count, tuple(failed))
