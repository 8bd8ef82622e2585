"""The submit gate: what is stored, what is remembered, what is only recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from control_plane import EFFECTS, OPERATOR, Plane, agent, bundle_of, folder

from govlang.runtime.control.answer import Answer
from govlang.runtime.control.settings import read_settings


def play(scenario: Callable[[Plane], Awaitable[None]], **settings: Any) -> None:
    async def whole() -> None:
        with folder() as place:
            async with Plane(place, bundle_of(EFFECTS), settings) as plane:
                await scenario(plane)

    asyncio.run(whole())


def code(answer: Answer) -> str:
    assert isinstance(answer.body, dict)
    return str(answer.body.get("code", ""))


def records(plane: Plane) -> list[dict[str, Any]]:
    return [json.loads(line) for line in plane.service.rows.lines(1)]


# --- idempotency ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("topic", "status"), [("allow.x", 202), ("human.x", 202), ("deny.x", 403)])
def test_the_same_key_with_the_same_body_gets_the_same_answer(topic: str, status: int) -> None:
    async def scenario(plane: Plane) -> None:
        first = await plane.submit("a1", topic, key="k")
        head = plane.service.office.chronicle.head
        again = await plane.submit("a1", topic, key="k")
        assert (first.status, again.status, again.body) == (status, status, first.body)
        assert again.headers["idempotent-replayed"] == "true"
        assert plane.service.office.chronicle.head == head, "nothing happens twice"

    play(scenario)


def test_the_same_key_with_another_body_is_a_conflict() -> None:
    async def scenario(plane: Plane) -> None:
        await plane.submit("a1", "allow.x", key="k")
        assert code(await plane.submit("a1", "allow.y", key="k")) == "idempotency_conflict"
        assert (
            code(await plane.submit("a1", "allow.x", key="k", payload=1)) == "idempotency_conflict"
        )
        assert (await plane.submit("a2", "allow.y", key="k")).status == 202, (
            "keys are the caller's own"
        )

    play(scenario)


def test_numbers_that_are_written_otherwise_are_another_body() -> None:
    async def scenario(plane: Plane) -> None:
        for number, payload in enumerate((1, 1.0, "1", [1], Decimal("1.00"))):
            answer = await plane.submit("a1", "allow.x", key="k", payload=payload)
            assert answer.status == (202 if number == 0 else 409)

    play(scenario)


def test_a_decimal_and_an_object_that_names_one_are_two_bodies() -> None:
    async def scenario(plane: Plane) -> None:
        async def ask(amount: Any) -> Answer:
            request = {"agent": "a1", "topic": "allow.x", "amount": amount}
            return await plane.service.submit(agent("a1"), {"request": request, "pool": "p"}, "k")

        assert (await ask(Decimal("1.5"))).status == 202
        for other in ({"decimal": "1.5"}, {"\\udc00": "1.5"}, [Decimal("1.5")], "1.5"):
            assert code(await ask(other)) == "idempotency_conflict", other
        assert (await ask(Decimal("1.5"))).status == 202

    play(scenario)


def test_a_throttled_answer_is_not_remembered() -> None:
    async def scenario(plane: Plane) -> None:
        assert (await plane.submit("a1", "throttle.x", key="k")).status == 429
        again = await plane.submit("a1", "throttle.x", key="k")
        assert (again.status, "idempotent-replayed" in again.headers) == (429, False)
        assert plane.events().count("submit_refused") == 2

    play(scenario)


def test_answers_are_forgotten_after_ninety_days() -> None:
    from govlang.runtime.control.retiring import forget_answers

    async def scenario(plane: Plane) -> None:
        await plane.submit("a1", "allow.x", key="k")
        plane.clock.forward(90 * 86_400)
        assert not await plane.service.carry_out(forget_answers)
        assert plane.service.rows.answer("a1", "k") is not None
        plane.clock.forward(1)
        assert not await plane.service.carry_out(forget_answers), "there are no more"
        assert plane.service.rows.answer("a1", "k") is None

    play(scenario)


def test_twenty_at_once_with_one_key_are_one_job() -> None:
    async def scenario(plane: Plane) -> None:
        answers = await asyncio.gather(*(plane.submit("a1", "allow.x", key="k") for _ in range(20)))
        assert len({json.dumps(one.body, sort_keys=True) for one in answers}) == 1
        assert plane.service.rows.counts() == {"scheduled": 1}

    play(scenario)


# --- names ---------------------------------------------------------------------------------------


def test_a_job_is_named_by_run_step_and_attempt() -> None:
    async def scenario(plane: Plane) -> None:
        first = await plane.submit("a1", "allow.delete", run_id="run_42")
        again = await plane.submit("a1", "allow.delete", run_id="run_42")
        named = await plane.submit("a1", "allow.delete", run_id="run_42", step="delete_prod_vm")
        ids = [one.body["job_id"] for one in (first, again, named)]  # type: ignore[index,call-overload]
        assert ids == ["run_42:delete@1", "run_42:delete@2", "run_42:delete_prod_vm@1"]
        other = await plane.submit("a1", "allow.delete")
        assert other.body["job_id"].startswith("run_")  # type: ignore[index,union-attr,call-overload]

    play(scenario)


def test_a_run_belongs_to_those_who_take_part_in_it() -> None:
    async def scenario(plane: Plane) -> None:
        await plane.submit("a1", "allow.x", run_id="r")
        assert code(await plane.submit("a2", "allow.x", run_id="r")) == "forbidden"
        caller = agent("a1")
        assert plane.service.timeline(caller, "r").status == 200
        assert plane.service.timeline(agent("a2"), "r").status == 404, "as if there were none"
        assert plane.service.timeline(OPERATOR, "r").status == 200
        assert plane.service.job(agent("a2"), "r:x@1").status == 404

    play(scenario)


def test_an_agent_speaks_for_itself_only() -> None:
    async def scenario(plane: Plane) -> None:
        request = {"agent": "a2", "topic": "allow.x", "amount": 1}
        body = {"request": request, "pool": "p"}
        head = plane.service.office.chronicle.head
        answer = await plane.service.submit(agent("a1"), body, "k")
        assert (code(answer), answer.body["field"]) == ("forbidden", "request.agent")  # type: ignore[index,call-overload]
        assert plane.service.office.chronicle.head == head, (
            "refused before the gate: nothing is kept"
        )
        assert (await plane.service.submit(OPERATOR, body, "k")).status == 202

    play(scenario)


# --- what cannot be read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 2000}, "request.amount"),
        ({"amount": Decimal("0.3")}, "request.amount"),
        ({"amount": "5"}, "request.amount"),
        ({"extra": 1}, "request.extra"),
        ({"topic": None}, "request.topic"),
        ({"topic": "a\ud800"}, "request.topic"),
    ],
)
def test_an_invalid_request_is_recorded_and_not_stored(change: dict[str, Any], field: str) -> None:
    async def scenario(plane: Plane) -> None:
        request = {"agent": "a1", "topic": "allow.x", "amount": 1, **change}
        answer = await plane.service.submit(agent("a1"), {"request": request, "pool": "p"}, "k")
        assert (answer.status, code(answer)) == (422, "invalid_request")
        assert answer.body["field"] == field  # type: ignore[index,call-overload]
        assert records(plane)[-1]["run_timeline_event"] == "invalid"
        assert plane.service.rows.counts() == {}

    play(scenario)


def test_a_request_that_fits_no_record_is_refused_before_the_gate() -> None:
    async def scenario(plane: Plane) -> None:
        head = plane.service.office.chronicle.head
        answer = await plane.submit("a1", "allow." + "x" * 20_000)
        assert (answer.status, code(answer)) == (422, "invalid_body")
        assert plane.service.office.chronicle.head == head
        assert (await plane.submit("a1", "allow.x", payload="x" * 200_000)).status == 202

    play(scenario)


def test_too_many_live_jobs_are_a_matter_of_storage() -> None:
    async def scenario(plane: Plane) -> None:
        for number in range(3):
            assert (await plane.submit("a1", f"allow.t{number}")).status == 202
        assert code(await plane.submit("a1", "allow.x")) == "storage_unavailable"
        (job,) = await plane.lease()
        await plane.begin(job)
        await plane.end(job)
        assert (await plane.submit("a1", "allow.x")).status == 202

    play(scenario, live_jobs_max=3)


@pytest.mark.parametrize("setting", ["live_jobs_max", "live_jobs_agent_max"])
def test_a_job_for_which_there_is_no_room_is_on_the_record_and_nothing_else(setting: str) -> None:
    async def scenario(plane: Plane) -> None:
        for number in range(3):
            assert (await plane.submit("a1", f"allow.t{number}")).status == 202
        told = len(records(plane))
        for number in range(2):
            answer = await plane.submit("a1", "allow.x", key="same")
            assert answer.status in (429, 503)
            assert isinstance(answer.body, dict)
            assert answer.body["rule_id"] == setting
            new = records(plane)[told + number :]
            assert [one["run_timeline_event"] for one in new] == ["submit_refused"]
            assert (new[0]["decision"], new[0]["rule_id"]) == ("DENY", setting)
            assert new[0]["details"]["reason"] == answer.body["detail"]
        assert len(list(plane.service.rows.live())) == 3

    play(scenario, **{setting: 3})


# --- enforcement, undo ---------------------------------------------------------------------------


@pytest.mark.parametrize("topic", ["deny.x", "throttle.x", "human.x", "nothing"])
def test_in_shadow_what_would_be_refused_goes_through_and_says_so(topic: str) -> None:
    rules = read_settings({"GOV_ENFORCEMENT": '{"deny.y": "enforce", "**": "shadow"}'}).enforcement

    async def scenario(plane: Plane) -> None:
        answer = await plane.submit("a1", topic)
        assert (answer.status, answer.body["state"]) == (202, "scheduled")  # type: ignore[index,call-overload]
        (submitted,) = [r for r in records(plane) if r["run_timeline_event"] == "submitted"]
        assert submitted["enforcement"] == "shadow"
        assert submitted["decision"] != "ALLOW", "what the policy said stands in the record"
        assert len(await plane.lease()) == 1
        assert records(plane)[-1]["enforcement"] == "shadow"
        assert (await plane.submit("a1", "deny.y")).status == 403, (
            "the first pattern that fits counts"
        )

    play(scenario, enforcement=rules)


def test_an_undo_that_is_not_allowed_refuses_the_job() -> None:
    undo = {
        "request": {"agent": "a1", "topic": "deny.undo", "amount": 1},
        "payload": None,
        "pool": "p",
    }

    async def scenario(plane: Plane) -> None:
        answer = await plane.submit("a1", "allow.x", undo=undo)
        assert (answer.status, answer.body["field"]) == (403, "undo.request")  # type: ignore[index,call-overload]
        assert plane.service.rows.counts() == {}

    play(scenario)
