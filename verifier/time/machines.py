"""Machines: states that are never reached, transitions that never happen, two that are possible at once.

In: a context.  Out: GOV314 for what can never be, GOV315 with a history for two transitions to different
states that one sample makes possible.

What always holds: machines that sugar brings are not judged; of several possible transitions those that are
due after a time go before the others, which is no conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations

import z3

from govlang.compiler import ir
from govlang.compiler.interpret import Environment
from govlang.compiler.ir import BoolExpr, Stage
from govlang.compiler.transitions import Transition, transitions
from govlang.verifier.columns import Point
from govlang.verifier.encode import Term
from govlang.verifier.findings import AMBIGUOUS, IDLE, Finding, Severity, undecided
from govlang.verifier.solve import Absent, Open
from govlang.verifier.time.context import TimeContext
from govlang.verifier.time.exclusion import Asked
from govlang.verifier.time.moment import Moment, Taken
from govlang.verifier.time.traces import Reached


def find_idle_machines(context: TimeContext, names: Iterable[str]) -> None:
    """Judge some machines."""
    for name in names:
        cell = context.time.cell(name)
        moves = list(transitions(context.time, cell))
        if moves:
            _judge(context, cell, moves)


def _judge(context: TimeContext, cell: ir.Cell, moves: list[Transition]) -> None:
    lost = {value for value in range(len(cell.field.members)) if _never(context, cell, value)}
    for move in moves:
        if not {move.source, move.target} & lost:
            _settle_idle(context, move)
    for one, other in combinations(moves, 2):
        same = one.source == other.source and one.target != other.target
        if same and not one.is_due and not other.is_due:
            _settle_pair(context, one, other)


def _never(context: TimeContext, cell: ir.Cell, value: int) -> bool:
    """Whether a state is never reached; if so, or if that is open, there is a finding."""
    shown = cell.field.members[value]

    def asked(moment: Moment, taken: Taken) -> list[Term]:
        return [taken.seen[cell.name] == value, moment.addresses(cell.scope)]

    finding = Finding(
        IDLE,
        "unreachable",
        Severity.ERROR,
        (cell.name,),
        f"`{cell.name}` is never `{shown}`",
        "widen the conditions of the transitions that lead there, or remove the state",
        span=cell.field.span,
        question=f"whether `{cell.name}` is ever `{shown}`",
    )
    return _absent(context, finding, asked, lambda p: p.values.get(cell.name) == value)


def _settle_idle(context: TimeContext, move: Transition) -> None:
    finding = Finding(
        IDLE,
        "unreachable",
        Severity.ERROR,
        (move.machine.name,),
        f"the transition `{move.text}` of `{move.machine.name}` never happens",
        "widen its condition, or remove it; one that is due, or stands above, may always go before it",
        span=move.condition.span or move.machine.field.span,
        question=f"whether the transition `{move.text}` of `{move.machine.name}` ever happens",
    )
    _absent(context, finding, asks_taken(move), shows_taken(context, move))


def _absent(
    context: TimeContext, finding: Finding, asked: Asked, shows: Callable[[Point], bool]
) -> bool:
    """Add a finding where no history is as asked."""
    if any(shows(reached) for reached in (*context.reached, *context.met)):
        return False
    answer = context.search.find(asked, shows)
    if isinstance(answer, Absent):
        context.findings.append(finding)
    elif isinstance(answer, Open):
        context.findings.append(undecided(finding, answer.why))
    return isinstance(answer, Absent)


def _settle_pair(context: TimeContext, one: Transition, other: Transition) -> None:
    first, second = asks_taken(one), asks_taken(other, skipped=one.condition)
    shown, also = shows_taken(context, one), shows_taken(context, other, skipped=one.condition)

    def asked(moment: Moment, taken: Taken) -> list[Term]:
        return [*first(moment, taken), *second(moment, taken)]

    def shows(point: Point) -> bool:
        return shown(point) and also(point)

    finding = Finding(
        AMBIGUOUS,
        "conflict",
        Severity.ERROR,
        (one.machine.name,),
        f"`{one.machine.name}` can take both `{one.text}` and `{other.text}` at one sample",
        "let their conditions exclude each other; as it stands the one that is written first is taken",
        span=other.condition.span or other.machine.field.span,
    )
    context.settle(finding, context.search.find(asked, shows), shows)


def asks_taken(move: Transition, skipped: BoolExpr | None = None) -> Asked:
    """The machine can take the transition at the last sample, and none that goes before it."""

    def asked(moment: Moment, taken: Taken) -> list[Term]:
        here = moment.encoder.over(taken.before[Stage.MOVE])
        above = [here.condition(one) for one in move.before if one is not skipped]
        own = here.condition(move.condition)
        return [own, z3.Not(z3.Or(above)), moment.addresses(move.machine.scope)]

    return asked


def shows_taken(
    context: TimeContext, move: Transition, skipped: BoolExpr | None = None
) -> Callable[[Point], bool]:
    """Whether a history takes the transition at its last sample."""

    def shows(point: Point) -> bool:
        if not isinstance(point, Reached) or move.machine.name not in point.moving:
            return False
        env = Environment(context.policy, point.params, point.moving)
        above = (one for one in move.before if one is not skipped)
        return env.holds(move.condition) and not any(map(env.holds, above))

    return shows
