"""Random valid requests and reports for measuring: fields in, values in steps out.

Numbers are drawn near the constants that the policy compares them with half of the time, texts from what its
patterns match, so that rules fire; the draw is seeded and the same everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from govlang.compiler import ir
from govlang.compiler.interpret import Value
from govlang.compiler.obligations import argument
from govlang.compiler.requests import columns_of

SEED = 20_260_101
KEYS = ("a", "b", "x/y")


def requests(policy: ir.Policy, count: int) -> Iterator[dict[str, Value]]:
    """So many requests; those that break an assumption are among them, and are decided as invalid."""
    rng = random.Random(SEED)  # noqa: S311  # a workload, not a secret
    ends, texts = _constants(policy)
    for _ in range(count):
        yield {
            field.name: _value(rng, field, ends, texts)
            for field in policy.fields
            if not field.optional or rng.random() < 0.7
        }


def reports(policy: ir.Policy, time: ir.Time, count: int) -> Iterator[dict[str, Any]]:
    """So many events and signals as steps of a trace without their times; none where none is declared."""
    rng = random.Random(SEED)  # noqa: S311  # a workload, not a secret
    ends, texts = _constants(policy)
    for _ in range(count if time.samples else 0):
        one = rng.choice(time.samples)
        columns = columns_of(one)
        values = {n: argument(_value(rng, c, ends, texts), c) for n, c in columns.items()}
        key = {} if one.shared or time.key is None else {"key": {time.key: rng.choice(KEYS)}}
        if one.kind is ir.SampleKind.SIGNAL:
            yield {"signal": one.name, "value": values[one.name], **key}
        else:
            yield {"event": one.name, "fields": values, **key}


def _constants(policy: ir.Policy) -> tuple[Mapping[str, list[int]], Mapping[str, list[str]]]:
    """The ends of ranges and the texts that the rules speak of."""
    ends: dict[str, list[int]] = {}
    texts: dict[str, list[str]] = {}
    for atom in chain.from_iterable(ir.atoms(rule.condition) for rule in policy.rules):
        match atom:
            case ir.InRanges(name=name, ranges=ranges):
                ends.setdefault(name, []).extend(end for pair in ranges for end in pair)
            case ir.TextTest(name=name, patterns=patterns):
                texts.setdefault(name, []).extend(_text(p) for p in patterns)
            case _:
                pass
    return ends, texts


def _text(pattern: ir.Pattern) -> str:
    """A text that matches a pattern."""
    match pattern.kind:
        case ir.PatternKind.UNDER:
            return f"{pattern.text}a"
        case _:
            return pattern.text.replace("**", "a").replace("*", "a")


def _value(
    rng: random.Random,
    field: ir.Field,
    ends: Mapping[str, Sequence[int]],
    texts: Mapping[str, Sequence[str]],
) -> Value:
    if field.is_text:
        known = texts.get(field.name, ())
        return rng.choice(known) if known and rng.random() < 0.8 else rng.choice(KEYS)
    if field.kind is ir.Kind.SET:
        return rng.getrandbits(len(field.members)) & rng.getrandbits(len(field.members))
    near = ends.get(field.name)
    if near and rng.random() < 0.5:
        return min(field.hi, max(field.lo, rng.choice(near) + rng.randint(-1, 1)))
    return rng.randint(field.lo, field.hi)
