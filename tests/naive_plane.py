"""The control plane, written a second time and as simply as can be: dictionaries, and what each rule of it says.

In: what callers ask for, one thing after another, and the order in which the service says it took jobs.  Out: states,
approvals, the answer to be expected and the records to be expected of each job.  Shares no code with the service.
Agents are in naive_agents.py, jobs in naive_jobs.py, workers in naive_workers.py.
"""

from __future__ import annotations

from naive_task import Paper, Reply
from naive_workers import NaiveWorkers


class NaivePlane(NaiveWorkers):
    """Everything that is known of jobs, people and agents."""

    def word(self, paper: Paper, who: str, may: tuple[str, ...], *, approves: bool) -> Reply:
        job = paper.job
        if who in self.suspended:
            return Reply(403, "suspended")
        if who in (job.agent, *job.chain):
            return Reply(403, "own_approval")
        late = paper.state == "open" and self.now_ms >= paper.expires_ms
        if late or paper.state in ("rejected", "expired"):
            return Reply(409, "approval_closed")
        if approves and paper.state == "open":
            self.take_back(paper)
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

    def take_back(self, paper: Paper) -> None:
        """Take back what was granted by those who are suspended now."""
        for role in [role for role, by in paper.granted.items() if by in self.suspended]:
            del paper.granted[role]
            self.tell("grant_withdrawn", paper.job)

    def reject(self, paper: Paper) -> Reply:
        if paper.state != "open":
            return Reply(409, "approval_closed")
        paper.state = "rejected"
        self.close(paper.job, "rejected", "denied")
        return Reply(200, paper.job.state)

    def expire(self, paper: Paper) -> None:
        paper.state = "expired"
        if paper.job.state == "approval_required" and paper.job.paper is paper:
            self.close(paper.job, "approval_expired", "timed_out")
