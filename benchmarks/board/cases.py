"""Recorded decisions: requests as a board fills them in, and what the interpreter says of each.

In: a policy, and requests that are valid.  Out: cases in the words of docs/edge.md (variables, texts,
cells of the outcome), some of them spoilt in one variable, so that the answer is `invalid_request`.

What always holds: the outcome comes from `compiler/interpret.py` and the rules themselves, never from
the structure that C and WebAssembly are printed from.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from govlang.compiler import interface, ir
from govlang.compiler.interpret import (
    INVALID_REQUEST,
    Environment,
    Value,
    decide,
    default_params,
    grant,
    standing,
)
from govlang.compiler.program import Variable
from govlang.compiler.text_classes import TextClasses

Classes = Mapping[str, TextClasses]
Cells = dict[str, int]

INVALID: Final = -1
"""What `decide` returns for an invalid request."""

SPOILT: Final = 4
"""One case in so many is spoilt."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and its decision.  What a request leaves out stays unset."""

    variables: Mapping[str, int]
    texts: Mapping[str, bytes]
    result: int
    cells: Mapping[str, int]


def cases_of(
    policy: ir.Policy, classes: Classes, requests: Iterable[Mapping[str, Value]], seed: int
) -> list[Case]:
    """A case for each request; parameters at random, now and then a variable outside its domain."""
    rng = random.Random(seed)
    variables = interface.variables(policy, classes)
    found = []
    for values in requests:
        params = random_params(rng, policy)
        case = recorded(policy, variables, params, values)
        spoil = case.result == 0 and rng.randrange(SPOILT) == 0
        found.append(spoilt(rng, policy, variables, case) if spoil else case)
    return found


def random_params(rng: random.Random, policy: ir.Policy) -> dict[str, int]:
    """Parameters: as declared, or an end of their range, or anything in it."""
    if rng.random() < 0.5:
        return default_params(policy)
    return {p.field.name: random_value(rng, p.field, ()) for p in policy.params}


def random_value(rng: random.Random, field: ir.Field, points: Iterable[int]) -> int:
    """A value of a field that is no text: an end, one of the points, or anything in its range."""
    inside = [point for point in points if field.lo <= point <= field.hi]
    return rng.choice((field.lo, field.hi, rng.randint(field.lo, field.hi), *inside))


def random_requests(policy: ir.Policy, count: int, seed: int) -> Iterator[dict[str, Value]]:
    """Valid requests of a policy whose rules read no text, near the constants of its conditions."""
    rng = random.Random(seed)
    points = constants(policy)
    for _ in range(count):
        yield {
            one.name: "x" if one.is_text else random_value(rng, one, points.get(one.name, ()))
            for one in policy.fields
            if not one.optional or rng.random() < 0.7
        }


def constants(policy: ir.Policy) -> dict[str, set[int]]:
    """The numbers at which conditions change, a field each."""
    found: dict[str, set[int]] = {}
    for condition in interface.conditions(policy):
        for atom in ir.atoms(condition):
            if isinstance(atom, ir.InRanges):
                ends = (e for lo, hi in atom.ranges for e in (lo - 1, lo, hi, hi + 1))
                found.setdefault(atom.name, set()).update(ends)
    return found


# --- one case --------------------------------------------------------------------------------------


def recorded(
    policy: ir.Policy,
    variables: tuple[Variable, ...],
    params: Mapping[str, int],
    values: Mapping[str, Value],
) -> Case:
    """A valid request and its decision."""
    numbers = {
        v.name: number for v in variables if (number := _number(v, params, values)) is not None
    }
    read = interface.classified(policy) | {
        name for pair in interface.compared(policy) for name in pair
    }
    texts = {
        name: value.encode()
        for name, value in values.items()
        if isinstance(value, str) and name in read
    }
    result, cells = outcome_cells(policy, len(variables), params, values)
    return Case(numbers, texts, result, cells)


def _number(
    variable: Variable, params: Mapping[str, int], values: Mapping[str, Value]
) -> int | None:
    """What a host writes into a variable; None where it writes nothing."""
    if variable.param:
        return params[variable.name.removeprefix("param.")]
    if variable.name.startswith("has."):
        return int(variable.name.removeprefix("has.") in values)
    found = values.get(variable.name)
    return found if isinstance(found, int) else None


def spoilt(
    rng: random.Random, policy: ir.Policy, variables: tuple[Variable, ...], case: Case
) -> Case:
    """The case with one of its variables forgotten or outside its domain; as it is if none can be."""
    numbers = [
        number
        for number, variable in enumerate(variables)
        if variable.name in case.variables and _wrong(variable)
        if all(case.variables[variables[has].name] for has in variable.has)
    ]
    if not numbers:
        return case
    number = rng.choice(numbers)
    variable = variables[number]
    written = {k: v for k, v in case.variables.items() if k != variable.name}
    if not _is_inside(variable, variable.unset) and rng.random() < 0.5:
        return replace(case, variables=written, result=INVALID, cells=refusal(policy, number))
    written[variable.name] = rng.choice(_wrong(variable))
    return replace(case, variables=written, result=INVALID, cells=refusal(policy, number))


def _wrong(variable: Variable) -> list[int]:
    """Numbers that a variable's width holds and its domain does not."""
    low, high = -(2 ** (variable.width - 1)), 2 ** (variable.width - 1) - 1
    tried = (variable.lo - 1, variable.hi + 1, low, high, -1)
    return [one for one in tried if low <= one <= high and not _is_inside(variable, one)]


def _is_inside(variable: Variable, value: int) -> bool:
    if variable.mask:
        return (value % (1 << variable.width)) & ~variable.hi == 0
    return variable.lo <= value <= variable.hi


# --- the outcome -----------------------------------------------------------------------------------


def refusal(policy: ir.Policy, number: int) -> Cells:
    """The outcome of an invalid request."""
    return {cell.name: cell.neutral for cell in interface.cells(policy)} | {"out.invalid": number}


def outcome_cells(
    policy: ir.Policy,
    variable_count: int,
    params: Mapping[str, int],
    values: Mapping[str, Value],
) -> tuple[int, Cells]:
    """What `decide` returns for a valid request, and the outcome's cells."""
    env = Environment(policy, params, values)
    outcome = decide(policy, params, values)
    if outcome.rule_id == INVALID_REQUEST:
        broken = (i for i, a in enumerate(policy.assumptions) if not env.holds(a.condition))
        return INVALID, refusal(policy, variable_count + next(broken))
    ids = [rule.id for rule in policy.rules]
    rule = ids.index(outcome.rule_id) if outcome.rule_id in ids else len(ids)
    cells = refusal(policy, -1) | {"out.decision": int(outcome.decision), "out.rule": rule}
    kept = _taken(policy, tuple(r for r in policy.rules if r.id in outcome.matched))
    _duties(policy, env, kept, cells)
    _remedies(policy, env, kept, cells)
    if outcome.decision is not ir.Effect.DENY:
        _limits(policy, env, kept, cells)
        _times(policy, env, kept, cells, waits=outcome.decision is ir.Effect.REQUIRE_HUMAN)
    return 0, cells


def _taken(policy: ir.Policy, fired: tuple[ir.Rule, ...]) -> tuple[ir.Rule, ...]:
    stand = standing(fired)
    match policy.combine:
        case ir.Combine.FIRST_MATCH:
            return stand[:1]
        case ir.Combine.UNIQUE:
            guarded = stand[:1] if stand and stand[0].kind is ir.RuleKind.GUARD else ()
            return stand if len(stand) == 1 else guarded
        case _:
            return stand


def _set_bit(cells: Cells, name: str, bit: int) -> None:
    word, place = divmod(bit, interface.WORD)
    cells[f"{name}.{word}"] |= 1 << place


def _limits(policy: ir.Policy, env: Environment, rules: tuple[ir.Rule, ...], cells: Cells) -> None:
    names = [one.name for one in interface.targets(policy)]
    for limit in (limit for rule in rules for limit in rule.limits):
        lo, hi = f"out.lo.{limit.target}", f"out.hi.{limit.target}"
        _set_bit(cells, "out.limited", names.index(limit.target))
        cells[lo] = max(cells[lo], env.evaluate(limit.lo))
        cells[hi] = min(cells[hi], env.evaluate(limit.hi))


def _duties(policy: ir.Policy, env: Environment, rules: tuple[ir.Rule, ...], cells: Cells) -> None:
    all_duties = interface.duties(policy)
    for do in (do for rule in rules for do in rule.dos):
        number = all_duties.index(do)
        _set_bit(cells, "out.dos", number)
        for field, value in zip(interface.parameters(policy, do), do.args, strict=True):
            if (expr := interface.computed(value)) is not None:
                cells[f"out.do.{number}.{field.name}"] = env.evaluate(expr)


def _remedies(
    policy: ir.Policy, env: Environment, rules: tuple[ir.Rule, ...], cells: Cells
) -> None:
    all_remedies = interface.remedies(policy)
    for remedy in (rule.remedy for rule in rules if rule.remedy is not None):
        number = all_remedies.index(remedy)
        _set_bit(cells, "out.remedies", number)
        for name, value in remedy.values:
            if (expr := interface.computed(value)) is not None:
                cells[f"out.remedy.{number}.{name}"] = env.evaluate(expr)


def _times(
    policy: ir.Policy,
    env: Environment,
    rules: tuple[ir.Rule, ...],
    cells: Cells,
    *,
    waits: bool,
) -> None:
    retries = [rule.retry_ms for rule in rules if rule.retry_ms is not None]
    if retries:
        cells["out.retry"] = max(retries)
    waiting = [rule for rule in rules if grant(rule, env).effect is ir.Effect.REQUIRE_HUMAN]
    if not waits:
        return
    cells["out.roles"] = sum(
        1 << policy.roles.index(r) for r in {r for w in waiting for r in w.roles}
    )
    expiries = [rule.expires_ms for rule in waiting if rule.expires_ms is not None]
    cells["out.expires"] = min(expiries, default=-1)
