"""The one read of an array in a step of C: the number that stands for the lowest bit of a word.

In: the index as pycparser's tree, the array, what names mean.  Out: the value.

What always holds: the index is the documented expression, which lies inside the array whatever the word is;
the numbers are found by working it out for every bit that may be the lowest, so nothing is taken on trust
of the constant in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycparser import c_ast

from govlang.verifier.translation.c_parse import Array, type_text
from govlang.verifier.translation.c_types import OddError, Type, Value
from govlang.verifier.translation.machine import Lowest

_BITS: Final = 32
_SHIFT: Final = 27
"""What leaves five of 32 bits: as many as the places of an array of 32."""


def looked_up(array: Array, index: Any, name: Callable[[str], Value | None]) -> Value:
    """`ARRAY[((uint64_t)(w & (0u - w)) * UINT64_C(factor) & UINT64_C(0xffffffff)) >> 27]`, in brackets.

    Raises:
        OddError: the index is something else, or the array has not 32 cells.

    """
    word, factor = _index(index)
    value = name(word)
    if value is None or value.type is not Type.UINT32 or value.low:
        raise OddError(f"`{word}` is no `uint32_t` here")
    if len(array.cells) != _BITS:
        raise OddError(f"an array of {len(array.cells)} cells, where 32 are read")
    numbers = tuple(array.cells[(factor << bit) % 2**_BITS >> _SHIFT] for bit in range(_BITS))
    none = array.cells[0]
    expr = Lowest(value.expr, numbers, none)
    ends = min(*numbers, none), max(*numbers, none)
    return Value(Type.INT32, expr, *ends, total=value.total, size=value.size + 1)


def _index(node: Any) -> tuple[str, int]:
    """The word and the factor of an index."""
    match node:
        case c_ast.BinaryOp(
            op=">>",
            left=c_ast.BinaryOp(
                op="&",
                left=c_ast.BinaryOp(op="*", left=c_ast.Cast(to_type=to, expr=low), right=factor),
                right=mask,
            ),
            right=c_ast.Constant(value="27"),
        ) if type_text(to.type) == "uint64_t" and _constant(mask) == 2**_BITS - 1:
            return _lowest(low), _constant(factor)
        case _:
            raise OddError("an array is read at another place than that of a lowest bit")


def _lowest(node: Any) -> str:
    """The word of `w & (0u - w)`."""
    match node:
        case c_ast.BinaryOp(
            op="&",
            left=c_ast.ID(name=word),
            right=c_ast.BinaryOp(
                op="-", left=c_ast.Constant(value="0u"), right=c_ast.ID(name=again)
            ),
        ) if word == again:
            return str(word)
        case _:
            raise OddError("this is not the lowest bit of a word")


def _constant(node: Any) -> int:
    """The number of `UINT64_C(number)`."""
    match node:
        case c_ast.FuncCall(
            name=c_ast.ID(name="UINT64_C"),
            args=c_ast.ExprList(exprs=[c_ast.Constant(value=text)]),
        ) if text[:2].lower() == "0x" and text[-1:].lower() not in ("u", "l"):
            return int(text, 16)
        case _:
            raise OddError("a constant that is not written `UINT64_C(0x…)`")
