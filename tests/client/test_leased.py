from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
import pytest
from gateway_policy import asked

from govlang.client import (
    ApprovalRequired,
    Denied,
    GovClient,
    GovError,
    Patience,
    Throttled,
    ThroughGateway,
    Unavailable,
    current_permit,
    guard,
    guarded,
)

OWN = asked("x")


def states(gateway) -> list[str]:
    return [one.job["state"] for one in gateway.behind.jobs.values()]


def calls(gateway, part: str) -> list[Any]:
    return [body for _, path, _, body in gateway.behind.calls if part in path]


def guarded_size(road, topic: str, ran: list[Any], **options: Any) -> Any:
    fixed = {"agent": "a1", "environment": "staging"} | options.pop("fixed", {})

    @guarded(topic, gateway=road, request={"size": "size"}, fixed=fixed, **options)
    def run(size: Any) -> str:
        ran.append(size)
        return f"ran {size}"

    return run


def soon(work) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def answer_first(gateway, word: str) -> None:
    """What a person does who looks at what is open."""
    with GovClient(gateway.url) as person:
        while not (found := person.approvals()):
            time.sleep(0.02)
        getattr(person, word)(found[0].approval_id, found[0].job_hash, reason="looked")


def test_what_the_gateway_allows_runs_here_as_a_job(gateway) -> None:
    ran: list[Any] = []
    run = guarded_size(gateway.client, "infra.read", ran, report=lambda value: {"said": value})
    assert run(3) == "ran 3"
    (kept,) = gateway.behind.jobs.values()
    assert kept.job["state"] == "succeeded"
    assert kept.job["output"] == {"said": "ran 3"}
    assert kept.job["pool"].startswith("local.")
    order = [path.rsplit("/", 1)[-1] for _, path, _, _ in gateway.behind.calls]
    assert order == ["jobs", "lease", "heartbeat", "result"]


def test_each_call_has_a_pool_of_its_own(gateway) -> None:
    run = guarded_size(gateway.client, "infra.read", [])
    run(1)
    run(1)
    assert len({one.job["pool"] for one in gateway.behind.jobs.values()}) == 2


REFUSED = [
    ("infra.drop", {}, Denied),
    ("infra.burst", {}, Throttled),
    ("infra.audit", {}, Denied),
    ("infra.move", {}, Denied),
]


@pytest.mark.parametrize(("topic", "fields", "kind"), REFUSED)
def test_what_the_gateway_does_not_let_through_does_not_run(gateway, topic, fields, kind) -> None:
    ran: list[Any] = []
    with pytest.raises(kind):
        guarded_size(gateway.client, topic, ran, fixed=fields)(1)
    assert ran == []
    assert set(states(gateway)) <= {"cancelled"}


def test_a_limit_of_the_gateway_is_applied(gateway) -> None:
    ran: list[Any] = []
    guarded_size(gateway.client, "infra.copy", ran)(40)
    guarded_size(gateway.client, "infra.copy", ran)(40.5)
    assert ran == [10, 10.0]
    with pytest.raises(Denied):
        guarded_size(gateway.client, "infra.copy", ran, limits={})(40)
    assert len(ran) == 2


def test_a_person_approves_and_it_runs(gateway) -> None:
    ran: list[Any] = []
    production = {"environment": "production"}
    run = guarded_size(gateway.client, "infra.delete", ran, fixed=production)
    person = soon(lambda: answer_first(gateway, "approve"))
    assert run(1) == "ran 1"
    person.join()
    assert states(gateway) == ["succeeded"]


def test_a_person_rejects_and_it_does_not(gateway) -> None:
    ran: list[Any] = []
    production = {"environment": "production"}
    person = soon(lambda: answer_first(gateway, "reject"))
    with pytest.raises(Denied) as refused:
        guarded_size(gateway.client, "infra.delete", ran, fixed=production)(1)
    person.join()
    assert (ran, refused.value.reason) == ([], "looked")


def test_nobody_answers_and_the_job_is_withdrawn(gateway) -> None:
    ran: list[Any] = []
    road = ThroughGateway(gateway.client, wait_s=0.2)
    production = {"environment": "production"}
    with pytest.raises(ApprovalRequired) as refused:
        guarded_size(road, "infra.delete", ran, fixed=production)(1)
    assert refused.value.approval_id in gateway.behind.approvals
    assert (ran, states(gateway)) == ([], ["cancelled"])


def test_a_failure_is_reported_and_raised(gateway) -> None:
    @guarded("infra.read", gateway=gateway.client, fixed=OWN)
    def fail() -> None:
        raise KeyError("lost\x1b[31m")

    with pytest.raises(KeyError):
        fail()
    (kept,) = gateway.behind.jobs.values()
    assert (kept.job["state"], kept.job["reason"]) == ("failed", "KeyError: 'lost\\x1b[31m'")


DOUBTS = [
    ("lose", "/lease"),
    ("lose", "/heartbeat"),
    ("lose_answer", "/heartbeat"),
    ("lose_answer", "/lease"),
    ("lose", "/v1/jobs"),
    ("lose_answer", "/v1/jobs"),
]


@pytest.mark.parametrize(("what", "part"), DOUBTS)
def test_in_doubt_nothing_runs(gateway, what: str, part: str) -> None:
    getattr(gateway.faults, what)(part, times=99)
    ran: list[Any] = []
    hurried = GovClient(
        gateway.url, transport=gateway.client._http._transport, patience=Patience(2, 0.5)
    )
    road = ThroughGateway(hurried, wait_s=0.1)
    with pytest.raises(GovError) as refused:
        guarded_size(road, "infra.read", ran)(1)
    assert (type(refused.value), ran) == (Unavailable, [])


STARTS = [
    {"state": "cancelled", "cancel": True, "lease_s": 30},
    {"state": "running", "cancel": True, "lease_s": 30},
    {"state": "dispatched", "cancel": False, "lease_s": 30},
    {"state": "running", "cancel": False, "lease_s": 0},
    {"state": "running"},
    {},
]


@pytest.mark.parametrize("beat", STARTS)
def test_a_start_that_is_not_acknowledged_runs_nothing(gateway, beat) -> None:
    gateway.faults.planned += [("before", "/heartbeat", httpx.Response(200, json=beat))] * 9
    ran: list[Any] = []
    with pytest.raises(GovError):
        guarded_size(gateway.client, "infra.read", ran)(1)
    assert ran == []


def test_a_start_whose_answer_is_lost_once_is_asked_for_again(gateway) -> None:
    gateway.faults.lose_answer("/heartbeat")
    ran: list[Any] = []
    assert guarded_size(gateway.client, "infra.read", ran)(1) == "ran 1"
    assert ran == [1]


def test_another_request_than_was_asked_for_does_not_run(gateway) -> None:
    lease = gateway.behind._leased
    gateway.behind._leased = lambda kept: (
        lease(kept) | {"request": kept.request | {"environment": "production"}}
    )
    ran: list[Any] = []
    with pytest.raises(Denied) as refused:
        guarded_size(gateway.client, "infra.read", ran)(1)
    assert "`environment`" in refused.value.detail
    assert ran == []


def test_a_result_that_cannot_be_told_does_not_hide_the_value(gateway, caplog) -> None:
    gateway.faults.lose("/result", times=99)
    hurried = GovClient(
        gateway.url, transport=gateway.client._http._transport, patience=Patience(1, 0)
    )
    assert guarded_size(hurried, "infra.read", [])(1) == "ran 1"
    assert "was not reported" in caplog.text


def test_heartbeats_keep_a_lease_and_a_cancellation_arrives(hasty) -> None:
    seen = []
    with guard("infra.read", OWN, gateway=hasty.client) as permit:
        time.sleep(1.0)
        seen.append(states(hasty))
        with GovClient(hasty.url) as other:
            other.cancel(permit.job_id, "enough")
        assert permit.cancelled.wait(2)
    assert seen == [["running"]]
    assert states(hasty) == ["cancelled"]


def test_a_lost_lease_tells_the_work_to_stop(hasty) -> None:
    with guard("infra.read", OWN, gateway=hasty.client) as permit:
        hasty.faults.lose("/heartbeat", times=999)
        begun = time.monotonic()
        assert permit.cancelled.wait(5)
        assert time.monotonic() - begun < 2


def test_a_client_that_was_closed_cancels_what_runs_under_it(hasty) -> None:
    client = GovClient(hasty.url)
    with guard("infra.read", OWN, gateway=client) as permit:
        client.close()
        assert permit.cancelled.wait(5)


def test_a_coroutine_is_cancelled_with_its_job(hasty) -> None:
    ended = []

    @guarded("infra.read", gateway=hasty.client, fixed=OWN)
    async def endless() -> None:
        permit = current_permit()
        assert permit is not None
        with GovClient(hasty.url) as other:
            other.cancel(permit.job_id or "", "enough")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("stopped")

    with pytest.raises(Denied) as refused:
        asyncio.run(endless())
    assert (refused.value.code, ended) == ("cancelled", ["stopped"])


def test_a_caller_that_gives_up_withdraws_its_job(gateway) -> None:
    ran: list[Any] = []

    @guarded("infra.delete", gateway=gateway.client, fixed=OWN | {"environment": "production"})
    async def delete() -> None:
        ran.append(1)

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(delete(), 0.3)

    asyncio.run(impatient())
    until = time.monotonic() + 10
    while states(gateway) != ["cancelled"] and time.monotonic() < until:
        time.sleep(0.05)
    assert (ran, states(gateway)) == ([], ["cancelled"])


def test_a_permit_that_comes_too_late_is_given_back(gateway) -> None:
    ran: list[Any] = []
    block = guard("infra.read", OWN, gateway=gateway.client)
    permit = block.admit()
    assert states(gateway) == ["running"]
    block._abandon()
    assert (ran, states(gateway), permit.output) == ([], ["failed"], None)


def test_a_named_pool_serves_calls_side_by_side(gateway) -> None:
    road = ThroughGateway(gateway.client, pool="local.mine")
    together = threading.Barrier(4, timeout=20)
    ran: list[Any] = []

    @guarded("infra.read", gateway=road, request={"size": "size"}, fixed=OWN)
    def run(size: int) -> None:
        together.wait()
        permit = current_permit()
        assert permit is not None
        ran.append((size, permit.request["size"]))

    threads = [soon(lambda n=n: run(n)) for n in range(4)]
    for one in threads:
        one.join()
    assert sorted(ran) == [(n, n) for n in range(4)]
    assert {one.job["pool"] for one in gateway.behind.jobs.values()} == {"local.mine"}
    assert states(gateway) == ["succeeded"] * 4


def test_a_job_that_nobody_waits_for_is_never_started(gateway) -> None:
    gateway.client.submit(asked("infra.read"), pool="local.mine", run_id="old")
    ran: list[Any] = []
    road = ThroughGateway(gateway.client, pool="local.mine")
    assert guarded_size(road, "infra.read", ran)(1) == "ran 1"
    assert gateway.behind.jobs["old:read@1"].job["state"] == "dispatched"


def test_a_guarded_call_inside_another_is_its_child(gateway) -> None:
    inner = guarded_size(gateway.client, "infra.read", [])
    outer = guarded("infra.call", gateway=gateway.client, fixed=OWN)(lambda: inner(1))
    outer()
    parents = [one.job["parent_job_id"] for one in gateway.behind.jobs.values()]
    assert parents == [None, next(iter(gateway.behind.jobs))]


def test_what_the_block_says_is_reported(gateway) -> None:
    with guard("infra.read", OWN, gateway=gateway.client, payload={"p": 1}) as permit:
        permit.output = {"rows": 2}
        permit.used["tokens"] = 5
        permit.fields["size"] = 3
    (body,) = calls(gateway, "/result")
    assert body == {
        "outcome": "succeeded",
        "output": {"rows": 2},
        "used": {"tokens": 5},
        "fields": {"size": 3},
    }
    assert next(iter(gateway.behind.jobs.values())).payload == {"p": 1}
