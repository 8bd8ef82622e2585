"""Functions whose every `return` is the last thing they do, so that they can stand where they are called.

In: a function of pycparser's tree.  Out: one that does the same, in which nothing follows a `return`:
what stood behind an `if` that returns has moved into its other branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycparser import c_ast

from govlang.verifier.translation.c_parse import odd


def with_last_returns(function: Any) -> Any:
    """The function with its returns at the ends.

    Raises:
        ArtefactError: GOV416 with the line, a `return` stands in the middle in another way.

    """
    body = c_ast.Compound(_tailed(function.body.block_items or ()), function.body.coord)
    return c_ast.FuncDef(function.decl, function.param_decls, body, function.coord)


def _tailed(items: Sequence[Any]) -> list[Any]:
    for number, item in enumerate(items):
        if has_return(item):
            return [*items[:number], _with_rest(item, items[number + 1 :])]
    return [*items]


def _with_rest(item: Any, rest: Sequence[Any]) -> Any:
    """A statement that may return, with what stands behind it."""
    match item:
        case c_ast.If(cond=condition, iftrue=then, iffalse=otherwise, coord=coord):
            if rest and all(one and always_returns(one) for one in (then, otherwise)):
                raise odd(rest[0], "a statement behind a `return`")
            ways = [_branch(one, rest, coord) for one in (then, otherwise)]
            return c_ast.If(condition, *ways, coord)
        case _ if not rest:
            return item
        case _:
            raise odd(item, "a `return` in the middle of a function that is called")


def _branch(node: Any, rest: Sequence[Any], coord: Any) -> Any:
    if node is None:
        return c_ast.Compound(_tailed(rest), coord) if rest else None
    if always_returns(node):
        return c_ast.Compound(_tailed(_own(node)), coord)
    if has_return(node):
        if rest:
            raise odd(node, "a branch that may return in the middle of a function that is called")
        return c_ast.Compound(_tailed(_own(node)), coord)
    return c_ast.Compound([c_ast.Compound(_own(node), coord), *_tailed(rest)], coord)


def _own(node: Any) -> list[Any]:
    return list(node.block_items or ()) if isinstance(node, c_ast.Compound) else [node]


def has_return(node: Any) -> bool:
    """Whether a `return` stands anywhere in a node."""
    return isinstance(node, c_ast.Return) or any(has_return(child) for child in node)


def always_returns(node: Any) -> bool:
    """Whether a statement ends the function, as far as its form says."""
    match node:
        case c_ast.Return():
            return True
        case c_ast.Compound(block_items=items):
            return bool(items) and always_returns(items[-1])
        case c_ast.If(iftrue=then, iffalse=otherwise):
            return otherwise is not None and always_returns(then) and always_returns(otherwise)
        case _:
            return False
