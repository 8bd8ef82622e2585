"""The Rego module that opa-eval and regopy share, and its data.

Few rules are written as an `else` chain. Generated rules become data: `data.cells[key]` holds the ranges and the
rest of one cell, as Rego's own documentation advises for many rules of one form; the module finds the cell and
takes the first rule that fires.
"""

from __future__ import annotations

import json
from typing import Any, assert_never

from benchmarks.index import OTHER, PLANS, Layout, layout_of
from benchmarks.model import (
    NO_RULE,
    Between,
    Condition,
    Equals,
    HasAny,
    OneOf,
    Rule,
    StartsWith,
    SumAtLeast,
    SumAtMost,
    Workload,
)

SAME_WIDTH = 1_000_000
"""Added to positions in the data: regopy's `min` compares numbers as texts, 9896 before 990."""
QUERY = "data.bench.decision"
CHAIN = "package bench\nimport rego.v1\n\n"
CELLS = """package bench
import rego.v1

known(name, value) := value if data.known[name][value]
else := prefix if {
  parts := split(value, ".")
  count(parts) > 1
  prefix := concat("", [parts[0], "."])
  data.known[name][prefix]
}
else := ""

cell := data.cells[KEY]

fires(rule) if { not rule.sum_max; not rule.any; not rule.prefix }
fires(rule) if sum([input[name] | some name in rule.fields]) <= rule.sum_max
fires(rule) if { some member in rule.any; member in input.labels }
fires(rule) if startswith(input.topic, rule.prefix)
in_box(rule) if not rule.x
in_box(rule) if { input.x >= rule.x[0]; input.x <= rule.x[1] }

above contains 0 if ABOVE0
above contains 1 if ABOVE1
inside contains rule.at if {
  some rule in cell.ranges
  input.RANGED >= rule.lo
  input.RANGED <= rule.hi
  in_box(rule)
  fires(rule)
}
inside contains rule.at if { some rule in cell.loose; fires(rule) }

default decision := -1
decision := min(above) if count(above) > 0
else := min(inside) - SAME_WIDTH if count(inside) > 0
"""


def module_and_data(workload: Workload) -> tuple[str, dict[str, Any]]:
    """The module's text and its data."""
    if workload.name not in PLANS:
        return chain_module(workload), {}
    layout = layout_of(workload)
    return cells_module(workload, layout), {
        "cells": cells_data(layout),
        "known": known_data(layout),
    }


def chain_module(workload: Workload) -> str:
    """`decision := 0 if … else := 1 if …`."""
    parts = [
        f"{index} if {{ {'; '.join(map(text_of, rule.conditions))} }}"
        for index, rule in enumerate(workload.rules)
    ]
    return f"{CHAIN}default decision := {NO_RULE}\n\ndecision := " + "\nelse := ".join(parts) + "\n"


def cells_module(workload: Workload, layout: Layout) -> str:
    """The module for one plan of keys; the two rules above all cells are written out."""
    keys = [f'known("{name}", input.{name})' for name in layout.plan.keys]
    first, second = (braces(workload.rules[index]) for index, _ in layout.above)
    text = (
        CELLS.replace("SAME_WIDTH", str(SAME_WIDTH))
        .replace("KEY", "][".join(keys))
        .replace("RANGED", layout.plan.ranged)
    )
    return text.replace("ABOVE0", first).replace("ABOVE1", second)


def braces(rule: Rule) -> str:
    """The rule's body."""
    return "{ " + "; ".join(map(text_of, rule.conditions)) + " }"


def known_data(layout: Layout) -> dict[str, dict[str, bool]]:
    """The values of each key that have a cell of their own."""
    named = zip(layout.plan.keys, layout.known, strict=True)
    return {name: {value: True for value in values if value != OTHER} for name, values in named}


def cells_data(layout: Layout) -> dict[str, Any]:
    """Nested objects, one level a key."""
    root: dict[str, Any] = {}
    for key, cell in layout.cells.items():
        node = root
        for value in key[:-1]:
            node = node.setdefault(value, {})
        ranges = [
            {"lo": lo, "hi": hi, "at": SAME_WIDTH + at} | rest_data(rest)
            for lo, hi, at, rest in cell.ranges
        ]
        node[key[-1]] = {
            "ranges": ranges,
            "loose": [{"at": SAME_WIDTH + at} | rest_data(rest) for at, rest in cell.loose],
        }
    return root


def rest_data(rest: tuple[Condition, ...]) -> dict[str, Any]:
    """What a rule of a cell still has to test, as data."""
    data: dict[str, Any] = {}
    for part in rest:
        match part:
            case Between("x", lo, hi):
                data["x"] = [lo, hi]
            case SumAtMost(names, bound):
                data |= {"fields": list(names), "sum_max": bound}
            case HasAny("labels", members):
                data["any"] = list(members)
            case StartsWith("topic", prefix):
                data["prefix"] = prefix + "."
            case _:
                message = f"no data form for {part}"
                raise NotImplementedError(message)
    return data


def text_of(part: Condition) -> str:
    """A condition in Rego."""
    match part:
        case Equals(name, value):
            return f"input.{name} == {json.dumps(value)}"
        case OneOf(name, values):
            return f"input.{name} in {{{', '.join(map(json.dumps, values))}}}"
        case Between(name, lo, hi):
            return f"input.{name} >= {lo}; input.{name} <= {hi}"
        case SumAtMost(names, bound):
            return f"{' + '.join(f'input.{name}' for name in names)} <= {bound}"
        case SumAtLeast(names, bound):
            return f"{' + '.join(f'input.{name}' for name in names)} >= {bound}"
        case HasAny(name, members):
            return f"some member in {json.dumps(members)}; member in input.{name}"
        case StartsWith(name, prefix):
            return f"startswith(input.{name}, {json.dumps(prefix + '.')})"
        case _:
            assert_never(part)
