"""Requests that are likely to show a difference: values at and beside everything that a policy names.

In: a parsed policy, its meaning, a seed.  Out: requests as `meaning.decide` reads them, and the same
requests in the JSON form of the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import product
from math import floor
from random import Random
from typing import Any, Final

from faulty.meaning import ABSENT, Meaning, Request, quantity, scale

from govlang.dsl import ast

RUNS: Final = ("", "x", "x.y", "x/y", ".delete", "-old/x", "a.b.c")
TEXTS: Final = ("", "zzz", "a.b", "x")
NEAR: Final = (-2, -1, 0, 1, 2)
Json = dict[str, Any]


def nodes(tree: Any) -> Iterator[Any]:
    """Every node of a syntax tree."""
    if isinstance(tree, tuple):
        for one in tree:
            yield from nodes(one)
    elif is_dataclass(tree):
        yield tree
        for field in fields(tree):
            if field.name != "span":
                yield from nodes(getattr(tree, field.name))


class Sampler:
    """Draws requests for one policy."""

    def __init__(self, policy: ast.Policy, meaning: Meaning, seed: int) -> None:
        self.meaning = meaning
        self.random = Random(seed)
        tree = list(nodes(policy.declarations))
        self.numbers = {quantity(one) for one in tree if isinstance(one, ast.Number)}
        self.texts = sorted({text for one in tree for text in _texts(one)} | set(TEXTS))
        self.choices = {n: self._choices(f.type) for n, f in meaning.fields.items()}
        self.kept: list[Request] = []

    def params(self) -> dict[str, Fraction]:
        """Values of the parameters, often the ends of their ranges."""
        found = {}
        for name, param in self.meaning.params.items():
            assert isinstance(param.type, ast.NumberType)
            low, high, step = grid(param.type)
            found[name] = self.random.choice((low, high, self._anywhere(low, high, step)))
        return found

    def request(self, params: dict[str, Fraction]) -> Request:
        """A request with these parameters: a new one, or one that was kept, changed in a field."""
        if self.kept and self.random.random() < 0.6:
            name = self.random.choice(list(self.choices))
            return {**self.random.choice(self.kept), **params, name: self._value(name)}
        found: dict[str, Any] = {name: self._value(name) for name in self.choices}
        texts = [n for n, f in self.meaning.fields.items() if _plain_text(f)]
        if len(texts) > 1 and self.random.random() < 0.4:
            one, two = self.random.sample(texts, 2)
            found[one] = found[two]
        roles = sorted(self.meaning.roles)
        approved = frozenset(role for role in roles if self.random.random() < 0.5)
        return {**found, **params, "approved": approved}

    def keep(self, values: Request) -> None:
        """Remember a request from which others are worth trying."""
        self.kept = [*self.kept[-20:], values]

    def _value(self, name: str) -> Any:
        field = self.meaning.fields[name]
        if field.optional and self.random.random() < 0.3:
            return ABSENT
        if isinstance(field.type, ast.NumberType) and self.random.random() < 0.25:
            return self._anywhere(*grid(field.type))
        return self.random.choice(self.choices[name])

    def _anywhere(self, low: Fraction, high: Fraction, step: Fraction) -> Fraction:
        return low + self.random.randint(0, floor((high - low) / step)) * step

    def _choices(self, kind: ast.Type) -> Sequence[Any]:
        match kind:
            case ast.NumberType():
                return sorted(self._beside(*grid(kind)))
            case ast.EnumType(members=members):
                return [member.text for member in members]
            case ast.SetType(members=members):
                draws = product((True, False), repeat=len(members))
                return [
                    frozenset(m.text for m, held in zip(members, draw, strict=True) if held)
                    for draw in draws
                ]
            case ast.TextType(is_path=True):
                return [text for text in self.texts if _is_path(text)]
            case ast.TextType():
                return self.texts
            case ast.PlainType(kind=ast.Plain.BOOL):
                return [False, True]
            case _:
                return ["k1", "k2"]

    def _beside(self, low: Fraction, high: Fraction, step: Fraction) -> set[Fraction]:
        """Grid points at and beside each number of the policy, its negative and some multiples."""
        named = self.numbers | {-n for n in self.numbers} | {low, high}
        named |= {n * k for n in self.numbers for k in (8, 60, 100)}
        on_grid = {low + floor((n - low) / step) * step for n in named}
        return {n + k * step for n in on_grid for k in NEAR if low <= n + k * step <= high}

    # --- as JSON -----------------------------------------------------------------------------------

    def as_json(self, values: Request) -> tuple[Json, Json, Json]:
        """The request, its runtime part and the parameters."""
        request: Json = {}
        runtime: Json = {"approved": sorted(values["approved"])}
        for name, field in self.meaning.fields.items():
            if values[name] is not ABSENT:
                part = runtime if field.from_runtime else request
                part[name] = _json(values[name], field.type)
        params = {n: _json(values[n], p.type) for n, p in self.meaning.params.items()}
        return request, runtime, params


def grid(kind: ast.NumberType) -> tuple[Fraction, Fraction, Fraction]:
    """The range and the step in base units."""
    unit = scale(kind.unit)
    step = unit
    if kind.step is not None:
        step = Fraction(kind.step.value) * scale(kind.step.unit or kind.unit)
    return Fraction(kind.low.value) * unit, Fraction(kind.high.value) * unit, step


def _texts(node: Any) -> Iterator[str]:
    """Texts that a node names, and some that its glob matches."""
    match node:
        case ast.String(value=value):
            yield value
            parts = value.replace("**", "*").split("*")
            for runs in product(RUNS, repeat=min(len(parts) - 1, 2)):
                filled = (*runs, *["x"] * (len(parts) - 1 - len(runs)), "")
                yield "".join(a + b for a, b in zip(parts, filled, strict=True))
            if value.endswith("/"):
                yield value + "x"
        case _:
            return


def _is_path(text: str) -> bool:
    return all(part not in {"", ".", ".."} for part in text.split("/"))


def _plain_text(field: ast.Field) -> bool:
    return isinstance(field.type, ast.TextType) and not field.type.is_path and not field.optional


def _json(value: Any, kind: ast.Type) -> Any:
    match value:
        case Fraction():
            assert isinstance(kind, ast.NumberType)
            own = value / scale(kind.unit)
            exact = Decimal(own.numerator) / Decimal(own.denominator)
            return int(exact) if own.denominator == 1 else exact
        case frozenset():
            return sorted(value)
        case _:
            return value
