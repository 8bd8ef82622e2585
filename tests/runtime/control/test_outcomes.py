"""The outcomes of both gates, every cell of the table: effect x gate x policy check x fail mode."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import httpx
import pytest
from control_plane import EFFECTS, Plane, approver, bundle_of, folder
from dripping import dripping

CHECK = "http://check.test/v1/policy/evaluate"

STATELESS = EFFECTS.replace("agent  : key", "agent  : text")

EFFECT = ("allow", "limit", "throttle", "human", "deny")


class Cell(NamedTuple):
    """What a gate makes of an effect."""

    status: int
    state: str | None
    event: str


SUBMIT = {
    "allow": Cell(202, "scheduled", "submitted"),
    "limit": Cell(202, "scheduled", "submitted"),
    "throttle": Cell(429, None, "submit_refused"),
    "human": Cell(202, "approval_required", "submitted"),
    "deny": Cell(403, None, "submit_refused"),
}
DISPATCH = {
    "allow": Cell(200, "dispatched", "step_dispatched"),
    "limit": Cell(200, "dispatched", "step_dispatched"),
    "throttle": Cell(200, "retrying", "postponed"),
    "human": Cell(200, "approval_required", "approval_requested"),
    "deny": Cell(200, "denied", "dispatch_refused"),
}
CLOSED = {
    "submit": Cell(503, None, "submit_refused"),
    "dispatch": Cell(200, "retrying", "postponed"),
}
OPEN = {
    "submit": Cell(202, "scheduled", "submitted"),
    "dispatch": Cell(200, "dispatched", "step_dispatched"),
}

Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Check(httpx.AsyncBaseTransport):
    """A policy check elsewhere that is healthy, slow, failing or gone."""

    def __init__(self, effect: str, health: str) -> None:
        self.effect = effect
        self.health = health
        self.asked = 0
        self._life = AsyncExitStack()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        match self.health:
            case "slow":
                return await self._slow(request)
            case "failing":
                return httpx.Response(500, text="no")
            case "garbled":
                return httpx.Response(200, json={"decision": "perhaps"})
            case "gone":
                raise httpx.ConnectError("nobody there", request=request)
            case _:
                return httpx.Response(200, json=decision(self.effect))

    async def _slow(self, request: httpx.Request) -> httpx.Response:
        """The answer of a check that is there, and drips."""
        url = await self._life.enter_async_context(dripping(decision(self.effect)))
        real = await self._life.enter_async_context(httpx.AsyncHTTPTransport())
        return await real.handle_async_request(
            httpx.Request("POST", url, content=request.content, extensions=request.extensions)
        )

    async def aclose(self) -> None:
        await self._life.aclose()


def decision(effect: str) -> dict[str, Any]:
    """What the check answers."""
    word = {"human": "require_human"}.get(effect, effect)
    duties: dict[str, list[dict[str, Any]]] = {
        "limit": [{"limit": "amount", "to": 10}],
        "throttle": [{"retry_ms": 7000}],
        "human": [{"require": ["lead"], "expires_ms": 600_000}],
    }
    return {
        "decision": word,
        "rule_id": "remote",
        "reason": "said the check",
        "obligations": duties.get(effect, []),
        "matched": ["remote"],
        "policy_snapshot": "sha256:" + "1" * 64,
        "params_hash": "sha256:" + "2" * 64,
    }


def settings(mode: str) -> dict[str, Any]:
    """Settings with a check elsewhere, which has a tenth of a second."""
    reason = {"policy_check_fail_open_reason": "the check is being moved"} if mode == "open" else {}
    return {
        "policy_check_url": CHECK,
        "policy_check_timeout_s": 0.1,
        "policy_check_fail_mode": mode,
        **reason,
    }


def last(plane: Plane) -> dict[str, Any]:
    """The newest record that is no round of housekeeping."""
    records = [json.loads(one) for one in plane.service.rows.lines(1)]
    return next(r for r in reversed(records) if r["run_timeline_event"] != "dead_lettered")  # type: ignore[no-any-return]


@pytest.mark.parametrize("mode", ["closed", "open"])
@pytest.mark.parametrize("health", ["healthy", "slow", "failing", "garbled", "gone"])
@pytest.mark.parametrize("effect", EFFECT)
def test_the_submit_gate_answers_as_the_table_says(effect: str, health: str, mode: str) -> None:
    expected = (
        SUBMIT[effect] if health == "healthy" else (OPEN if mode == "open" else CLOSED)["submit"]
    )

    async def scenario() -> None:
        check = Check(effect, health)
        with folder() as place:
            async with Plane(
                place, bundle_of(STATELESS), settings(mode), parts={"transport": check}
            ) as plane:
                answer = await plane.submit("a1", "x", 50)
                assert isinstance(answer.body, dict)
                record = last(plane)
                assert answer.status == expected.status, answer
                assert answer.body.get("state") == expected.state
                assert record["run_timeline_event"] == expected.event
                assert check.asked == 1
                stored = plane.service.rows.counts()
                assert sum(stored.values()) == (1 if expected.state else 0)
                if answer.status in (429, 503):
                    assert int(answer.headers["retry-after"]) >= 1
                if health != "healthy":
                    rule = "fail_open" if mode == "open" else "policy_unavailable"
                    assert record["rule_id"] == rule
                    assert ("the check is being moved" in json.dumps(answer.body)) is (
                        mode == "open"
                    )

    asyncio.run(scenario())


@pytest.mark.parametrize("mode", ["closed", "open"])
@pytest.mark.parametrize("health", ["healthy", "slow", "failing", "garbled", "gone"])
@pytest.mark.parametrize("effect", EFFECT)
def test_the_dispatch_gate_does_as_the_table_says(effect: str, health: str, mode: str) -> None:
    expected = (
        DISPATCH[effect]
        if health == "healthy"
        else (OPEN if mode == "open" else CLOSED)["dispatch"]
    )

    async def scenario() -> None:
        check = Check("allow", "healthy")
        with folder() as place:
            async with Plane(
                place, bundle_of(STATELESS), settings(mode), parts={"transport": check}
            ) as plane:
                answer = await plane.submit("a1", "x", 50)
                assert isinstance(answer.body, dict)
                job_id = answer.body["job_id"]
                check.effect, check.health = effect, health
                given = await plane.lease()
                assert plane.state(job_id) == expected.state
                assert bool(given) is (expected.state == "dispatched")
                if given and effect == "limit" and health == "healthy":
                    assert given[0]["request"]["amount"] == 10
                record = last(plane)
                assert record["run_timeline_event"] == expected.event
                job = plane.service.rows.job(job_id)
                assert job is not None
                is_counted = health != "healthy" and mode == "closed"
                assert job.tries == (1 if is_counted else 0)
                assert bool(plane.service.rows.letters(9)) is (expected.state == "denied")
                if effect == "throttle" and health == "healthy":
                    assert job.due_ms == plane.clock() + 7000

    asyncio.run(scenario())


@pytest.mark.parametrize("health", ["slow", "failing", "gone"])
def test_what_waits_for_a_person_waits_though_the_fail_mode_is_open(health: str) -> None:
    async def scenario() -> None:
        check = Check("human", "healthy")
        with folder() as place:
            async with Plane(
                place, bundle_of(STATELESS), settings("open"), parts={"transport": check}
            ) as plane:
                answer = await plane.submit("a1", "x")
                assert isinstance(answer.body, dict)
                check.health = health
                assert await plane.lease() == []
                assert plane.state(answer.body["job_id"]) == "approval_required"

    asyncio.run(scenario())


def test_fifty_unanswered_attempts_end_in_a_dead_letter() -> None:
    async def scenario() -> None:
        check = Check("allow", "healthy")
        with folder() as place:
            options = settings("closed") | {"retry_budget": 50}
            async with Plane(
                place, bundle_of(STATELESS), options, parts={"transport": check}
            ) as plane:
                answer = await plane.submit("a1", "x")
                assert isinstance(answer.body, dict)
                job_id = answer.body["job_id"]
                check.health = "gone"
                waits = []
                for _ in range(50):
                    assert plane.state(job_id) in ("scheduled", "retrying")
                    assert await plane.lease() == []
                    job = plane.service.rows.job(job_id)
                    assert job is not None
                    waits.append(job.due_ms - plane.clock())
                    plane.clock.forward(31)
                assert plane.state(job_id) == "timed_out"
                (letter,) = plane.service.rows.letters(9)
                assert "no answer after 50 attempts" in letter.reason
                assert all(500 * 2**n <= wait <= 1000 * 2**n for n, wait in enumerate(waits[:5]))
                assert all(15_000 <= wait <= 30_000 for wait in waits[5:49])
                assert check.asked < 50, "the breaker keeps a check that fails unasked"

    asyncio.run(scenario())


LOCAL = {effect: f"{effect}.x" for effect in EFFECT}


@pytest.mark.parametrize("effect", EFFECT)
def test_the_table_in_process_gives_the_same_outcomes(effect: str) -> None:
    async def scenario() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(EFFECTS)) as plane:
                answer = await plane.submit("a1", LOCAL[effect], 50)
                assert isinstance(answer.body, dict)
                expected = SUBMIT[effect]
                assert (answer.status, answer.body.get("state")) == (
                    expected.status,
                    expected.state,
                )
                if effect == "human":
                    (one,) = plane.service.rows.approvals("open", 9)
                    body = {"job_hash": one.job_hash}
                    await plane.service.approve(approver("bob", "lead"), one.approval_id, body)
                given = await plane.lease()
                assert len(given) == (0 if effect in ("throttle", "deny") else 1)
                if effect == "limit":
                    assert given[0]["request"]["amount"] == 10
                    assert given[0]["limits"] == {"pace": {"to": 3}}
                if effect == "deny":
                    assert answer.body["remedy"] == "ask for less"

    asyncio.run(scenario())
