"""Between requests as people write them and samples as the interpreter reads them.

In and out: a JSON request with its runtime part, and an `interpret.Sample`.  Reading follows
`native/request.py`; writing is its inverse and is used to print witnesses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from govlang.compiler import ir
from govlang.compiler.interpret import InvalidRequest, Request, Value
from govlang.compiler.obligations import argument
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
