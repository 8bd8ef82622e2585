"""Clients, guards and workers against a real gateway."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_policy import OPS, asked
from real_gateway import Real, real_gateway

from govlang.client import (
    ApprovalRequired,
    Denied,
    Forbidden,
    GovClient,
    Invalid,
    LeaseLost,
    Throttled,
    ThroughGateway,
    current_permit,
    guard,
    guarded,
)

OWN = asked("x")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    place = tmp_path_factory.mktemp("real")
    (place / "ops.gov").write_text(OPS)
    gov = Path(sys.executable).parent / "gov"
    subprocess.run(
        [gov, "build", "ops.gov", "-o", "dist"], cwd=place, check=True, capture_output=True
    )
    with real_gateway(place / "dist" / "ops-1.0.0.govb", place / "data") as made:
        yield made


@pytest.fixture
def client(real: Real) -> Iterator[GovClient]:
    with GovClient(real.url, real.agent) as made:
        yield made


def test_a_real_job_goes_all_the_way(client: GovClient) -> None:
    made = client.submit(asked("infra.copy", size=40), pool="ops", payload=[1], run_id="all")
    assert (made.job_id, made.state) == ("all:copy@1", "scheduled")
    (lease,) = client.lease("ops", "w1", wait_s=10)
    assert (lease.job_id, lease.request["size"], lease.payload) == (made.job_id, 10, [1])
    assert client.heartbeat(lease.lease_id, started=True).state == "running"
    done = client.result(lease.lease_id, "succeeded", output={"n": 1})
    assert done == client.result(lease.lease_id, "succeeded", output={"n": 1})
    assert client.wait(made.job_id, 5).output == {"n": 1}
    assert client.heartbeat(lease.lease_id).state == "succeeded"
    with pytest.raises(LeaseLost):
        client.heartbeat("lease_" + "0" * 32, started=True)
    assert client.timeline("all")


def test_real_refusals_are_of_their_kind(client: GovClient, real: Real) -> None:
    with pytest.raises(Denied) as refused:
        client.submit(asked("infra.drop"), pool="ops")
    assert (refused.value.rule_id, refused.value.reason) == ("kept_out", "Never here")
    with pytest.raises(Throttled) as wait:
        client.submit(asked("infra.burst"), pool="ops")
    assert wait.value.retry_after_s == 30
    with pytest.raises(Invalid):
        client.submit(asked("infra.read", size=0.3), pool="ops")
    with pytest.raises(Forbidden):
        client.submit(asked("infra.read", agent="somebody else"), pool="ops")
    with pytest.raises(Forbidden):
        client.letters()
    with GovClient(real.url, "gov_none_at_all") as nobody, pytest.raises(Forbidden):
        nobody.policy()


def test_the_methods_of_an_operator_are_understood(real: Real) -> None:
    with GovClient(real.url, real.operator) as operator:
        assert operator.policy().policy == "ops"
        assert operator.evaluate(asked("infra.read")).decision == "allow"
        (one,) = operator.simulate([{"request": asked("infra.drop")}])
        assert one.rule_id == "kept_out"
        for name in ("a9", "team/a9", "a%2F9?"):
            assert operator.suspend(name, "a test").suspended
            assert not operator.reinstate(name, "a test").suspended
        assert operator.force_open("policy_check", "a test")["state"] == "forced"
        assert operator.release("policy_check", "a test")["state"] == "open"
        assert len(operator.tokens()) >= 3
        assert operator.records(1, 3)
        assert operator.health()["status"] == "ok"
        assert operator.ready()["status"] == "ready"
        assert "gov" in operator.metrics()
        assert isinstance(operator.letters(), tuple)


def test_a_guarded_function_runs_under_a_real_job(client: GovClient) -> None:
    @guarded(
        "infra.copy",
        gateway=client,
        request={"size": "size"},
        fixed={"agent": "a1", "environment": "staging"},
        report=lambda value: {"copied": value},
    )
    def copy(size: int) -> int:
        return size

    assert copy(40) == 10


def test_a_real_limit_of_an_output_is_kept_to(client: GovClient) -> None:
    @guarded("infra.move", gateway=client, fixed=OWN, limits={"speed": "pace"})
    async def move(pace: int) -> int:
        return pace

    assert asyncio.run(move(9)) == 2


def test_a_real_action_is_carried_out_or_denies(client: GovClient) -> None:
    done = []
    with pytest.raises(Denied), guard("infra.audit", OWN, gateway=client):
        pytest.fail("it ran")
    told = {"notify": lambda args, for_ms: done.append((dict(args), for_ms))}
    with guard("infra.audit", OWN, gateway=client, actions=told) as permit:
        pass
    assert done == [({"team": "sre"}, 600_000)]
    assert client.wait(permit.job_id or "", 5).state == "succeeded"


def test_a_person_approves_a_real_guarded_call(client: GovClient, real: Real) -> None:
    production = OWN | {"environment": "production"}

    def approve() -> None:
        with GovClient(real.url, real.approver) as person:
            while not (found := person.approvals()):
                time.sleep(0.05)
            person.approve(found[0].approval_id, found[0].job_hash)

    person = threading.Thread(target=approve)
    person.start()
    with guard("infra.delete", production, gateway=client) as permit:
        assert current_permit() is permit
    person.join()
    assert client.wait(permit.job_id or "", 5).state == "succeeded"

    road = ThroughGateway(client, wait_s=0)
    with (
        pytest.raises(ApprovalRequired) as refused,
        guard("infra.delete", production, gateway=road),
    ):
        pytest.fail("it ran")
    assert client.job(refused.value.job_id or "").state == "cancelled"


def test_a_real_cancellation_is_told_at_the_next_heartbeat(client: GovClient) -> None:
    made = client.submit(asked("infra.read"), pool="ops2")
    (lease,) = client.lease("ops2", "w1", wait_s=10)
    client.heartbeat(lease.lease_id, started=True)
    client.cancel(made.job_id, "enough")
    beat = client.heartbeat(lease.lease_id)
    assert beat.cancel
    assert beat.state == "cancelled"
