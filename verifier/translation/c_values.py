"""Expressions of C: from pycparser's tree to values.

In: a node, and what names, members and calls mean where it stands.  Out: its value.

What always holds: an expression has no side effect, so that the order in which its parts are evaluated
does not matter; the right side of `&&` and `||` that a constant left side rules out is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol

from pycparser import c_ast

from govlang.verifier.translation import c_operators as operators
from govlang.verifier.translation.c_lookup import looked_up
from govlang.verifier.translation.c_parse import Array, odd, type_text
from govlang.verifier.translation.c_types import OddError, Type, Value, convert, known

CHAIN_MAX: Final = 200
"""Operators in a row; what works with expressions recurses on them."""

TYPES: Final = {str(one): one for one in Type}

_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)")
_SUFFIXES: Final = {"": Type.INT32, "u": Type.UINT32, "ll": Type.INT64, "ull": Type.UINT64}
_LIMITS: Final = {
    f"{'' if one.signed else 'U'}INT{one.width}_{end}": known(one, value)
    for one in Type
    for end, value in (("MAX", one.greatest), ("MIN", one.least))
    if one.signed or end == "MAX"
}
_MAKERS: Final = {f"{'' if one.signed else 'U'}INT{one.width}_C": one for one in Type}


class Meaning(Protocol):
    """What an expression reads."""

    def name(self, name: str) -> Value | None:
        """The value of a local or a constant."""

    def null(self, name: str) -> Value | None:
        """Whether a pointer is null here, 0 or 1; None if the name is no pointer."""

    def member(self, pointer: str, name: str) -> Value:
        """The value of a member of what a pointer points to."""

    def call(self, name: str, arguments: Sequence[Any]) -> Value:
        """What a function gives."""

    def array(self, name: str) -> Array:
        """The array of a name."""

    def lazy(self) -> Meaning:
        """The same, for what C may not come to evaluate."""


def evaluate(node: Any, meaning: Meaning) -> Value:
    """The value of an expression.

    Raises:
        ArtefactError: GOV416 with the line, it is none of the documented part.

    """
    try:
        return _value(node, meaning)
    except OddError as error:
        raise odd(node, str(error)) from None


def convert_at(node: Any, value: Value, to: Type) -> Value:
    """A value in another type; `node` is where it is asked for."""
    try:
        return convert(value, to)
    except OddError as error:
        raise odd(node, str(error)) from None


def _value(node: Any, meaning: Meaning) -> Value:
    match node:
        case c_ast.Constant(type=kind, value=text):
            return _constant(kind, text)
        case c_ast.ID(name=name):
            return _named(name, meaning)
        case c_ast.StructRef(type="->", name=c_ast.ID(name=pointer), field=c_ast.ID(name=member)):
            return meaning.member(pointer, member)
        case c_ast.Cast(to_type=to, expr=expr):
            return convert(evaluate(expr, meaning), cast_type(to))
        case c_ast.UnaryOp(op=op, expr=expr):
            return _unary(op, expr, meaning)
        case c_ast.BinaryOp(op="==" | "!=") if (null := _null_test(node, meaning)) is not None:
            return null
        case c_ast.BinaryOp(op="&&" | "||"):
            return _lazy(node, meaning)
        case c_ast.BinaryOp():
            return _chain(node, meaning)
        case c_ast.TernaryOp(cond=condition, iftrue=then, iffalse=otherwise):
            parts = (evaluate(part, meaning.lazy()) for part in (then, otherwise))
            return operators.choose(evaluate(condition, meaning), *parts)
        case c_ast.FuncCall():
            return _call(node, meaning)
        case c_ast.ArrayRef(name=c_ast.ID(name=name), subscript=subscript):
            return looked_up(meaning.array(name), subscript, meaning.name)
        case _:
            raise OddError(f"an expression that is none of the documented ones ({_kind(node)})")


def _kind(node: Any) -> str:
    return type(node).__name__


def _constant(kind: str, text: str) -> Value:
    match = _NUMBER.fullmatch(text)
    if match is None or (text[0] == "0" and text[1:2].isdigit()):
        raise OddError(f"the constant `{text[:40]}` ({kind})")
    type_, value = _SUFFIXES[_suffix(match[2])], int(match[1], 0)
    if value > type_.greatest:
        raise OddError(f"the constant `{text[:40]}` does not fit its type, {type_}")
    return known(type_, value)


def _suffix(text: str) -> str:
    letters = text.lower()
    return "ull" if letters == "llu" else letters


def _named(name: str, meaning: Meaning) -> Value:
    found = meaning.name(name)
    if found is None:
        found = _LIMITS.get(name)
    if found is None:
        raise OddError(f"`{name}` has no value here")
    return found


def cast_type(node: Any) -> Type:
    """The type of a cast."""
    name = type_text(node.type)
    if name not in TYPES or node.quals or node.align or node.attributes:
        raise odd(node, f"a cast to `{name}`")
    return TYPES[name]


def _unary(op: str, expr: Any, meaning: Meaning) -> Value:
    if op == "!" and isinstance(expr, c_ast.ID):
        null = meaning.null(expr.name)
        if null is not None:
            return null
    made = {
        "!": operators.negation,
        "~": operators.complement,
        "-": operators.negative,
    }.get(op)
    if made is None:
        raise OddError(f"the operator `{op}`")
    return made(evaluate(expr, meaning))


def _null_test(node: Any, meaning: Meaning) -> Value | None:
    """`pointer == NULL`, either way round."""
    match node.left, node.right:
        case (c_ast.ID(name="NULL"), c_ast.ID(name=name)) | (
            c_ast.ID(name=name),
            c_ast.ID(name="NULL"),
        ):
            null = meaning.null(name)
            if null is None:
                raise OddError(f"`{name}` is no pointer here")
            return null if node.op == "==" else operators.negation(null)
        case _:
            return None


def _lazy(node: Any, meaning: Meaning) -> Value:
    """`a && b && …`: joined as a balanced tree, which changes neither order nor laziness."""
    parts: list[Value] = []
    ends = 0 if node.op == "&&" else 1
    for part in _spine(node):
        value = evaluate(part, meaning.lazy() if parts else meaning)
        parts.append(value)
        if value.constant is not None and bool(value.constant) == bool(ends):
            break
    return _joined(operators.both if node.op == "&&" else operators.either, parts)


def _joined(join: Any, parts: Sequence[Value]) -> Value:
    if len(parts) == 1:
        return operators.bit(parts[0])
    middle = len(parts) // 2
    joined: Value = join(_joined(join, parts[:middle]), _joined(join, parts[middle:]))
    return joined


def _spine(node: Any) -> list[Any]:
    """The operands of a row of one operator, which groups to the left."""
    found, op = [], node.op
    while isinstance(node, c_ast.BinaryOp) and node.op == op:
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]


def _chain(node: Any, meaning: Meaning) -> Value:
    rights = []
    while isinstance(node, c_ast.BinaryOp) and node.op not in ("&&", "||"):
        if _null_test(node, meaning) is not None:
            break
        rights.append(node)
        node = node.left
    if len(rights) > CHAIN_MAX:
        raise OddError(f"more than {CHAIN_MAX} operators in a row")
    value = evaluate(node, meaning)
    for one in reversed(rights):
        value = operators.binary(one.op, value, evaluate(one.right, meaning))
    return value


def _call(node: Any, meaning: Meaning) -> Value:
    if not isinstance(node.name, c_ast.ID):
        raise OddError("a call of something that is no name")
    name, arguments = node.name.name, node.args.exprs if node.args else []
    if name in _MAKERS:
        return _made_constant(_MAKERS[name], arguments)
    return meaning.call(name, arguments)


def _made_constant(type_: Type, arguments: Sequence[Any]) -> Value:
    """`INT64_C(5)` and its like: a number without a suffix, in the type of the name."""
    match arguments:
        case [c_ast.Constant(value=text)] if (m := _NUMBER.fullmatch(text)) and not m[2]:
            if text.isdigit() and text[0] == "0" and len(text) > 1:
                raise OddError(f"the constant `{text[:40]}`")
            if int(text, 0) > type_.greatest:
                raise OddError(f"the constant `{text[:40]}` does not fit {type_}")
            return known(type_, int(text, 0))
        case _:
            raise OddError("a constant of a standard type without a plain number")
