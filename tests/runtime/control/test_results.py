"""What workers say of jobs: values that the policy cannot take are refused, and nothing keeps a job from ending."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from control_life import BUDGET
from control_plane import OPERATOR, Plane, agent, bundle_of

from govlang.runtime.control.office import Office

CODED = """language 1
policy budget version "2.0.0"
default allow

input {
  agent : key
  topic : text
}
event success after dispatched
event failure after dispatched { code : number in 0..9 }

rule bad when count(failure) since success >= 3 deny
"""

NAMED_OTHERWISE = BUDGET.replace('"1.0.0"', '"3.0.0"').replace("amount", "cost")


class Counted:
    """How often the service made its memory anew: it costs everybody, so nobody may cause it at will."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        abandon = Office.abandon

        def counted(office: Office) -> None:
            self.times += 1
            abandon(office)

        monkeypatch.setattr(Office, "abandon", counted)


@pytest.fixture
def abandoned(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def coded(place: Path) -> Plane:
    return Plane(place, bundle_of(CODED))


async def running(one: Plane, request: dict[str, Any]) -> dict[str, Any]:
    body = {"request": {"agent": "a1", "topic": "t", **request}, "payload": None, "pool": "p"}
    answer = await one.service.submit(agent("a1"), body, "k")
    assert answer.status == 202, answer
    (job,) = await one.lease()
    assert (await one.begin(job)).status == 200
    return job


def test_a_worker_that_vanished_is_timed_out_though_its_failure_cannot_be_told(
    tmp_path: Path, abandoned: Counted
) -> None:
    async def scenario() -> None:
        async with coded(tmp_path) as one:
            job = await running(one, {})
            one.clock.forward(31)
            await one.reconcile()
            assert one.state(job["job_id"]) == "timed_out"
            assert "untold" in one.events()
            assert abandoned.times == 0

    asyncio.run(scenario())


def test_an_agent_is_suspended_though_the_failure_of_its_work_cannot_be_told(
    tmp_path: Path, abandoned: Counted
) -> None:
    async def scenario() -> None:
        async with coded(tmp_path) as one:
            job = await running(one, {})
            answer = await one.service.suspend(OPERATOR, "a1", "it runs wild")
            assert answer.status == 200
            assert one.state(job["job_id"]) == "cancelled"
            assert abandoned.times == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"fields": {"code": 10}}, "fields.code"),
        ({"fields": {"code": "x"}}, "fields.code"),
        ({"fields": {"code": Decimal("0.5")}}, "fields.code"),
        ({"fields": {}}, "fields.code"),
    ],
)
def test_a_result_that_the_policy_cannot_take_is_refused_with_its_field(
    tmp_path: Path, abandoned: Counted, more: dict[str, Any], field: str
) -> None:
    async def scenario() -> None:
        async with coded(tmp_path) as one:
            job = await running(one, {})
            answer = await one.end(job, "failed", **more)
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["field"]) == (422, field)
            assert one.state(job["job_id"]) == "running"
            assert (await one.end(job, "failed", fields={"code": 3})).status == 200
            assert abandoned.times == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("used", [-5, 2000, Decimal("0.3"), Decimal("1E+400"), "abc"])
def test_amounts_that_nothing_can_use_are_refused(
    tmp_path: Path, abandoned: Counted, used: Any
) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            job = await running(one, {"amount": 30, "note": "x"})
            answer = await one.end(job, used={"amount": used})
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["field"]) == (422, "used.amount")
            assert (await one.end(job, used={"amount": 40})).status == 200
            assert abandoned.times == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("source", [CODED, NAMED_OTHERWISE])
@pytest.mark.parametrize("end", ["succeeded", "lapse", "cancel"])
def test_work_ends_under_a_policy_that_knows_other_events_and_amounts(
    tmp_path: Path, abandoned: Counted, source: str, end: str
) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(BUDGET)) as one:
            job = await running(one, {"amount": 30, "note": "x"})
            published = await one.service.publish(
                OPERATOR, bundle_of(source), allow_looser=True, reason="another"
            )
            assert published.status == 200, published
            if end == "lapse":
                one.clock.forward(31)
                await one.reconcile()
            elif end == "cancel":
                await one.service.cancel(OPERATOR, job["job_id"], "enough")
            else:
                assert (await one.end(job, end)).status == 200
            assert one.service.rows.job(job["job_id"]).has_ended  # type: ignore[union-attr]
            assert abandoned.times == 0

    asyncio.run(scenario())
