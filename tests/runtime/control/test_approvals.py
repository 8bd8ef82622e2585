"""Approvals: what people may say, and what an approval lets through; every attack on it fails."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from control_plane import EFFECTS, OPERATOR, Plane, agent, approver, bundle_of, folder

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.job import Approval

Scenario = Callable[[Plane], Awaitable[None]]


def play(scenario: Scenario, **settings: Any) -> None:
    async def whole() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(EFFECTS), settings) as plane:
                await scenario(plane)

    asyncio.run(whole())


async def asked(
    plane: Plane, topic: str = "human.x", who: str = "a1", **more: Any
) -> tuple[str, Approval]:
    """A job that waits for a person."""
    answer = await plane.submit(who, topic, **more)
    assert isinstance(answer.body, dict)
    assert (answer.status, answer.body["state"]) == (202, "approval_required")
    found = plane.service.rows.approval(answer.body["approval_id"])
    assert found is not None
    return answer.body["job_id"], found


async def say(
    plane: Plane, one: Approval, who: str, *roles: str, word: str = "approve", **body: Any
) -> Answer:
    caller = approver(who, *roles)
    said = {"job_hash": one.job_hash, **body}
    act = plane.service.approve if word == "approve" else plane.service.reject
    return await act(caller, one.approval_id, said)


def code(answer: Answer) -> str:
    assert isinstance(answer.body, dict)
    return str(answer.body.get("code", ""))


def alter(plane: Plane, statement: str, *values: Any) -> None:
    """Change the store behind the service's back, as whoever can write to its disk."""
    with sqlite3.connect(plane.folder / "gov.db") as database:
        assert database.execute(statement, values).rowcount == 1


def test_an_approved_job_is_dispatched_once_and_says_who_approved_it() -> None:
    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        assert await plane.lease() == []
        assert (await say(plane, one, "bob", "lead")).status == 200
        given = await plane.lease(5)
        assert [job["job_id"] for job in given] == [job_id]
        records = [json.loads(line) for line in plane.service.rows.lines(1)]
        record = next(r for r in records if r["run_timeline_event"] == "step_dispatched")
        assert (record["decision"], record["approver"]) == ("REQUIRE_HUMAN", "bob")
        assert record["labels"]["approval_granted"] == "true"
        used = plane.service.rows.approval(one.approval_id)
        assert used is not None
        assert used.state == "consumed"

    play(scenario)


def test_a_rule_that_names_two_roles_wants_two_people() -> None:
    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane, "both.x")
        first = await say(plane, one, "bob", "lead", "owner", role="lead")
        assert first.body["missing"] == ["owner"]  # type: ignore[index,call-overload]
        again = await say(plane, one, "bob", "lead", "owner", role="owner")
        assert again.body["missing"] == ["owner"], "one person is one grant"  # type: ignore[index,call-overload]
        assert await plane.lease() == []
        assert (await say(plane, one, "eve", "owner")).body["missing"] == []  # type: ignore[index,call-overload]
        assert [job["job_id"] for job in await plane.lease()] == [job_id]

    play(scenario)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "its own agent": ({"who": "a1", "roles": ("lead",)}, "own_approval"),
    "another role": ({"who": "bob", "roles": ("finance",)}, "forbidden"),
    "no role": ({"who": "bob", "roles": ()}, "forbidden"),
    "another hash": (
        {"who": "bob", "roles": ("lead",), "job_hash": "sha256:" + "0" * 64},
        "conflict",
    ),
    "a role that is not asked for": (
        {"who": "bob", "roles": ("lead",), "role": "owner"},
        "forbidden",
    ),
}


@pytest.mark.parametrize("word", ["approve", "reject"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_word_that_does_not_count_changes_nothing(name: str, word: str) -> None:
    given, expected = REFUSED[name]

    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        rest = {k: v for k, v in given.items() if k not in ("who", "roles")}
        before = plane.service.office.chronicle.head
        answer = await say(plane, one, given["who"], *given["roles"], word=word, **rest)
        assert code(answer) == expected
        assert plane.service.office.chronicle.head == before
        assert plane.state(job_id) == "approval_required"
        assert plane.service.rows.approval(one.approval_id) == one

    play(scenario)


def test_whoever_handed_a_job_on_does_not_approve_it() -> None:
    async def scenario(plane: Plane) -> None:
        await plane.submit("planner", "allow.plan", run_id="r", step="plan")
        (job,) = await plane.lease(who="ops")
        await plane.begin(job, "ops")
        _, one = await asked(plane, who="ops", parent_job_id=job["job_id"])
        assert code(await say(plane, one, "planner", "lead")) == "own_approval"
        assert code(await say(plane, one, "ops", "lead")) == "own_approval"
        assert (await say(plane, one, "bob", "lead")).status == 200

    play(scenario)


def test_an_approval_that_was_used_lets_nothing_more_through() -> None:
    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        await say(plane, one, "bob", "lead")
        (given,) = await plane.lease()
        plane.clock.forward(31)
        await plane.reconcile()
        assert plane.state(job_id) == "retrying", "the worker had not begun"
        plane.clock.forward(31)
        assert await plane.lease() == []
        assert plane.state(job_id) == "approval_required", "another approval is asked for"
        assert given["job_id"] == job_id
        assert (await say(plane, one, "bob", "lead")).status == 200, (
            "said again: the same answer, no grant"
        )
        assert await plane.lease() == []

    play(scenario)


def test_an_approval_that_expired_lets_nothing_through() -> None:
    async def scenario(plane: Plane) -> None:
        waiting, never = await asked(plane)
        approved, late = await asked(plane)
        await say(plane, late, "bob", "lead")
        plane.clock.forward(601)
        assert code(await say(plane, never, "bob", "lead")) == "approval_closed"
        assert await plane.lease(9) == []
        assert plane.state(approved) == "approval_required", "a new approval is asked for"
        await plane.reconcile()
        assert plane.state(waiting) == "timed_out"
        assert "approval_expired" in plane.events()

    play(scenario)


def test_a_rejected_job_is_denied_and_stays_so() -> None:
    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        assert (await say(plane, one, "bob", "lead", word="reject", reason="no")).status == 200
        assert plane.state(job_id) == "denied"
        assert code(await say(plane, one, "bob", "lead")) == "approval_closed"
        assert await plane.lease(9) == []
        assert [letter.reason for letter in plane.service.rows.letters(9)] == ["no"]

    play(scenario)


def test_a_label_in_the_request_approves_nothing() -> None:
    async def scenario(plane: Plane) -> None:
        request = {"agent": "a1", "topic": "human.x", "amount": 1, "approved": ["lead"]}
        body = {"request": request, "payload": {"approved": True}, "pool": "p"}
        answer = await plane.service.submit(agent("a1"), body, "forged")
        assert (answer.status, code(answer)) == (422, "invalid_request")
        assert plane.events()[-1] == "invalid", "it is recorded"
        assert plane.service.rows.counts() == {}, "and not stored"

    play(scenario)


SWAPS = {
    "the payload": ("UPDATE jobs SET payload = ? WHERE job_id = ?", '{"delete":"everything"}'),
    "the request": (
        "UPDATE jobs SET request = ? WHERE job_id = ?",
        '{"agent":"a1","topic":"allow.x","amount":"1"}',
    ),
    "the pool": ("UPDATE jobs SET pool = ? WHERE job_id = ?", "q"),
    "the agent": ("UPDATE jobs SET agent = ? WHERE job_id = ?", "root"),
}


@pytest.mark.parametrize("what", SWAPS)
def test_what_was_swapped_after_the_approval_is_quarantined(what: str) -> None:
    statement, value = SWAPS[what]

    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        await say(plane, one, "bob", "lead")
        alter(plane, statement, value, job_id)
        assert await plane.lease(9) + await plane.lease(9, pool="q") == []
        assert plane.state(job_id) == "quarantined"
        assert plane.events()[-2:] == ["quarantined", "dead_lettered"]

    play(scenario)


FORGERIES = {
    "granted by hand": (
        "UPDATE approvals SET state = 'granted', granted = ? WHERE approval_id = ?",
        '{"lead":"bob"}',
    ),
    "another token": ("UPDATE approvals SET token_hash = ? WHERE approval_id = ?", "0" * 64),
    "of another job": (
        "UPDATE approvals SET job_hash = ? WHERE approval_id = ?",
        "sha256:" + "1" * 64,
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_an_approval_that_was_forged_in_the_store_dispatches_nothing(what: str) -> None:
    statement, value = FORGERIES[what]

    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        if what != "granted by hand":
            await say(plane, one, "bob", "lead")
        alter(plane, statement, value, one.approval_id)
        assert await plane.lease(9) == []
        assert plane.state(job_id) == "approval_required"

    play(scenario)


STRICTER = EFFECTS.replace(
    'require human from "lead" expires', 'require human from "lead", "owner" expires'
)
LOOSER = EFFECTS.replace(
    'require human from "lead" expires 10 min because "a person looks"',
    'require human from "lead" expires 9 min because "a person looks"',
)


@pytest.mark.parametrize(("source", "goes"), [(STRICTER, False), (LOOSER, True)])
def test_under_another_policy_an_approval_counts_only_if_nobody_else_is_asked_for(
    source: str, *, goes: bool
) -> None:
    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        await say(plane, one, "bob", "lead")
        answer = await plane.service.publish(
            OPERATOR, bundle_of(source), allow_looser=True, reason="a test"
        )
        assert answer.status == 200, answer
        assert len(await plane.lease()) == goes
        assert plane.state(job_id) == ("dispatched" if goes else "approval_required")

    play(scenario)
