"""Two versions whose ages stop growing at the same time, wherever that is all that tells them apart.

In: two policies over time.  Out: both, with the longer of two windows as the one at which an age of both stops.

What always holds: each version decides as before at every sample.  An age that stops at `less` is the least of
`less` and of the same age that stops later: growth keeps that, and so does every update that is let through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from govlang.compiler import ir
from govlang.verifier.rewriting import Renamer, Rewriter

NONE: Final[Mapping[str, str]] = {}

Caps = Mapping[str, tuple[int, int]]
"""By cell: where it stopped, and where it stops now."""


def same_caps(old: ir.Policy, new: ir.Policy) -> tuple[ir.Policy, ir.Policy]:
    """Both versions, whose ages of one name stop at one time."""
    tops = [_tops(one) for one in (old, new)]
    return _raised(old, tops[0], tops[1]), _raised(new, tops[1], tops[0])


def _tops(policy: ir.Policy) -> dict[str, int]:
    """The ages that reach the top of their range by growing, and that top."""
    cells = policy.time.cells if policy.time else ()
    return {c.name: c.cap for c in cells if c.cap is not None and c.cap == c.field.hi}


def _raised(policy: ir.Policy, own: Mapping[str, int], other: Mapping[str, int]) -> ir.Policy:
    time = policy.time
    lower = {name: (top, other[name]) for name, top in own.items() if other.get(name, 0) > top}
    if time is None or not lower:
        return policy
    caps = _closed(time.updates, lower)
    raiser = _Raiser.over(policy, caps)
    return replace(
        policy,
        rules=tuple(map(raiser.rule, policy.rules)),
        properties=(),
        time=replace(
            time,
            cells=tuple(_cell(one, caps) for one in time.cells),
            updates=tuple(map(raiser.update, time.updates)),
        ),
    )


def _closed(updates: Iterable[ir.Update], caps: Caps) -> Caps:
    """The cells that are set to nothing but constants, and to cells that stop where they do."""
    left = dict(caps)
    while True:
        wrong = {u.cell for u in updates if u.cell in left and not _keeps(u, left)}
        if not wrong:
            return left
        left = {name: both for name, both in left.items() if name not in wrong}


def _keeps(update: ir.Update, caps: Caps) -> bool:
    match update.value:
        case ir.IntConst():
            return True
        case ir.FieldValue(name=name):
            return caps.get(name) == caps[update.cell]
        case _:
            return False


def _cell(cell: ir.Cell, caps: Caps) -> ir.Cell:
    if cell.name not in caps:
        return cell
    less, more = caps[cell.name]
    initial = more if cell.initial == less else cell.initial
    return replace(cell, field=replace(cell.field, hi=more), cap=more, initial=initial)


@dataclass(frozen=True, slots=True)
class _Raiser(Renamer):
    """Reads an age that stops later as if it stopped where it did."""

    caps: Caps

    @classmethod
    def over(cls, policy: ir.Policy, caps: Caps) -> _Raiser:
        plain = Renamer.of(policy, NONE)
        return cls(plain.own, plain.common, plain.own_params, plain.params, NONE, caps)

    def integer(self, expr: ir.IntExpr) -> ir.IntExpr:
        if isinstance(expr, ir.FieldValue) and expr.name in self.caps:
            return ir.Arith(ir.ArithOp.LEAST, expr, ir.IntConst(self.caps[expr.name][0]))
        return Rewriter.integer(self, expr)

    def condition(self, condition: ir.BoolExpr) -> ir.BoolExpr:
        if isinstance(condition, ir.InRanges) and condition.name in self.caps:
            less, more = self.caps[condition.name]
            allowed = tuple((lo, more if lo <= less <= hi else hi) for lo, hi in condition.ranges)
            return replace(condition, ranges=allowed)
        return Renamer.condition(self, condition)

    def update(self, one: ir.Update) -> ir.Update:
        if one.cell not in self.caps:
            return Renamer.update(self, one)
        less, more = self.caps[one.cell]
        value = ir.IntConst(more) if one.value == ir.IntConst(less) else one.value
        return replace(one, condition=self.condition(one.condition), value=value)
