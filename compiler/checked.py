"""What the front end hands out: a checked policy with its tests, acceptances and sources.

Out of `frontend.compile_source`, into the verifier, the table writer and the command line.
Requests of tests are in the form that JSON has for them, in the units of the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar, Final

from govlang.compiler import ir
from govlang.dsl.diagnostics import Diagnostic
from govlang.dsl.record import record
from govlang.dsl.source import Source, Span

Json = bool | int | Decimal | str | list[str]
"""A value of a field as a request carries it; numbers are exact, in the field's unit."""

Expected = dict[str, Any]
"""Keys that an obligation of the outcome must have with equal values (see `obligations.py`)."""


@record
class TestStep:
    """One question of a test and the outcome that it must have.

    `by` None: any rule. Each of `obligations` must be contained, key by key, in an obligation of
    the outcome. `weekday` and `minute_of_day`, where `runtime` lacks them, follow from `at_ms` as
    in a running service. A step that expects deny by `invalid_request` may carry values that fit
    no field; every other request was checked against the fields.
    """

    __test__: ClassVar[bool] = False  # not a test class to pytest

    at_ms: int
    request: Mapping[str, Json]
    runtime: Mapping[str, Json]
    params: Mapping[str, Json]
    expect: ir.Effect
    by: str | None = None
    obligations: tuple[Expected, ...] = ()
    span: Span | None = None


@record
class TestCase:
    """A `test` block."""

    __test__: ClassVar[bool] = False  # not a test class to pytest

    name: str
    steps: tuple[TestStep, ...]
    span: Span | None = None


ACCEPTABLE: Final = tuple(f"GOV30{n}" for n in range(1, 7))
"""What a policy can be kept with; neither a faulty table, nor what `diff` says, nor an open question."""


@record
class Accept:
    """A finding of `code` on `rule` (a rule, a row, a property or `default`) is only a warning.

    `span`: where the name stands.
    """

    code: str
    rule: str
    because: str
    span: Span | None = None


@record
class Checked:
    """A policy that passed every check of the front end; where things stand is in the IR's spans."""

    policy: ir.Policy
    tests: tuple[TestCase, ...] = ()
    accepts: tuple[Accept, ...] = ()
    sources: tuple[Source, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
