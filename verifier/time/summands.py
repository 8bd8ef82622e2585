"""How much one sample adds to a sum.

In: an update, and how large columns get.  Out: the most that it adds, so that it is known how many samples pass
a number with which the sum is compared.
"""

from __future__ import annotations

from collections.abc import Mapping

from govlang.compiler import ir


def most_added(update: ir.Update, tops: Mapping[str, int]) -> int:
    """The most that an update adds to a sum; 0 if it adds nothing, or what is not plain."""
    match update.value:
        case ir.Arith(op=ir.ArithOp.LEAST, left=ir.Arith(op=ir.ArithOp.ADD, left=own, right=more)):
            pass
        case ir.Arith(op=ir.ArithOp.ADD, left=own, right=more):
            pass
        case _:
            return 0
    if own != ir.FieldValue(update.cell):
        return 0
    match more:
        case ir.IntConst(value=value):
            return value
        case ir.FieldValue(name=name):
            return tops.get(name, 0)
        case _:
            return 0
