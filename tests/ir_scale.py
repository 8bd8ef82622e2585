"""Large policies for the tests of structure and scale."""

from __future__ import annotations

import random

from govlang.compiler import ir

TOPICS, REGIONS = 1000, 40
EFFECTS = (ir.Effect.ALLOW, ir.Effect.DENY, ir.Effect.THROTTLE, ir.Effect.ALLOW)


def scale_fields(topics: int = TOPICS) -> tuple[ir.Field, ...]:
    """Two columns for equality, one text, numbers to add up, a set."""
    members = tuple(f"topic{i}" for i in range(topics))
    regions = tuple(f"region{i}" for i in range(REGIONS))
    labels = tuple(f"label{i}" for i in range(8))
    return (
        ir.Field("topic", ir.Kind.ENUM, 0, topics - 1, members=members),
        ir.Field("region", ir.Kind.ENUM, 0, REGIONS - 1, members=regions),
        ir.Field("risk", ir.Kind.NUMBER, 0, 100_000, 1, 1000),
        ir.Field("cpu", ir.Kind.NUMBER, 0, 1000),
        ir.Field("gpu", ir.Kind.NUMBER, 0, 1000),
        ir.Field("labels", ir.Kind.SET, 0, 255, members=labels),
        ir.Field("path", ir.Kind.PATH, max_bytes=256),
    )


def indexed_policy(rules: int, seed: int = 7, odd: float = 0.06) -> ir.Policy:
    """Rules on two equality columns and a range; a share `odd` of them is not box-shaped."""
    rng = random.Random(seed)
    fields = scale_fields(min(TOPICS, max(4, rules // 8)))
    found = tuple(_rule(rng, i, fields, odd_rule=rng.random() < odd) for i in range(rules))
    return ir.Policy("scale", "1", 1, ir.Combine.MOST_RESTRICTIVE, ir.Default.DENY, fields, found)


def _rule(
    rng: random.Random, number: int, fields: tuple[ir.Field, ...], *, odd_rule: bool
) -> ir.Rule:
    topic, region = rng.randint(0, fields[0].hi), rng.randrange(REGIONS)
    lo = rng.randint(0, 90_000)
    parts: list[ir.BoolExpr] = [
        ir.InRanges("topic", ((topic, topic),)),
        ir.InRanges("region", ((region, region),)),
        ir.InRanges("risk", ((lo, lo + rng.randint(1000, 9000)),)),
    ]
    if odd_rule:
        parts[rng.randrange(1, 3)] = _odd(rng)
    return ir.Rule(
        f"r{number}", ir.conjunction(parts), rng.choice(EFFECTS), because=f"rule {number}"
    )


def _odd(rng: random.Random) -> ir.BoolExpr:
    match rng.randrange(3):
        case 0:
            load = ir.Arith(ir.ArithOp.ADD, ir.FieldValue("cpu"), ir.FieldValue("gpu"))
            total = ir.Arith(ir.ArithOp.ADD, load, ir.FieldValue("risk"))
            return ir.Compare(ir.CompareOp.LT, ir.IntConst(rng.randint(1000, 90_000)), total)
        case 1:
            return ir.SetTest("labels", rng.choice(list(ir.SetOp)), rng.randint(1, 254))
        case _:
            kind = rng.choice((ir.PatternKind.UNDER, ir.PatternKind.GLOB))
            head = f"src/team{rng.randrange(50)}/"
            text = head if kind is ir.PatternKind.UNDER else f"{head}*.py"
            return ir.TextTest("path", (ir.Pattern(kind, text),))


def overlapping_policy(rules: int, seed: int = 11) -> ir.Policy:
    """Every rule's range of `risk` overlaps every other's; other fields tell them apart."""
    rng = random.Random(seed)
    fields = scale_fields(min(TOPICS, max(4, rules // 8)))
    found = []
    for i in range(rules):
        topic = rng.randint(0, fields[0].hi)
        cpu = rng.randrange(1000)
        parts = (
            ir.InRanges("risk", ((rng.randint(0, 49_000), rng.randint(50_000, 100_000)),)),
            ir.InRanges("topic", ((topic, topic),)),
            ir.InRanges("cpu", ((cpu, 1000),)),
        )
        found.append(ir.Rule(f"r{i}", ir.conjunction(parts), rng.choice(EFFECTS)))
    return ir.Policy("overlap", "1", 1, ir.Combine.STRICT, ir.Default.DENY, fields, tuple(found))


def stabbing_policy(rules: int, seed: int = 13) -> ir.Policy:
    """One field, every rule a range of it, every two of them overlap: nothing can be told apart."""
    rng = random.Random(seed)
    risk = ir.Field("risk", ir.Kind.NUMBER, 0, 100_000)
    found = tuple(
        ir.Rule(
            f"r{i}",
            ir.InRanges("risk", ((rng.randint(0, 49_999), rng.randint(50_000, 100_000)),)),
            rng.choice(EFFECTS),
        )
        for i in range(rules)
    )
    return ir.Policy("stab", "1", 1, ir.Combine.STRICT, ir.Default.DENY, (risk,), found)


def interval_policy(rules: int, seed: int = 17) -> ir.Policy:
    """One field, ranges of all sizes: what a split must tell apart in linear memory."""
    rng = random.Random(seed)
    risk = ir.Field("risk", ir.Kind.NUMBER, 0, 1_000_000)
    found = []
    for i in range(rules):
        lo, size = rng.randint(0, 1_000_000), int(10 ** rng.uniform(0, 4))
        found.append(
            ir.Rule(
                f"r{i}",
                ir.InRanges("risk", ((lo, min(lo + size, 1_000_000)),)),
                rng.choice(EFFECTS),
            )
        )
    return ir.Policy("intervals", "1", 1, ir.Combine.STRICT, ir.Default.DENY, (risk,), tuple(found))
