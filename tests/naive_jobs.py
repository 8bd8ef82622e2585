"""Jobs of the control plane's model: how they come in, wait for people, and end without having been done."""

from __future__ import annotations

from typing import Any

from naive_agents import NaiveAgents
from naive_rules import Said, Wish
from naive_task import APPROVAL_MS, DEPTH_MAX, FLYING, OVER, Paper, Reply, Task


class NaiveJobs(NaiveAgents):
    """Jobs by name, approvals in their order, and the dead letters."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms)
        self.papers: list[Paper] = []
        self.answers: dict[tuple[str, str], tuple[Any, Reply]] = {}
        self.given_back: dict[tuple[str, str], tuple[Any, Reply]] = {}
        self.letters: dict[str, Reply | None] = {}

    # --- submit ----------------------------------------------------------------------------------

    def submit(self, agent: str, body: dict[str, Any], key: str) -> Reply:
        earlier = self.answers.get((agent, key))
        if earlier is not None:
            return earlier[1] if earlier[0] == body else Reply(409, "idempotency_conflict")
        parent = None
        if "parent_job_id" in body:
            parent = self.jobs.get(body["parent_job_id"])
            if parent is None or agent not in (parent.agent, parent.worker):
                return Reply(403, "forbidden")
            if parent.state not in FLYING:
                return Reply(409, "illegal_state")
        run = body.get("run_id") or (parent.run if parent else "")
        part = {a for j in self.jobs.values() if j.run == run for a in (j.agent, *j.chain)}
        if part and agent not in part and not (parent and parent.run == run):
            return Reply(403, "forbidden")
        asked = body["request"]
        undo = body["undo"]["request"]["topic"] if "undo" in body else None
        chain = () if parent is None else parent.chain
        if parent is not None and parent.agent != agent:
            chain = (*parent.chain, parent.agent)
        job = self.new(run, body["step"], agent, chain, asked["topic"], asked["amount"])
        job.undo, job.parent = undo, parent.job_id if parent else None
        reply = self.admit(job)
        if reply.status in (202, 403):
            self.answers[agent, key] = (body, reply)
        return reply

    def new(
        self, run: str, step: str, agent: str, chain: tuple[str, ...], topic: str, amount: int
    ) -> Task:
        before = [j.attempt for j in self.jobs.values() if (j.run, j.step) == (run, step)]
        attempt = 1 + max(before, default=0)
        return Task(
            f"{run}:{step}@{attempt}",
            run,
            step,
            attempt,
            agent,
            chain,
            topic,
            amount,
            due_ms=self.now_ms,
        )

    def admit(self, job: Task) -> Reply:
        if self.suspended & {job.agent, *job.chain} or len(job.chain) > DEPTH_MAX:
            self.tell("submit_refused", job)
            return Reply(403, "denied")
        said = self.asked(job.agent, job.chain, self.wish(job))
        if said.effect in ("deny", "throttle"):
            self.tell("submit_refused", job)
            return Reply(403, "denied") if said.effect == "deny" else Reply(429, "throttled")
        if job.undo is not None:
            undone = self.asked(job.agent, job.chain, Wish(job.undo, 0, len(job.chain)))
            if not undone.permits:
                self.tell("submit_refused", job)
                return Reply(403, "denied")
        job.reserves = True
        self.happen(job.agent, "reserved", job.amount)
        job.state = "scheduled"
        if said.effect == "human":
            self.hold(job, said)
        self.jobs[job.job_id] = job
        self.tell("submitted", job)
        return Reply(202, job.state, job.job_id)

    def hold(self, job: Task, said: Said) -> None:
        job.state = "approval_required"
        job.paper = Paper(job, said.roles, self.now_ms + APPROVAL_MS, self.policy)
        self.papers.append(job.paper)

    def retry(self, job_id: str) -> Reply:
        if job_id not in self.letters:
            return Reply(404, "not_found")
        kept = self.letters[job_id]
        if kept is not None:
            return kept
        old = self.jobs[job_id]
        job = self.new(old.run, old.step, old.agent, old.chain, old.topic, old.amount)
        job.undo, job.undo_of, job.parent = old.undo, old.undo_of, old.parent
        if job.undo_of is None:
            reply = self.admit(job)
        else:
            job.state = "scheduled"
            self.jobs[job.job_id] = job
            self.tell("undo_submitted", job)
            reply = Reply(202, job.state, job.job_id)
        if reply.status == 202:
            self.tell("retried", old)
            self.letters[job_id] = reply
        return reply

    # --- ends ------------------------------------------------------------------------------------

    def cancel(self, job: Task, who: str) -> Reply:
        if who not in (job.agent, "ops"):
            return Reply(404, "not_found")
        if job.state in OVER:
            return Reply(409, "illegal_state")
        if job.state in FLYING:
            self.withdraw(job, "cancelled")
        else:
            if job.paper is not None and job.paper.state in ("open", "granted"):
                job.paper.state = "expired"
            self.report(job, "failure")
            self.release(job)
            self.tell("cancelled", job)
            job.state = "cancelled"
        return Reply(200, job.state)

    def withdraw(self, job: Task, event: str) -> None:
        self.report(job, "failure")
        if job.state == "running":
            self.settle(job)
        else:
            self.release(job)
        self.tell(event, job)
        job.state, job.owed, job.revoked = "cancelled", job.undo is not None, event == "revoked"
        self.bury(job)

    def refuse(self, job: Task) -> None:
        job.state = "denied"
        self.bury(job)
        self.undo(job)

    def close(self, job: Task, event: str, state: str) -> None:
        self.report(job, "failure")
        self.release(job)
        self.tell(event, job)
        job.state = state
        self.bury(job)

    def bury(self, job: Task) -> None:
        self.letters[job.job_id] = None
        self.tell("dead_lettered", job)

    def undo(self, job: Task) -> None:
        job.owed = False
        if job.undo is None:
            return
        made = self.new(job.run, f"{job.step}.undo", job.agent, job.chain, job.undo, 0)
        made.undo_of, made.parent, made.state = job.job_id, job.job_id, "scheduled"
        self.jobs[made.job_id] = made
        self.tell("undo_submitted", made)

    def let_go(self, job: Task) -> None:
        if job.revoked:
            self.tell("released", job)
            job.revoked = False
        if job.owed:
            self.undo(job)
