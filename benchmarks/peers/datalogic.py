"""JSON-Logic in Rust: one compiled `if` chain, run in a session on the request's dict."""

from __future__ import annotations

from typing import Any, assert_never

from datalogic_py import Engine as LogicEngine
from datalogic_py import Rule as LogicRule

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


def build(workload: Workload) -> Engine:
    """The chain in a session of its own."""
    logic = LogicEngine()
    rule, evaluate = chain(logic, workload), logic.session().evaluate

    def decide(request: Request) -> int:
        found: int = evaluate(rule, request)
        return found

    return Engine(lambda request: request, decide)


def chain(logic: LogicEngine, workload: Workload) -> LogicRule:
    """`{"if": [c0, 0, c1, 1, …, -1]}`, compiled."""
    parts: list[Any] = []
    for index, rule in enumerate(workload.rules):
        parts += [condition_of(rule), index]
    return logic.compile({"if": [*parts, NO_RULE]})


def condition_of(rule: Rule) -> dict[str, Any]:
    """The rule's condition."""
    return {"and": [logic_of(part) for part in rule.conditions]}


def logic_of(part: Condition) -> dict[str, Any]:
    """A condition in JSON-Logic."""
    match part:
        case Equals(name, value):
            return {"===": [{"var": name}, value]}
        case OneOf(name, values):
            return {"in": [{"var": name}, list(values)]}
        case Between(name, lo, hi):
            return {"<=": [lo, {"var": name}, hi]}
        case SumAtMost(names, bound):
            return {"<=": [{"+": [{"var": name} for name in names]}, bound]}
        case SumAtLeast(names, bound):
            return {">=": [{"+": [{"var": name} for name in names]}, bound]}
        case HasAny(name, members):
            return {"or": [{"in": [member, {"var": name}]} for member in members]}
        case StartsWith(name, prefix):
            return {"starts_with": [{"var": name}, f"{prefix}."]}
        case _:
            assert_never(part)
