"""Authority that is lost takes effect on the next decision; work in flight under it ends, and is undone once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from control_plane import OPERATOR, START_MS, agent, approver, worker
from crew import POLICY, Crew, Heard, code, play

from govlang.runtime.control.tokens import Caller, Unknown
from govlang.runtime.http.metrics import Metrics

HOUR_S = 3600


async def expires(crew: Crew) -> None:
    """Two hours pass, in which the worker is heard of."""
    rows = crew.service.rows
    (job,) = (rows.job(one.job_id) for one in rows.in_flight_of(None))
    assert job is not None
    lease = job.lease_id
    for _ in range(2 * HOUR_S // 25 - 1):
        crew.clock.forward(25)
        await crew.service.heartbeat(worker("w1"), lease, {})  # type: ignore[arg-type]
    crew.clock.forward(25.2)
    await crew.reconcile()


class Loss(NamedTuple):
    """How authority is lost: by what, how it is called, why the job ends."""

    by: Callable[[Crew], Awaitable[Any]]
    cause: str
    why: str


LOSSES = {
    "an event": Loss(
        lambda c: c.happens("scope_violation", "ops"),
        "event",
        "revoked by `task.not_active`: the contract task is not active",
    ),
    "the end of the contract": Loss(expires, "expiry", "revoked by `task.not_active`"),
    "an operator who suspends": Loss(
        lambda c: c.service.suspend(OPERATOR, "ops", "odd"), "operator", "`ops` was suspended: odd"
    ),
    "an operator who ends the contract": Loss(
        lambda c: c.happens("task.revoked", "ops"), "operator", "revoked by `task.not_active`"
    ),
    "an event about whoever handed it on": Loss(
        lambda c: c.happens("scope_violation", "planner"),
        "event",
        "revoked by `task.not_active` (as `planner`)",
    ),
    "an operator who suspends whoever handed it on": Loss(
        lambda c: c.service.suspend(OPERATOR, "planner", "odd"),
        "operator",
        "`planner` was suspended: odd",
    ),
}


def heard(crew: Crew) -> Heard:
    meter = crew.service.office.metrics
    assert isinstance(meter, Heard)
    return meter


async def handed_on(crew: Crew, **more: Any) -> dict[str, Any]:
    """A job of ops in flight that planner handed on, and that can be undone."""
    parent = await crew.takes("planner", "read", by="ops")
    job: dict[str, Any] = await crew.takes(
        "ops", "edit", parent_job_id=parent["job_id"], undo="restore", **more
    )
    await crew.end(parent, who="ops")
    return job


@pytest.mark.parametrize("name", LOSSES)
def test_work_in_flight_ends_and_its_undo_runs_once_the_worker_knows(name: str) -> None:
    by, cause, why = LOSSES[name]

    async def scenario(crew: Crew) -> None:
        job = await handed_on(crew)
        await by(crew)
        kept = crew.job(job["job_id"])
        assert (kept.state.value, kept.reason.startswith(why)) == ("cancelled", True), kept.reason
        assert [c for c, _ in heard(crew).detected] == [cause]
        await crew.reconcile()
        assert await crew.lease(9) == [], "the worker does not know it yet"
        assert crew.undos(job["job_id"]) == []
        crew.clock.forward(3)
        told = await crew.service.heartbeat(worker(), job["lease_id"], {})
        assert (told.status, told.body["cancel"]) == (200, True)  # type: ignore[index,call-overload]
        assert heard(crew).done == [pytest.approx(3, abs=0.3)]
        (released,) = crew.records("released")
        assert released["details"]["revoked_after_ms"] == round(heard(crew).done[0] * 1000)
        await told_again(crew, job)
        (undo,) = crew.undos(job["job_id"])
        (given,) = await crew.lease(9)
        assert (given["job_id"], given["payload"]) == (undo.job_id, {"undoes": "edit"})
        await crew.begin(given)
        assert (await crew.end(given)).body["state"] == "succeeded"  # type: ignore[index,call-overload]
        await told_again(crew, job)
        assert await crew.lease(9) == []

    play(scenario)


async def told_again(crew: Crew, job: dict[str, Any]) -> None:
    """The worker says more about a job that it has no more; time passes; nothing comes of it."""
    for _ in range(2):
        await crew.service.heartbeat(worker(), job["lease_id"], {"started": True})
        await crew.end(job)
        crew.clock.forward(0.4)
        await crew.reconcile()
    assert len(crew.undos(job["job_id"])) == len(crew.records("released")) == 1


@pytest.mark.parametrize("undo", [{"undo": "restore"}, {}])
def test_a_worker_that_is_not_heard_of_has_let_go_when_its_lease_ends(undo: dict[str, str]) -> None:
    async def scenario(crew: Crew) -> None:
        job = await crew.takes("ops", "edit", **undo)
        crew.clock.forward(10)
        await crew.happens("scope_violation", "ops")
        crew.clock.forward(20)
        await crew.reconcile()
        assert crew.undos(job["job_id"]) == [], "the lease is 30 s long"
        for _ in range(3):
            crew.clock.forward(0.5)
            await crew.reconcile()
        assert len(crew.undos(job["job_id"])) == len(undo)
        assert heard(crew).done == [pytest.approx(20.5)], "it is measured with an undo or without"
        assert len(crew.records("released")) == 1

    play(scenario)


def test_a_worker_that_has_not_begun_is_told_not_to() -> None:
    async def scenario(crew: Crew) -> None:
        await crew.ask("ops", "edit", undo="restore")
        (job,) = await crew.lease()
        await crew.happens("scope_violation", "ops")
        beat: Any = (await crew.begin(job)).body
        assert (beat["state"], beat["cancel"]) == ("cancelled", True)
        assert code(await crew.end(job)) == (409, "lease_lost")
        assert "step_started" not in crew.events()

    play(scenario)


def test_a_result_that_comes_instead_of_a_heartbeat_lets_go_too() -> None:
    async def scenario(crew: Crew) -> None:
        job = await crew.takes("ops", "edit", undo="restore")
        await crew.happens("scope_violation", "ops")
        assert code(await crew.end(job)) == (409, "lease_lost"), "it was cancelled before"
        assert crew.state(job["job_id"]) == "cancelled"
        assert len(crew.undos(job["job_id"])) == 1

    play(scenario)


def test_the_next_decision_knows_it() -> None:
    async def scenario(crew: Crew) -> None:
        assert (await crew.ask("ops", "read")).status == 202
        await crew.happens("scope_violation", "ops")
        answer = await crew.ask("ops", "read")
        assert code(answer) == (403, "denied")
        assert answer.body["rule_id"] == "task.not_active"  # type: ignore[index,call-overload]
        assert await crew.lease(9) == []

    play(scenario)


@pytest.mark.parametrize("name", ["an event", "an operator who suspends"])
def test_what_waits_under_lost_authority_is_denied_at_dispatch_and_undone(name: str) -> None:
    async def scenario(crew: Crew) -> None:
        waits: Any = (await crew.ask("ops", "edit", undo="restore")).body
        held: Any = (await crew.ask("ops", "delete", undo="restore")).body
        await LOSSES[name].by(crew)
        assert crew.state(waits["job_id"]) == "scheduled"
        found = crew.service.rows.approval(held["approval_id"])
        assert found is not None
        word = {"job_hash": found.job_hash}
        await crew.service.approve(approver("bob", "lead"), found.approval_id, word)
        assert await crew.lease(9) == []
        assert [crew.state(one["job_id"]) for one in (waits, held)] == ["denied", "denied"]
        assert len(crew.records("dispatch_refused")) == 2
        undos = [one.job_id for job in (waits, held) for one in crew.undos(job["job_id"])]
        assert sorted(job["job_id"] for job in await crew.lease(9)) == sorted(undos)
        assert len(undos) == 2

    play(scenario)


def test_the_work_of_others_goes_on() -> None:
    async def scenario(crew: Crew) -> None:
        theirs = await crew.takes("lead", "edit")
        own = await crew.takes("ops", "edit")
        answer = await crew.happens("scope_violation", "ops")
        assert answer.body["cancelled"] == [own["job_id"]]  # type: ignore[index,call-overload]
        assert crew.state(theirs["job_id"]) == "running"
        assert (await crew.end(theirs)).status == 200

    play(scenario)


FRAIL = POLICY.replace("revoke on scope_violation", "revoke on scope_violation, failure")
"""A contract that a failure ends; work that is cancelled has failed."""

ENDS: dict[str, Callable[[Crew, str], Awaitable[Any]]] = {
    "cancelled by hand": lambda c, job_id: c.service.cancel(OPERATOR, job_id, "no need"),
    "revoked with whoever handed it on": lambda c, _: c.happens("scope_violation", "planner"),
    "suspended with whoever handed it on": lambda c, _: c.service.suspend(
        OPERATOR, "planner", "odd"
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_the_end_of_revoked_work_revokes_in_turn_is_cancelled_too(name: str) -> None:
    async def scenario(crew: Crew) -> None:
        own = await crew.takes("ops", "edit")
        theirs = await crew.takes("lead", "edit")
        parent = await crew.takes("planner", "read", by="ops")
        job = await crew.takes("ops", "edit", parent_job_id=parent["job_id"])
        await ENDS[name](crew, job["job_id"])
        states = [crew.state(one["job_id"]) for one in (job, own, theirs)]
        assert states == ["cancelled", "cancelled", "running"]
        assert crew.job(own["job_id"]).reason.startswith("revoked by `task.not_active`")

    play(scenario, FRAIL)


# --- how long it took ----------------------------------------------------------------------------


@pytest.mark.parametrize(("ago_ms", "late_ms"), [(1500, 1500), (0, 0), (-59_000, 0), (None, 0)])
def test_the_time_to_detect_is_counted_from_what_the_report_says(
    ago_ms: int | None, late_ms: int
) -> None:
    async def scenario(crew: Crew) -> None:
        await crew.takes("ops", "edit")
        at = {} if ago_ms is None else {"at_ms": crew.clock.at_ms - ago_ms}
        answer = await crew.happens("scope_violation", "ops", **at)
        (record,) = (r for r in crew.records("event") if r["seq"] == answer.body["seq"])  # type: ignore[index,call-overload]
        assert record["details"]["detected_after_ms"] == late_ms
        assert record["steps"][0]["at_ms"] == crew.clock.at_ms, "the policy takes it as of now"
        assert heard(crew).detected == [("event", late_ms / 1000)]

    play(scenario)


def test_what_is_yet_to_happen_is_not_taken_in() -> None:
    async def scenario(crew: Crew) -> None:
        await crew.takes("ops", "edit")
        before = crew.service.office.chronicle.head
        answer = await crew.happens("scope_violation", "ops", at_ms=crew.clock.at_ms + 60_001)
        assert code(answer) == (422, "invalid_body")
        assert answer.body["field"] == "at_ms"  # type: ignore[index,call-overload]
        assert crew.service.office.chronicle.head == before
        assert (await crew.ask("ops", "read")).status == 202

    play(scenario)


def test_an_expiry_is_detected_as_late_as_nobody_looked() -> None:
    async def scenario(crew: Crew) -> None:
        await crew.takes("ops", "edit")
        await expires(crew)
        (record,) = (r for r in crew.records("tick") if r["agent"] == "ops")
        late_ms = record["at_ms"] - (START_MS + 2 * HOUR_S * 1000)
        assert record["details"]["detected_after_ms"] == late_ms == 200
        assert heard(crew).detected == [("expiry", 0.2)]

    play(scenario)


NOISE: dict[str, Callable[[Crew], Awaitable[Any]]] = {
    "a dispatch": lambda c: c.lease(9),
    "a submit": lambda c: c.ask("ops", "read"),
    "an event": lambda c: c.happens("success", "ops"),
    "an event about the agent": lambda c: c.happens("task.done", "ops"),
    "an event about another": lambda c: c.happens("scope_violation", "lead"),
}


@pytest.mark.parametrize("name", NOISE)
def test_nothing_that_comes_between_hides_an_expiry(name: str) -> None:
    async def scenario(crew: Crew) -> None:
        job = await crew.takes("ops", "edit")
        await crew.ask("ops", "read")
        for _ in range(2 * HOUR_S // 25):
            crew.clock.forward(25)
            if crew.clock.at_ms == START_MS + 2 * HOUR_S * 1000:
                break
            await crew.service.heartbeat(worker(), job["lease_id"], {})
        await NOISE[name](crew)
        assert crew.state(job["job_id"]) == "cancelled"
        assert heard(crew).detected == [("expiry", 0.0)]

    play(scenario)


def test_the_metrics_show_how_long_it_took() -> None:
    metrics = Metrics()

    async def scenario(crew: Crew) -> None:
        crew.service.office.metrics = metrics  # type: ignore[misc]
        job = await crew.takes("ops", "edit")
        await crew.happens("scope_violation", "ops", at_ms=crew.clock.at_ms - 700)
        crew.clock.forward(2)
        await crew.service.heartbeat(worker(), job["lease_id"], {})

    play(scenario)
    shown = metrics.exposition()
    assert 'gov_revocation_detect_seconds_sum{cause="event"} 0.7' in shown
    assert "gov_revocation_revoke_seconds_sum 2.0" in shown


# --- tokens --------------------------------------------------------------------------------------


async def with_token(crew: Crew, *roles: str, who: str) -> tuple[str, Caller]:
    """A new token: its text, and whoever shows it."""
    body = {"roles": list(roles), "agent": who, "pools": ["*"], "ttl_s": 60}
    made: Any = (await crew.service.create_token(OPERATOR, body)).body
    stored = crew.service.book.find(made["id"])
    assert stored is not None
    return made["token"], stored.caller()


def test_whoever_shows_a_revoked_token_is_nobody_from_then_on() -> None:
    async def scenario(crew: Crew) -> None:
        text, caller = await with_token(crew, "agent", who="ops")
        book = crew.service.book
        assert book.who(text, crew.clock()) == book.find(caller.token_id)
        await crew.service.revoke_token(OPERATOR, caller.token_id)
        assert book.who(text, crew.clock()) is Unknown.REVOKED
        (record,) = crew.records("token_revoked")
        assert (record["approver"], record["details"]["id"]) == ("ops", caller.token_id)

    play(scenario)


@pytest.mark.parametrize("way", ["revoked", "expired"])
def test_a_lease_that_waits_gets_nothing_for_a_token_that_is_worth_nothing(way: str) -> None:
    async def scenario(crew: Crew) -> None:
        _, caller = await with_token(crew, "worker", who="ops")
        body = {"worker": "w1", "max": 1, "wait_s": 20, "actions": []}
        waiting = asyncio.create_task(crew.service.lease(caller, "p", body))
        await asyncio.sleep(0.05)
        if way == "revoked":
            await crew.service.revoke_token(OPERATOR, caller.token_id)
        else:
            crew.clock.forward(60)
        made: Any = (await crew.ask("lead", "read")).body
        assert code(await asyncio.wait_for(waiting, 5)) == (401, "unauthenticated")
        assert crew.state(made["job_id"]) == "scheduled", "it is there for another worker"

    play(scenario)


def test_work_whose_worker_lost_its_token_is_given_up_with_its_lease() -> None:
    async def scenario(crew: Crew) -> None:
        _, caller = await with_token(crew, "worker", who="hand")
        made: Any = (await crew.ask("ops", "edit")).body
        given: Any = (await crew.service.lease(caller, "p", {"worker": "h", "max": 1})).body
        (job,) = given["jobs"]
        await crew.service.heartbeat(caller, job["lease_id"], {"started": True})
        await crew.service.revoke_token(OPERATOR, caller.token_id)
        crew.clock.forward(31)  # HTTP lets no heartbeat of it through (tests/http/test_auth.py)
        await crew.reconcile()
        assert crew.state(made["job_id"]) == "timed_out"
        assert (await crew.ask("ops", "read")).status == 202, "a token is a key, not the authority"

    play(scenario)


# --- back again ----------------------------------------------------------------------------------


def test_a_reinstated_agent_asks_the_policy_again() -> None:
    async def scenario(crew: Crew) -> None:
        service = crew.service
        await service.suspend(OPERATOR, "ops", "odd")
        assert code(await crew.ask("ops", "read")) == (403, "denied")
        await service.reinstate(OPERATOR, "ops", "was nothing")
        assert (await crew.ask("ops", "read")).status == 202
        assert service.timeline(agent("ops"), "none").status == 404

    play(scenario)
