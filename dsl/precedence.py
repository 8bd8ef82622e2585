"""How tightly the operators of `policy.lark` bind."""

from __future__ import annotations

from enum import IntEnum, auto


class Precedence(IntEnum):
    """The levels of expressions, loosest first."""

    EXPRESSION = auto()
    DISJUNCTION = auto()
    CONJUNCTION = auto()
    NEGATION = auto()
    OVER_TIME = auto()
    COMPARISON = auto()
    SUM = auto()
    PRODUCT = auto()
    UNARY = auto()
    PRIMARY = auto()
