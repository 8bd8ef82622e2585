"""JSON-Logic as jsonlogic.com has it, computed in doubles as JSON engines do.

Strict where JavaScript would convert: an operator given values of different types raises, so that a test that
leans on a conversion fails.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any


def evaluate(logic: Any, data: dict[str, Any]) -> Any:
    """The value of an expression over some data."""
    if not isinstance(logic, dict):
        return logic
    ((op, given),) = logic.items()
    args = given if isinstance(given, list) else [given]
    match op:
        case "var":
            found = data.get(args[0])
            return evaluate(args[1], data) if found is None and len(args) > 1 else found
        case "missing":
            return [name for name in args if data.get(name) in (None, "")]
        case "if" | "?:":
            for at in range(0, len(args) - 1, 2):
                if evaluate(args[at], data):
                    return evaluate(args[at + 1], data)
            return evaluate(args[-1], data)
        case "and":
            return all(evaluate(arg, data) for arg in args)
        case "or":
            return any(evaluate(arg, data) for arg in args)
    return apply(op, [evaluate(arg, data) for arg in args])


def apply(op: str, args: list[Any]) -> Any:
    """The value of an operator on values."""
    match op:
        case "!":
            return not args[0]
        case "!!":
            return bool(args[0])
        case "==" | "===":
            return args[0] == args[1] and isinstance(args[0], bool) == isinstance(args[1], bool)
        case "!=" | "!==":
            return not apply("==", args)
        case "<=":
            return all(a <= b for a, b in pairwise(args))
        case "<":
            return all(a < b for a, b in pairwise(args))
        case ">=":
            return args[0] >= args[1]
        case ">":
            return args[0] > args[1]
        case "in":
            return args[1] is not None and args[0] in args[1]
        case "substr":
            return args[0][args[1] :] if len(args) == 2 else args[0][args[1] : args[1] + args[2]]
        case "+":
            return sum(args)
        case "-":
            return -args[0] if len(args) == 1 else args[0] - args[1]
        case "*":
            return args[0] * args[1]
        case "/":
            return args[0] / args[1]
        case "%":
            return abs(args[0]) % args[1] * (1 if args[0] >= 0 else -1)
        case "min":
            return min(args)
        case "max":
            return max(args)
    raise AssertionError(op)


def doubles(value: Any) -> Any:
    """What a JSON parser makes of it: every number a double."""
    match value:
        case bool():
            return value
        case int() | Decimal():
            return float(value)
        case dict():
            return {k: doubles(v) for k, v in value.items()}
        case list() | tuple():
            return [doubles(v) for v in value]
        case _:
            return value


def doubles_in_logic(logic: Any) -> Any:
    """Constants as doubles, but the positions of `substr` and the names of `var` as they are."""
    if isinstance(logic, dict):
        return {
            op: args if op == "substr" else doubles_in_logic(args) for op, args in logic.items()
        }
    if isinstance(logic, list):
        return [doubles_in_logic(one) for one in logic]
    return doubles(logic)
