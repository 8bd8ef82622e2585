"""Cedar: one policy a rule, `agent` as principal and `tool` as action where they stand, the rest in the context.

A deny rule is a `forbid`, every other rule a `permit`; the first of the policies named in `reasons` is the rule.
"""

from __future__ import annotations

import json
from typing import Any, assert_never

import cedarpy
from cedarpy import PolicySet

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
    """A parsed policy set; policies are numbered in order, so their ids are the rules' positions."""
    policies = PolicySet.from_str("\n".join(map(policy_text, workload.rules)))
    entities = cedarpy.Entities.from_json_str("[]")
    authorize = cedarpy.is_authorized

    def decide(request: dict[str, Any]) -> int:
        reasons = authorize(request, policies, entities).diagnostics.reasons
        return min(int(reason[6:]) for reason in reasons) if reasons else NO_RULE

    return Engine(prepare, decide)


def prepare(request: Request) -> dict[str, Any]:
    """The request in Cedar's shape."""
    return {
        "principal": {"type": "Agent", "id": request.get("agent", "any")},
        "action": {"type": "Action", "id": request.get("tool", "any")},
        "resource": {"type": "Resource", "id": "any"},
        "context": dict(request),
    }


def policy_text(rule: Rule) -> str:
    """One policy."""
    principal = action = ""
    rest = []
    for part in rule.conditions:
        match part:
            case Equals("agent", value):
                principal = f" == Agent::{json.dumps(value)}"
            case Equals("tool", value):
                action = f" == Action::{json.dumps(value)}"
            case _:
                rest.append(text_of(part))
    verb = "forbid" if rule.effect == "deny" else "permit"
    when = f" when {{ {' && '.join(rest)} }}" if rest else ""
    return f"{verb} (principal{principal}, action{action}, resource){when};"


def text_of(part: Condition) -> str:
    """A condition in Cedar."""
    match part:
        case Equals(name, value):
            return f"context.{name} == {json.dumps(value)}"
        case OneOf(name, values):
            return f"{json.dumps(values)}.contains(context.{name})"
        case Between(name, lo, hi):
            return f"context.{name} >= {lo} && context.{name} <= {hi}"
        case SumAtMost(names, bound):
            return f"{' + '.join(f'context.{name}' for name in names)} <= {bound}"
        case SumAtLeast(names, bound):
            return f"{' + '.join(f'context.{name}' for name in names)} >= {bound}"
        case HasAny(name, members):
            return f"context.{name}.containsAny({json.dumps(members)})"
        case StartsWith(name, prefix):
            return f"context.{name} like {json.dumps(prefix + '.*')}"
        case _:
            assert_never(part)
