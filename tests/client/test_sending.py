from __future__ import annotations

import time

import httpx
import pytest
from gateway_policy import asked

from govlang.client import GovClient, GovError, Patience, Throttled, Unavailable
from govlang.client import calls as routes
from govlang.client.errors import problem_of
from govlang.client.sending import arguments, pause_s

SUBMIT = routes.submit({}, pool="p")
REPEATED = {
    "submit": SUBMIT,
    "job": routes.job("j"),
    "approve": routes.approve("a", "h", None, None),
    "heartbeat": routes.heartbeat("l"),
    "result": routes.result("l", "failed"),
    "evaluate": routes.evaluate({}, None, None, record=False),
}
ONCE = {
    "cancel": routes.cancel("j", "why"),
    "reject": routes.reject("a", "h", None, None),
    "lease": routes.lease("p", "w"),
    "observe": routes.observe({"event": "e"}),
    "retry_letter": routes.retry_letter("j"),
    "publish": routes.publish(b"", allow_looser=False, reason=None),
    "rollback": routes.rollback("why"),
    "suspend": routes.suspend("a", "why"),
    "create_token": routes.create_token([], ttl_s=1, agent=None, approves=(), pools=()),
    "enter_phase": routes.enter_phase("r", "p", {}, "why"),
    "recorded evaluate": routes.evaluate({}, None, None, record=True),
    "force_open": routes.force_open("d", "why"),
}
GONE = Unavailable("timeout", 0, "no answer")
PATIENT = Patience(3, 100.0)


@pytest.mark.parametrize("name", REPEATED)
def test_what_can_do_nothing_twice_is_sent_again(name: str) -> None:
    assert pause_s(REPEATED[name], GONE, 1, 0.0, PATIENT) is not None


@pytest.mark.parametrize("name", ONCE)
def test_a_change_without_a_key_is_sent_once(name: str) -> None:
    for error in (GONE, problem_of(429, b"{}"), problem_of(503, b"{}")):
        assert pause_s(ONCE[name], error, 1, 0.0, PATIENT) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
def test_what_will_not_change_is_not_sent_again(status: int) -> None:
    assert pause_s(SUBMIT, problem_of(status, b"{}"), 1, 0.0, PATIENT) is None


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_sent_again(status: int) -> None:
    assert pause_s(SUBMIT, problem_of(status, b"{}"), 1, 0.0, PATIENT) is not None


def test_an_answer_is_waited_for_as_long_as_the_service_may_take() -> None:
    from govlang.runtime.control.decisions import EXPLAIN_S
    from govlang.runtime.control.publishing import COMPARE_S

    bounds = (
        (routes.publish(b"", allow_looser=False, reason=None), COMPARE_S),
        (routes.rollback("why"), COMPARE_S),
        (routes.explain({}), EXPLAIN_S),
        (routes.policy(), 0),
    )
    for call, within_s in bounds:
        assert call.extra_s == within_s
        assert arguments(call, 30.0)["timeout"].read == 30.0 + within_s


def test_patience_ends() -> None:
    assert pause_s(SUBMIT, GONE, 3, 0.0, PATIENT) is None
    late = problem_of(503, b'{"retry_after_s": 7}')
    assert pause_s(SUBMIT, late, 1, 93.0, PATIENT) == 7
    assert pause_s(SUBMIT, late, 1, 93.1, PATIENT) is None
    assert pause_s(SUBMIT, problem_of(503, b"{}", "9"), 1, 0.0, PATIENT) == 9
    assert pause_s(SUBMIT, problem_of(503, b"{}", "soon"), 1, 0.0, PATIENT) < 1


def test_a_lost_answer_makes_one_job_under_one_key(gateway) -> None:
    gateway.faults.lose_answer("/v1/jobs")
    made = gateway.client.submit(asked("infra.read"), pool="ops")
    keys = [one.headers["Idempotency-Key"] for one in gateway.faults.seen]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert list(gateway.behind.jobs) == [made.job_id]


def test_each_submission_has_a_key_of_its_own(gateway) -> None:
    made = [gateway.client.submit(asked("infra.read"), pool="ops") for _ in range(2)]
    assert made[0].job_id != made[1].job_id
    again = [gateway.client.submit(asked("infra.read"), pool="ops", key="k") for _ in range(2)]
    assert again[0] == again[1]
    for key in ("", "a b", "é", "x" * 201):
        with pytest.raises(ValueError, match="idempotency key"):
            gateway.client.submit(asked("infra.read"), pool="ops", key=key)


def test_a_retry_after_beyond_patience_is_raised_at_once(gateway) -> None:
    before = time.monotonic()
    with pytest.raises(Throttled) as refused:
        gateway.client.submit(asked("infra.burst"), pool="ops")
    assert refused.value.retry_after_s == 30
    assert len(gateway.faults.seen) == 1
    assert time.monotonic() - before < 10


def test_a_503_is_waited_out(gateway) -> None:
    gateway.faults.answer("/v1/jobs", 503, {"code": "policy_unavailable", "retry_after_s": 0})
    assert gateway.client.submit(asked("infra.read"), pool="ops").state == "scheduled"


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("x"),
        httpx.ReadTimeout("x"),
        httpx.RemoteProtocolError("x"),
        httpx.PoolTimeout("x"),
    ],
)
def test_no_answer_is_unavailable(gateway, error: Exception) -> None:
    gateway.faults.lose("/v1", times=9, error=error)
    with GovClient(
        gateway.url, transport=gateway.client._http._transport, patience=Patience(1, 0)
    ) as client:
        for call in (lambda: client.submit({}, pool="p"), client.policy, client.letters):
            with pytest.raises(GovError) as refused:
                call()
            assert type(refused.value) is Unavailable
            assert refused.value.status == 0
