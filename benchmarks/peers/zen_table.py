"""ZEN: one decision table with hit policy `first`, a column a field and one for the sum.

The engine's static loader compiles it; `create_decision` would compile it anew at every call.
"""

from __future__ import annotations

import json
from typing import Any, assert_never

import zen

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

SUM = "__sum"


def build(workload: Workload) -> Engine:
    """The static loader compiles the table once, on the first decision."""
    engine = zen.ZenEngine({"loader": {"type": "static", "content": {"table": graph(workload)}}})
    evaluate = engine.evaluate

    def decide(request: Request) -> int:
        found: int = evaluate("table", request)["result"].get("rule", NO_RULE)
        return found

    return Engine(lambda request: request, decide)


def graph(workload: Workload) -> dict[str, Any]:
    """Input node, table, output node."""
    nodes: list[dict[str, Any]] = [
        {"id": "in", "name": "in", "type": "inputNode"},
        {"id": "table", "name": "table", "type": "decisionTableNode", "content": table(workload)},
        {"id": "out", "name": "out", "type": "outputNode"},
    ]
    edges = [
        {"id": "e1", "sourceId": "in", "targetId": "table", "type": "edge"},
        {"id": "e2", "sourceId": "table", "targetId": "out", "type": "edge"},
    ]
    placed = [node | {"position": {"x": 0, "y": 0}} for node in nodes]
    return {"contentType": "application/vnd.gorules.decision", "nodes": placed, "edges": edges}


def table(workload: Workload) -> dict[str, Any]:
    """The rows; an empty cell accepts everything."""
    summed = summed_fields(workload)
    columns = [(field.name, field.name) for field in workload.fields] + (
        [(SUM, " + ".join(summed))] if summed else []
    )
    return {
        "hitPolicy": "first",
        "inputs": [{"id": name, "name": name, "field": field} for name, field in columns],
        "outputs": [{"id": "rule", "name": "rule", "field": "rule"}],
        "rules": [row(index, rule, columns) for index, rule in enumerate(workload.rules)],
    }


def summed_fields(workload: Workload) -> tuple[str, ...]:
    """The fields that the sums are about; all sums of a workload have the same."""
    sums = (
        p.fields
        for rule in workload.rules
        for p in rule.conditions
        if isinstance(p, SumAtMost | SumAtLeast)
    )
    return next(sums, ())


def row(index: int, rule: Rule, columns: list[tuple[str, str]]) -> dict[str, str]:
    """One row."""
    cells = dict(map(cell, rule.conditions))
    return {name: cells.get(name, "") for name, _ in columns} | {
        "_id": f"row{index}",
        "rule": str(index),
    }


def cell(part: Condition) -> tuple[str, str]:
    """The column of a condition and its unary expression."""
    match part:
        case Equals(name, value):
            return name, json.dumps(value)
        case OneOf(name, values):
            return name, ", ".join(json.dumps(value) for value in values)
        case Between(name, lo, hi):
            return name, f"[{lo}..{hi}]"
        case SumAtMost(_, bound):
            return SUM, f"<= {bound}"
        case SumAtLeast(_, bound):
            return SUM, f">= {bound}"
        case HasAny(name, members):
            return name, " or ".join(f"contains($, {json.dumps(member)})" for member in members)
        case StartsWith(name, prefix):
            return name, f"startsWith($, {json.dumps(prefix + '.')})"
        case _:
            assert_never(part)
