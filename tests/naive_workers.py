"""Workers of the control plane's model: what goes out to them, and what they tell of it."""

from __future__ import annotations

from typing import Any

from naive_jobs import NaiveJobs
from naive_rules import Said, Wish
from naive_task import BUDGET, FLYING, LEASE_MS, OVER, WAITING, Reply, Task


class NaiveWorkers(NaiveJobs):
    """Jobs and those who do them."""

    # --- dispatch --------------------------------------------------------------------------------

    def waiting(self) -> list[Task]:
        return [j for j in self.jobs.values() if j.state in WAITING and j.due_ms <= self.now_ms]

    def approved(self, job: Task) -> tuple[str, ...]:
        """The roles that an approval gives a job: granted, in time, under this policy or one that asks nobody else."""
        paper = job.paper
        if paper is None or paper.state != "granted" or self.now_ms >= paper.expires_ms:
            return ()
        if self.suspended & set(paper.granted.values()):
            return ()
        roles = tuple(paper.granted)
        if paper.policy != self.policy:
            anew = self.asked(job.agent, job.chain, self.wish(job))
            if anew.effect == "human" and not set(anew.roles) <= set(roles):
                return ()
        return roles

    def dispatch(self, job: Task, worker: str) -> bool:
        """Take a job through the gate; whether it goes."""
        if job.undo_of is None:
            if self.suspended & {job.agent, *job.chain}:
                self.report(job, "failure")
                self.tell("dispatch_refused", job)
                self.release(job)
                self.tell("released", job)
                self.refuse(job)
                return False
            roles = self.approved(job)
            said = self.asked(job.agent, job.chain, self.wish(job, roles))
            if not job.committed:
                self.commit(job, self.wish(job, roles))
            if not said.permits:
                self.hold_back(job, said)
                return False
            if roles and job.paper is not None:
                assert job.paper.state == "granted"
                job.paper.state = "consumed"
            job.committed = True
            if job.reported:
                self.happen(job.agent, "dispatched")
                job.reported = False
        job.state, job.worker = "dispatched", worker
        job.until_ms = self.now_ms + LEASE_MS
        job.dispatches += 1
        self.tell("step_dispatched", job)
        return True

    def commit(self, job: Task, wish: Wish) -> None:
        """The agent's own word is remembered, unless somebody who handed the job on may not do it."""
        bare = Wish(wish.topic, wish.amount, wish.depth, wish.approved)
        others = [one for one in job.chain if one != job.agent]
        words = [self.said(one, bare) for one in others]
        if all(one.permits for one in words):
            own = self.said(job.agent, wish)
            self.happen(job.agent, "request", job.amount, own.effect)

    def hold_back(self, job: Task, said: Said) -> None:
        match said.effect:
            case "human":
                self.tell("approval_requested", job)
                self.hold(job, said)
            case "throttle":
                self.tell("postponed", job)
                job.state, job.due_ms = "retrying", self.now_ms + 1000 * said.retry_s
            case _:
                self.report(job, "failure")
                self.release(job)
                self.tell("dispatch_refused", job)
                self.refuse(job)

    # --- what they tell --------------------------------------------------------------------------

    def leased(self, lease: str, worker: str) -> Task | None:
        found = [j for j in self.jobs.values() if j.lease == lease and j.worker == worker]
        return found[0] if found else None

    def heartbeat(self, lease: str, worker: str, *, started: bool) -> Reply:
        job = self.leased(lease, worker)
        if job is None:
            return Reply(409, "lease_lost")
        if job.state not in FLYING:
            self.let_go(job)
            return Reply(200, job.state)
        if self.now_ms > job.until_ms:
            return Reply(409, "lease_lost")
        job.until_ms = self.now_ms + LEASE_MS
        if started and job.state == "dispatched":
            job.state = "running"
            self.tell("step_started", job)
        return Reply(200, job.state)

    def result(self, lease: str, worker: str, body: dict[str, Any]) -> Reply:
        job = self.leased(lease, worker)
        if (job is None or job.state in OVER) and (lease, worker) in self.given_back:
            told, answer = self.given_back[lease, worker]
            if told == body:
                return answer
        if job is None:
            return Reply(409, "lease_lost")
        if job.state in OVER:
            if job.told == body:
                return Reply(200, job.state)
            self.let_go(job)
            return Reply(409, "lease_lost")
        if job.state not in FLYING or self.now_ms > job.until_ms:
            return Reply(409, "lease_lost")
        if job.state == "dispatched" and body["outcome"] != "again":
            return Reply(409, "illegal_state")
        if body["outcome"] == "again":
            self.again(job)
            self.given_back[lease, worker] = body, Reply(200, job.state)
        else:
            job.told = body
            used = body.get("used", {}).get("amount")
            self.end(job, good=body["outcome"] == "succeeded", used=used)
        return Reply(200, job.state)

    def again(self, job: Task) -> None:
        """Nothing was done: it is tried once more, a bounded number of times."""
        job.tries += 1
        if job.tries < BUDGET:
            self.tell("retried", job)
            job.state, job.lease = "retrying", None
        elif job.state == "running":
            self.end(job, good=False, used=None)
        else:
            self.give_up(job)

    def give_up(self, job: Task) -> None:
        """It never began, and is not tried any more."""
        self.report(job, "failure")
        self.release(job)
        self.tell("step_timed_out", job)
        job.state = "timed_out"
        self.bury(job)

    def end(self, job: Task, *, good: bool, used: int | None) -> None:
        self.report(job, "success" if good else "failure")
        self.settle(job, used)
        job.state = "succeeded" if good else "failed"
        self.tell("step_succeeded" if good else "step_failed", job)
        if not good:
            self.bury(job)

    def lapse(self, job: Task) -> None:
        assert self.now_ms > job.until_ms, "only a lease that ran out is ended"
        if job.state == "dispatched":
            self.again(job)
            return
        self.report(job, "failure")
        self.settle(job)
        self.tell("step_timed_out", job)
        job.state = "timed_out"
        self.bury(job)
