"""Jobs, approvals and breaker against a model that is as simple as can be (naive_plane.py), step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from control_plane import OPERATOR, agent, approver, bundle_of, worker
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from model_plane import Twins, nothing_else, quick, same
from naive_rules import OTHER, SOURCE, Sample, Wish, machines, read
from naive_task import FLYING, Reply, Task

AGENTS = st.sampled_from(["a1", "a2", "a3"])
TOPICS = st.sampled_from(["allow", "spend", "grant", "human", "both", "burst", "limit", "none"])
AMOUNTS = st.sampled_from([1, 7, 40, 60])
WORKERS = st.sampled_from(["w1", "a2"])
WHICH = st.integers(0, 11)
PEOPLE = {"bob": ("lead",), "eve": ("lead", "owner"), "ann": ("owner",), "a1": ("lead", "owner")}


class Machine(RuleBasedStateMachine):
    """Callers of all kinds, and time that passes."""

    loop: asyncio.AbstractEventLoop

    @initialize()
    def begin(self) -> None:
        self.both = Twins(self.loop)
        self.keys: list[tuple[str, str, dict[str, Any]]] = []

    def teardown(self) -> None:
        if hasattr(self, "both"):
            try:
                self.both.rebuilt()
            finally:
                self.both.close()

    @property
    def service(self) -> Any:
        return self.both.plane.service

    @property
    def model(self) -> Any:
        return self.both.model

    def do(self, act: Any) -> Any:
        return self.both.do(act)

    # --- agents ----------------------------------------------------------------------------------

    def submit(self, who: str, body: dict[str, Any], key: str) -> None:
        before = self.model.bearing()
        expected = self.model.submit(who, body, key)
        same(self.do(self.service.submit(agent(who), body, key)), expected)
        self.both.follow(before, nothing_else)

    def body(self, who: str, topic: str, amount: int, undo: str | None) -> dict[str, Any]:
        request = {"agent": who, "topic": topic, "amount": amount}
        body = {"request": request, "payload": None, "pool": "p", "step": topic}
        if undo is not None:
            undone = {"agent": who, "topic": undo, "amount": 0}
            body["undo"] = {"request": undone, "payload": None, "pool": "p"}
        return body

    @rule(who=AGENTS, topic=TOPICS, amount=AMOUNTS, undo=st.sampled_from([None, "allow", "limit"]))
    def ask_for_a_job(self, who: str, topic: str, amount: int, undo: str | None) -> None:
        body = {**self.body(who, topic, amount, undo), "run_id": f"run-{who}"}
        self.keys.append((who, f"k{len(self.keys)}", body))
        self.submit(*self.keys[-1][:1], body, self.keys[-1][1])

    @rule(who=st.sampled_from(["a2", "a3"]))
    def ask_in_a_run_of_others(self, who: str) -> None:
        body = {**self.body(who, "allow", 1, None), "run_id": "run-a1"}
        self.keys.append((who, f"k{len(self.keys)}", body))
        self.submit(who, body, self.keys[-1][1])

    @precondition(lambda self: self.model.jobs)
    @rule(who=AGENTS, which=WHICH, topic=TOPICS, amount=AMOUNTS)
    def hand_on(self, who: str, which: int, topic: str, amount: int) -> None:
        flying = [j for j in self.model.jobs.values() if j.state in FLYING]
        parent = pick(flying or list(self.model.jobs.values()), which)
        body = {**self.body(who, topic, amount, None), "parent_job_id": parent.job_id}
        self.keys.append((who, f"k{len(self.keys)}", body))
        self.submit(who, body, self.keys[-1][1])

    @precondition(lambda self: self.keys)
    @rule(which=WHICH, changed=st.booleans())
    def ask_again(self, which: int, *, changed: bool) -> None:
        who, key, body = pick(self.keys, which)
        self.submit(who, {**body, "payload": "another"} if changed else body, key)

    @rule(who=AGENTS, topic=TOPICS, amount=AMOUNTS)
    def ask_only(self, who: str, topic: str, amount: int) -> None:
        request = {"agent": who, "topic": topic, "amount": amount}
        answer = self.do(self.service.evaluate(agent(who), {"request": request}, record=False))
        samples = self.model.samples.get(who, [])
        said = read(self.model.policy, samples, self.model.now_ms, Wish(topic, amount))
        effect = {"human": "require_human"}.get(said.effect, said.effect)
        found = (answer.body["decision"].lower(), answer.body["rule_id"])
        assert found == (effect, said.rule), said

    @precondition(lambda self: self.model.jobs)
    @rule(which=WHICH, who=st.sampled_from(["a1", "ops", "ops"]))
    def cancel(self, which: int, who: str) -> None:
        job = pick(list(self.model.jobs.values()), which)
        caller = OPERATOR if who == "ops" else agent(who)
        before = [one for one in self.model.bearing() if one is not job]
        expected = self.model.cancel(job, who)
        same(self.do(self.service.cancel(caller, job.job_id, "enough")), expected)
        self.both.follow(before, nothing_else)

    # --- workers ---------------------------------------------------------------------------------

    @rule(who=WORKERS, most=st.integers(1, 3))
    def lease(self, who: str, most: int) -> None:
        before, due = self.model.bearing(), self.model.waiting()
        body = {"worker": who, "max": most, "wait_s": 0, "actions": []}
        answer = self.do(self.service.lease(worker(who), "p", body))
        if who in self.model.suspended:
            same(answer, Reply(403, "suspended"))
            self.both.follow(before, nothing_else)
            return
        left = {job.job_id for job in due}
        handed = {one["job_id"]: one["lease_id"] for one in answer.body["jobs"]}

        def take(record: dict[str, Any], job: Task | None) -> None:
            assert job is not None
            assert job.job_id in left, f"{job.job_id} was not waiting"
            left.remove(job.job_id)
            if self.model.dispatch(job, who):
                job.lease = handed.pop(job.job_id)
                self.both.leases.append((job.lease, who))
                # It is permitted now, but the end of another job of this turn may revoke it.
                if not job.undo_of:
                    before.append(job)

        self.both.follow(before, take)
        assert not handed
        count = len(answer.body["jobs"])
        assert count <= most
        assert count == most or not left or len(due) > 4 * most, "those that wait are asked about"

    @precondition(lambda self: self.both.leases)
    @rule(
        which=WHICH,
        started=st.sampled_from([True, True, False]),
        other=st.sampled_from([0, 0, 0, 1]),
    )
    def heartbeat(self, which: int, *, started: bool, other: int) -> None:
        lease, who = pick(self.both.leases, which)
        who = "w2" if other else who
        before = self.model.bearing()
        expected = self.model.heartbeat(lease, who, started=started)
        told = self.do(self.service.heartbeat(worker(who), lease, {"started": started}))
        same(told, expected)
        self.both.follow(before, nothing_else)

    @precondition(lambda self: self.both.leases)
    @rule(
        which=WHICH,
        outcome=st.sampled_from(["succeeded", "failed", "failed", "again"]),
        used=st.sampled_from([None, 0, 3, 70]),
    )
    def result(self, which: int, outcome: str, used: int | None) -> None:
        lease, who = pick(self.both.leases, which)
        body: dict[str, Any] = {"outcome": outcome}
        if used is not None:
            body["used"] = {"amount": used}
        job = self.model.leased(lease, who)
        before = [one for one in self.model.bearing() if one is not job]
        expected = self.model.result(lease, who, body)
        same(self.do(self.service.result(worker(who), lease, body)), expected)
        self.both.follow(before, nothing_else)

    @rule(
        who=WORKERS,
        most=st.integers(1, 3),
        outcome=st.sampled_from(["succeeded", "failed", "failed"]),
        used=st.sampled_from([None, 3]),
    )
    def work(self, who: str, most: int, outcome: str, used: int | None) -> None:
        """A worker as it should be: it leases, begins and tells what came of it."""
        known = len(self.both.leases)
        self.lease(who, most)
        count = len(self.both.leases) - known
        for which in range(count):
            self.heartbeat(which, started=True, other=0)
        for which in range(count):
            self.result(which, outcome, used)

    @rule(who=AGENTS, topic=TOPICS, count=st.integers(2, 4))
    def ask_for_many(self, who: str, topic: str, count: int) -> None:
        for _ in range(count):
            self.ask_for_a_job(who, topic, 1, None)

    @rule(times=st.integers(1, 3), most=st.integers(1, 2))
    def lose_leases(self, times: int, most: int) -> None:
        """Workers that lease, and are never heard of again."""
        for _ in range(times):
            self.lease("w1", most)
            self.wait(31)
            self.reconcile()
            self.wait(3)

    @rule(count=st.integers(2, 4))
    def cancel_many(self, count: int) -> None:
        flying = [job.job_id for job in self.model.jobs.values() if job.state in FLYING]
        names = list(self.model.jobs)
        for job_id in flying[-count:]:
            self.cancel(len(names) - 1 - names.index(job_id), "ops")

    @rule(first=AMOUNTS, handed=AMOUNTS, then=AMOUNTS)
    def hand_on_in_flight(self, first: int, handed: int, then: int) -> None:
        """An agent hands on, and asks for more before its helper's job goes out."""
        self.ask_for_a_job("a1", "allow", first, None)
        self.lease("a2", 3)
        if self.model.jobs:
            self.hand_on("a2", 0, "spend", handed)
        self.ask_for_a_job("a1", "spend", then, None)
        self.lease("w1", 3)

    @rule(who=AGENTS)
    def begin_many(self, who: str) -> None:
        """An agent with work in flight, as it is most of the time."""
        self.observe(who, "granted")
        self.ask_for_a_job(who, "grant", 7, "allow")
        self.ask_for_a_job(who, "allow", 7, None)
        known = len(self.both.leases)
        self.lease("a2", 3)
        for which in range(0, len(self.both.leases) - known, 2):
            self.heartbeat(which, started=True, other=0)

    # --- people ----------------------------------------------------------------------------------

    @precondition(lambda self: self.both.papers)
    @rule(which=WHICH, who=st.sampled_from(sorted(PEOPLE)), word=st.sampled_from("aaar"))
    def say(self, which: int, who: str, word: str) -> None:
        number = pick(range(len(self.both.papers)), which)
        paper, approves = self.model.papers[number], word == "a"
        before = self.model.bearing()
        expected = self.model.word(paper, who, PEOPLE[who], approves=approves)
        act = self.service.approve if approves else self.service.reject
        said = {"job_hash": self.both.row(paper.job).job_hash}
        answer = self.do(act(approver(who, *PEOPLE[who]), self.both.papers[number], said))
        same(answer, expected)
        self.both.follow(before, nothing_else)

    # --- operators -------------------------------------------------------------------------------

    @rule(who=AGENTS, lift=st.booleans())
    def suspend(self, who: str, *, lift: bool) -> None:
        if who in self.model.suspended or lift:
            self.reinstate(who)
            return
        before = [j for j in self.model.jobs.values() if j.state in FLYING and not j.undo_of]
        before = [j for j in before if who in (j.agent, *j.chain)] + self.model.bearing()
        self.model.suspended.add(who)
        self.model.tell("agent_suspended")
        assert self.do(self.service.suspend(OPERATOR, who, "odd")).status == 200
        self.both.follow(before, nothing_else)

    def reinstate(self, who: str) -> None:
        self.model.suspended.discard(who)
        self.model.tell("agent_reinstated")
        assert self.do(self.service.reinstate(OPERATOR, who, "well")).status == 200
        self.both.follow([], nothing_else)

    @rule(who=AGENTS, event=st.sampled_from(["alarm", "granted", "granted"]))
    def observe(self, who: str, event: str) -> None:
        before = self.model.bearing()
        self.model.happen(who, event)
        self.model.tell("event")
        step = {"event": event, "key": {"agent": who}, "fields": {}}
        assert self.do(self.service.observe(OPERATOR, step)).status == 202
        self.both.follow(before, nothing_else)

    @precondition(lambda self: self.model.letters)
    @rule(which=WHICH)
    def retry(self, which: int) -> None:
        job_id = pick(sorted(self.model.letters), which)
        before = self.model.bearing()
        expected = self.model.retry(job_id)
        same(self.do(self.service.retry(OPERATOR, job_id)), expected)
        self.both.follow(before, nothing_else)

    @rule(back=st.booleans())
    def publish(self, *, back: bool) -> None:
        back = back and bool(self.model.before)
        source = OTHER if self.model.policy == SOURCE else SOURCE
        if back:
            act = self.service.rollback(OPERATOR, "back", allow_looser=True)
        else:
            raw = bundle_of(source)
            act = self.service.publish(OPERATOR, raw, allow_looser=True, reason="why not")
        answer = self.do(act)
        assert (answer.status, answer.body.get("anew")) == (200, []), answer
        self.model.go_back() if back else self.model.publish(source)
        self.both.follow([], nothing_else)

    # --- time ------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 3, 8, 12, 31, 61, 125, 601]))
    def wait(self, seconds: int) -> None:
        before = self.model.bearing()
        self.both.plane.clock.forward(seconds)
        self.model.now_ms = self.both.plane.clock()
        self.do(self.service.carry_out(lambda _: None))  # whatever comes next, the ticks come first
        self.both.follow(before, self.settle)

    @rule()
    def reconcile(self) -> None:
        before = self.model.bearing() + self.model.doomed()
        self.do(self.both.plane.reconcile())
        for paper in self.model.papers:
            late = paper.state in ("open", "granted") and paper.expires_ms < self.model.now_ms
            if late and not (paper.job.state == "approval_required" and paper.job.paper is paper):
                paper.state = "expired"  # nobody waits for it, so that no record tells
        self.both.follow(before, self.settle)
        self.settled()

    def settle(self, record: dict[str, Any], job: Task | None) -> None:
        """What the reconciler did, as the model does it."""
        event = record["run_timeline_event"]
        undone = self.model.jobs.get(record.get("details", {}).get("undo_of"))
        if event == "tick":
            self.model.happen(record["agent"], "tick")
            self.model.tell("tick")
        elif event == "policy_revokes":
            assert len(self.model.doomed()) == record["details"]["jobs"]
            self.model.tell(event)
        elif event == "approval_expired":
            self.model.expire(job.paper)  # type: ignore[union-attr]
        elif undone is not None:
            assert undone.until_ms < self.model.now_ms
            self.model.let_go(undone)
        elif job is not None and job.state == "cancelled":
            assert job.until_ms < self.model.now_ms
            self.model.let_go(job)
        else:
            assert job is not None
            assert job.state in FLYING, record
            self.model.lapse(job)

    def settled(self) -> None:
        """After a round nothing is left that should have happened by itself."""
        now_ms = self.model.now_ms
        for paper in self.model.papers:
            assert paper.state not in ("open", "granted") or paper.expires_ms >= now_ms
        for job in self.model.jobs.values():
            assert not (job.state in FLYING and job.until_ms < now_ms), job.job_id
            assert not (job.owed and job.until_ms < now_ms), job.job_id
            assert not job.is_doomed, job.job_id
        for samples in self.model.samples.values():
            found = machines([*samples, Sample(now_ms, "tick")])
            assert machines(samples).states == found.states, "a change that was due came"

    @rule(stops=st.booleans())
    def look_back(self, *, stops: bool) -> None:
        if stops:
            self.reconcile()
            self.both.restart()
        else:
            self.both.rebuilt()


def pick(many: Any, which: int) -> Any:
    """One of the newest."""
    return many[-1 - which % len(many)]


def hold(runs: int, part: int) -> None:
    """Run the machine so often, in a way that is always the same for a part; one event loop for all."""

    class Part(Machine):
        loop = asyncio.new_event_loop()

    chosen = settings(max_examples=runs, stateful_step_count=40, derandomize=False, database=None)
    try:
        with quick():
            run_state_machine_as_test(seed(part)(Part), settings=chosen)
    finally:
        Part.loop.close()


@pytest.mark.parametrize("part", range(3))
def test_the_control_plane_does_what_its_model_does(part: int) -> None:
    hold(100, part)


@pytest.mark.long
@pytest.mark.parametrize("part", range(40))
def test_ten_thousand_runs_find_no_difference(part: int) -> None:
    hold(250, 1000 + part)


FOUND: dict[str, Callable[[Machine], Any]] = {
    "a cancelled job is approved no more": lambda one: (
        one.ask_for_a_job("a1", "human", 1, None),
        one.cancel(0, "ops"),
        one.say(0, "bob", "a"),
    ),
    "a job that is leased and never begun ends": lambda one: (
        one.ask_for_a_job("a1", "allow", 1, None),
        one.lose_leases(3, 1),
    ),
    "what a job reserves is not taken off what others have reserved": lambda one: (
        one.hand_on_in_flight(1, 40, 60)
    ),
    "what a cancelled job fails revokes": lambda one: (
        one.ask_for_many("a1", "allow", 4),
        one.lease("w1", 3),
        one.lease("w1", 3),
        one.cancel_many(3),
    ),
    "what was given back and is cancelled then has failed": lambda one: (
        one.ask_for_many("a1", "allow", 4),
        one.lease("w1", 3),
        one.lease("w1", 1),
        *(one.result(which, "again", None) for which in range(3)),
        *(one.cancel(which, "ops") for which in range(3)),
    ),
    "a policy revokes what it denies, and what was given back waits": lambda one: (
        one.ask_for_many("a1", "limit", 2),
        one.ask_for_a_job("a2", "limit", 7, "allow"),
        one.ask_for_a_job("a3", "limit", 40, None),
        one.lease("w1", 3),
        one.lease("w1", 1),
        one.publish(back=False),
        one.result(0, "again", None),
        one.reconcile(),
        one.heartbeat(1, started=False, other=0),
    ),
    "time revokes of several agents at once": lambda one: (
        one.begin_many("a1"),
        one.begin_many("a2"),
        one.wait(125),
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_the_model_found_stays_mended(what: str) -> None:
    class One(Machine):
        loop = asyncio.new_event_loop()

    with quick():
        one = One()
        try:
            one.begin()
            FOUND[what](one)
        finally:
            one.teardown()
            One.loop.close()
