"""The `gov.schema` of an artefact, read strictly and held against the policy.

In: the bytes of the section, the policy, the name of its meaning, and how many class columns each text
has.  Out: everything in which they differ, each by its name.

What a schema must be is said here a second time, from docs/edge.md alone.  What always holds: bytes
without a difference are the canonical JSON (RFC 8785) of exactly that, no member more or less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

import rfc8785

from govlang.compiler import ir
from govlang.verifier.translation.records import Mismatch
from govlang.verifier.translation.schema_time import time_member
from govlang.verifier.translation.source import conditions_read

_SAFE: Final = 2**53
_SHOWN_MAX: Final = 60
_NOTHING: Final = object()

_PARTS: Final = {
    "fields": "field",
    "params": "parameter",
    "outputs": "output",
    "actions": "action",
    "args": "argument",
    "scopes": "scope",
    "cells": "cell",
    "samples": "sample",
    "rules": "rule",
    "assumptions": "assumption",
    "limits": "target",
    "dos": "duty",
    "remedies": "remedy",
    "same": "pair",
}
"""What a part of a list is called."""


class OddSchemaError(ValueError):
    """The bytes are not the canonical JSON of an object."""


def schema_mismatches(
    data: bytes, policy: ir.Policy, snapshot: str, columns: Mapping[str, int]
) -> Iterator[Mismatch]:
    """Everything in which a schema differs from the policy; `columns`: text → its class columns."""
    try:
        theirs = read_schema(data)
    except OddSchemaError as error:
        yield Mismatch(f"the schema {error}", bare=True)
        return
    ours = schema_of(policy, snapshot, columns)
    yield from (Mismatch(what, bare=True) for what in _differences(ours, theirs, "the schema"))


def read_schema(data: bytes) -> dict[str, Any]:
    """The members of a schema.

    Raises:
        OddSchemaError: it is not an object in canonical JSON; a member that occurs twice is not.
    """
    try:
        found = json.loads(data)
        canonical = rfc8785.dumps(found)
    except (ValueError, RecursionError) as error:
        raise OddSchemaError("is not JSON that has a canonical form") from error
    if canonical != data:
        same = zip_longest(canonical, data)
        at = next(i for i, (one, other) in enumerate(same) if one != other)
        raise OddSchemaError(f"is not canonical JSON at byte {at}")
    if not isinstance(found, dict):
        raise OddSchemaError("is not an object")
    return found


# --- what it must be -----------------------------------------------------------------------------


def schema_of(policy: ir.Policy, snapshot: str, columns: Mapping[str, int]) -> dict[str, Any]:
    """The schema of a policy, by the letter of docs/edge.md."""
    always = {
        "schema": 1,
        "policy": policy.name,
        "version": policy.version,
        "language": policy.language,
        "snapshot": snapshot,
        "fields": [_field(one, columns.get(one.name, 0)) for one in policy.fields],
        "rules": [[one.id, one.because] if one.because else one.id for one in policy.rules],
    }
    return always | _unless(
        (
            ("time_zone", policy.time_zone, None),
            ("params", [_param(one) for one in policy.params], []),
            ("outputs", [_field(one) for one in policy.outputs], []),
            ("actions", [_action(one) for one in policy.actions], []),
            ("assumptions", [one.text for one in policy.assumptions], []),
            ("limits", _targets(policy), []),
            ("dos", [_do(policy, one) for one in _distinct_dos(policy)], []),
            ("remedies", [_remedy(one) for one in _distinct_remedies(policy)], []),
            ("same", _compared(policy), []),
            ("time", _time(policy), None),
        )
    )


def _unless(members: Sequence[tuple[str, Any, Any]]) -> dict[str, Any]:
    """The members that do not have their default."""
    return {name: value for name, value, default in members if value != default}


def _field(one: ir.Field, columns: int = 0) -> dict[str, Any]:
    counted = one.kind not in (ir.Kind.ENUM, ir.Kind.SET) and not one.is_text
    found = {"name": one.name} | _unless(
        (
            ("kind", one.kind.value, "number"),
            ("lo", 0 if one.is_text else _number(one.lo), 0),
            ("hi", _number(one.hi) if counted else 0, 0),
            ("step", [_number(one.step_num), _number(one.step_den)], [1, 1]),
            ("unit", one.unit, ""),
            ("members", list(one.members), []),
            ("optional", one.optional, False),
            ("private", one.private, False),
            ("origin", one.origin.value, "request"),
            ("rounding", one.rounding.value, "exact"),
            ("implied", None if one.implied is None else _number(one.implied), None),
            ("classes", columns, 0),
        )
    )
    return found | ({"max": one.max_bytes} if one.is_text else {})


def _number(value: int) -> int | str:
    """An integer; as a decimal text where a double would not hold it."""
    return value if abs(value) < _SAFE else str(value)


def _param(param: ir.Param) -> dict[str, Any]:
    return _field(param.field) | {"default": _number(param.default)}


def _action(action: ir.Action) -> dict[str, Any]:
    args = [_field(one) for one in action.parameters]
    return {"name": action.name} | _unless((("args", args, []),))


def _targets(policy: ir.Policy) -> list[str]:
    return list(dict.fromkeys(limit.target for rule in policy.rules for limit in rule.limits))


def _distinct_dos(policy: ir.Policy) -> list[ir.Do]:
    return list(dict.fromkeys(do for rule in policy.rules for do in rule.dos))


def _distinct_remedies(policy: ir.Policy) -> list[ir.Remedy]:
    return list(dict.fromkeys(rule.remedy for rule in policy.rules if rule.remedy is not None))


def _do(policy: ir.Policy, do: ir.Do) -> dict[str, Any]:
    action = next(one for one in policy.actions if one.name == do.action)
    named = zip(action.parameters, do.args, strict=True)
    args = {one.name: _argument(value) for one, value in named}
    for_ms = None if do.for_ms is None else _number(do.for_ms)
    return {"do": do.action} | _unless((("args", args, {}), ("for_ms", for_ms, None)))


def _remedy(remedy: ir.Remedy) -> dict[str, Any]:
    values = {name: _argument(value) for name, value in remedy.values}
    return {"text": remedy.text} | _unless((("with", values, {}),))


def _argument(value: ir.ArgValue) -> dict[str, Any]:
    match value:
        case ir.TextConst(text=text):
            return {"text": text}
        case ir.TextField(name=name):
            return {"field": name}
        case ir.IntConst(value=number):
            return {"value": _number(number)}
        case _:
            return {}  # computed: a cell of the outcome has it


def _time(policy: ir.Policy) -> dict[str, Any] | None:
    if policy.time is None:
        return None
    return time_member(policy, policy.time, _number, _field, _unless)


def _compared(policy: ir.Policy) -> list[list[str]]:
    """The pairs of texts that decisions compare, in the order of their variables."""
    found = (atom for one in conditions_read(policy) for atom in ir.atoms(one))
    pairs = {(atom.left, atom.right) for atom in found if isinstance(atom, ir.TextEqual)}
    return [[left, right] for left, right in sorted(pairs)]


# --- differences ---------------------------------------------------------------------------------


def _differences(ours: Any, theirs: Any, where: str) -> Iterator[str]:
    """What differs, each in a line; 1, true and 1.0 are three values."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from _of_member(key, ours.get(key, _NOTHING), theirs.get(key, _NOTHING), where)
    elif isinstance(ours, list) and isinstance(theirs, list):
        for number, (one, other) in enumerate(zip_longest(ours, theirs, fillvalue=_NOTHING)):
            yield from _differences(one, other, f"part {number} of {where}")
    elif type(ours) is not type(theirs) or ours != theirs:
        yield f"{where} {_is(theirs)}, must {_be(ours)}"


def _of_member(key: str, ours: Any, theirs: Any, where: str) -> Iterator[str]:
    if key in _PARTS and isinstance(ours, list) and isinstance(theirs, list):
        for number, (one, other) in enumerate(zip_longest(ours, theirs, fillvalue=_NOTHING)):
            named = None if key == "same" else _name(one) or _name(other)
            name = named or str(number)
            part = f"{_PARTS[key]} {name}"
            yield from _differences(
                one, other, part if where == "the schema" else f"{part} of {where}"
            )
    else:
        yield from _differences(ours, theirs, f"`{key}` of {where}")


def _name(part: Any) -> str | None:
    """What a part of a list is called by its policy."""
    match part:
        case {"name": str(name)} | [str(name), _] | str(name):
            return f"`{name[:_SHOWN_MAX]}`"
        case _:
            return None


def _is(value: Any) -> str:
    return "is missing" if value is _NOTHING else f"is {_shown(value)}"


def _be(value: Any) -> str:
    return "not be there" if value is _NOTHING else f"be {_shown(value)}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"
