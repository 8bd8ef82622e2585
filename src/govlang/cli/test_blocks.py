"""`test` blocks as syntax trees: values, times and outcomes in, what an author would have written out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from govlang.compiler import ir
from govlang.compiler.importers.trees import name, number
from govlang.compiler.interpret import Outcome, Params, default_params
from govlang.compiler.obligations import argument
from govlang.compiler.requests import columns_of, write_request
from govlang.compiler.step import Report, Request, Tick
from govlang.dsl import ast
from govlang.dsl.units import plain_duration

Sample = Request | Tick | Report


def free_name(wanted: str, taken: Collection[str]) -> str:
    """The name of a test, with a number where there is such a test already."""
    found, count = wanted, 1
    while found in taken:
        count += 1
        found = f"{wanted} ({count})"
    return found


def params_written(policy: ir.Policy, params: Params) -> tuple[ast.Argument, ...]:
    """The parameters that are not as they are by default."""
    kinds = {param.field.name: param.field for param in policy.params}
    defaults = default_params(policy)
    return tuple(
        _argument(kinds[name], argument(value, kinds[name]))
        for name, value in params.items()
        if value != defaults[name]
    )


def request_step(
    policy: ir.Policy,
    values: Mapping[str, Any],
    outcome: Outcome,
    at: ast.Number | None = None,
    states: tuple[ast.StateIs, ...] = (),
) -> ast.RequestStep:
    """A request that expects what it is answered now."""
    request, runtime = write_request(policy, values)
    fields = {field.name: field for field in policy.fields}
    expect = ast.Expect(ast.Decision(ast.Effect(outcome.decision.word)), name(outcome.rule_id))
    return ast.RequestStep(
        at,
        tuple(_argument(fields[k], v) for k, v in request.items()),
        tuple(_argument(fields[k], v) for k, v in runtime.items() if v != []),
        expect,
        states,
    )


def history_steps(
    policy: ir.Policy,
    samples: tuple[Sample, ...],
    outcomes: tuple[Outcome | None, ...],
    states: tuple[ast.StateIs, ...],
) -> Iterator[ast.Step]:
    """A history, with the states of machines behind its last sample; where the clock goes back, a step says so."""
    back_ms = last_ms = 0
    for number_, (sample, outcome) in enumerate(zip(samples, outcomes, strict=True), 1):
        if sample.at_ms < last_ms:
            back = time_written(last_ms - sample.at_ms)
            yield ast.ClockStep(time_written(last_ms + back_ms), back)
            back_ms += last_ms - sample.at_ms
        last_ms = sample.at_ms
        at, own = time_written(last_ms + back_ms), states if number_ == len(samples) else ()
        if isinstance(sample, Request):
            assert outcome is not None
            yield request_step(policy, sample.values, outcome, at, own)
        elif isinstance(sample, Tick):
            yield ast.TickStep(at, own)
        else:
            yield _report_step(policy, sample, at, own)


def _report_step(
    policy: ir.Policy, sample: Report, at: ast.Number, states: tuple[ast.StateIs, ...]
) -> ast.Step:
    assert policy.time is not None
    kind = policy.time.sample(sample.name)
    key: tuple[ast.Argument, ...] = ()
    if sample.key is not None and policy.time.key is not None:
        key = (ast.Argument(name(policy.time.key), ast.String(sample.key)),)
    columns = columns_of(kind)
    told = {
        n: _literal(column, argument(sample.values[column.name], column))
        for n, column in columns.items()
    }
    if kind.kind is ir.SampleKind.SIGNAL:
        return ast.SignalStep(at, name(kind.name), told[kind.name], key, states)
    first, _, member = kind.name.partition(".")
    event = ast.EventRef(name(first), name(member) if member else None)
    values = tuple(ast.Argument(name(n), literal) for n, literal in told.items())
    return ast.EventStep(at, event, (*key, *values), states)


def time_written(ms: int) -> ast.Number:
    """A time in the largest unit in which it is whole."""
    value, unit = plain_duration(ms)
    return number(value, unit)


def _argument(field: ir.Field, value: Any) -> ast.Argument:
    return ast.Argument(name(field.name), _literal(field, value))


def _literal(field: ir.Field, value: Any) -> ast.Literal:
    match field.kind:
        case ir.Kind.ENUM:
            return name(value)
        case ir.Kind.SET:
            quoted = field.name == ir.APPROVED
            return ast.SetLiteral(tuple(ast.String(m) if quoted else name(m) for m in value))
        case ir.Kind.BOOL:
            return ast.Bool(value)
        case ir.Kind.TEXT | ir.Kind.PATH | ir.Kind.KEY:
            return ast.String(value)
        case ir.Kind.TIME | ir.Kind.DURATION:
            return number(value, "ms")
        case _:
            return number(value, field.unit or None)
