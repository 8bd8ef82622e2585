"""What approvers see: all that the hash covers; and lists, however long, to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from control_plane import EFFECTS, OPERATOR, Plane, agent, approver, bundle_of, folder

from govlang.runtime.control import asked, jobs
from govlang.runtime.control.job import Intent, hash_job
from govlang.runtime.evidence.record import written
from govlang.runtime.http import replies

LEAD = approver("bob", "lead")


def play(scenario: Callable[[Plane], Awaitable[None]]) -> None:
    async def whole() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(EFFECTS)) as plane:
                await scenario(plane)

    asyncio.run(whole())


def detail(plane: Plane, approval_id: str) -> dict[str, Any]:
    answer = plane.service.approval(LEAD, approval_id)
    assert answer.status == 200
    assert isinstance(answer.body, dict)
    replies.Approval.model_validate(answer.body)
    return answer.body


def listed(plane: Plane, state: str | None = "open", after: str | None = None) -> dict[str, Any]:
    answer = plane.service.approvals(LEAD, state, after)
    assert isinstance(answer.body, dict)
    replies.Approvals.model_validate(answer.body)
    return answer.body


def hashed(one: dict[str, Any]) -> str:
    """The hash of what an approver sees."""
    undo = one["undo"]
    intent = Intent(
        written(one["request"]),
        one["payload"],
        one["pool"],
        None if undo is None else {**undo, "request": written(undo["request"])},
    )
    return hash_job(intent, one["agent"], one["run_id"], one["step"], tuple(one["delegation"]))


async def delegated(plane: Plane, payload: Any) -> str:
    """An approval of a job that was handed on and has an undo."""
    await plane.submit("planner", "allow.plan", run_id="r", step="plan")
    (job,) = await plane.lease(who="ops")
    await plane.begin(job, "ops")
    undo = {
        "request": {"agent": "ops", "topic": "allow.y", "amount": 3},
        "payload": [1],
        "pool": "q",
    }
    request = {"agent": "ops", "topic": "human.x", "amount": 7}
    body = {"request": request, "payload": payload, "pool": "p", "undo": undo}
    body["parent_job_id"] = job["job_id"]
    answer = await plane.service.submit(agent("ops"), body, "k")
    assert isinstance(answer.body, dict)
    assert answer.status == 202, answer
    return str(answer.body["approval_id"])


def test_an_approver_sees_all_that_the_hash_covers() -> None:
    async def scenario(plane: Plane) -> None:
        approval_id = await delegated(plane, {"cmd": "rm -rf /", "n": [0.5, None]})
        one = detail(plane, approval_id)
        assert hashed(one) == one["job_hash"]
        assert (one["payload"], one["pool"]) == ({"cmd": "rm -rf /", "n": [0.5, None]}, "p")
        assert (one["delegation"], one["run_id"]) == (["planner"], "r")
        assert one["undo"]["request"]["amount"] == 3
        assert one["decision"]["rule_id"] == "asks"
        assert one["whole"]
        assert listed(plane)["approvals"] == [one]

    play(scenario)


def test_a_long_payload_is_left_out_of_the_list_which_says_so() -> None:
    async def scenario(plane: Plane) -> None:
        approval_id = await delegated(plane, "x" * asked.SHOWN_MAX)
        one, whole = listed(plane)["approvals"][0], detail(plane, approval_id)
        assert (one["whole"], one["payload"], one["undo"]) == (False, None, None)
        assert (whole["whole"], len(whole["payload"])) == (True, asked.SHOWN_MAX)
        assert hashed(whole) == whole["job_hash"] == one["job_hash"]

    play(scenario)


def test_an_approval_that_is_none_is_not_found() -> None:
    async def scenario(plane: Plane) -> None:
        answer = plane.service.approval(LEAD, "apr_0")
        assert isinstance(answer.body, dict)
        assert (answer.status, answer.body["field"]) == (404, "approval_id")

    play(scenario)


@pytest.mark.parametrize("state", ["open", None])
def test_a_thousand_approvals_of_one_agent_hide_nobody_elses(
    state: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "LISTED_MAX", 7)

    async def scenario(plane: Plane) -> None:
        made = []
        for number in range(24):
            answer = await plane.submit("a1" if number < 23 else "a2", "human.x")
            assert isinstance(answer.body, dict)
            made.append(answer.body["approval_id"])
            if number % 5 == 0:
                plane.clock.forward(1)
        seen: list[str] = []
        after = None
        for _ in range(4):
            page = listed(plane, state, after)
            seen += [one["approval_id"] for one in page["approvals"]]
            after = page["more"]
        assert after is None
        assert sorted(seen) == sorted(made), "each once"
        times = [detail(plane, one)["created_ms"] for one in seen]
        assert times == sorted(times, reverse=state is None)

    play(scenario)


def test_dead_letters_are_listed_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LISTED_MAX", 3)

    async def scenario(plane: Plane) -> None:
        for number in range(9):
            await plane.submit("a1", f"allow.t{number}")
            (job,) = await plane.lease()
            await plane.begin(job)
            await plane.end(job, "failed", error="x")
        seen: list[str] = []
        after = None
        for more in (True, True, False):
            answer = plane.service.letters(OPERATOR, after)
            assert isinstance(answer.body, dict)
            replies.Letters.model_validate(answer.body)
            seen += [one["job_id"] for one in answer.body["letters"]]
            after = answer.body["more"]
            assert (after is not None) == more
        assert len(set(seen)) == len(seen) == 9

    play(scenario)
