"""Compiled tables for tests: from a policy to the bytes, and to a `Policy` that decides with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from govlang.compiler import ir
from govlang.compiler.diagram import build_diagram
from govlang.compiler.obligations import argument
from govlang.compiler.table import emit_table
from govlang.compiler.text_classes import classify_fields
from govlang.runtime.policy import Policy

SNAPSHOT = "sha256:" + "0" * 64


def table_bytes(policy: ir.Policy) -> bytes:
    """The table of a policy."""
    classes = classify_fields(policy)
    return emit_table(policy, build_diagram(policy, classes), classes, SNAPSHOT)


def load(policy: ir.Policy, params: Mapping[str, int] | None = None) -> Policy:
    """A policy that decides with its table; parameters in steps."""
    return Policy(table_bytes(policy), written_params(policy, params or {}))


def written_params(policy: ir.Policy, steps: Mapping[str, int]) -> dict[str, Any]:
    """Parameters as numbers in their units."""
    fields = {param.field.name: param.field for param in policy.params}
    return {name: argument(value, fields[name]) for name, value in steps.items()}


def policy_of(
    *fields: ir.Field,
    rules: tuple[ir.Rule, ...] = (),
    default: ir.Default = ir.Default.ALLOW,
    combine: ir.Combine = ir.Combine.STRICT,
    **rest: Any,
) -> ir.Policy:
    """A small policy."""
    return ir.Policy("p", "1.0.0", 1, combine, default, fields, rules, **rest)
