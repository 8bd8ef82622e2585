"""Syntax trees with parts exchanged: what a parser would accept and a checker must judge.

In: a list of declarations.  Out: the same with some nodes replaced by others of their category from
anywhere in the tree, so that names, types, units and places no longer fit.
"""

from __future__ import annotations

import typing
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

from govlang.dsl import ast

CATEGORIES: tuple[tuple[type, ...], ...] = (
    typing.get_args(ast.Expr),
    typing.get_args(ast.Type),
    typing.get_args(ast.Cell),
    typing.get_args(ast.Obligation),
    (ast.Decision,),
    (ast.Argument,),
    (ast.Field,),
    (ast.Rule, ast.Table),
    (ast.RequestStep, ast.Expect),
)
NUMBERS = ["0", "1", "0.005", "1_000_000_000", "9223372036854775807", "99999999999999999999999999"]
UNITS = [None, "%", "kg", "g", "s", "min", "tokens", "m/s", "parsec"]


def category(node: Any) -> int | None:
    """The category of a node."""
    return next((i for i, kinds in enumerate(CATEGORIES) if isinstance(node, kinds)), None)


def collected(node: Any, pool: dict[int, list[Any]]) -> None:
    """Every node of a category below `node`."""
    if isinstance(node, tuple) and not hasattr(node, "source"):
        for one in node:
            collected(one, pool)
    elif is_dataclass(node):
        found = category(node)
        if found is not None:
            pool.setdefault(found, []).append(node)
        for field in fields(node):
            if field.name != "span":
                collected(getattr(node, field.name), pool)


def mutated(node: Any, rng: Random, pool: dict[int, list[Any]], p: float) -> Any:
    """The tree with nodes exchanged, each with probability `p`."""
    if isinstance(node, tuple) and not hasattr(node, "source"):
        changed = tuple(mutated(one, rng, pool, p) for one in node)
        return changed + changed[:1] if changed and rng.random() < p / 4 else changed
    if not is_dataclass(node) or isinstance(node, type):
        return node
    if rng.random() < p:
        return exchanged(node, rng, pool)
    parts = {
        f.name: mutated(getattr(node, f.name), rng, pool, p)
        for f in fields(node)
        if f.name not in {"span", "cells"}
    }
    return replace(node, **parts)


def exchanged(node: Any, rng: Random, pool: dict[int, list[Any]]) -> Any:
    """Another node that could stand where this one does."""
    match node:
        case ast.Number():
            return replace(node, text=rng.choice([node.text, *NUMBERS]), unit=rng.choice(UNITS))
        case ast.Name():
            names = [one for one in pool.get(0, []) if isinstance(one, ast.Name)]
            return replace(node, text=rng.choice(names).text) if names else node
        case ast.String():
            return replace(node, value=rng.choice(["", "a.b", "/a", "x" * 300, "é", "src/"]))
        case ast.Bool():
            return replace(node, value=not node.value)
    found = category(node)
    same = [one for one in pool.get(found, []) if _fits(node, one)] if found is not None else []
    return replace(rng.choice(same), span=node.span) if same else node


def _fits(node: Any, other: Any) -> bool:
    """Whether the parser could have put `other` where `node` stands."""
    strict = isinstance(node, (*typing.get_args(ast.Obligation), ast.RequestStep, ast.Expect))
    return type(node) is type(other) if strict else True
