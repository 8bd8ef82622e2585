"""Work in flight that another policy denies is cancelled and undone as after an event, so much of it in a turn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from control_plane import EFFECTS, OPERATOR, Host, Plane, approver, bundle_of, run, worker
from crew import Heard

from govlang.runtime.control import reconciler
from govlang.runtime.control.flights import lost_name, unasked_name
from govlang.runtime.control.rebuild import rebuild

SOURCE: Final = """language 1
policy works version "1.0.0"
combine most_restrictive
default deny

param most : number in 0..1000 = 1000

input {
  agent  : key
  topic  : text
  amount : number in 0..1000 step 0.5
  prod   : bool from runtime
}
event success after dispatched
event failure after dispatched
event granted

rule works when topic like "x.**" or topic == "human" allow
rule asks  when topic == "human" require human from "lead" expires 10 min
rule grant when topic == "x.granted" and grant is not given deny
rule often when topic == "x.often" and count(allowed) in 1 h >= 2 deny
rule large when amount > most deny

machine grant {
  start none
  none -> given on granted
}
"""


def with_rule(rule: str, source: str = SOURCE) -> bytes:
    """The policy with a rule more."""
    return bundle_of(source.replace("\nmachine grant", f"{rule}\n\nmachine grant"))


STRICTER: Final = with_rule('rule closed when topic == "x.b" deny because "closed"')


class Shop(Plane):
    """A plane with a host, in which nothing goes on by itself."""

    def __init__(self, folder: Path, bundle: bytes | None = None, **settings: Any) -> None:
        self.host = Host({"prod": False})
        parts = {"context": self.host, "meter": Heard()}
        super().__init__(
            folder, bundle or bundle_of(SOURCE), {"lease_s": 3600, **settings}, parts=parts
        )

    @property
    def heard(self) -> Heard:
        meter = self.service.office.metrics
        assert isinstance(meter, Heard)
        return meter

    async def flying(self, topic: str, who: str = "a1", **more: Any) -> dict[str, Any]:
        """A job that a worker has begun."""
        made = await self.submit(who, topic, **more)
        assert made.status == 202, made
        (job,) = await self.lease()
        await self.begin(job)
        return job

    async def publish(self, bundle: bytes, **params: Any) -> None:
        answer = await self.service.publish(
            OPERATOR, bundle, allow_looser=True, reason="why not", params=params
        )
        assert answer.status == 200, answer

    def records(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.service.rows.lines(1)]
        return [one for one in found if one["run_timeline_event"] == event]

    def why(self, job: Mapping[str, Any]) -> str:
        found = self.service.rows.job(job["job_id"])
        assert found is not None
        return found.reason


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the rounds that a test asks for."""
    monkeypatch.setattr("govlang.runtime.control.service.ROUND_S", 3600)


UNDO: Final = {"request": {"agent": "a1", "topic": "x.undo", "amount": 1}, "payload": "back"}


def test_what_the_new_policy_denies_is_cancelled_and_undone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            lost = await plane.flying("x.b", undo=UNDO)
            kept = await plane.flying("x.a")
            await plane.publish(STRICTER)
            plane.clock.forward(0.2)
            await plane.reconcile()
            assert (plane.state(lost["job_id"]), plane.state(kept["job_id"])) == (
                "cancelled",
                "running",
            )
            assert plane.why(lost) == "revoked by `closed`: closed"
            assert plane.heard.detected == [("policy", 0.2)]
            (record,) = plane.records("policy_revokes")
            assert record["details"] == {"jobs": 1, "detected_after_ms": 200}
            assert plane.events()[-3:] == ["policy_revokes", "revoked", "dead_lettered"]
            assert plane.service.rows.get(lost_name(lost["job_id"])) is None
            plane.clock.forward(2)
            told = await plane.service.heartbeat(worker(), lost["lease_id"], {})
            assert told.body["cancel"] is True  # type: ignore[index,call-overload]
            assert plane.heard.done == [2.0]
            (undo,) = await plane.lease()
            assert undo["payload"] == "back"
            before = plane.events()
            await plane.reconcile()
            assert plane.events() == before, "it is done once"
            made = rebuild(plane.service.rows, plane.service.office.loading, from_saved=False)
            now_ms = plane.clock()
            assert made is not None
            assert made.policy.save(now_ms=now_ms) == plane.service.judge.policy.save(now_ms=now_ms)

    run(scenario)


def test_what_it_does_not_deny_leaves_nothing_behind(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            await plane.flying("x.a")
            before = plane.events()
            await plane.publish(STRICTER)
            await plane.reconcile()
            assert plane.events() == [*before, "policy_published"]

    run(scenario)


def test_rolling_back_to_a_stricter_policy_revokes_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path, STRICTER) as plane:
            await plane.publish(bundle_of(SOURCE))
            job = await plane.flying("x.b")
            answer = await plane.service.rollback(OPERATOR, "too loose", allow_looser=True)
            assert answer.status == 200
            await plane.reconcile()
            assert plane.state(job["job_id"]) == "cancelled"

    run(scenario)


def test_another_parameter_revokes_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            small, large = await plane.flying("x.a", amount=5), await plane.flying("x.a", amount=50)
            await plane.publish(bundle_of(SOURCE), most=10)
            await plane.reconcile()
            states = [plane.state(one["job_id"]) for one in (small, large)]
            assert states == ["running", "cancelled"]
            assert plane.why(large).startswith("revoked by `large`")

    run(scenario)


def test_what_the_old_policy_denied_already_is_not_lost_by_the_new_one(tmp_path: Path) -> None:
    """What runs has been counted: asked once more it is denied, under either policy."""

    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            jobs = [await plane.flying("x.often"), await plane.flying("x.often")]
            await plane.publish(STRICTER)
            await plane.reconcile()
            assert [plane.state(one["job_id"]) for one in jobs] == ["running", "running"]

    run(scenario)


def test_work_for_which_people_would_have_to_be_asked_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            job = await plane.flying("x.a")
            await plane.publish(
                with_rule('rule people when topic == "x.a" require human from "lead"')
            )
            await plane.reconcile()
            assert plane.state(job["job_id"]) == "running"

    run(scenario)


async def approved(plane: Shop) -> dict[str, Any]:
    """A job in flight that lea approved as `lead`."""
    await plane.submit("a1", "human")
    (paper,) = plane.service.rows.approvals("open", 9)
    word = {"job_hash": paper.job_hash}
    await plane.service.approve(approver("lea", "lead"), paper.approval_id, word)
    (job,) = await plane.lease()
    await plane.begin(job)
    return job


@pytest.mark.parametrize(
    ("asks", "state"),
    [
        ("", "running"),
        ('rule more when topic == "human" require human from "owner"', "running"),
        (
            """rule more when topic == "human" require human from "owner"
rule alone when topic == "human" and approved contains "lead" and not (approved contains "owner") deny""",
            "running",  # as one that waits: the lead's word counts no more, and both are asked
        ),
        ('rule closed when topic == "human" and amount < 5 deny', "cancelled"),
    ],
)
def test_what_people_approved_under_the_old_policy_counts_as_at_the_gate(
    tmp_path: Path, asks: str, state: str
) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            job = await approved(plane)
            await plane.publish(with_rule(asks, SOURCE + "// other\n"))
            await plane.publish(with_rule(asks))
            await plane.reconcile()
            assert plane.state(job["job_id"]) == state

    run(scenario)


def test_a_policy_that_cannot_read_what_runs_revokes_it(tmp_path: Path) -> None:
    source = SOURCE.replace("  prod ", "  zone : text\n  prod ")

    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            job = await plane.flying("x.a")
            await plane.publish(bundle_of(source))
            await plane.reconcile()
            assert plane.state(job["job_id"]) == "cancelled"
            assert "zone" in plane.why(job)

    run(scenario)


def test_what_the_host_knows_is_asked_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            job = await plane.flying("x.a")
            plane.host.known = {"prod": True}
            await plane.publish(with_rule("rule prods when prod deny"))
            await plane.reconcile()
            assert plane.why(job).startswith("revoked by `prods`")

    run(scenario)


def test_a_memory_that_starts_anew_revokes_what_rested_on_it(tmp_path: Path) -> None:
    anew = SOURCE.replace("start none\n  none -> given", "start fresh\n  fresh -> given")

    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            step = {"event": "granted", "key": {"agent": "a1"}, "fields": {}}
            assert (await plane.service.observe(OPERATOR, step)).status == 202
            job = await plane.flying("x.granted")
            await plane.publish(STRICTER)
            await plane.reconcile()
            assert plane.state(job["job_id"]) == "running", "this one takes the grant over"
            await plane.publish(bundle_of(anew))
            await plane.reconcile()
            assert plane.why(job).startswith("revoked by `grant`")

    run(scenario)


@pytest.mark.parametrize(
    ("waits_s", "prod", "state"),
    [(2, True, "cancelled"), (2, False, "running"), (31, False, "cancelled")],
)
def test_what_cannot_be_asked_is_owed(tmp_path: Path, waits_s: int, prod: bool, state: str) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            job = await plane.flying("x.a")
            plane.host.fails = True
            await plane.publish(with_rule("rule prods when prod deny"))
            await plane.reconcile()
            assert plane.state(job["job_id"]) == "running"
            assert len(plane.records("unasked")) == 1
            plane.clock.forward(waits_s)
            plane.host.fails, plane.host.known = waits_s > 30, {"prod": prod}
            await plane.reconcile()
            assert plane.state(job["job_id"]) == state
            assert plane.service.rows.get(unasked_name(job["job_id"])) is None

    run(scenario)


def test_what_is_lost_is_cancelled_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            lost, kept = await plane.flying("x.b"), await plane.flying("x.a")
            await plane.publish(STRICTER)
            assert plane.state(lost["job_id"]) == "running"
            clock = plane.clock
        behind = Shop(tmp_path)
        behind.clock = clock
        clock.forward(7)
        async with behind as plane:
            await plane.reconcile()
            assert plane.state(lost["job_id"]) == "cancelled"
            assert plane.state(kept["job_id"]) == "running"
            assert plane.why(lost) == "revoked by `closed`: closed"
            assert plane.heard.detected == [("policy", 7.0)]

    run(scenario)


def test_a_round_cancels_so_many_and_says_that_there_are_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "ROUND", 2)

    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            jobs = [await plane.flying("x.b", f"a{n}") for n in range(5)]
            await plane.publish(STRICTER)
            left, more = [], []
            for _ in range(3):
                more.append(await plane.service.carry_out(reconciler.reconcile))
                states = [plane.state(one["job_id"]) for one in jobs]
                left.append(states.count("running"))
            assert (left, more) == ([3, 1, 0], [True, True, False])
            assert [one["details"]["jobs"] for one in plane.records("policy_revokes")] == [2, 2, 1]

    run(scenario)


@pytest.mark.parametrize("outcome", ["succeeded", "again"])
def test_work_that_its_worker_ends_first_is_left_alone(tmp_path: Path, outcome: str) -> None:
    async def scenario() -> None:
        async with Shop(tmp_path) as plane:
            job = await plane.flying("x.b")
            await plane.publish(STRICTER)
            await plane.end(job, outcome)
            assert plane.service.rows.get(lost_name(job["job_id"])) is None
            await plane.reconcile()
            assert plane.records("revoked") == plane.records("policy_revokes") == []
            plane.clock.forward(3)
            assert await plane.lease() == []
            expected = {"succeeded": "succeeded", "again": "denied"}
            assert plane.state(job["job_id"]) == expected[outcome]

    run(scenario)


SHADOW: Final = '{"x.b": "shadow", "**": "enforce"}'


@pytest.mark.parametrize(("topic", "state"), [("x.b", "running"), ("x.c", "cancelled")])
def test_what_is_not_enforced_is_not_revoked(tmp_path: Path, topic: str, state: str) -> None:
    """Neither by a policy nor by an event: a new job of that topic would be let go."""

    async def scenario() -> None:
        closed = with_rule(f'rule closed when topic == "{topic}" deny')
        async with Shop(tmp_path, enforcement=SHADOW) as plane:
            job = await plane.flying(topic)
            await plane.publish(closed)
            await plane.reconcile()
            assert plane.state(job["job_id"]) == state
            await plane.publish(bundle_of(SOURCE))
            job = await plane.flying(topic)
            await plane.publish(with_rule("rule broken when granted within 1 min deny"))
            step = {"event": "granted", "key": {"agent": "a1"}, "fields": {}}
            assert (await plane.service.observe(OPERATOR, step)).status == 202
            assert plane.state(job["job_id"]) == state
            answer = await plane.submit("a1", topic)
            assert answer.status == {"running": 202, "cancelled": 403}[state], "as a new one"

    run(scenario)


ELSEWHERE: Final = {
    "policy_check_url": "http://check.test/",
    "policy_check_fail_mode": "open",
    "policy_check_fail_open_reason": "it must go on",
}


@pytest.mark.parametrize(("settings", "state"), [(ELSEWHERE, "dispatched"), ({}, "cancelled")])
def test_where_a_check_elsewhere_decides_the_policy_here_revokes_nothing(
    tmp_path: Path, settings: dict[str, Any], state: str
) -> None:
    source = EFFECTS.replace("agent  : key", "agent  : text")
    stricter = source.replace('like "allow.**"    allow', 'like "allow.a*"    allow')
    parts = {"transport": httpx.MockTransport(lambda _: httpx.Response(500))}

    async def scenario() -> None:
        async with Plane(tmp_path, bundle_of(source), settings, parts=parts) as plane:
            await plane.submit("a1", "allow.x")
            (job,) = await plane.lease()
            answer = await plane.service.publish(
                OPERATOR, bundle_of(stricter), allow_looser=True, reason="less"
            )
            assert answer.status == 200
            await plane.reconcile()
            assert plane.state(job["job_id"]) == state

    run(scenario)
