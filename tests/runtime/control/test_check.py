"""A policy check elsewhere: what callers send cannot make it look broken, and open never means unread."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from control_life import BUDGET
from control_plane import EFFECTS, OPERATOR, Plane, agent, approver, bundle_of

STATELESS = EFFECTS.replace("agent  : key", "agent  : text")


class Check(httpx.AsyncBaseTransport):
    """Says what it is told to."""

    def __init__(self, status: int = 200, **said: Any) -> None:
        self.status = status
        self.asked = 0
        self.said = {
            "decision": "allow",
            "rule_id": "remote",
            "reason": "",
            "obligations": [],
            "matched": [],
            "policy_snapshot": "sha256:" + "1" * 64,
            "params_hash": "sha256:" + "2" * 64,
        } | said

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        self.asked += 1
        return httpx.Response(self.status, json=self.said)


def plane(place: Path, check: Check, mode: str = "open") -> Plane:
    settings = {"policy_check_url": "http://check.test/", "policy_check_fail_mode": mode}
    if mode == "open":
        settings["policy_check_fail_open_reason"] = "a test"
    return Plane(place, bundle_of(STATELESS), settings, parts={"transport": check})


@pytest.mark.parametrize(
    "more", [{"amount": 5000}, {"amount": "1"}, {"colour": "red"}, {"topic": 3}]
)
def test_requests_that_cannot_be_read_do_not_open_the_breaker(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    async def scenario() -> None:
        check = Check(422, code="invalid_request", detail="no", rule_id="invalid_request")
        async with plane(tmp_path, check) as one:
            for n in range(5):
                asked = {"agent": "a1", "topic": "x", "amount": 1, **more}
                body = {"request": asked, "payload": None, "pool": "p"}
                answer = await one.service.submit(agent("a1"), body, f"k{n}")
                assert isinstance(answer.body, dict)
                assert (answer.status, answer.body["code"]) == (422, "invalid_request")
            assert one.service.breaker.state("policy_check") == "closed"
            assert one.events().count("invalid") == 5

    asyncio.run(scenario())


def test_what_the_check_elsewhere_cannot_read_is_refused_and_is_an_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check(422, code="invalid_request", detail="`amount` is missing")
        async with plane(tmp_path, check) as one:
            for _ in range(5):
                answer = await one.submit("a1", "x")
                assert (answer.status, check.asked > 0) == (422, True)
            assert one.service.breaker.state("policy_check") == "closed"

    asyncio.run(scenario())


def test_open_lets_nothing_through_that_the_table_cannot_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with plane(tmp_path, Check(500)) as one:
            assert (await one.submit("a1", "x", 5000)).status == 422
            assert (await one.submit("a1", "x", 5)).status == 202

    asyncio.run(scenario())


def test_open_is_no_approval_once_the_approval_has_expired(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check(decision="require_human", obligations=[{"require": ["lead"]}])
        async with plane(tmp_path, check) as one:
            assert (await one.submit("a1", "x")).status == 202
            (asked,) = one.service.rows.approvals("open", 9)
            body = {"job_hash": asked.job_hash}
            await one.service.approve(approver("bob", "lead"), asked.approval_id, body)
            assert one.state(asked.job_id) == "scheduled"
            check.status = 500
            one.clock.forward(90_000)
            assert await one.lease() == []
            assert one.state(asked.job_id) == "retrying"

    asyncio.run(scenario())


def test_a_retry_asks_the_check_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        check = Check()
        async with plane(tmp_path, check, "closed") as one:
            answer = await one.submit("a1", "allow.x")
            assert isinstance(answer.body, dict)
            check.said["decision"] = "deny"
            assert await one.lease() == []
            assert one.state(answer.body["job_id"]) == "denied"
            again = await one.service.retry(OPERATOR, answer.body["job_id"])
            assert again.status == 403, again

    asyncio.run(scenario())


def test_a_policy_that_remembers_is_not_published_where_another_decides(tmp_path: Path) -> None:
    async def scenario() -> None:
        remembers = BUDGET.replace("policy budget", "policy effects")
        async with plane(tmp_path, Check()) as one:
            answer = await one.service.publish(
                OPERATOR, bundle_of(remembers), allow_looser=True, reason="try"
            )
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (422, "bad_bundle")

    asyncio.run(scenario())


def test_a_policy_of_another_name_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            before = one.service.judge.policy.snapshot
            answer = await one.service.publish(
                OPERATOR, bundle_of(BUDGET), allow_looser=True, reason="try"
            )
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (422, "bad_bundle"), answer
            assert one.service.judge.policy.snapshot == before

    asyncio.run(scenario())


def test_a_host_that_fails_to_say_what_it_knows_is_a_check_without_an_answer(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        broken = False

        def context(name: str, request: Any) -> dict[str, Any]:
            del name, request
            if broken:
                raise KeyError("the host's own fault")
            return {}

        async with Plane(tmp_path, bundle_of(EFFECTS), parts={"context": context}) as one:
            first = await one.submit("a1", "allow.x")
            assert isinstance(first.body, dict)
            broken = True
            answer = await one.submit("a1", "allow.x")
            assert isinstance(answer.body, dict)
            assert (answer.status, answer.body["code"]) == (503, "policy_unavailable")
            assert await one.lease() == []
            assert one.state(first.body["job_id"]) == "retrying"
            records = [json.loads(line) for line in one.service.rows.lines(1)]
            assert records[-1]["run_timeline_event"] == "postponed"

    asyncio.run(scenario())


def test_work_ends_and_questions_are_answered_while_the_host_does_not_say_what_it_knows(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        broken = False

        def context(name: str, request: Any) -> dict[str, Any]:
            del name, request
            if broken:
                raise KeyError("the host's own fault")
            return {}

        parts = {"context": context}
        async with Plane(tmp_path, bundle_of(BUDGET), parts=parts) as one:
            request = {"agent": "a1", "topic": "t", "amount": 1, "note": "x"}
            body = {"request": request, "payload": None, "pool": "p"}
            for key in ("k1", "k2", "k3"):
                await one.service.submit(agent("a1"), body, key)
            first, second, _ = await one.lease(3)
            await one.begin(first)
            await one.begin(second)
            broken = True
            assert (await one.end(first)).status == 200
            one.clock.forward(31)
            await one.reconcile()
            assert one.state(second["job_id"]) == "timed_out"
            for record in (False, True):
                asked = await one.service.evaluate(agent("a1"), {"request": request}, record=record)
                assert asked.status == 503
            many = await one.service.simulate(OPERATOR, {"requests": [{"request": request}]})
            assert many.status == 503

    asyncio.run(scenario())
