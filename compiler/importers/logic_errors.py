"""What is wrong with a JSON-Logic expression: its place in, coded errors out; and how an operation reads."""

from __future__ import annotations

from typing import Any, Final

from govlang.dsl.diagnostics import GovError, did_you_mean, fail

CANNOT: Final = "GOV601"
UNKNOWN: Final = "GOV602"
WRONG: Final = "GOV605"

KNOWN: Final = (
    "==", "===", "!=", "!==", "<", "<=", ">", ">=", "and", "or", "!", "!!", "if", "?:", "+", "-",
    "*", "/", "min", "max", "in", "var", "missing",
)  # fmt: skip


def operation(node: Any, at: str) -> tuple[str, list[Any]]:
    """The operator and the arguments of a node.

    Raises:
        GovError: it is none, or of an operator that has no counterpart.
    """
    if not isinstance(node, dict) or len(node) != 1:
        raise coerces(at, f"the truth of {_shown(node)}", "an operation is an object with one key")
    op, args = next(iter(node.items()))
    if op not in KNOWN:
        near = did_you_mean(op, KNOWN)
        raise cannot(at, f"the operator `{op}` cannot be carried over", near or _way(op))
    return op, args if isinstance(args, list) else [args]


def _shown(node: Any) -> str:
    match node:
        case None:
            return "null"
        case list():
            return "a list"
        case str():
            return "a text"
        case dict():
            return "an object without exactly one operator"
        case _:
            return "a number"


def _way(op: str) -> str | None:
    if op == "within":
        return "what it reads of the past is no field; write the rule over time in .gov: `E within 5 min`"
    return "known: " + ", ".join(KNOWN)


def exactly(args: list[Any], count: int, at: str) -> list[Any]:
    """The arguments, if there are that many.

    Raises:
        GovError: there are fewer or more.
    """
    if len(args) != count:
        raise wrong(at, f"needs {count} argument{'s' if count > 1 else ''}, has {len(args)}", None)
    return args


def at_least(args: list[Any], count: int, at: str) -> list[Any]:
    """The arguments, if there are enough.

    Raises:
        GovError: there are fewer.
    """
    if len(args) < count:
        raise wrong(at, "needs an argument", None)
    return args


def cannot(at: str, message: str, help: str | None) -> GovError:  # noqa: A002  # the word of the format
    """Something has no counterpart."""
    return error(CANNOT, at, message, help)


def coerces(at: str, what: str, help: str | None) -> GovError:  # noqa: A002  # the word of the format
    """Something means what JavaScript's conversions make of it."""
    return error(CANNOT, at, f"{what} leans on JavaScript's conversions", help)


def wrong(at: str, message: str, help: str | None) -> GovError:  # noqa: A002  # the word of the format
    """An operator has the wrong arguments."""
    return error(WRONG, at, message, help)


def error(code: str, at: str, message: str, help: str | None) -> GovError:  # noqa: A002  # the word of the format
    """The exception for one error at a JSON path."""
    return fail(code, f"at `{at}`: {message}", help=help)
