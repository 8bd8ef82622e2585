"""Generates policies of any size: `generate_policy(rules, seed, kind)` is a .gov file that verifies without errors.

Goes in: a number of rules (at least 10), a seed and a kind. Comes out: a workload, and its .gov text.
  `cells`    two equality columns (an enumeration and a text), one range; 6 % of the rules are not box-shaped
             (a sum of three fields, a set, a text pattern)
  `text`     the same rules with text in both equality columns
  `overlap`  every rule overlaps every other in `x`; what tells them apart is one equality and a range of `y`
What always holds: the same arguments give the same bytes; no two rules conflict, none is unreachable. Rules of
different effects are kept apart by their ranges, so the absence of conflicts has to be found out, not read off.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import islice, product

from benchmarks.model import (
    NOT_BOX_SHAPED,
    Between,
    Choice,
    Condition,
    Equals,
    Field,
    HasAny,
    Labels,
    Number,
    Rule,
    StartsWith,
    SumAtLeast,
    SumAtMost,
    Text,
    Workload,
)
from benchmarks.source import gov_source

KINDS = ("cells", "text", "overlap")
SMALLEST = 10
TOP = 9_999
MEMBERS = ("write", "delete", "payment", "pii", "export", "grant", "shell", "forbidden")
EFFECTS = ("allow", "require_human")
RANGES_A_CELL = 4
SEGMENT = 2_250  # amounts 0..8999 in four segments; patterns have 9000..9999 to themselves
PATTERN_FLOOR = 9_000
SHARE_OF_EACH_ODD_KIND = 0.02  # sums, sets and patterns: 6 % together


def generate_policy(rules: int, seed: int, kind: str) -> str:
    """The .gov text of `generate_workload`."""
    return gov_source(generate_workload(rules, seed, kind))


def generate_workload(rules: int, seed: int, kind: str) -> Workload:
    """A policy of exactly `rules` rules."""
    if kind not in KINDS or rules < SMALLEST:
        message = f"`{kind}` with {rules} rules must be one of {', '.join(KINDS)} with at least {SMALLEST}"
        raise ValueError(message)
    rng = random.Random(f"{kind} {rules} {seed}")
    return overlap_workload(rules, rng) if kind == "overlap" else cells_workload(rules, rng, kind)


def odd_share(workload: Workload) -> float:
    """The share of rules that are not box-shaped."""
    odd = sum(
        any(isinstance(part, NOT_BOX_SHAPED) for part in rule.conditions) for rule in workload.rules
    )
    return odd / len(workload.rules)


@dataclass(frozen=True, slots=True)
class Shape:
    """How many rules of each form, and the values of the two equality columns."""

    sums: int
    sets: int
    patterns: int
    boxes: int
    agents: tuple[str, ...]
    tools: tuple[str, ...]
    groups: tuple[str, ...]


def shape_of(rules: int, kind: str) -> Shape:
    """Counts and names for a policy of `rules` rules, two of them in the safety tier."""
    each = max(1, math.ceil(rules * SHARE_OF_EACH_ODD_KIND))
    boxes = rules - 2 - 3 * each
    side = max(2, math.ceil(math.sqrt(boxes / RANGES_A_CELL)))
    groups = tuple(f"group{i}" for i in range(max(2, min(10, side // 5))))
    agents = tuple(f"team{i % 7}.agent{i}" if kind == "text" else f"agent{i}" for i in range(side))
    tools = tuple(f"{groups[i % len(groups)]}.tool{i}" for i in range(side))
    return Shape(each, each, each, boxes, agents, tools, groups)


def cells_workload(rules: int, rng: random.Random, kind: str) -> Workload:
    """Rules in cells of (agent, tool), each cell with up to four disjoint ranges of `amount`."""
    shape = shape_of(rules, kind)
    agent: Field = Text("agent") if kind == "text" else Choice("agent", shape.agents)
    fields = (
        agent,
        Text("tool"),
        Number("amount", 0, TOP),
        Number("cost", 0, TOP),
        Number("risk", 0, TOP),
        Labels("labels", MEMBERS),
    )
    cells = list(product(shape.agents, shape.tools))
    rng.shuffle(cells)
    ordinary = [
        *box_rules(shape, cells, rng),
        *set_rules(shape, cells, rng),
        *pattern_rules(shape, rng),
        *sum_rules(shape, cells, rng),
    ]
    return Workload(
        f"generated_{kind}",
        fields,
        (*safety_rules(("amount", "cost", "risk"), 27_000), *ordinary),
        "deny",
    )


def safety_rules(summed: tuple[str, ...], bound: int) -> tuple[Rule, ...]:
    """Two rules without an equality column, which may overrule everything."""
    return (
        Rule("too_much", "deny", (SumAtLeast(summed, bound),), "safety"),
        Rule("forbidden_label", "deny", (HasAny("labels", ("forbidden",)),), "safety"),
    )


def segment_of(slot: int, rng: random.Random) -> tuple[int, int]:
    """A range of about half of segment `slot`, in its lower two thirds."""
    start = slot * SEGMENT + rng.randint(0, 300)
    return start, start + rng.randint(900, 1_200)


def box_rules(shape: Shape, cells: list[tuple[str, str]], rng: random.Random) -> list[Rule]:
    """Equality, equality, range; the cells that have a sum rule allow throughout."""
    rules = []
    uniform = set(cells[: shape.sums])
    slots = islice(((cell, slot) for slot in range(RANGES_A_CELL) for cell in cells), shape.boxes)
    for index, (cell, slot) in enumerate(slots):
        effect = "allow" if cell in uniform else rng.choice(EFFECTS)
        rules.append(
            ordinary_rule(
                f"box{index}", effect, *at_cell(cell), Between("amount", *segment_of(slot, rng))
            )
        )
    rng.shuffle(rules)
    return rules


def set_rules(shape: Shape, cells: list[tuple[str, str]], rng: random.Random) -> list[Rule]:
    """A label in the free upper part of a segment."""
    rules = []
    for index, cell in enumerate(cells[-shape.sets :]):
        top = rng.randrange(RANGES_A_CELL) * SEGMENT + SEGMENT - 1
        members = tuple(rng.sample(MEMBERS[:-1], 2))
        conditions = (
            *at_cell(cell),
            Between("amount", top - rng.randint(300, 700), top),
            HasAny("labels", members),
        )
        rules.append(ordinary_rule(f"set{index}", rng.choice(EFFECTS), *conditions))
    return rules


def pattern_rules(shape: Shape, rng: random.Random) -> list[Rule]:
    """All tools of a group, in amounts that no box rule has."""
    pairs = rng.sample(list(product(shape.agents, shape.groups)), shape.patterns)
    return [
        ordinary_rule(
            f"pattern{index}",
            rng.choice(EFFECTS),
            Equals("agent", agent),
            StartsWith("tool", group),
            Between("amount", PATTERN_FLOOR, PATTERN_FLOOR + rng.randint(300, 900)),
        )
        for index, (agent, group) in enumerate(pairs)
    ]


def sum_rules(shape: Shape, cells: list[tuple[str, str]], rng: random.Random) -> list[Rule]:
    """Three fields together below a bound; these overlap the box rules of their cell, and say the same."""
    return [
        ordinary_rule(
            f"sum{index}",
            "allow",
            *at_cell(cell),
            SumAtMost(("amount", "cost", "risk"), rng.randint(3_000, 8_000)),
        )
        for index, cell in enumerate(cells[: shape.sums])
    ]


def at_cell(cell: tuple[str, str]) -> tuple[Condition, Condition]:
    """The two equalities of a cell."""
    return Equals("agent", cell[0]), Equals("tool", cell[1])


def ordinary_rule(name: str, effect: str, *conditions: Condition) -> Rule:
    """A rule of the lower tier."""
    return Rule(name, effect, conditions, "business")


def overlap_workload(rules: int, rng: random.Random) -> Workload:
    """All ranges of `x` contain 5000; within a zone the ranges of `y` are disjoint."""
    count = rules - 2
    zones = tuple(f"zone{i}" for i in range(max(2, min(10, count // 10))))
    each = max(1, math.ceil(rules * SHARE_OF_EACH_ODD_KIND))
    rows = -(-count // len(zones))
    fields = (
        Choice("zone", zones),
        Text("topic"),
        Number("x", 0, TOP),
        Number("y", 0, 20 * rows - 1),
        Number("w", 0, TOP),
        Labels("labels", MEMBERS),
    )
    ordinary = [overlap_rule(index, zones, each, rng) for index in range(count)]
    rng.shuffle(ordinary)
    safety = safety_rules(("x", "y", "w"), (2 * TOP + 20 * rows) * 9 // 10)
    return Workload("generated_overlap", fields, (*safety, *ordinary), "deny")


def overlap_rule(index: int, zones: tuple[str, ...], each: int, rng: random.Random) -> Rule:
    """Rule `index`; the first `3 * each` carry a condition that is not box-shaped."""
    low = index // len(zones) * 20 + rng.randint(0, 4)
    conditions: list[Condition] = [
        Equals("zone", zones[index % len(zones)]),
        Between("x", rng.randint(0, 2_500), rng.randint(7_500, TOP)),
        Between("y", low, low + rng.randint(8, 14)),
    ]
    match index // each:
        case 0:
            conditions.append(SumAtMost(("x", "y", "w"), rng.randint(10_100, 14_000) + low))
        case 1:
            conditions.append(HasAny("labels", tuple(rng.sample(MEMBERS[:-1], 3))))
        case 2:
            conditions.append(StartsWith("topic", f"infra{rng.randrange(4)}"))
        case _:
            pass
    return ordinary_rule(f"rule{index}", rng.choice(EFFECTS), *conditions)
