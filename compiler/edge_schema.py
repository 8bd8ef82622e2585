"""What a host must know to ask a policy at the edge and to read its answer: `gov.schema`.

In: a policy, the classes of its texts, the name of its meaning.  Out: canonical JSON (RFC 8785) of
the form that docs/edge.md gives.  Members that equal their default are left out; the same policy
gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import rfc8785

from govlang.compiler import ir
from govlang.compiler.edge_state import (
    BoardScope,
    board_scopes,
    is_freshness,
    state_bytes,
    state_definition,
)
from govlang.compiler.interface import classified, compared, duties, parameters, remedies, targets
from govlang.compiler.text_classes import TextClasses

SCHEMA_VERSION: Final = 1

_EXACT: Final = 2**53
"""JSON numbers below this are exact everywhere."""

_ANYWHERE: Final[dict[str, Any]] = {
    "time_zone": None,
    "params": [],
    "outputs": [],
    "actions": [],
    "assumptions": [],
    "limits": [],
    "dos": [],
    "remedies": [],
    "same": [],
    "time": None,
}
_OF_FIELD: Final[dict[str, Any]] = {
    "kind": "number",
    "lo": 0,
    "hi": 0,
    "step": [1, 1],
    "unit": "",
    "members": [],
    "optional": False,
    "private": False,
    "origin": "request",
    "rounding": "exact",
    "implied": None,
    "classes": 0,
}


def schema_json(policy: ir.Policy, classes: Mapping[str, TextClasses], snapshot: str) -> bytes:
    """The canonical bytes of a policy's schema."""
    read = classified(policy)
    columns = {name: len(classes[name].columns) for name in read}
    whole = {
        "schema": SCHEMA_VERSION,
        "policy": policy.name,
        "version": policy.version,
        "language": policy.language,
        "snapshot": snapshot,
        "time_zone": policy.time_zone,
        "fields": [_field(one, columns.get(one.name, 0)) for one in policy.fields],
        "params": [_field(p.field) | {"default": _integer(p.default)} for p in policy.params],
        "outputs": [_field(one) for one in policy.outputs],
        "actions": [_action(one) for one in policy.actions],
        "rules": [[rule.id, rule.because] if rule.because else rule.id for rule in policy.rules],
        "assumptions": [assumption.text for assumption in policy.assumptions],
        "limits": [target.name for target in targets(policy)],
        "dos": [_do(policy, one) for one in duties(policy)],
        "remedies": [_remedy(one) for one in remedies(policy)],
        "same": [list(pair) for pair in compared(policy)],
        "time": None if policy.time is None else _time(policy, policy.time),
    }
    return rfc8785.dumps(_without(whole, _ANYWHERE))


def _without(members: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The members that differ from their default."""
    return {k: v for k, v in members.items() if k not in defaults or v != defaults[k]}


def _integer(value: int) -> int | str:
    return value if abs(value) < _EXACT else str(value)


def _field(one: ir.Field, columns: int = 0) -> dict[str, Any]:
    listed = one.is_text or one.kind in (ir.Kind.ENUM, ir.Kind.SET)
    members: dict[str, Any] = {
        "name": one.name,
        "kind": one.kind.value,
        "lo": 0 if listed else _integer(one.lo),
        "hi": 0 if listed else _integer(one.hi),
        "step": [_integer(one.step_num), _integer(one.step_den)],
        "unit": one.unit,
        "members": list(one.members),
        "optional": one.optional,
        "private": one.private,
        "origin": one.origin.value,
        "rounding": one.rounding.value,
        "implied": None if one.implied is None else _integer(one.implied),
        "classes": columns,
    }
    if one.is_text:
        members["max"] = one.max_bytes
    return _without(members, _OF_FIELD)


# --- over time -----------------------------------------------------------------------------------


def _time(policy: ir.Policy, time: ir.Time) -> dict[str, Any]:
    """What a host reports, and what it keeps."""
    whole = {
        "key": time.key,
        "longest_ms": _integer(time.longest_ms),
        "state_bytes": state_bytes(policy),
        "definition": state_definition(policy),
        "scopes": [_scope(time, scope) for scope in board_scopes(time)],
        "samples": [_sample(one) for one in time.samples],
    }
    return _without(whole, {"key": None, "samples": []})


def _scope(time: ir.Time, scope: BoardScope) -> dict[str, Any]:
    cells = [_cell(time, cell) for cell in scope.cells]
    return {"name": scope.name.value} | ({"cells": cells} if cells else {})


def _cell(time: ir.Time, cell: ir.Cell) -> dict[str, Any]:
    own = {
        "bytes": cell.bytes,
        "initial": _integer(cell.initial),
        "cap": None if cell.cap is None else _integer(cell.cap),
        "freshness": is_freshness(time, cell),
    }
    field = {k: v for k, v in _field(cell.field).items() if k != "origin"}
    return field | _without(own, {"initial": 0, "cap": None, "freshness": False})


def _sample(one: ir.SampleType) -> dict[str, Any]:
    """An event or a signal; its fields are called as hosts write them."""
    prefix = f"${one.name}." if one.kind is ir.SampleKind.EVENT else "$"
    fields = [_field(replace(own, name=own.name.removeprefix(prefix))) for own in one.fields]
    whole = {
        "name": one.name,
        "event": one.kind is ir.SampleKind.EVENT,
        "shared": one.shared,
        "fields": [{k: v for k, v in own.items() if k != "origin"} for own in fields],
        "permit": one.permit,
    }
    return _without(whole, {"event": True, "shared": False, "fields": [], "permit": None})


# --- rules ---------------------------------------------------------------------------------------


def _action(one: ir.Action) -> dict[str, Any]:
    args = [_field(parameter) for parameter in one.parameters]
    return {"name": one.name} | ({"args": args} if args else {})


def _do(policy: ir.Policy, do: ir.Do) -> dict[str, Any]:
    names = (parameter.name for parameter in parameters(policy, do))
    found: dict[str, Any] = {"do": do.action}
    if do.args:
        found["args"] = dict(_arguments(zip(names, do.args, strict=True)))
    if do.for_ms is not None:
        found["for_ms"] = _integer(do.for_ms)
    return found


def _remedy(one: ir.Remedy) -> dict[str, Any]:
    return {"text": one.text} | ({"with": dict(_arguments(one.values))} if one.values else {})


def _arguments(values: Iterable[tuple[str, ir.ArgValue]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in values:
        match value:
            case ir.TextConst(text=text):
                yield name, {"text": text}
            case ir.TextField(name=field):
                yield name, {"field": field}
            case ir.IntConst(value=number):
                yield name, {"value": _integer(number)}
            case _:
                yield name, {}
