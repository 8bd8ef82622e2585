"""The decision structure: who fires by a walk is who fires by the interpreter; and its size."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Mapping

import pytest
from box_words import holds_word
from hypothesis import given, settings
from ir_scale import (
    indexed_policy,
    interval_policy,
    overlapping_policy,
    scale_fields,
    stabbing_policy,
)
from ir_strategies import Requests, policies, random_params, random_policy

from govlang.compiler import ir
from govlang.compiler.boxes import Axis, AxisKind
from govlang.compiler.diagram import BLOCK_MAX, build_diagram
from govlang.compiler.interpret import Environment
from govlang.compiler.nodes import Block, Diagram, Lookup, LookupKind, Split, Switch
from govlang.compiler.plans import COPIES_MAX
from govlang.compiler.text_classes import TextClasses, classify_fields

Words = Callable[[Axis], int]


def words_of(env: Environment, classes: Mapping[str, TextClasses]) -> Words:
    found = {name: c.class_of(env.text(name).encode()) for name, c in classes.items()}

    def word(axis: Axis) -> int:
        match axis.kind:
            case AxisKind.VALUE | AxisKind.SET:
                return env.number(axis.name)
            case AxisKind.CLASS:
                return found[axis.name][axis.part]
            case AxisKind.HAS:
                return int(env.values.get(axis.name) is not None)
            case AxisKind.EQUAL:
                return int(env.text(axis.name) == env.text(axis.other))

    return word


def mask_of(lookup: Lookup, word: int) -> int:
    match lookup.kind:
        case LookupKind.DENSE:
            at = word - lookup.keys[0]
            return lookup.masks[at] if 0 <= at < len(lookup.masks) else 0
        case LookupKind.RANGES:
            return lookup.masks[bisect_right(lookup.keys, word)]
        case LookupKind.SET_ANY:
            return -1 if word & lookup.keys[0] else lookup.masks[0]
        case LookupKind.SET_ALL:
            return -1 if word & lookup.keys[0] == lookup.keys[0] else lookup.masks[0]
        case LookupKind.SET_WITHIN:
            return -1 if not word & ~lookup.keys[0] else lookup.masks[0]


def fired(diagram: Diagram, word: Words, env: Environment) -> tuple[set[int], int]:
    """The entries that a walk finds, and the nodes it passes."""
    found: set[int] = set()
    passed = 0
    pending = [diagram.root]
    while pending:
        at = pending.pop()
        if at is None:
            continue
        passed += 1
        node = diagram.nodes[at]
        match node:
            case Switch(axis=axis, cases=cases, rest=rest):
                pending += [rest, dict(cases).get(word(axis))]
            case Split(axis=axis, breakpoints=breakpoints, children=children, rest=rest):
                pending += [rest, children[bisect_right(breakpoints, word(axis))]]
            case Block():
                mask = (1 << len(node.entries)) - 1
                for lookup in node.lookups:
                    mask &= mask_of(lookup, word(lookup.axis))
                for bit, entry in enumerate(node.entries):
                    if mask >> bit & 1 and (
                        bit not in node.residuals or program(diagram, entry, word, env)
                    ):
                        found.add(entry)
                pending.append(node.next)
    return found, passed


def program(diagram: Diagram, number: int, word: Words, env: Environment) -> bool:
    entry = diagram.entries[number]
    return all(env.holds(part) for part in entry.residual) and all(
        holds_word(allowed, word(axis)) for axis, allowed in entry.beside
    )


def check_policy(policy: ir.Policy, rng: random.Random, count: int) -> None:
    classes = classify_fields(policy)
    diagram = build_diagram(policy, classes)
    requests = Requests(policy)
    for _ in range(count):
        env = Environment(policy, random_params(rng, policy), requests.request(rng))
        found, passed = fired(diagram, words_of(env, classes), env)
        assert passed <= max(1, diagram.report.worst_nodes)
        assert {diagram.entries[i].rule for i in found} == {
            number for number, rule in enumerate(policy.rules) if env.holds(rule.condition)
        }
        assert len({(e.rule, e.effect) for e in (diagram.entries[i] for i in found)}) == len(
            {diagram.entries[i].rule for i in found}
        ), "a rule has one effect at a time"


@pytest.mark.parametrize("seed", range(6))
def test_a_walk_finds_exactly_the_rules_that_fire(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        check_policy(random_policy(rng), rng, 15)


@pytest.mark.parametrize(
    "make", [indexed_policy, overlapping_policy, stabbing_policy, interval_policy]
)
@pytest.mark.parametrize("rules", [64, 65, 400])
def test_a_walk_through_an_index_misses_nothing(
    make: Callable[[int], ir.Policy], rules: int
) -> None:
    check_policy(make(rules), random.Random(rules), 40)


@given(policies())
@settings(max_examples=40, deadline=None)
def test_entries_stand_in_order_of_rank_and_links_lead_down(policy: ir.Policy) -> None:
    diagram = build_diagram(policy, classify_fields(policy))
    joined = policy.combine in (ir.Combine.STRICT, ir.Combine.MOST_RESTRICTIVE)
    ranks = [(-e.effect if joined else 0, e.rule) for e in diagram.entries]
    assert ranks == sorted(ranks)
    assert diagram.root == (len(diagram.nodes) - 1 if diagram.entries else None)
    assert len(set(diagram.nodes)) == len(diagram.nodes)
    for number, node in enumerate(diagram.nodes):
        match node:
            case Switch(cases=cases, rest=rest):
                links = [rest, *(child for _, child in cases)]
            case Split(children=children, rest=rest):
                links = [rest, *children]
            case Block(next=following, entries=entries):
                links = [following]
                assert list(entries) == sorted(set(entries))
                assert 1 <= len(entries) <= BLOCK_MAX
        assert all(link is None or link < number for link in links)


def size_of(diagram: Diagram) -> int:
    """Words of memory, about."""
    size = 0
    for node in diagram.nodes:
        match node:
            case Switch(cases=cases):
                size += 2 + 2 * len(cases)
            case Split(breakpoints=breakpoints):
                size += 3 + 2 * len(breakpoints)
            case Block(entries=entries, lookups=lookups):
                size += 4 + len(entries) + sum(1 + len(k.keys) + len(k.masks) for k in lookups)
    return size


@pytest.mark.parametrize(
    "make", [indexed_policy, overlapping_policy, stabbing_policy, interval_policy]
)
def test_memory_is_linear_in_the_rules(make: Callable[[int], ir.Policy]) -> None:
    small, large = (build_diagram(p, classify_fields(p)) for p in (make(500), make(4000)))
    assert size_of(large) <= 1.5 * 8 * size_of(small)
    assert size_of(large) <= 16 * COPIES_MAX * 4000


def test_a_block_of_64_rules_is_the_whole_diagram() -> None:
    policy = indexed_policy(64)
    diagram = build_diagram(policy, classify_fields(policy))
    assert isinstance(diagram.nodes[-1], Block)
    assert diagram.report.worst_nodes == len(diagram.nodes) == -(-len(diagram.entries) // 64)


@pytest.mark.parametrize("make", [indexed_policy, overlapping_policy])
def test_the_longest_walk_does_not_grow_with_the_rules(make: Callable[[int], ir.Policy]) -> None:
    short, long = (build_diagram(p, classify_fields(p)).report for p in (make(500), make(8000)))
    assert long.worst_nodes <= short.worst_nodes + 2
    assert long.worst_lookups <= 2 * short.worst_lookups
    assert long.unindexed == ()


def test_rules_that_no_axis_tells_apart_are_named() -> None:
    fields = scale_fields(10)
    total = ir.Arith(ir.ArithOp.ADD, ir.FieldValue("cpu"), ir.FieldValue("gpu"))
    odd = ir.Rule("odd", ir.Compare(ir.CompareOp.LT, ir.IntConst(3), total), ir.Effect.DENY)
    plain = tuple(
        ir.Rule(f"r{i}", ir.InRanges("risk", ((i, i),)), ir.Effect.ALLOW) for i in range(100)
    )
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, fields, (*plain, odd))
    assert build_diagram(policy, {}).report.unindexed == ("odd",)


def test_no_rules_make_an_empty_diagram() -> None:
    policy = ir.Policy("p", "1", 1, ir.Combine.STRICT, ir.Default.DENY, scale_fields(4), ())
    diagram = build_diagram(policy, classify_fields(policy))
    assert (diagram.root, diagram.nodes, diagram.entries) == (None, (), ())
