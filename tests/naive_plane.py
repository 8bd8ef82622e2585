"""The control plane, written a second time and as simply as can be: dictionaries, and what each rule of it says.

In: what callers ask for, one thing after another, and the order in which the service says it took jobs.  Out: states,
approvals, the answer to be expected and the records to be expected of each job.  Shares no code with the service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from naive_rules import OTHER, SOURCE, Said, Sample, Wish, in_flight, read

LEASE_MS = 30_000
APPROVAL_MS = 600_000
DEPTH_MAX = 2
BUDGET = 3
FLYING = ("dispatched", "running")
WAITING = ("scheduled", "retrying")
OVER = ("succeeded", "failed", "cancelled", "timed_out", "denied", "quarantined")
STRICT = ("allow", "limit", "throttle", "human", "deny")


class Reply(NamedTuple):
    """What is to be answered: a status, and the state of a job or the code of a problem."""

    status: int
    word: str
    job_id: str = ""


@dataclass
class Paper:
    """An approval."""

    job: Task
    roles: tuple[str, ...]
    expires_ms: int
    policy: str
    granted: dict[str, str] = field(default_factory=dict)
    state: str = "open"

    @property
    def missing(self) -> list[str]:
        return [role for role in self.roles if role not in self.granted]


@dataclass
class Task:
    """A job."""

    job_id: str
    run: str
    step: str
    attempt: int
    agent: str
    chain: tuple[str, ...]
    topic: str
    amount: int
    undo: str | None = None
    undo_of: str | None = None
    parent: str | None = None
    state: str = "pending"
    paper: Paper | None = None
    tries: int = 0
    due_ms: int = 0
    committed: bool = False
    reported: bool = True
    reserves: bool = False
    worker: str = ""
    until_ms: int = 0
    lease: str | None = None
    owed: bool = False
    revoked: bool = False
    told: Any = None
    dispatches: int = 0


class NaivePlane:
    """Everything that is known of jobs, people and agents."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.policy = SOURCE
        self.previous: str | None = None
        self.jobs: dict[str, Task] = {}
        self.papers: list[Paper] = []
        self.answers: dict[tuple[str, str], tuple[Any, Reply]] = {}
        self.samples: dict[str, list[Sample]] = {}
        self.suspended: set[str] = set()
        self.letters: dict[str, Reply | None] = {}
        self.expected: list[tuple[str, str]] = []
        """Records to come: job and event."""

    # --- what the policy says ----------------------------------------------------------------

    def happen(self, agent: str, kind: str, amount: int = 0, effect: str = "") -> None:
        self.samples.setdefault(agent, []).append(Sample(self.now_ms, kind, amount, effect))

    def tell(self, event: str, job: Task | None = None) -> None:
        self.expected.append((job.job_id if job else "", event))

    def asked(self, agent: str, chain: tuple[str, ...], wish: Wish) -> Said:
        """The strictest word on a request of an agent and of all who handed it on, who have reserved nothing for it."""
        bare = Wish(wish.topic, wish.amount, wish.depth, wish.approved)
        found = [read(self.policy, self.samples.get(agent, []), self.now_ms, wish)]
        others = [one for one in dict.fromkeys(chain) if one != agent]
        found += [read(self.policy, self.samples.get(one, []), self.now_ms, bare) for one in others]
        return max(found, key=lambda said: STRICT.index(said.effect))

    def wish(self, job: Task, approved: Iterable[str] = ()) -> Wish:
        reserved = job.amount if job.reserves else 0
        return Wish(job.topic, job.amount, len(job.chain), frozenset(approved), reserved)

    def is_denied(self, job: Task) -> bool:
        paper = job.paper
        approved = paper.granted if paper and paper.state == "consumed" else ()
        return self.asked(job.agent, job.chain, self.wish(job, approved)).effect == "deny"

    def bearing(self) -> list[Task]:
        """The work in flight that the policy bears now: what it denies later is revoked by what happened."""
        return [
            j
            for j in self.jobs.values()
            if j.state in FLYING and not j.undo_of and not self.is_denied(j)
        ]

    # --- submit ------------------------------------------------------------------------------

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

    # --- dispatch ----------------------------------------------------------------------------

    def waiting(self) -> list[Task]:
        return [j for j in self.jobs.values() if j.state in WAITING and j.due_ms <= self.now_ms]

    def approved(self, job: Task) -> tuple[str, ...]:
        """The roles that an approval gives a job: granted, in time, under this policy or one that asks nobody else."""
        paper = job.paper
        if paper is None or paper.state != "granted" or self.now_ms >= paper.expires_ms:
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
                self.tell("dispatch_refused", job)
                self.release(job)
                self.tell("released", job)
                self.refuse(job)
                return False
            roles = self.approved(job)
            said = self.asked(job.agent, job.chain, self.wish(job, roles))
            if not job.committed:
                self.commit(job, self.wish(job, roles), said)
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

    def commit(self, job: Task, wish: Wish, said: Said) -> None:
        """The agent's own word is remembered, unless somebody who handed the job on may not do it."""
        bare = Wish(wish.topic, wish.amount, wish.depth, wish.approved)
        others = [one for one in job.chain if one != job.agent]
        words = [read(self.policy, self.samples.get(one, []), self.now_ms, bare) for one in others]
        if all(one.permits for one in words):
            own = read(self.policy, self.samples.get(job.agent, []), self.now_ms, wish)
            self.happen(job.agent, "request", job.amount, own.effect)
        del said

    def hold_back(self, job: Task, said: Said) -> None:
        match said.effect:
            case "human":
                self.tell("approval_requested", job)
                self.hold(job, said)
            case "throttle":
                self.tell("postponed", job)
                job.state, job.due_ms = "retrying", self.now_ms + 1000 * said.retry_s
            case _:
                self.release(job)
                self.tell("dispatch_refused", job)
                self.refuse(job)

    def refuse(self, job: Task) -> None:
        job.state = "denied"
        self.bury(job)
        self.undo(job)

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

    # --- what was reserved -------------------------------------------------------------------

    def release(self, job: Task) -> None:
        if job.reserves:
            self.happen(job.agent, "released", job.amount)
            job.reserves = False

    def settle(self, job: Task, used: int | None = None) -> None:
        """What was used goes into the windows, all of it unless said otherwise; the rest is free."""
        if not job.reserves:
            return
        spent = job.amount if used is None else used
        if spent > job.amount:
            self.happen(job.agent, "reserved", spent - job.amount)
        self.happen(job.agent, "settled", spent)
        self.happen(job.agent, "released", max(0, job.amount - spent))
        job.reserves = False

    def report(self, job: Task, kind: str) -> None:
        if not job.reported:
            self.happen(job.agent, kind)
            job.reported = True

    # --- workers -----------------------------------------------------------------------------

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

    def let_go(self, job: Task) -> None:
        if job.revoked:
            self.tell("released", job)
            job.revoked = False
        if job.owed:
            self.undo(job)

    # --- people ------------------------------------------------------------------------------

    def word(self, paper: Paper, who: str, may: tuple[str, ...], *, approves: bool) -> Reply:
        job = paper.job
        if who in (job.agent, *job.chain):
            return Reply(403, "own_approval")
        late = paper.state == "open" and self.now_ms >= paper.expires_ms
        if late or paper.state in ("rejected", "expired"):
            return Reply(409, "approval_closed")
        said = who in paper.granted.values() or paper.state in ("granted", "consumed")
        if approves and said:
            return Reply(200, job.state)
        if not set(may) & set(paper.missing if approves else paper.roles):
            return Reply(403, "forbidden")
        if not approves:
            return self.reject(paper)
        role = next(role for role in paper.missing if role in may)
        paper.granted[role] = who
        self.tell("approved", job)
        if not paper.missing:
            paper.state, job.state, job.due_ms = "granted", "scheduled", self.now_ms
        return Reply(200, job.state)

    def reject(self, paper: Paper) -> Reply:
        if paper.state != "open":
            return Reply(409, "approval_closed")
        paper.state = "rejected"
        self.close(paper.job, "rejected", "denied")
        return Reply(200, paper.job.state)

    def close(self, job: Task, event: str, state: str) -> None:
        self.release(job)
        self.tell(event, job)
        job.state = state
        self.bury(job)

    def expire(self, paper: Paper) -> None:
        paper.state = "expired"
        if paper.job.state == "approval_required" and paper.job.paper is paper:
            self.close(paper.job, "approval_expired", "timed_out")

    # --- cancelling --------------------------------------------------------------------------

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

    # --- operators ---------------------------------------------------------------------------

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

    def publish(self, source: str) -> None:
        self.previous, self.policy = self.policy, source
        self.tell("policy_published")

    def faults(self) -> list[str]:
        """What must hold of the model itself."""
        found = []
        for agent, samples in self.samples.items():
            live = sum(j.amount for j in self.jobs.values() if j.agent == agent and j.reserves)
            if in_flight(samples) != live:
                found.append(f"{agent} has reserved {in_flight(samples)}, its live jobs {live}")
        found += [j.job_id for j in self.jobs.values() if j.reserves and j.state in OVER]
        return found


Act = Callable[[], Reply]
__all__ = ["OTHER", "SOURCE", "NaivePlane", "Paper", "Reply", "Task"]
