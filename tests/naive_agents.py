"""What has happened to agents, in the control plane's model, and what the policy says of them for it.

Everything that ever happened is kept, and read anew for each question (naive_rules.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from naive_rules import SOURCE, Said, Sample, Wish, in_flight, read
from naive_task import FLYING, OVER, Task

STRICT: Final = ("allow", "limit", "throttle", "human", "deny")


class NaiveAgents:
    """Agents, the work that each has reserved, and the policy."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.policy = SOURCE
        self.before: list[str] = []
        """The policies that were published before, without those that were left by going back."""
        self.jobs: dict[str, Task] = {}
        self.samples: dict[str, list[Sample]] = {}
        self.suspended: set[str] = set()
        self.expected: list[tuple[str, str]] = []
        """Records to come: job and event."""
        self._known: dict[tuple[str, int, int, str, Wish], Said] = {}

    def happen(self, agent: str, kind: str, amount: int = 0, effect: str = "") -> None:
        self.samples.setdefault(agent, []).append(Sample(self.now_ms, kind, amount, effect))

    def tell(self, event: str, job: Task | None = None) -> None:
        self.expected.append((job.job_id if job else "", event))

    # --- what the policy says --------------------------------------------------------------------

    def said(self, agent: str, wish: Wish) -> Said:
        """What the policy says of a request now; the same question is answered once, until something happens."""
        samples = self.samples.get(agent, [])
        key = (agent, len(samples), self.now_ms, self.policy, wish)
        if key not in self._known:
            self._known[key] = read(self.policy, samples, self.now_ms, wish)
        return self._known[key]

    def asked(self, agent: str, chain: tuple[str, ...], wish: Wish) -> Said:
        """The strictest word on a request of an agent and of all who handed it on, who have reserved nothing for it."""
        own = self.said(agent, wish)
        bare = wish._replace(reserved=0)
        others = [self.said(one, bare) for one in dict.fromkeys(chain) if one != agent]
        return max((own, *others), key=lambda said: STRICT.index(said.effect)) if others else own

    def wish(self, job: Task, approved: Iterable[str] = ()) -> Wish:
        reserved = job.amount if job.reserves else 0
        return Wish(job.topic, job.amount, len(job.chain), frozenset(approved), reserved)

    def is_denied(self, job: Task) -> bool:
        paper = job.paper
        approved = paper.granted if paper and paper.state == "consumed" else {}
        if paper is not None and paper.policy != self.policy:
            anew = self.asked(job.agent, job.chain, self.wish(job))
            if anew.effect == "human" and not set(anew.roles) <= set(approved):
                approved = {}
        return self.asked(job.agent, job.chain, self.wish(job, approved)).effect == "deny"

    def bearing(self) -> list[Task]:
        """The work in flight that the policy bears now: what it denies later is revoked by what happened."""
        return [
            j
            for j in self.jobs.values()
            if j.state in FLYING and not j.undo_of and not self.is_denied(j)
        ]

    def publish(self, source: str) -> None:
        self.before = [*self.before, self.policy]
        self.exchange(source)

    def go_back(self) -> None:
        self.exchange(self.before.pop())

    def exchange(self, source: str) -> None:
        """Put another policy in place: what it denies of the work that the one before bore is to end."""
        borne = self.bearing()
        self.policy = source
        for job in borne:
            if self.is_denied(job):
                job.doomed = job.dispatches
        self.tell("policy_published")

    def doomed(self) -> list[Task]:
        """The work in flight that a policy has revoked, and that has not been cancelled yet."""
        return [job for job in self.jobs.values() if job.is_doomed]

    # --- what was reserved -----------------------------------------------------------------------

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

    def faults(self) -> list[str]:
        """What must hold of the model itself."""
        found = []
        for agent, samples in self.samples.items():
            live = sum(j.amount for j in self.jobs.values() if j.agent == agent and j.reserves)
            if in_flight(samples) != live:
                found.append(f"{agent} has reserved {in_flight(samples)}, its live jobs {live}")
        found += [j.job_id for j in self.jobs.values() if j.reserves and j.state in OVER]
        return found
