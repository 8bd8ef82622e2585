"""Runs the `test` blocks of a policy on its compiled table: cases in, results and findings out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from govlang.cli.compiled import compile_policy
from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import Finding, error_of, place
from govlang.cli.trace import Placed
from govlang.compiler.checked import Checked, ReportStep, TestCase, TestStep
from govlang.native.errors import TableError
from govlang.runtime.decision import Decision, Outcome
from govlang.runtime.policy import Policy

FAILED = "GOV710"
REFUSED = "GOV417"


class Answered(Protocol):
    """What a request was answered."""

    @property
    def decision(self) -> Decision: ...
    @property
    def rule_id(self) -> str: ...
    @property
    def reason(self) -> str: ...
    def to_dict(self) -> dict[str, Any]:
        """The outcome in JSON form."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that came out otherwise than expected."""

    step: TestStep | ReportStep
    message: str
    outcome: Answered | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A test and its failures; none: it passed."""

    case: TestCase
    failures: tuple[Failure, ...]

    def to_json(self) -> dict[str, Any]:
        """As the report has it."""
        return {
            "name": self.case.name,
            "status": "failed" if self.failures else "passed",
            "steps": len(self.case.history),
            "span": place(self.case.span),
        }


def run_histories(checked: Checked, table: bytes) -> Iterator[Result]:
    """The results of the tests of a policy that remembers, each from its first sample on."""
    for case in checked.tests:
        params = next((step.params for step in case.steps), {})
        yield Result(
            case, tuple(_run_history(Policy(table, params, capacity=1_024), checked, case))
        )


def outcomes(policy: Policy, case: TestCase) -> Iterator[tuple[TestStep, Outcome]]:
    """What each request of a test is answered, behind all that comes before it."""
    for step in case.history:
        if isinstance(step, TestStep):
            yield step, _commit(policy, step)
        else:
            _reported(policy, step)


def _commit(policy: Policy, step: TestStep) -> Outcome:
    request, host = dict(step.request), dict(step.runtime)
    outcome: Outcome = policy.commit(request, now_ms=step.at_ms, runtime=host)
    return outcome


def _run_history(policy: Policy, checked: Checked, case: TestCase) -> Iterator[Failure]:
    assert checked.policy.time is not None
    for step in case.history:
        answer: Answered | None = None
        key: Any
        if isinstance(step, TestStep):
            answer = _commit(policy, step)
            message = _difference(step, answer)
            key = step.request.get(checked.policy.time.key or "")
        else:
            message, key = _reported(policy, step), step.key
        for wanted in step.states:
            state = policy.remembered(wanted.machine, key if isinstance(key, str) else "")
            found = checked.policy.field(wanted.machine).members[state]
            if (found == wanted.state) == wanted.negated and message is None:
                message = f"`{wanted.machine}` is {found}, expected {'not ' * wanted.negated}{wanted.state}"
        if message is not None:
            yield Failure(step, message, answer)


def _reported(policy: Policy, step: ReportStep) -> str | None:
    """Take a report in; what is wrong with it.  An event that nothing called for is expected to be refused."""
    try:
        policy.observe(_told(step))
    except TableError as error:
        expected = step.refused and error.code == REFUSED
        return None if expected else error.message
    return f"`{step.name}` was expected to be refused, and was taken in" if step.refused else None


def _told(step: ReportStep) -> dict[str, Any]:
    """A report as a trace has it."""
    told: dict[str, Any] = {"at_ms": step.at_ms} | ({} if step.key is None else {"key": step.key})
    if step.name is None:
        return told | {"tick": True}
    if step.is_signal:
        return told | {"signal": step.name, "value": step.values[step.name]}
    return told | {"event": step.name, "fields": dict(step.values)}


def steps_to_explain(
    checked: Checked, case: TestCase, given: Mapping[str, Any]
) -> tuple[list[Placed], dict[str, Any]]:
    """The steps of a test up to its first request that fails, else to its last, and its parameters.

    Raises:
        CodedError: GOV709, it asks nothing.
    """
    from govlang.cli.explaining import until_last_request

    params = {**next((step.params for step in case.steps), {}), **given}
    table = compile_policy(checked.policy).table
    run = run_histories if checked.policy.time is not None else run_tests
    (result,) = run(replace(checked, tests=(case,)), table)
    failed = [one.step for one in result.failures if isinstance(one.step, TestStep)]
    end = next(
        (n for n, one in enumerate(case.history, 1) if any(one is f for f in failed[:1])),
        len(case.history),
    )
    steps = [(f"step {n} of `{case.name}`", _step(one)) for n, one in enumerate(case.history, 1)]
    return until_last_request(steps[:end], case.name), params


def _step(step: TestStep | ReportStep) -> dict[str, Any]:
    """A step as a trace has it."""
    if isinstance(step, ReportStep):
        return _told(step)
    asked = {"request": dict(step.request), "runtime": dict(step.runtime)}
    return {"at_ms": step.at_ms} | asked


def run_tests(checked: Checked, table: bytes) -> Iterator[Result]:
    """The results, in the order of the tests."""
    policies: dict[str, Policy] = {}
    for case in checked.tests:
        failures: list[Failure] = []
        for step in case.steps:
            key = json_text(step.params)
            policy = policies.get(key)
            if policy is None:
                policy = policies[key] = Policy(table, step.params)
            failures += _run_step(policy, step)
        yield Result(case, tuple(failures))


def _run_step(policy: Policy, step: TestStep) -> Iterator[Failure]:
    outcome = policy.decide(dict(step.request), now_ms=step.at_ms, runtime=dict(step.runtime))
    message = _difference(step, outcome)
    if message is not None:
        yield Failure(step, message, outcome)


def _difference(step: TestStep, outcome: Answered) -> str | None:
    """What is not as expected, or None."""
    expected, found = step.expect.word, outcome.decision.value
    by = f" by `{step.by}`" if step.by else ""
    if expected != found or (step.by is not None and step.by != outcome.rule_id):
        why = f" ({outcome.reason})" if outcome.rule_id == "invalid_request" else ""
        return f"expected {expected}{by}, found {found} by `{outcome.rule_id}`{why}"
    obligations = outcome.to_dict()["obligations"]
    for wanted in step.obligations:
        if not any(_contains(obligation, wanted) for obligation in obligations):
            shown = ", ".join(json_text(one) for one in obligations) or "none"
            return f"expected the obligation {json_text(wanted)}, found {shown}"
    return None


def _contains(obligation: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether every key that is wanted is there with an equal value."""
    return all(
        key in obligation and _equal(obligation[key], value) for key, value in wanted.items()
    )


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return _contains(found, wanted)
    if isinstance(found, list | tuple) and isinstance(wanted, list | tuple):
        return sorted(map(str, found)) == sorted(map(str, wanted))
    return json_text(found) == json_text(wanted)


def findings_of(result: Result, path: Path) -> Iterator[Finding]:
    """The failures as findings, so that every format can show them."""
    for failure in result.failures:
        step = failure.step
        message = f"{result.case.name}: {failure.message}"
        found = error_of(FAILED, "test", message, _way_out(result, step, path))
        params = dict(step.params) if isinstance(step, TestStep) else {}
        yield found | {
            "rules": [step.by] if isinstance(step, TestStep) and step.by else [],
            "test": result.case.name,
            "span": place(step.span),
            "witness": {
                "trace": [_trace_step(failure)],
                "params": params,
            },
        }


def _way_out(result: Result, step: TestStep | ReportStep, path: Path) -> str:
    """The command that says why; what is asked of a machine at an event no request explains."""
    if isinstance(step, ReportStep):
        if step.states:
            return "a machine takes at most one transition a sample, and one that is due goes first"
        return "an event `after` another is taken once for each of those"
    asked = (one.step for one in result.failures if isinstance(one.step, TestStep))
    if step is not next(asked):
        return "a request before it failed, too: see to that one first"
    command = shlex.join(["gov", "explain", str(path), "--test", result.case.name])
    return f"`{command}` says why each rule fired or did not"


def _trace_step(failure: Failure) -> dict[str, Any]:
    """The step that failed, as a trace has it."""
    step, answer = failure.step, failure.outcome
    if isinstance(step, ReportStep):
        return _told(step)
    assert answer is not None
    return _step(step) | {"decision": answer.decision.value, "rule_id": answer.rule_id}
