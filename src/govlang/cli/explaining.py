"""Why a policy decides a request as it does: the policy and the request in, the report of `gov explain` out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from govlang.cli.clock import clock_values
from govlang.cli.compiled import compile_policy
from govlang.cli.reasons import reasons
from govlang.cli.requests import params_of_table, read_params
from govlang.cli.subject import Subject
from govlang.cli.verification import replay_on
from govlang.compiler import ir
from govlang.compiler.requests import read_sample
from govlang.compiler.step import Request, initial_state, watch
from govlang.runtime.policy import Policy

PERMITTED = frozenset({"allow", "limit"})


def explain(
    subject: Subject,
    request: Mapping[str, Any],
    runtime: Mapping[str, Any],
    given: tuple[str, ...],
    now_ms: int,
    timeout_s: float | None,
) -> dict[str, Any]:
    """The outcome of the compiled table, each rule's part in it, and the nearest request that is allowed.

    `timeout_s` None: do not look for one.  A policy that remembers is asked before its first sample, and no nearest
    request is looked for: another history may be nearer.
    """
    policy = subject.checked.policy
    table = subject.bundle.table if subject.bundle else compile_policy(policy).table
    params_json = params_of_table([p.field for p in policy.params], given)
    decider = Policy(table, params_json)
    outcome = decider.decide(dict(request), now_ms=now_ms, runtime=dict(runtime))
    report: dict[str, Any] = {"outcome": outcome.to_dict(), "rules": [], "nearest": None}
    sample = read_sample(policy, request, clock_values(policy, now_ms) | dict(runtime), now_ms)
    if not isinstance(sample, Request) or outcome.rule_id == "invalid_request":
        return report
    params = read_params(policy, given)
    values = sample.values
    if policy.time is not None:  # a question asked before the first sample
        values = watch(policy, params, initial_state(policy), sample).seen
    parts = reasons(policy, params, values, outcome.rule_id)
    report["rules"] = [part.to_json() for part in parts]
    is_open = policy.time is None and outcome.decision.value not in PERMITTED
    if timeout_s is not None and is_open:
        report["nearest"] = _nearest(policy, params, sample, table, timeout_s)
    return report


def _nearest(
    policy: ir.Policy, params: Mapping[str, int], sample: Request, table: bytes, timeout_s: float
) -> dict[str, Any]:
    """The smallest change of the request that would be allowed, as the report has it."""
    from govlang.verifier.nearest import Nearest, nearest_allowed
    from govlang.verifier.solve import Absent

    replay = replay_on(table)
    found = nearest_allowed(policy, params, sample.values, timeout_s=timeout_s, replay=replay)
    if isinstance(found, Nearest):
        return {"status": "found"} | found.to_json()
    status = "none" if isinstance(found, Absent) else "undecided"
    return {"status": status, "request": None, "changes": []}
