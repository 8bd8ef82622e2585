"""Random conditions and numbers over the fields and parameters of a policy; see `ir_strategies.py`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from ir_requests import WORDS

from govlang.compiler import ir

BOUND = 2**40
"""Sub-expressions stay below this; only fields that are never computed with are wider."""


@dataclass(slots=True)
class Expressions:
    """Expressions over these columns."""

    rng: random.Random
    fields: list[ir.Field] = field(default_factory=list)
    params: list[ir.Param] = field(default_factory=list)

    # --- conditions ------------------------------------------------------------------------------

    def condition(self, depth: int) -> ir.BoolExpr:
        rng = self.rng
        roll = rng.random()
        if depth <= 0 or roll < 0.3:
            return self.guarded(self.atom())
        if roll < 0.65:
            return ir.conjunction(self.condition(depth - 1) for _ in range(rng.randint(2, 3)))
        if roll < 0.9:
            return ir.disjunction(self.condition(depth - 1) for _ in range(rng.randint(2, 4)))
        if roll < 0.98:
            return ir.negation(self.condition(depth - 1))
        return ir.BoolConst(rng.random() < 0.5)

    def guarded(self, atom: ir.BoolExpr) -> ir.BoolExpr:
        optional = sorted(n for n in ir.fields_read(atom) if self.named(n).optional)
        if isinstance(atom, ir.Has) or not optional:
            return atom
        if self.rng.random() < 0.3:
            return ir.disjunction((*(ir.Not(ir.Has(n)) for n in optional), atom))
        return ir.conjunction((*(ir.Has(n) for n in optional), atom))

    def named(self, name: str) -> ir.Field:
        return next(f for f in self.fields if f.name == name)

    def atom(self) -> ir.BoolExpr:
        rng = self.rng
        one = rng.choice(self.fields)
        texts = sorted(f.name for f in self.fields if f.is_text)
        if one.optional and rng.random() < 0.2:
            return ir.Has(one.name)
        if one.is_text:
            if len(texts) > 1 and rng.random() < 0.25:
                left, right = sorted(rng.sample(texts, 2))
                return ir.TextEqual(left, right)
            count = rng.choice((1, 1, 2, 3))
            return ir.TextTest(one.name, tuple(self.pattern(one) for _ in range(count)))
        if one.kind is ir.Kind.SET:
            op = rng.choice(list(ir.SetOp))
            few = rng.choices(range(len(one.members)), k=rng.randint(1, 3))
            mask = sum(1 << i for i in set(few))
            if op is ir.SetOp.WITHIN and rng.random() < 0.3:
                mask = rng.choice((0, one.hi & ~mask))
            return ir.SetTest(one.name, op, mask)
        if rng.random() < 0.25 and self.numbers():
            return self.compare()
        return ir.InRanges(one.name, self.ranges(one))

    def compare(self) -> ir.BoolExpr:
        left, _ = self.integer(2, guarded=True)
        right, _ = self.integer(1, guarded=True)
        return ir.Compare(self.rng.choice(list(ir.CompareOp)), left, right)

    def pattern(self, one: ir.Field) -> ir.Pattern:
        rng = self.rng
        parts = [rng.choice(WORDS) for _ in range(rng.randint(1, 3))]
        kind = rng.choice(list(ir.PatternKind))
        if kind is ir.PatternKind.UNDER:
            return ir.Pattern(kind, "/".join(parts) + "/")
        if kind is ir.PatternKind.GLOB:
            parts[rng.randrange(len(parts))] = rng.choice(("*", "**", "a*", "*b"))
        return ir.Pattern(kind, one.separator.join(parts))

    def ranges(self, one: ir.Field) -> ir.Ranges:
        points = sorted({self.point(one) for _ in range(self.rng.choice((2, 2, 4)))})
        found: list[tuple[int, int]] = []
        for lo, hi in zip(points[::2], points[1::2] or points, strict=False):
            if not found or lo > found[-1][1] + 1:
                found.append((min(lo, hi), max(lo, hi)))
        if self.rng.random() < 0.3:
            found = [(one.lo, found[0][0])] if self.rng.random() < 0.5 else [(found[-1][1], one.hi)]
        return tuple(found)

    def point(self, one: ir.Field) -> int:
        rng = self.rng
        roll = rng.random()
        if roll < 0.15:
            return rng.choice((one.lo, one.hi))
        near = max(one.lo, min(one.hi, rng.randint(-3, 12)))
        return near if roll < 0.5 else rng.randint(one.lo, one.hi)

    # --- integers --------------------------------------------------------------------------------

    def numbers(self) -> list[ir.Field]:
        plain = (
            f for f in self.fields if not f.is_text and f.kind not in {ir.Kind.SET, ir.Kind.ENUM}
        )
        return [f for f in plain if max(abs(f.lo), abs(f.hi)) <= BOUND]

    def integer(self, depth: int, *, guarded: bool) -> tuple[ir.IntExpr, int]:
        """An expression and a bound of its size; unguarded: it reads no optional field."""
        rng = self.rng
        leaf = self.leaf(guarded=guarded)
        if depth <= 0 or rng.random() < 0.25:
            return leaf
        (a, m), (b, n) = (
            self.integer(depth - 1, guarded=guarded),
            self.integer(depth - 1, guarded=guarded),
        )
        op = rng.choice((*ir.ArithOp, "/", "if"))
        if op == "/":
            return ir.FloorDiv(a, rng.choice((-7, -1, 1, 2, 3, 10))), m
        if op == "if":
            condition = self.guarded(self.atom()) if guarded else self.unguarded_atom()
            return ir.Choose(condition, a, b), max(m, n)
        size = m * n if op is ir.ArithOp.MUL else m + n
        return (ir.Arith(ir.ArithOp(op), a, b), size) if size <= BOUND else leaf

    def unguarded_atom(self) -> ir.BoolExpr:
        atom = self.atom()
        reads_optional = any(self.named(n).optional for n in ir.fields_read(atom))
        return self.guarded(atom) if reads_optional else atom

    def leaf(self, *, guarded: bool) -> tuple[ir.IntExpr, int]:
        rng = self.rng
        numbers = [f for f in self.numbers() if guarded or not f.optional]
        if numbers and rng.random() < 0.6:
            one = rng.choice(numbers)
            return ir.FieldValue(one.name), max(abs(one.lo), abs(one.hi))
        if self.params and rng.random() < 0.5:
            chosen = rng.choice(self.params).field
            return ir.ParamValue(chosen.name), max(abs(chosen.lo), abs(chosen.hi))
        value = rng.choice((0, 1, -1, 2, 5, rng.randint(-100, 100)))
        return ir.IntConst(value), abs(value)
