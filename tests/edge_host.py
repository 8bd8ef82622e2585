"""A host at the edge, for tests: a request as variables, and cells of an outcome as obligations.

Written from docs/edge.md; what it makes of cells is compared with what the interpreter says.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

from govlang.compiler import interface, ir
from govlang.compiler.interpret import DEFAULT_RULE, INVALID_REQUEST, Outcome
from govlang.compiler.obligations import argument, decimal
from govlang.compiler.program import Variable
from govlang.compiler.step import CLOCK_FAULT_RULE
from govlang.compiler.text_classes import TextClasses

Values = Mapping[str, int | str]


def encoded(
    policy: ir.Policy,
    classes: Mapping[str, TextClasses],
    values: Values,
    params: Mapping[str, int],
) -> dict[str, int]:
    """The variables of a request: unset where it says nothing."""
    return {
        one.name: _variable(one, classes, values, params)
        for one in interface.variables(policy, classes)
    }


def _variable(
    one: Variable,
    classes: Mapping[str, TextClasses],
    values: Values,
    params: Mapping[str, int],
) -> int:
    kind, _, rest = one.name.partition(".")
    if not rest:
        return _number(values, one.name, one.unset)
    match kind:
        case "has":
            return int(rest in values)
        case "class":
            name, _, part = rest.rpartition(".")
            text = values.get(name)
            column = classes[name].columns[int(part)]
            return one.unset if text is None else column.dfa.class_of(str(text).encode())
        case "same":
            a, b = rest.split(".")
            return int(values[a] == values[b]) if a in values and b in values else one.unset
        case _:
            return params.get(rest, one.unset)


def _number(values: Values, name: str, unset: int) -> int:
    value = values.get(name)
    return unset if value is None else int(value)


def broken(rng: random.Random, one: Variable) -> int | None:
    """A value outside the domain of a variable; None if there is none in its width."""
    bits = one.width
    ends = (0, 2**bits - 1) if one.mask else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    outside = [v for v in (one.lo - 1, one.hi + 1, *ends) if ends[0] <= v <= ends[1]]
    outside = [v for v in outside if not one.lo <= v <= one.hi]
    return rng.choice(outside) if outside else None


# --- outcomes ------------------------------------------------------------------------------------


def rule_name(policy: ir.Policy, cells: Mapping[str, int]) -> str:
    """The name of the deciding rule."""
    names = (*(rule.id for rule in policy.rules), DEFAULT_RULE, INVALID_REQUEST, CLOCK_FAULT_RULE)
    return names[cells["out.rule"]]


def obligations(
    policy: ir.Policy, cells: Mapping[str, int], values: Values
) -> list[dict[str, Any]]:
    """The obligations that cells ask for."""
    found = [*_dos(policy, cells, values), *_limits(policy, cells)]
    if cells.get("out.roles", 0):
        roles = [r for i, r in enumerate(policy.roles) if cells["out.roles"] >> i & 1]
        expires = cells["out.expires"]
        found.append({"require": roles} | ({} if expires < 0 else {"expires_ms": expires}))
    if cells.get("out.retry", -1) >= 0:
        found.append({"retry_ms": cells["out.retry"]})
    for number, remedy in enumerate(interface.remedies(policy)):
        if _bit(cells, "out.remedies", number):
            fields = {name: policy.field(name) for name, _ in remedy.values}
            given = {
                n: _argument(cells, f"out.remedy.{number}.{n}", v, fields[n], values)
                for n, v in remedy.values
            }
            found.append({"remedy": remedy.text} | ({"with": given} if given else {}))
    return found


def _bit(cells: Mapping[str, int], name: str, bit: int) -> bool:
    return bool(cells[f"{name}.{bit // 32}"] >> bit % 32 & 1)


def _argument(
    cells: Mapping[str, int], cell: str, value: ir.ArgValue, field: ir.Field, values: Values
) -> Any:
    match value:
        case ir.TextConst(text=text):
            return text
        case ir.TextField(name=name):
            return values.get(name, "")
        case ir.IntConst(value=number):
            return argument(number, field)
        case _:
            return argument(
                cells[cell] & field.hi if field.kind is ir.Kind.SET else cells[cell], field
            )


def _dos(policy: ir.Policy, cells: Mapping[str, int], values: Values) -> list[dict[str, Any]]:
    """Duties; of several times for one the longest."""
    found: list[dict[str, Any]] = []
    for number, do in enumerate(interface.duties(policy)):
        if not _bit(cells, "out.dos", number):
            continue
        args = {
            p.name: _argument(cells, f"out.do.{number}.{p.name}", a, p, values)
            for p, a in zip(interface.parameters(policy, do), do.args, strict=True)
        }
        one = {"do": do.action} | ({"args": args} if args else {})
        twin = next((x for x in found if {**x, "for_ms": 0} == {**one, "for_ms": 0}), None)
        if twin is None:
            found.append(one if do.for_ms is None else one | {"for_ms": do.for_ms})
        elif do.for_ms is None or "for_ms" not in twin:
            twin.pop("for_ms", None)
        else:
            twin["for_ms"] = max(twin["for_ms"], do.for_ms)
    return found


def _limits(policy: ir.Policy, cells: Mapping[str, int]) -> Iterable[dict[str, Any]]:
    for number, target in enumerate(interface.targets(policy)):
        if _bit(cells, "out.limited", number):
            lo, hi = cells[f"out.lo.{target.name}"], cells[f"out.hi.{target.name}"]
            start = {} if lo == target.lo else {"from": decimal(lo, target)}
            yield {"limit": target.name, **start, "to": decimal(hi, target)}


# --- agreement -----------------------------------------------------------------------------------


def said(policy: ir.Policy, cells: Mapping[str, int], values: Values) -> tuple[Any, ...]:
    """What cells say, in the form of `expected`."""
    found = obligations(policy, cells, values)
    return cells["out.decision"], rule_name(policy, cells), distinct(found)


def expected(outcome: Outcome) -> tuple[Any, ...]:
    """What the interpreter says: decision, rule, obligations as a set."""
    return int(outcome.decision), outcome.rule_id, distinct(outcome.obligations)


def distinct(found: Iterable[dict[str, Any]]) -> list[str]:
    """Obligations as a set."""
    return sorted({json.dumps(one, sort_keys=True, default=str) for one in found})


def neutral(policy: ir.Policy, cells: Mapping[str, int]) -> dict[str, int]:
    """What cells hold that a decision keeps nothing of."""
    kept = ("out.decision", "out.rule", "out.invalid")
    return {c.name: cells[c.name] for c in interface.cells(policy) if c.name not in kept}
