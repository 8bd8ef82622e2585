"""The member `time` of a `gov.schema`: what a policy remembers, by the letter of docs/edge.md.

In: a policy over time.  Out: the member that its schema must have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import rfc8785

from govlang.compiler import ir
from govlang.verifier.translation.edge_time import Scope, scopes_of, state_bytes
from govlang.verifier.translation.time_definitions import definition_of

Written = Callable[[ir.Field], dict[str, Any]]
"""A field as schemas have it."""

Unless = Callable[[Sequence[tuple[str, Any, Any]]], dict[str, Any]]
"""The members that do not have their default."""


def time_member(
    policy: ir.Policy,
    time: ir.Time,
    number: Callable[[int], int | str],
    field: Written,
    unless: Unless,
) -> dict[str, Any]:
    """The member `time`.

    Raises:
        NoBoardError: no board keeps what the policy remembers.
    """
    scopes = scopes_of(time)

    def without_origin(one: ir.Field) -> dict[str, Any]:
        return {name: value for name, value in field(one).items() if name != "origin"}

    def cell_of(cell: ir.Cell) -> dict[str, Any]:
        own = without_origin(cell.field)
        cap = None if cell.cap is None else number(cell.cap)
        members: list[tuple[str, Any, Any]] = [
            ("initial", number(cell.initial), 0),
            ("cap", cap, None),
            ("freshness", is_freshness(time, cell), False),
        ]
        return own | {"bytes": cell.bytes} | unless(members)

    def scope_of(scope: Scope) -> dict[str, Any]:
        cells = [cell_of(cell) for cell in scope.cells]
        return {"name": scope.name} | unless((("cells", cells, []),))

    def sample_of(sample: ir.SampleType) -> dict[str, Any]:
        is_event = sample.kind is ir.SampleKind.EVENT
        short = [_short(sample, one.name) for one in sample.fields]
        fields = [
            without_origin(one) | {"name": name}
            for one, name in zip(sample.fields, short, strict=True)
        ]
        members: tuple[tuple[str, Any, Any], ...] = (
            ("event", is_event, True),
            ("shared", sample.shared, False),
            ("fields", fields, []),
            ("permit", sample.permit, None),
        )
        return {"name": sample.name} | unless(members)

    return {
        "longest_ms": number(time.longest_ms),
        "state_bytes": state_bytes(scopes),
        "definition": state_definition(policy, time, scopes),
        "scopes": [scope_of(scope) for scope in scopes],
    } | unless((("key", time.key, None), ("samples", [sample_of(one) for one in time.samples], [])))


def _short(sample: ir.SampleType, column: str) -> str:
    """What hosts call what a sample brings."""
    plain = column.removeprefix("$")
    return plain if sample.kind is ir.SampleKind.SIGNAL else plain.removeprefix(f"{sample.name}.")


def state_definition(policy: ir.Policy, time: ir.Time, scopes: Sequence[Scope]) -> str:
    """16 hexadecimal digits for what the state means."""
    cells = [
        [scope.name, cell.name, f"{definition_of(time, cell):016x}"]
        for scope in scopes
        for cell in scope.cells
    ]
    return hashlib.sha256(rfc8785.dumps([policy.name, time.key, cells])).hexdigest()[:16]


def is_freshness(time: ir.Time, cell: ir.Cell) -> bool:
    """The cell grows, has updates, and each of them sets it to 0 at every sample of one signal."""
    own = [update for update in time.updates if update.cell == cell.name]
    signals = [
        ((kind, kind),)
        for kind, one in enumerate(time.samples, ir.FIRST_KIND)
        if one.kind is ir.SampleKind.SIGNAL
    ]
    starts = all(
        isinstance(update.condition, ir.InRanges)
        and update.condition.name == ir.SAMPLE
        and update.condition.ranges in signals
        and update.value == ir.IntConst(0)
        for update in own
    )
    return cell.cap is not None and bool(own) and starts
