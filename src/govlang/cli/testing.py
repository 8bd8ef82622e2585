"""Runs the `test` blocks of a policy on its compiled table: cases in, results and findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from govlang.cli.formats.exact_json import json_text
from govlang.cli.formats.findings import Finding, error_of, place
from govlang.compiler.checked import Checked, TestCase, TestStep
from govlang.runtime.decision import Outcome
from govlang.runtime.policy import Policy

FAILED = "GOV710"


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that came out otherwise than expected."""

    step: TestStep
    message: str
    outcome: Outcome


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
            "steps": len(self.case.steps),
            "span": place(self.case.span),
        }


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


def _difference(step: TestStep, outcome: Outcome) -> str | None:
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


def findings_of(result: Result) -> Iterator[Finding]:
    """The failures as findings, so that every format can show them."""
    for failure in result.failures:
        step = failure.step
        message = f"{result.case.name}: {failure.message}"
        found = error_of(
            FAILED, "test", message, "`gov explain` says why each rule fired or did not"
        )
        yield found | {
            "rules": [step.by] if step.by else [],
            "test": result.case.name,
            "span": place(step.span),
            "witness": {"trace": [_trace_step(failure)], "params": dict(step.params)},
        }


def _trace_step(failure: Failure) -> dict[str, Any]:
    return {
        "at_ms": failure.step.at_ms,
        "request": dict(failure.step.request),
        "runtime": dict(failure.step.runtime),
        "decision": failure.outcome.decision.value,
        "rule_id": failure.outcome.rule_id,
    }
