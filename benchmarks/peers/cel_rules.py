"""Common Expression Language: one compiled program a rule, executed in order on one context a request.

The context is made from the request's dict inside the clock: it is how this engine reads a request.
"""

from __future__ import annotations

from typing import assert_never

import cel

from benchmarks.model import (
    NO_RULE,
    Between,
    Condition,
    Equals,
    HasAny,
    OneOf,
    Request,
    Rule,
    StartsWith,
    SumAtLeast,
    SumAtMost,
    Workload,
)
from benchmarks.peers import Engine

ONE_EXPRESSION = 24  # rules that the parser takes as one nested conditional


def build(workload: Workload) -> Engine:
    """One conditional expression where the parser allows it, else a list of programs."""
    return nested(workload) if len(workload.rules) <= ONE_EXPRESSION else listed(workload)


def nested(workload: Workload) -> Engine:
    """`c0 ? 0 : (c1 ? 1 : …)`, so that a decision is one call."""
    text = str(NO_RULE)
    for index, rule in reversed(list(enumerate(workload.rules))):
        text = f"({condition_text(rule)}) ? {index} : ({text})"
    program = cel.compile(text)
    return Engine(same, program.execute)


def listed(workload: Workload) -> Engine:
    """A program a rule."""
    runs = [cel.compile(condition_text(rule)).execute for rule in workload.rules]

    def decide(request: Request) -> int:
        context = cel.Context(request)
        for index, run in enumerate(runs):
            if run(context):
                return index
        return NO_RULE

    return Engine(same, decide)


def same(request: Request) -> Request:
    """The request as it is."""
    return request


def condition_text(rule: Rule) -> str:
    """The rule's condition."""
    return " && ".join(map(text_of, rule.conditions)) or "true"


def text_of(part: Condition) -> str:
    """A condition in CEL."""
    match part:
        case Equals(name, value):
            return f"{name} == '{value}'"
        case OneOf(name, values):
            return f"{name} in [{', '.join(map(repr, values))}]"
        case Between(name, lo, hi):
            return f"{name} >= {lo} && {name} <= {hi}"
        case SumAtMost(names, bound):
            return f"{' + '.join(names)} <= {bound}"
        case SumAtLeast(names, bound):
            return f"{' + '.join(names)} >= {bound}"
        case HasAny(name, members):
            return "(" + " || ".join(f"'{member}' in {name}" for member in members) + ")"
        case StartsWith(name, prefix):
            return f"{name}.startsWith('{prefix}.')"
        case _:
            assert_never(part)
