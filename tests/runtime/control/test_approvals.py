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
from govlang.runtime.control.tokens import Caller, Role

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
        assert one.job_hash not in str(answer.body), "who approves must look at the job"
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


# --- those who ask, and those who may not ------------------------------------------------------------


def test_whoever_retries_a_dead_letter_does_not_approve_it() -> None:
    async def scenario(plane: Plane) -> None:
        both = Caller(
            "root", frozenset({Role.OPERATOR, Role.APPROVER}), frozenset({"lead"}), None, "tok_r"
        )
        job_id, one = await asked(plane)
        await say(plane, one, "boss", "lead", word="reject", reason="no")
        again: Any = (await plane.service.retry(both, job_id)).body
        word = {"job_hash": one.job_hash}
        refused = await plane.service.approve(both, again["approval_id"], word)
        assert (refused.status, code(refused)) == (403, "own_approval")
        found = plane.service.rows.approval(again["approval_id"])
        assert found is not None
        assert code(await say(plane, found, "a1", "lead")) == "own_approval", "who asked first, too"
        await say(plane, found, "boss", "lead", word="reject", reason="no")
        third: Any = (await plane.service.retry(OPERATOR, again["job_id"])).body
        refused = await plane.service.approve(both, third["approval_id"], word)
        assert code(refused) == "own_approval", "nor what others retried after that"
        given = await plane.service.approve(approver("boss", "lead"), third["approval_id"], word)
        assert given.status == 200

    play(scenario)


def test_whoever_is_suspended_says_nothing_about_approvals() -> None:
    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        await plane.service.suspend(OPERATOR, "boss", "mallory")
        for word in ("approve", "reject"):
            refused = await say(plane, one, "boss", "lead", word=word)
            assert (refused.status, code(refused)) == (403, "suspended")
        assert plane.state(job_id) == "approval_required"
        await plane.service.reinstate(OPERATOR, "boss", "was nobody")
        assert (await say(plane, one, "boss", "lead")).status == 200

    play(scenario)


async def with_token(plane: Plane, who: str, role: str) -> Caller:
    """Somebody who approves, with a token that the service keeps."""
    body = {"roles": ["approver"], "agent": who, "approves": [role], "ttl_s": 60}
    made: Any = (await plane.service.create_token(OPERATOR, body)).body
    stored = plane.service.book.find(made["id"])
    assert stored is not None
    return stored.caller()


async def loses_token(plane: Plane, who: Caller) -> None:
    await plane.service.revoke_token(OPERATOR, who.token_id)


async def is_suspended(plane: Plane, who: Caller) -> None:
    await plane.service.suspend(OPERATOR, who.subject, "mallory")


@pytest.mark.parametrize("happens", [loses_token, is_suspended])
def test_a_grant_counts_no_more_when_its_giver_has_lost_the_right_before_the_last_one(
    happens: Callable[[Plane, Caller], Awaitable[None]],
) -> None:
    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane, "both.x")
        ada = await with_token(plane, "ada", "lead")
        word = {"job_hash": one.job_hash}
        await plane.service.approve(ada, one.approval_id, word)
        await happens(plane, ada)
        second: Any = (await say(plane, one, "bob", "owner")).body
        assert (second["granted"], second["missing"]) == (["owner"], ["lead"])
        assert plane.state(job_id) == "approval_required"
        assert "grant_withdrawn" in plane.events()
        last: Any = (await say(plane, one, "eve", "lead")).body
        assert (last["missing"], plane.state(job_id)) == ([], "scheduled")
        assert len(await plane.lease()) == 1

    play(scenario)


@pytest.mark.parametrize("happens", [loses_token, is_suspended])
def test_a_grant_counts_no_more_when_its_giver_has_lost_the_right_before_the_dispatch(
    happens: Callable[[Plane, Caller], Awaitable[None]],
) -> None:
    async def scenario(plane: Plane) -> None:
        job_id, one = await asked(plane)
        ada = await with_token(plane, "ada", "lead")
        await plane.service.approve(ada, one.approval_id, {"job_hash": one.job_hash})
        assert plane.state(job_id) == "scheduled"
        await happens(plane, ada)
        assert await plane.lease() == []
        assert plane.state(job_id) == "approval_required", "somebody else is asked"

    play(scenario)


def test_a_token_that_has_expired_since_was_good_when_it_was_used() -> None:
    async def scenario(plane: Plane) -> None:
        _, one = await asked(plane)
        ada = await with_token(plane, "ada", "lead")
        await plane.service.approve(ada, one.approval_id, {"job_hash": one.job_hash})
        plane.clock.forward(61)
        assert len(await plane.lease()) == 1

    play(scenario)
