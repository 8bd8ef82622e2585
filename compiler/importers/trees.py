"""Small builders of syntax trees, for whoever writes .gov from another format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from govlang.dsl import ast

WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED: Final = frozenset({"not", "true", "false", "if", "has", "_", "decision"})


def is_word(text: str) -> bool:
    """Whether a text can be a field's name."""
    return WORD.fullmatch(text) is not None and text not in RESERVED


def name(text: str) -> ast.Name:
    """A name."""
    return ast.Name(text)


def number(value: Decimal | int, unit: str | None = None) -> ast.Number:
    """A literal, written out."""
    return ast.Number(f"{Decimal(value):f}", unit)


def all_of(parts: Sequence[ast.Expr]) -> ast.Expr | None:
    """The conjunction, flat; None if there are no parts."""
    return _joined("and", parts) if parts else None


def any_of(parts: Sequence[ast.Expr]) -> ast.Expr:
    """The disjunction, flat, of at least one part."""
    return _joined("or", parts)


def _joined(op: str, parts: Sequence[ast.Expr]) -> ast.Expr:
    flat: list[ast.Expr] = []
    for part in parts:
        inner = isinstance(part, ast.Logical) and part.op == op
        flat += part.operands if inner and isinstance(part, ast.Logical) else [part]
    return flat[0] if len(flat) == 1 else ast.Logical(op, tuple(flat))


def negated(expr: ast.Expr) -> ast.Expr:
    """The negation; two cancel out."""
    if isinstance(expr, ast.Unary) and expr.op == "not":
        return expr.operand
    return ast.Unary("not", expr)


def one_of_texts(field: str, values: Sequence[str]) -> ast.Expr:
    """The text field is one of the values."""
    if len(values) == 1:
        return ast.Compare("==", name(field), ast.String(values[0]))
    return ast.In(name(field), ast.SetLiteral(tuple(ast.String(v) for v in values)))


def members(words: Iterable[str]) -> ast.SetLiteral:
    """A set of labels."""
    return ast.SetLiteral(tuple(name(word) for word in words))


def header(policy: str) -> ast.Header:
    """The header of an imported policy."""
    return ast.Header(1, name(policy), ast.String("1.0.0"))


def policy_name(stem: str) -> str:
    """A policy's name from a file's: letters, digits and `_`."""
    word = re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_") or "imported"
    return word if is_word(word) else f"p_{word}"
