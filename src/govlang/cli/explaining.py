"""Why a policy decides a request as it does: policy and history in, the report of `gov explain` out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from govlang.cli.compiled import compile_policy
from govlang.cli.hindsight import Hindsight, sample_of
from govlang.cli.passage import params_of
from govlang.cli.reasons import Part, environment, reasons
from govlang.cli.subject import Subject
from govlang.cli.trace import Placed, is_observed
from govlang.cli.verification import replay_on
from govlang.compiler import ir
from govlang.compiler.interpret import INVALID_REQUEST, Params
from govlang.compiler.requests import read_sample, write_request
from govlang.compiler.step import CLOCK_FAULT_RULE, Request
from govlang.compiler.step import step as take
from govlang.native.errors import CodedError
from govlang.runtime.policy import Policy

if TYPE_CHECKING:
    from govlang.verifier.columns import Point
    from govlang.verifier.findings import Witness
    from govlang.verifier.nearest import Nearest
    from govlang.verifier.solve import Absent, Open

PERMITTED = frozenset({"allow", "limit"})

_OBJECTS = ("request", "runtime")
"""Members of a step that hold fields."""


def until_last_request(steps: Iterable[Placed], what: str) -> list[Placed]:
    """The steps up to the last request, which is explained.

    Raises:
        CodedError: GOV709, there is no request.
    """
    found = list(steps)
    while found and "request" not in found[-1][1]:
        found.pop()
    if not found:
        why = f"`{what}` asks nothing, so there is nothing to explain"
        raise CodedError("GOV709", why, 'add a step `{"at_ms": …, "request": {…}}`')
    for place, step in found:
        odd = next((m for m in _OBJECTS if not isinstance(step.get(m, {}), Mapping)), None)
        if odd is not None:
            why = f"`{odd}` in {place} is no object"
            raise CodedError("GOV709", why, f'write `"{odd}": {{"field": value}}`')
    return found


def explain(
    subject: Subject, steps: Sequence[Placed], given: Mapping[str, Any], timeout_s: float | None
) -> dict[str, Any]:
    """The outcome of the compiled table, each rule's part in it, and the nearest request that is allowed.

    `steps` are those of a trace, the last one the request that is explained; `given` are parameters in JSON form.
    `timeout_s` None: do not look for a request that is allowed.
    """
    policy = subject.checked.policy
    table = subject.bundle.table if subject.bundle else compile_policy(policy).table
    decider = Policy(table, given, capacity=max(1, len(steps)))
    params = params_of(policy, given)
    past = None if policy.time is None else Hindsight(policy, policy.time, params)
    for place, step in steps[:-1]:
        _take(decider, past, step, place)
    _, last = steps[-1]
    outcome = decider.decide(
        dict(last["request"]), now_ms=last["at_ms"], runtime=dict(last["runtime"])
    )
    report: dict[str, Any] = {"outcome": outcome.to_dict(), "rules": [], "nearest": None}
    sample = sample_of(policy, last)
    if not isinstance(sample, Request) or outcome.rule_id == INVALID_REQUEST:
        return report
    parts = _parts(subject, params, past, sample, outcome.rule_id)
    report["rules"] = [part.to_json() for part in parts]
    if timeout_s is not None and outcome.decision.value not in PERMITTED:
        if past is None:
            found = _nearest(policy, params, sample, table, timeout_s)
        else:
            found = _nearest_now(past, decider, sample, outcome.rule_id, timeout_s)
        report["nearest"] = _told(found)
    return report


def _take(decider: Policy, past: Hindsight | None, step: dict[str, Any], place: str) -> None:
    """A step that comes before the request: on the compiled table and on the reference step."""
    if not is_observed(decider, step, place):
        decider.commit(dict(step["request"]), now_ms=step["at_ms"], runtime=dict(step["runtime"]))
    if past is not None:
        past.take(sample_of(past.policy, step))


def _parts(
    subject: Subject, params: Params, past: Hindsight | None, sample: Request, decider: str
) -> Iterable[Part]:
    policy = subject.checked.policy
    if past is None:
        return reasons(policy, environment(policy, params, sample.values), decider)
    from govlang.cli.telling import Teller

    env = environment(policy, params, past.seen(sample))
    assert subject.checked.words is not None, "a policy over time says what its cells mean"
    return reasons(policy, env, decider, Teller(env, subject.checked.words, past, sample))


def _nearest(
    policy: ir.Policy, params: Params, sample: Request, table: bytes, timeout_s: float
) -> Nearest | Absent | Open:
    """The smallest change of a request over single requests."""
    from govlang.verifier.nearest import nearest_allowed

    replay = replay_on(table)
    return nearest_allowed(policy, params, sample.values, timeout_s=timeout_s, replay=replay)


def _nearest_now(
    past: Hindsight, decider: Policy, sample: Request, rule_id: str, timeout_s: float
) -> Nearest | Absent | Open:
    """The smallest change of a request with the state held as it is."""
    from govlang.verifier.findings import Witness
    from govlang.verifier.nearest import nearest_in_state
    from govlang.verifier.options import ReplayError, check_same
    from govlang.verifier.solve import Absent

    policy, params = past.policy, past.params

    def judged(found: Point) -> Witness:
        request, runtime = write_request(policy, found.values)
        other = read_sample(policy, request, runtime, sample.at_ms)
        _, outcome = take(policy, params, past.state, other)
        if outcome is None or outcome.decision.word not in PERMITTED:
            raise ReplayError("what the rules read over time depends on the request itself")
        check_same(outcome, decider.decide(request, now_ms=sample.at_ms, runtime=runtime))
        return Witness(
            request, runtime, {}, outcome.decision.word, outcome.rule_id, outcome.matched
        )

    if rule_id == CLOCK_FAULT_RULE:
        return Absent()
    return nearest_in_state(policy, params, past.seen(sample), judged, timeout_s=timeout_s)


def _told(found: Nearest | Absent | Open) -> dict[str, Any]:
    """The smallest change of the request that would be allowed, as the report has it."""
    from govlang.verifier.nearest import Nearest
    from govlang.verifier.solve import Open

    if isinstance(found, Nearest):
        return {"status": "found"} | found.to_json()
    open_ = (
        {"status": "undecided", "why": found.why} if isinstance(found, Open) else {"status": "none"}
    )
    return open_ | {"request": None, "changes": []}
