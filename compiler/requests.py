"""Between requests as people write them and samples as the interpreter reads them.

In and out: a JSON request with its runtime part, and an `interpret.Sample`.  Reading follows
`native/request.py`; writing is its inverse and is used to print witnesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from govlang.compiler import ir
from govlang.compiler.interpret import Value
from govlang.compiler.obligations import argument
from govlang.compiler.step import InvalidRequest, Report, Request
from govlang.native.request import InvalidFieldError, read_request


def read_sample(
    policy: ir.Policy,
    request: Mapping[str, Any],
    runtime: Mapping[str, Any] | None = None,
    at_ms: int = 0,
) -> Request | InvalidRequest:
    """The sample that a request is; never raises."""
    try:
        return Request(read_request(policy.fields, request, runtime), at_ms)
    except InvalidFieldError as error:
        return InvalidRequest(error.field, error.why, at_ms)


def write_request(
    policy: ir.Policy, values: Mapping[str, Value]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request and its runtime part, in JSON form, that read back as `values`."""
    request: dict[str, Any] = {}
    runtime: dict[str, Any] = {}
    for field in policy.fields:
        if field.name in values:
            part = request if field.origin is ir.Origin.REQUEST else runtime
            part[field.name] = argument(values[field.name], field)
    return request, runtime


def read_report(
    policy: ir.Policy, name: str, key: str | None, values: Mapping[str, Any], at_ms: int = 0
) -> Report:
    """The sample that a report of a host is: an event with its fields, a signal with its value.

    Raises:
        InvalidFieldError: the policy knows no such event or signal, the key is missing or not asked for, or
            a value does not fit.
    """
    time = policy.time
    known = {} if time is None else {one.name: one for one in time.samples}
    if time is None or name not in known:
        raise InvalidFieldError(name, "is no event or signal of this policy")
    own = known[name]
    wants_key = time.key is not None and not own.shared
    if wants_key != (key is not None):
        raise InvalidFieldError(name, "lacks its key" if wants_key else "is shared and has no key")
    columns = [replace(column, name=short) for short, column in columns_of(own).items()]
    read = read_request([replace(c, origin=ir.Origin.REQUEST) for c in columns], values, None)
    names = {short: column.name for short, column in columns_of(own).items()}
    return Report(name, {names[short]: value for short, value in read.items()}, at_ms, key)


def columns_of(one: ir.SampleType) -> Mapping[str, ir.Field]:
    """The columns of a report under the names that hosts write."""
    if one.kind is ir.SampleKind.SIGNAL:
        return {one.name: one.fields[0]}
    return {column.name.removeprefix(f"${one.name}."): column for column in one.fields}
