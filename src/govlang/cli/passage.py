"""What the tests of a policy pass through: every sample on the reference step, and the coverage of them all.

In: a checked policy.  Out: the columns of each sample as machines and rules see them, with the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from govlang.cli.clock import clock_values
from govlang.cli.coverage import Coverage, Seen, cover, cover_transitions
from govlang.compiler import ir
from govlang.compiler.checked import Checked, ReportStep, TestCase, TestStep
from govlang.compiler.interpret import Params, default_params
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import (
    CLOCK_FAULT_RULE,
    InvalidRequest,
    Report,
    Request,
    State,
    Tick,
    Watched,
    watch,
)
from govlang.native.request import read_value


def measure(checked: Checked) -> Coverage:
    """The coverage of a policy by its own tests."""
    policy = checked.policy
    if policy.time is None:
        return cover(policy, _asked(checked))
    return cover_histories(policy, list(_passed(checked)))


def cover_histories(
    policy: ir.Policy, passed: list[tuple[Watched, Params]], only: str | None = None
) -> Coverage:
    """The coverage by samples that were taken: of rules by requests that they decide, of machines by all.

    `only`: of this rule alone.
    """
    decided = [(one.seen, params) for one, params in passed if decides(one)]
    coverage = cover(policy, decided, only)
    moving = [(one.moving, params) for one, params in passed if one.seen]
    cover_transitions(policy, moving, coverage)
    return coverage


def decides(watched: Watched) -> bool:
    """Whether the sample was a request that the rules decided."""
    outcome = watched.outcome
    return bool(watched.seen) and outcome is not None and outcome.rule_id != CLOCK_FAULT_RULE


def passage(
    policy: ir.Policy, params: Params, samples: Iterator[Request | Tick | Report]
) -> Iterator[Watched]:
    """Samples on the reference step, from the first one on."""
    state = State()
    for sample in samples:
        watched = watch(policy, params, state, sample)
        state = watched.after
        yield watched


def _passed(checked: Checked) -> Iterator[tuple[Watched, Params]]:
    """Every sample of every test, each test from its first sample on."""
    for case in checked.tests:
        params = params_of(checked.policy, next((step.params for step in case.steps), {}))
        for watched in passage(checked.policy, params, _samples(checked.policy, case)):
            yield watched, params


def _samples(policy: ir.Policy, case: TestCase) -> Iterator[Request | Tick | Report]:
    """The samples of a test without requests that are not valid."""
    for step in case.history:
        if isinstance(step, TestStep):
            sample = _request(policy, step)
            if not isinstance(sample, InvalidRequest):
                yield sample
        elif step.name is None:
            yield Tick(step.at_ms, step.key)
        else:
            yield _report(policy, step, step.name)


def _report(policy: ir.Policy, step: ReportStep, name: str) -> Report:
    return read_report(policy, name, step.key, step.values, step.at_ms)


def _request(policy: ir.Policy, step: TestStep) -> Request | InvalidRequest:
    runtime = clock_values(policy, step.at_ms) | dict(step.runtime)
    return read_sample(policy, step.request, runtime, step.at_ms)


def params_of(policy: ir.Policy, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a test: what it says, else the defaults."""
    kinds = {param.field.name: param.field for param in policy.params}
    read = {name: read_value(kinds[name], value) for name, value in given.items()}
    return {**default_params(policy), **read}


def _asked(checked: Checked) -> Iterator[Seen]:
    """The valid requests of the tests with the parameters of their steps."""
    for step in (step for case in checked.tests for step in case.steps):
        sample = _request(checked.policy, step)
        if isinstance(sample, Request):
            yield sample.values, params_of(checked.policy, step.params)
