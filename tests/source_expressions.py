"""Random well-typed expressions as text.

In: fields, parameters and `let`s, and a source of randomness.  Out: numbers of a family of units and
conditions, in which every read of an optional field is guarded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import TypeVar

from source_columns import (
    FAMILIES,
    PATH_GLOBS,
    PATHS,
    ROLES,
    STEPS,
    TEXT_GLOBS,
    TEXTS,
    Column,
    decimal_text,
    exact,
    quoted,
)

T = TypeVar("T")


@dataclass
class Expressions:
    """Writes expressions; `known` are the optional fields that are guarded where it writes."""

    rng: Random
    columns: list[Column] = field(default_factory=list)
    params: list[Column] = field(default_factory=list)
    outputs: list[Column] = field(default_factory=list)
    actions: dict[str, list[Column]] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    """Names of numeric `let`s and their family."""
    conditions: list[str] = field(default_factory=list)
    zoned: bool = False
    in_proof: bool = False

    # --- choices ---

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def pick(self, options: Sequence[T]) -> T:
        return self.rng.choice(options)

    def some(self, options: Sequence[T], least: int = 1) -> list[T]:
        size = self.rng.randint(min(least, len(options)), len(options))
        return self.rng.sample(list(options), size)

    def families(self) -> list[str]:
        return sorted(
            {c.family for c in self.columns if c.kind in ("number", "duration")} | {"plain"}
        )

    # --- numbers ---

    def constant(self, family: str, near: Column | None = None) -> str:
        unit = self.pick(list(FAMILIES[family]))
        value = Fraction(self.rng.randint(0, 40)) * Fraction(self.pick(STEPS))
        if near is not None and self.chance(0.8):
            steps = self.rng.randint(near.lo - 1, near.hi + 1)
            value = abs(Fraction(steps) * near.grid / FAMILIES[family][unit])
            if self.chance(0.3):
                value += Fraction(1, 8)
        text = str(exact(Fraction(round(value * 10**6), 10**6)))
        return f"{format(Decimal(text), 'f')} {unit}".rstrip()

    def number(self, family: str, depth: int, known: frozenset[str]) -> str:
        """An expression of a family that reads at least nothing that may be absent."""
        leaves = [c.name for c in (*self.columns, *self.params) if c.family == family
                  and c.kind in ("number", "duration") and (not c.optional or c.name in known)]  # fmt: skip
        leaves += [name for name, of in self.numbers.items() if of == family]
        if self.zoned and family == "time":
            leaves.append("minute_of_day")
        if depth == 0 or self.chance(0.3):
            return self.pick(leaves) if leaves and self.chance(0.8) else self.constant(family)
        one, two = (self.number(family, depth - 1, known) for _ in range(2))
        plain = f"{self.rng.randint(2, 5)}"
        return self.pick(
            [
                f"({one} + {two})",
                f"({one} - {two})",
                f"{self.pick(['least', 'greatest'])}({one}, {two})",
                f"abs({one})",
                f"-({one})",
                f"({one} * {plain})",
                f"({self.pick(['0.5', '-1.5', '3', '0'])} * {one})",
                f"({one} / {self.pick(['', '-'])}{plain})",
                f"({one} / 0.5)",
                f"(if {self.undecided(depth - 1, known)} then {one} else {two})",
            ]
        )

    def undecided(self, depth: int, known: frozenset[str]) -> str:
        """A condition without the decision, which no number may depend on."""
        in_proof, self.in_proof = self.in_proof, False
        condition = self.condition(depth, known)
        self.in_proof = in_proof
        return condition

    def compared(self, depth: int, known: frozenset[str]) -> str:
        columns = [c for c in self.columns if c.kind in ("number", "duration")
                   and (not c.optional or c.name in known)]  # fmt: skip
        op = self.pick(["<", "<=", ">", ">="])
        if columns and self.chance(0.6):
            column = self.pick(columns)
            if self.chance(0.3):
                return self.exactly(column)
            constant = self.constant(column.family, column)
            return self.pick([f"{column.name} {op} {constant}", f"{constant} {op} {column.name}"])
        family = self.pick(self.families())
        left = self.number(family, depth, known)
        if self.chance(0.3):
            right = self.constant(family)
        else:
            right = self.number(family, depth, known)
            if self.reads(left) and self.reads(right):
                op = self.pick([op, "==", "!="])
        return f"{left} {op} {right}"

    def reads(self, expr: str) -> bool:
        """Whether an expression is surely no constant, which might be off the other side's grid."""
        names = {c.name for c in (*self.columns, *self.params)} | {"minute_of_day"}
        return not names.isdisjoint(re.findall(r"[a-z_]\w*", expr))

    def exactly(self, column: Column) -> str:
        """Equality with constants on the field's grid."""
        values = [
            self.rng.randint(column.lo - 1, column.hi + 1) for _ in range(self.rng.randint(1, 3))
        ]
        texts = [
            f"{decimal_text(Fraction(v) * Fraction(column.step))} {column.unit}".rstrip()
            for v in values
        ]
        if self.chance(0.5):
            return f"{column.name} in {{{', '.join(texts)}}}"
        return f"{column.name} {self.pick(['==', '!='])} {texts[0]}"

    # --- conditions ---

    def condition(self, depth: int, known: frozenset[str]) -> str:
        if depth == 0:
            return self.atom(0, known)
        one = self.condition(depth - 1, known)
        match self.rng.randrange(9):
            case 0:
                return f"not ({one})"
            case 1 | 2:
                return f"({one} and {self.condition(depth - 1, known)})"
            case 3:
                return f"({one} or {self.condition(depth - 1, known)} or {self.atom(0, known)})"
            case 4:
                return f"({one} implies {self.condition(depth - 1, known)})"
            case 5:
                other = self.condition(depth - 1, known)
                return f"(if {self.atom(0, known)} then {one} else {other})"
            case 6:
                return self.guarded(depth, known)
            case _:
                return self.atom(depth, known)

    def guarded(self, depth: int, known: frozenset[str]) -> str:
        absent = [c.name for c in self.columns if c.optional and c.name not in known]
        if not absent:
            return self.atom(depth, known)
        name = self.pick(absent)
        inside = self.condition(depth - 1, known | {name})
        return self.pick(
            [
                f"(has {name} and {inside})",
                f"(not has {name} or {inside})",
                f"(has {name} implies {inside})",
                f"(if has {name} then {inside} else {self.condition(depth - 1, known)})",
                f"(if not has {name} then {self.atom(0, known)} else {inside})",
                f"(not (has {name} implies not ({inside})))",
            ]
        )

    def atom(self, depth: int, known: frozenset[str]) -> str:
        if self.in_proof and self.chance(0.3):
            return self.pick(
                ["decision is deny", "decision is not allow", "decision is at least throttle",
                 "decision in {allow, limit, require human}"]
            )  # fmt: skip
        readable = [c for c in self.columns if not c.optional or c.name in known]
        if not readable or self.chance(0.35):
            return self.compared(depth, known)
        column = self.pick(readable)
        match column.kind:
            case "number" | "duration":
                return self.compared(depth, known)
            case "enum":
                return self.enum_test(column)
            case "set":
                return self.set_test(column)
            case "bool":
                return self.pick([column.name, f"{column.name} is true", f"{column.name} is not true",
                                  f"{column.name} is false"])  # fmt: skip
            case _:
                return self.text_test(column, readable)

    def other_atom(self) -> str:
        """What is about no field."""
        choices = ["true", *self.conditions]
        choices += [c.name for c in self.params if c.kind == "bool"]
        choices += [f"{c.name} is {self.pick(c.members)}" for c in self.params if c.kind == "enum"]
        choices += ["weekday in {saturday, sunday}"] if self.zoned else []
        role = self.pick(ROLES)
        choices += [f'approved contains "{role}"', "approved is empty"]
        return self.pick(choices)

    def enum_test(self, column: Column) -> str:
        one, many = self.pick(column.members), ", ".join(self.some(column.members))
        return self.pick(
            [
                f"{column.name} is {one}",
                f"{column.name} is not {one}",
                f"{column.name} in {{{many}}}",
                f'{column.name} is "{one}"',
                self.other_atom(),
            ]
        )

    def set_test(self, column: Column) -> str:
        one, many = self.pick(column.members), ", ".join(self.some(column.members))
        return self.pick(
            [
                f"{column.name} contains {one}",
                f"{column.name} contains any {{{many}}}",
                f"{column.name} contains all {{{many}}}",
                f"{column.name} within {{{many}}}",
                f"{column.name} is empty",
                f"{column.name} is not empty",
            ]
        )

    def text_test(self, column: Column, readable: list[Column]) -> str:
        texts, globs = (PATHS, PATH_GLOBS) if column.kind == "path" else (TEXTS, TEXT_GLOBS)
        many = ", ".join(quoted(text) for text in self.some(texts))
        choices = [
            f"{column.name} == {quoted(self.pick(texts))}",
            f"{column.name} != {quoted(self.pick(texts))}",
            f"{column.name} in {{{many}}}",
            f"{column.name} like {quoted(self.pick(globs))}",
        ]
        if column.kind == "key":
            choices.pop()
        if column.kind == "path":
            choices.append(f"{column.name} under {quoted(self.pick(['src/', 'src/billing/']))}")
        others = [c for c in readable if c.kind in ("text", "path", "key") and c != column]
        if others:
            choices.append(f"{column.name} == {self.pick(others).name}")
        return self.pick(choices)
