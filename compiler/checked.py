"""What the front end hands out: a checked policy with its tests, acceptances and sources.

Out of `frontend.compile_source`, into the verifier, the table writer and the command line.
Requests of tests are in the form that JSON has for them, in the units of the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final

from govlang.compiler import ir
from govlang.dsl.diagnostics import Diagnostic
from govlang.dsl.record import record
from govlang.dsl.source import Source, Span

if TYPE_CHECKING:  # it is loaded for policies over time only
    from govlang.compiler.meanings import Words
    from govlang.compiler.state_uses import Use

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
    states: tuple[StateExpected, ...] = ()


@record
class StateExpected:
    """What a machine must be (`negated`: must not be) after a step."""

    machine: str
    state: str
    negated: bool = False
    span: Span | None = None


@record
class ReportStep:
    """An event or a signal of a test (`name` None: a tick), with its key and what it carries.

    `values` are an event's fields, or a signal's value under the signal's name.
    """

    at_ms: int
    name: str | None
    key: str | None = None
    values: Mapping[str, Json] = field(default_factory=dict)
    states: tuple[StateExpected, ...] = ()
    span: Span | None = None
    refused: bool = False
    """Whether it must be refused: it is an event, and nothing calls for it."""
    is_signal: bool = False


@record
class TestCase:
    """A `test` block: a history, whose requests are `steps`."""

    __test__: ClassVar[bool] = False  # not a test class to pytest

    name: str
    history: tuple[TestStep | ReportStep, ...]
    span: Span | None = None

    @property
    def steps(self) -> tuple[TestStep, ...]:
        """The questions, in order."""
        return tuple(step for step in self.history if isinstance(step, TestStep))


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
    uses: tuple[Use, ...] = ()
    """What each operator over time keeps."""
    words: Words | None = None
    """What its cells mean, for explanations; None over single requests."""
