"""Work that is handed on is decided for everybody in the chain, at both gates; nobody hands on what is not theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from control_plane import (
    ANYBODY,
    AUDITOR,
    EFFECTS,
    OPERATOR,
    Plane,
    agent,
    approver,
    bundle_of,
    run,
)
from crew import Crew, code, play


async def chain(crew: Crew, *agents: str) -> dict[str, Any]:
    """A job of the last agent, in flight, that each of the others handed on; the worker of each job is the next."""
    parent: str | None = None
    job: dict[str, Any] = {}
    for who, by in zip(agents, (*agents[1:], "w1"), strict=True):
        job = await crew.takes(who, "read", by, parent_job_id=parent)
        parent = job["job_id"]
    return job


def test_a_chain_of_three_stands_in_the_job_in_the_lease_and_in_every_record() -> None:
    async def scenario(crew: Crew) -> None:
        job = await chain(crew, "planner", "lead", "ops")
        assert job["delegation"] == ["planner", "lead"]
        kept = crew.job(job["job_id"])
        assert (kept.delegation, kept.origin, kept.agent) == (("planner", "lead"), "planner", "ops")
        assert kept.run_id == job["job_id"].partition(":")[0]
        records = [r for r in crew.records() if r["job_id"] == job["job_id"]]
        assert len(records) == 3, "submitted, dispatched, started"
        assert all(r["delegation"] == ["planner", "lead"] for r in records)
        known = {"delegator": "lead", "origin": "planner", "depth": "2"}
        assert all(known.items() <= r["runtime"].items() for r in records[:2])

    play(scenario)


def test_an_agent_that_hands_on_to_itself_makes_the_chain_no_longer() -> None:
    async def scenario(crew: Crew) -> None:
        job = await chain(crew, "planner", "planner", "ops", "ops")
        assert job["delegation"] == ["planner"]

    play(scenario)


def test_the_policy_limits_the_depth_of_a_chain() -> None:
    async def scenario(crew: Crew) -> None:
        job = await chain(crew, "planner", "lead", "ops")
        deeper = await crew.ask("hand", "read", parent_job_id=job["job_id"], caller=ANYBODY)
        assert code(deeper) == (403, "denied")
        assert deeper.body["rule_id"] == "too_far"  # type: ignore[index,call-overload]

    play(scenario)


def test_the_service_limits_the_depth_of_a_chain_whatever_the_policy_says() -> None:
    async def scenario(crew: Crew) -> None:
        job = await chain(crew, "planner", "lead")
        deeper = await crew.ask("ops", "read", parent_job_id=job["job_id"], caller=ANYBODY)
        assert code(deeper) == (403, "denied")
        (record,) = crew.records("submit_refused")
        assert (record["rule_id"], record["delegation"]) == (
            "delegation_depth",
            ["planner", "lead"],
        )

    play(scenario, delegation_depth_max=1)


def test_a_limit_that_was_set_lower_since_holds_at_the_dispatch(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(EFFECTS)) as one:
            assert (await one.submit("a0", "allow.x")).status == 202
            (parent,) = await one.lease()
            await one.begin(parent)
            request = {"agent": "a1", "topic": "allow.x", "amount": 1}
            body = {"request": request, "payload": None, "pool": "p"}
            child = await one.service.submit(
                ANYBODY, {**body, "parent_job_id": parent["job_id"]}, "k"
            )
            assert isinstance(child.body, dict)
        async with Plane(tmp_path, bundle_of(EFFECTS), {"delegation_depth_max": 0}) as one:
            assert await one.lease() == []
            assert one.state(child.body["job_id"]) == "denied"
            refusal = json.loads(list(one.service.rows.lines(1))[-2])
            assert refusal["rule_id"] == "delegation_depth"

    run(scenario)


def test_a_request_does_not_say_itself_for_whom_it_is() -> None:
    async def scenario(crew: Crew) -> None:
        for name, value in {"origin": "planner", "delegator": "planner", "depth": 1}.items():
            request = {"agent": "ops", "topic": "t", "action": "read", name: value}
            body = {"request": request, "payload": None, "pool": "p"}
            answer = await crew.service.submit(agent("ops"), body, name)
            assert code(answer) == (422, "invalid_request")
            assert answer.body["field"] == f"request.{name}"  # type: ignore[index,call-overload]

    play(scenario)


# --- what the origin may not do ------------------------------------------------------------------


def test_what_the_origin_may_not_do_is_denied_at_submit() -> None:
    async def scenario(crew: Crew) -> None:
        job = await crew.takes("junior", "read", by="ops")
        answer = await crew.ask("ops", "edit", parent_job_id=job["job_id"])
        assert code(answer) == (403, "denied")
        body: Any = answer.body
        assert (body["rule_id"], "`junior`" in body["detail"]) == ("juniors_only_read", True)
        (record,) = crew.records("submit_refused")
        assert (record["agent"], record["details"]["as_agent"]) == ("ops", "junior")
        assert (await crew.ask("ops", "edit")).status == 202, "for itself it may"

    play(scenario)


def test_what_the_one_in_the_middle_may_not_do_is_denied_too() -> None:
    async def scenario(crew: Crew) -> None:
        await crew.takes("planner", "read", by="junior")
        (first,) = (r["job_id"] for r in crew.records("step_started"))
        middle = await crew.takes("junior", "read", by="ops", parent_job_id=first)
        answer = await crew.ask("ops", "edit", parent_job_id=middle["job_id"])
        assert answer.body["rule_id"] == "juniors_only_read"  # type: ignore[index,call-overload]

    play(scenario)


def test_what_the_origin_may_not_do_any_more_is_denied_at_dispatch() -> None:
    async def scenario(crew: Crew) -> None:
        parent = await crew.takes("planner", "read", by="ops")
        handed = await crew.ask("ops", "edit", parent_job_id=parent["job_id"], undo="restore")
        own = await crew.ask("ops", "edit")
        assert (handed.status, own.status) == (202, 202)
        await crew.happens("scope_violation", "planner")
        given = await crew.lease(9)
        assert [job["job_id"] for job in given] == [own.body["job_id"]]  # type: ignore[index,call-overload]
        job_id: str = handed.body["job_id"]  # type: ignore[index,call-overload]
        assert crew.state(job_id) == "denied"
        (record,) = crew.records("dispatch_refused")
        assert (record["job_id"], record["details"]["as_agent"]) == (job_id, "planner")
        assert job_id in [letter.job_id for letter in crew.service.rows.letters(9)]
        assert [job["job_id"] for job in await crew.lease(9)] == [crew.undos(job_id)[0].job_id]

    play(scenario)


def test_whoever_is_suspended_gets_nothing_done_by_others_either() -> None:
    async def scenario(crew: Crew) -> None:
        parent = await crew.takes("planner", "read", by="ops")
        other = await chain(crew, "junior", "hand")
        queued = await crew.ask("ops", "read", parent_job_id=parent["job_id"])
        await crew.service.suspend(OPERATOR, "lead", "not in the chain")
        await crew.service.suspend(OPERATOR, "planner", "odd")
        assert await crew.lease(9) == []
        assert crew.state(queued.body["job_id"]) == "denied"  # type: ignore[index,call-overload]
        assert crew.state(other["job_id"]) == "running"
        late = await crew.ask("ops", "read", parent_job_id=parent["job_id"])
        assert code(late) == (409, "illegal_state"), "the parent was cancelled"

    play(scenario)


# --- whose parent, whose run ---------------------------------------------------------------------


def test_only_work_that_is_in_flight_delegates() -> None:
    async def scenario(crew: Crew) -> None:
        queued: Any = (await crew.ask("planner", "read")).body
        held: Any = (await crew.ask("planner", "delete")).body
        for job_id in (queued["job_id"], held["job_id"]):
            answer = await crew.ask("planner", "read", parent_job_id=job_id)
            assert code(answer) == (409, "illegal_state")
        (job,) = await crew.lease(9)
        await crew.begin(job)
        assert (await crew.ask("planner", "read", parent_job_id=job["job_id"])).status == 202
        await crew.end(job)
        before = crew.service.office.chronicle.head
        answer = await crew.ask("planner", "read", parent_job_id=job["job_id"])
        assert code(answer) == (409, "illegal_state")
        assert answer.body["field"] == "parent_job_id"  # type: ignore[index,call-overload]
        assert crew.service.office.chronicle.head == before, "nothing is stored of it"

    play(scenario)


@pytest.mark.parametrize("who", ["hand", "junior", "lead"])
def test_nobody_delegates_the_work_of_somebody_else(who: str) -> None:
    async def scenario(crew: Crew) -> None:
        job = await crew.takes("planner", "read", by="ops")
        theirs = await crew.ask(who, "read", parent_job_id=job["job_id"])
        nobodys = await crew.ask(who, "read", parent_job_id="no:such@1")
        assert code(theirs) == code(nobodys) == (403, "forbidden")
        assert theirs.body["detail"].replace(job["job_id"], "") == nobodys.body["detail"].replace(  # type: ignore[index,call-overload]
            "no:such@1", ""
        ), "one cannot find out which jobs there are"

    play(scenario)


def test_the_agent_whose_worker_has_a_job_may_hand_parts_of_it_on() -> None:
    async def scenario(crew: Crew) -> None:
        job = await crew.takes("planner", "read", by="ops")
        for caller in (agent("ops"), ANYBODY):
            made = await crew.ask("ops", "read", parent_job_id=job["job_id"], caller=caller)
            assert made.status == 202
            assert crew.job(made.body["job_id"]).delegation == ("planner",)  # type: ignore[index,call-overload]
        named = await crew.ask("planner", "read", parent_job_id=job["job_id"], caller=agent("ops"))
        assert code(named) == (403, "forbidden"), "it speaks for itself alone"

    play(scenario)


def test_a_worker_that_has_the_job_no_more_hands_on_nothing() -> None:
    async def scenario(crew: Crew) -> None:
        made = await crew.ask("planner", "read")
        await crew.lease(who="ops")
        crew.clock.forward(31)
        await crew.reconcile()
        crew.clock.forward(31)
        (again,) = await crew.lease(who="lead")
        assert again["job_id"] == made.body["job_id"]  # type: ignore[index,call-overload]
        late = await crew.ask("ops", "read", parent_job_id=again["job_id"])
        assert code(late) == (403, "forbidden")
        assert (await crew.ask("lead", "read", parent_job_id=again["job_id"])).status == 202

    play(scenario)


def test_a_run_belongs_to_those_who_take_part_in_it() -> None:
    async def scenario(crew: Crew) -> None:
        job = await crew.takes("planner", "read", by="ops", run_id="mine")
        assert code(await crew.ask("ops", "read", run_id="mine")) == (403, "forbidden")
        assert code(await crew.ask("lead", "read", run_id="mine")) == (403, "forbidden")
        service = crew.service
        assert service.timeline(agent("ops"), "mine").status == 404
        made = await crew.ask("ops", "read", parent_job_id=job["job_id"])
        assert crew.job(made.body["job_id"]).run_id == "mine"  # type: ignore[index,call-overload]
        assert (await crew.ask("ops", "read", run_id="mine")).status == 202, "now it takes part"
        assert service.timeline(agent("ops"), "mine").status == 200
        assert service.timeline(AUDITOR, "mine").status == 200
        assert service.timeline(agent("lead"), "mine").status == 404
        await crew.takes("lead", "read", run_id="theirs")
        answer = await crew.ask("ops", "read", run_id="theirs", parent_job_id=job["job_id"])
        assert code(answer) == (403, "forbidden"), "a parent opens its own run and no other"

    play(scenario)


def test_what_was_handed_on_is_approved_by_nobody_in_the_chain() -> None:
    async def scenario(crew: Crew) -> None:
        job = await chain(crew, "planner", "lead")
        made = await crew.ask("ops", "delete", parent_job_id=job["job_id"], caller=ANYBODY)
        found = crew.service.rows.approval(made.body["approval_id"])  # type: ignore[index,call-overload]
        assert found is not None
        word = {"job_hash": found.job_hash}
        for who in ("planner", "lead", "ops"):
            answer = await crew.service.approve(approver(who, "lead"), found.approval_id, word)
            assert code(answer) == (403, "own_approval")
        given = await crew.service.approve(approver("bob", "lead"), found.approval_id, word)
        assert given.status == 200
        (lease,) = await crew.lease()
        assert lease["delegation"] == ["planner", "lead"]

    play(scenario)
