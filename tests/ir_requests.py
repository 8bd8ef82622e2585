"""Valid requests of a policy: at random, biased to what its conditions mention; or all of them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from govlang.compiler import ir

Value = int | str
Values = dict[str, Value]

WORDS = ("a", "b", "ab", "infra", "delete", "é", "prod", "日本", "x")


class Requests:
    """Valid requests of one policy, biased to what its conditions mention."""

    def __init__(self, policy: ir.Policy) -> None:
        self.policy = policy
        self.points: dict[str, set[int]] = {f.name: set() for f in policy.fields}
        self.texts: dict[str, set[str]] = {f.name: set() for f in policy.fields}
        self.equal: set[tuple[str, str]] = set()
        conditions = [
            *(r.condition for r in policy.rules),
            *(a.condition for a in policy.assumptions),
        ]
        for atom in itertools.chain.from_iterable(map(ir.atoms, conditions)):
            self._collect(atom)

    def _collect(self, atom: ir.Atom) -> None:
        match atom:
            case ir.InRanges(name=name, ranges=ranges):
                for lo, hi in ranges:
                    self.points[name].update((lo - 1, lo, hi, hi + 1))
            case ir.SetTest(name=name, mask=mask):
                self.points[name].update(
                    (mask, ~mask & self.policy.field(name).hi, mask & (mask - 1))
                )
            case ir.TextTest(name=name, patterns=patterns):
                for pattern in patterns:
                    self.texts[name].update(texts_near(pattern, self.policy.field(name).separator))
            case ir.TextEqual(left=left, right=right):
                self.equal.add((left, right))
            case _:
                pass

    def request(self, rng: random.Random) -> Values:
        """One valid request."""
        values: Values = {}
        for one in self.policy.fields:
            if not (one.optional and rng.random() < 0.3):
                values[one.name] = self.value(rng, one)
        for left, right in self.equal:
            if rng.random() < 0.5 and left in values and right in values:
                text = values[left]
                assert isinstance(text, str)
                if is_valid_text(self.policy.field(right), text):
                    values[right] = text
        return values

    def value(self, rng: random.Random, one: ir.Field) -> Value:
        if one.is_text:
            known = sorted(t for t in self.texts[one.name] if is_valid_text(one, t))
            word = one.separator.join(rng.choices(WORDS, k=rng.randint(1, 3)))
            if known and rng.random() < 0.75:
                return rng.choice(known)
            return word if is_valid_text(one, word) else rng.choice(("a", "b"))
        if one.name == ir.APPROVED and rng.random() < 0.3:
            return rng.choice((0, one.hi))
        known_points = sorted(p for p in self.points[one.name] if one.lo <= p <= one.hi)
        if known_points and rng.random() < 0.6:
            return rng.choice(known_points)
        return rng.choice(
            (
                one.lo,
                one.hi,
                rng.randint(one.lo, one.hi),
                max(one.lo, min(one.hi, rng.randint(-2, 9))),
            )
        )


def random_request(rng: random.Random, policy: ir.Policy) -> Values:
    """One valid request of a policy."""
    return Requests(policy).request(rng)


def random_params(rng: random.Random, policy: ir.Policy) -> dict[str, int]:
    """A value of every parameter."""
    return {
        p.field.name: rng.choice(
            (p.default, p.field.lo, p.field.hi, rng.randint(p.field.lo, p.field.hi))
        )
        for p in policy.params
    }


def texts_near(pattern: ir.Pattern, separator: str) -> Iterator[str]:
    """Texts that match a pattern, and some that just do not."""
    base = pattern.text
    for stand_in in ("a", "", f"a{separator}b", "é"):
        filled = base.replace("**", stand_in).replace("*", stand_in.replace(separator, ""))
        yield from (filled, filled + "a", filled[:-1], filled + f"{separator}a", "x" + filled)


def is_valid_text(one: ir.Field, text: str) -> bool:
    """Whether a text may stand in a field."""
    if len(text.encode()) > one.max_bytes:
        return False
    if one.kind is not ir.Kind.PATH:
        return True
    return not any(c in text for c in "\\\0") and not {"", ".", ".."} & set(text.split("/"))


def all_requests(policy: ir.Policy) -> Iterator[Values]:
    """Every request of a policy without texts."""
    names = [f.name for f in policy.fields]
    for combination in itertools.product(*(_all_values(f) for f in policy.fields)):
        yield {n: v for n, v in zip(names, combination, strict=True) if v is not None}


def _all_values(one: ir.Field) -> list[int | None]:
    assert not one.is_text
    return [*range(one.lo, one.hi + 1), *([None] if one.optional else [])]


def request_count(policy: ir.Policy) -> int:
    """How many requests a policy without texts has."""
    count = 1
    for one in policy.fields:
        count *= one.hi - one.lo + 1 + one.optional
    return count
