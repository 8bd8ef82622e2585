"""Prints a workload as a .gov file; the only place of the suite that knows the language's syntax."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import assert_never

from benchmarks.model import (
    Between,
    Choice,
    Condition,
    Equals,
    Field,
    HasAny,
    Labels,
    Number,
    OneOf,
    Rule,
    StartsWith,
    SumAtLeast,
    SumAtMost,
    Text,
    Workload,
)

EFFECTS = {"allow": "allow", "deny": "deny", "require_human": 'require human from "operator"'}


def gov_source(workload: Workload) -> str:
    """The policy that means what the workload means."""
    return "\n".join(lines(workload)) + "\n"


def lines(workload: Workload) -> Iterator[str]:
    """The file, a line at a time."""
    yield "language 1"
    yield f'policy {workload.name} version "1.0.0"'
    if any(rule.tier for rule in workload.rules):
        yield "tiers safety, business"
    yield f"default {workload.default}"
    yield ""
    yield "input {"
    width = max(len(field.name) for field in workload.fields)
    yield from (f"  {field.name.ljust(width)} : {type_of(field)}" for field in workload.fields)
    yield "}"
    for tier, rules in groupby(workload.rules, key=lambda rule: rule.tier):
        yield ""
        yield from tier_block(workload, tier, list(rules))


def tier_block(workload: Workload, tier: str | None, rules: list[Rule]) -> Iterator[str]:
    """The rules of one tier."""
    if tier is None:
        yield from (rule_line(workload, rule) for rule in rules)
        return
    yield f"tier {tier} {{"
    yield from (f"  {rule_line(workload, rule)}" for rule in rules)
    yield "}"


def rule_line(workload: Workload, rule: Rule) -> str:
    """One rule."""
    condition = " and ".join(
        text for part in rule.conditions for text in condition_texts(workload, part)
    )
    return f"rule {rule.name} when {condition} {EFFECTS[rule.effect]}"


def condition_texts(workload: Workload, condition: Condition) -> Iterator[str]:
    """A condition as the language writes it; a range with two sides is two comparisons."""
    match condition:
        case Equals(field, value):
            is_text = isinstance(workload.field(field), Text)
            yield f'{field} == "{value}"' if is_text else f"{field} is {value}"
        case OneOf(field, values):
            yield f"{field} in {{{', '.join(values)}}}"
        case Between(field, lo, hi):
            yield from range_texts(workload.field(field), lo, hi)
        case SumAtMost(fields, bound):
            yield f"{' + '.join(fields)} <= {bound}"
        case SumAtLeast(fields, bound):
            yield f"{' + '.join(fields)} >= {bound}"
        case HasAny(field, members):
            yield f"{field} contains any {{{', '.join(members)}}}"
        case StartsWith(field, prefix):
            yield f'{field} like "{prefix}.**"'
        case _:
            assert_never(condition)


def range_texts(field: Field, lo: int, hi: int) -> Iterator[str]:
    """The sides of a range that say something."""
    if not isinstance(field, Number):
        message = f"`{field.name}` must be a number to have a range"
        raise TypeError(message)
    if lo > field.lo:
        yield f"{field.name} >= {lo}"
    if hi < field.hi:
        yield f"{field.name} <= {hi}"


def type_of(field: Field) -> str:
    """The field's declaration."""
    match field:
        case Number(_, lo, hi):
            return f"number in {lo}..{hi}"
        case Choice(_, members):
            return f"one of {', '.join(members)}"
        case Text():
            return "text"
        case Labels(_, members):
            return f"set of {', '.join(members)}"
        case _:
            assert_never(field)
