from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from gateway_policy import asked, compiled, ops_policy

from govlang.client import (
    ApprovalRequired,
    Denied,
    GovError,
    InProcess,
    Throttled,
    current_permit,
    guard,
    guarded,
)
from govlang.native.errors import CodedError
from govlang.runtime.policy import Policy

FIXED = {"agent": "a1", "environment": "staging"}
SIZED = {"request": {"size": "size"}, "fixed": FIXED}


class Ran:
    """What a guarded function was called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def function(self, topic: str, policy: Any, **options: Any) -> Any:
        @guarded(topic, policy=policy, **(SIZED | options))
        def run(size: Any, other: str = "o") -> str:
            self.calls.append(size)
            return f"{size} {other}"

        return run


def test_what_is_allowed_runs_and_returns() -> None:
    ran = Ran()
    run = ran.function("infra.read", ops_policy())
    assert run(3, other="x") == "3 x"
    assert run.__name__ == "run"
    assert ran.calls == [3]


REFUSED = [
    ("infra.drop", {}, Denied, "denied"),
    ("other", {}, Denied, "denied"),
    ("infra.burst", {}, Throttled, "throttled"),
    ("infra.delete", {"environment": "production"}, ApprovalRequired, "approval_required"),
    ("infra.read", {"environment": "moon"}, Denied, "denied"),
    ("infra.audit", {}, Denied, "obligation_not_kept"),
    ("infra.move", {}, Denied, "obligation_not_kept"),
]


@pytest.mark.parametrize(("topic", "fields", "kind", "code"), REFUSED)
def test_what_is_not_allowed_does_not_run(topic: str, fields, kind, code: str) -> None:
    ran = Ran()
    with pytest.raises(GovError) as refused:
        ran.function(topic, ops_policy(), fixed=FIXED | fields)(1)
    assert (type(refused.value), refused.value.code, ran.calls) == (kind, code, [])


def test_a_throttle_says_when_and_a_denial_why() -> None:
    with pytest.raises(Throttled) as wait:
        Ran().function("infra.burst", ops_policy())(1)
    assert wait.value.retry_after_s == 30
    with pytest.raises(Denied) as refused:
        Ran().function("infra.drop", ops_policy())(1)
    assert (refused.value.rule_id, refused.value.reason) == ("kept_out", "Never here")


LIMITED = [
    (40, 10, int),
    (40.5, 10.0, float),
    (Decimal(40), Decimal(10), Decimal),
    (7, 7, int),
    (10, 10, int),
]


@pytest.mark.parametrize(("given", "taken", "kind"), LIMITED)
def test_a_limit_is_applied_to_the_argument(given, taken, kind) -> None:
    ran = Ran()
    ran.function("infra.copy", ops_policy())(given)
    assert ran.calls == [taken]
    assert type(ran.calls[0]) is kind


def test_a_limit_on_what_is_no_argument_is_a_refusal() -> None:
    ran = Ran()
    with pytest.raises(Denied) as refused:
        ran.function("infra.copy", ops_policy(), limits={})(40)
    assert "limits `size`" in refused.value.detail
    assert ran.calls == []
    ran.function("infra.copy", ops_policy(), limits={})(4)
    assert ran.calls == [4]


def test_a_limit_of_an_output_goes_to_the_argument_named_for_it() -> None:
    seen = []

    @guarded("infra.move", policy=ops_policy(), fixed=asked("x"), limits={"speed": "pace"})
    def move(pace: int) -> None:
        seen.append(pace)

    move(9)
    move(pace=1)
    assert seen == [2, 1]


@pytest.mark.parametrize("pace", ["fast", None, True, float("nan"), float("inf")])
def test_what_is_no_number_cannot_be_limited(pace: Any) -> None:
    @guarded("infra.move", policy=ops_policy(), fixed=asked("x"), limits={"speed": "pace"})
    def move(pace: Any) -> None:
        pytest.fail("it ran")

    with pytest.raises(Denied):
        move(pace)


def test_an_action_is_carried_out_before_the_call() -> None:
    done: list[Any] = []

    @guarded(
        "infra.audit",
        policy=ops_policy(),
        fixed=asked("x"),
        actions={"notify": lambda args, for_ms: done.append((args, for_ms))},
    )
    def audit() -> None:
        done.append("ran")

    audit()
    assert done == [({"team": "sre"}, 600_000), "ran"]


def test_an_action_that_fails_denies() -> None:
    def broken(args: Any, for_ms: Any) -> None:
        raise OSError("no network")

    ran = Ran()
    with pytest.raises(Denied) as refused:
        ran.function("infra.audit", ops_policy(), actions={"notify": broken})(1)
    assert "OSError" in refused.value.detail
    assert "no network" not in refused.value.detail
    assert ran.calls == []


def test_an_action_of_a_denial_is_carried_out_too() -> None:
    done: list[Any] = []
    with pytest.raises(Denied):
        Ran().function(
            "infra.drop",
            ops_policy(),
            actions={"notify": lambda args, for_ms: done.append((args, for_ms))},
        )(1)
    assert done == [({"team": "finance"}, None)]


def test_failures_are_told_to_the_policy_and_successes() -> None:
    policy = ops_policy()
    fail = [True]

    @guarded("infra.call", policy=policy, fixed=asked("x"))
    def call() -> str:
        if fail[0]:
            raise RuntimeError("broken")
        return "fine"

    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            call()
    with pytest.raises(Denied) as refused:
        call()
    assert refused.value.rule_id == "failing"

    other = guarded("infra.read", policy=policy, fixed=asked("x"))(lambda: "fine")
    assert other() == "fine"
    fail[0] = False
    assert call() == "fine"


def test_coroutines_are_guarded_alike() -> None:
    policy = ops_policy()
    seen = []

    @guarded("infra.copy", policy=policy, **SIZED)
    async def copy(size: int) -> int:
        await asyncio.sleep(0)
        permit = current_permit()
        assert permit is not None
        seen.append(permit.request["size"])
        return size

    @guarded("infra.drop", policy=policy, **SIZED)
    async def drop(size: int) -> None:
        pytest.fail("it ran")

    async def both() -> int:
        with pytest.raises(Denied):
            await drop(1)
        return await copy(50)

    assert asyncio.run(both()) == 10
    assert seen == [10]
    assert current_permit() is None


def test_a_block_is_guarded_by_its_promises() -> None:
    policy = ops_policy()
    with guard("infra.copy", asked("x") | {"size": 40}, policy, accepts=("size",)) as permit:
        assert permit.request["size"] == 10
        assert permit.limits["size"].high == 10
        assert current_permit() is permit
    with pytest.raises(Denied), guard("infra.copy", asked("x") | {"size": 40}, policy):
        pytest.fail("it ran")
    with guard("infra.move", asked("x"), policy, accepts=("speed",)) as permit:
        assert permit.limits["speed"].high == 2


def test_a_block_may_be_awaited() -> None:
    async def run() -> str:
        async with guard("infra.read", asked("x"), ops_policy()) as permit:
            return permit.decision

    assert asyncio.run(run()) == "allow"


def test_a_request_may_be_worked_out() -> None:
    ran = Ran()
    run = ran.function(
        "infra.read",
        ops_policy(),
        request=lambda size, **_: {"size": len(size), "topic": "infra.drop", **FIXED},
        fixed=None,
    )
    assert run([1, 2]) == "[1, 2] o"  # and the topic is the guard's


def test_a_policy_without_topics_is_asked_without_one() -> None:
    text = 'language 1\npolicy p version "1"\ndefault deny\ninput { n : number in 0..9 }\n'
    policy = Policy(compiled(text + "rule few when n < 5 allow\n"))
    run = guarded("count", policy=policy, request={"n": "n"}, topic_field=None)(lambda n: n)
    assert run(4) == 4
    with pytest.raises(Denied):
        run(5)


class Broken:
    """A policy that cannot be asked."""

    memory = None

    def commit(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("gone")

    def observe(self, _: Any) -> None:
        pytest.fail("told")


def test_a_policy_that_raises_denies() -> None:
    ran = Ran()
    with pytest.raises(Denied) as refused:
        ran.function("infra.read", Broken())(1)
    assert refused.value.code == "policy_failed"
    with pytest.raises(Denied):
        ran.function("infra.read", InProcess(ops_policy(), runtime=lambda: 1 // 0))(1)
    assert ran.calls == []


def test_approvals_come_from_the_host_only() -> None:
    ran = Ran()
    production = FIXED | {"environment": "production"}
    with pytest.raises(Denied) as refused:
        ran.function("infra.delete", ops_policy(), fixed=production | {"approved": ["sre"]})(1)
    assert refused.value.rule_id == "invalid_request"
    road = InProcess(ops_policy(), runtime=lambda: {"approved": ["sre"]})
    assert ran.function("infra.delete", road, fixed=production)(1) == "1 o"


BUDGET = """language 1
policy budget version "1.0.0"
default allow
input {
  agent  : key
  tokens : number in 0..1_000 step 0.1
}
event success after dispatched
rule over when sum(allowed.tokens) in 1 h by 5 min + reserved(tokens) + tokens > 100 throttle retry 5 min
"""


def test_what_was_reserved_is_settled() -> None:
    policy = Policy(compiled(BUDGET))
    now = [0]
    road = InProcess(policy, clock_ms=lambda: now[0])

    def spend(most: float, used: float | None) -> None:
        own = {"agent": "a1", "tokens": most}
        with guard("spend", own, road, topic_field=None) as permit:
            with pytest.raises(Throttled), guard("spend", own, road, topic_field=None):
                pytest.fail("it ran")
            if used is not None:
                permit.used["tokens"] = used

    spend(60, 0.7)
    spend(99.3, 0.3)
    spend(99, None)
    with pytest.raises(Throttled):
        spend(0.1, None)


UNUSABLE = [
    lambda: guarded("t"),
    lambda: guarded("t", policy=ops_policy(), gateway=object()),
    lambda: guard("t", {}),
    lambda: guarded("t", policy=ops_policy(), request={"size": "sise"})(lambda size: size),
    lambda: guarded("t", policy=ops_policy(), limits={"size": "args"})(lambda *args: args),
]


@pytest.mark.parametrize("make", UNUSABLE)
def test_a_guard_that_cannot_be_built_is_refused_at_once(make) -> None:
    with pytest.raises(CodedError) as refused:
        make()
    assert refused.value.code == "GOV684"


def test_a_generator_is_not_guarded() -> None:
    def many() -> Any:
        yield 1

    with pytest.raises(CodedError) as refused:
        guarded("t", policy=ops_policy())(many)
    assert refused.value.code == "GOV684"
