"""The policy that gates ask: questions in, verdicts out; and what it remembers, fed with what happens to jobs.

What always holds: of a job that others handed on, each of them is asked for as well, and the strictest answer counts;
only
`commit` and `observe` write, both at a time that never goes back; fields from the runtime are set here and nowhere
else.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from govlang.native.errors import TableError
from govlang.runtime.bundle import Bundle
from govlang.runtime.control.values import is_plain, revive
from govlang.runtime.control.verdict import Verdict, strictest
from govlang.runtime.decision import Decision, Outcome
from govlang.runtime.evidence.record import written
from govlang.runtime.policy import Policy

Context = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""What else the host knows of an agent's request: values of the policy's fields `from runtime`."""

RESERVED: Final = "reserved"
SETTLED: Final = "settled"
RELEASED: Final = "released"
DISPATCHED: Final = "dispatched"


def no_context(agent: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """A host that knows nothing else."""
    del agent, request
    return {}


@dataclass(frozen=True, slots=True)
class Question:
    """What a gate asks: a request (numbers as texts), whose it is, and what the service knows of it."""

    request: Mapping[str, Any]
    agent: str
    delegation: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()
    reserved: Mapping[str, str] = field(default_factory=dict)


class Judge:
    """An active policy, the hash of its proofs, and the deadlines of its keys."""

    def __init__(
        self, bundle: Bundle, policy: Policy, context: Context = no_context, bundle_hash: str = ""
    ) -> None:
        self.bundle: Final = bundle
        self.bundle_hash: Final = bundle_hash
        self.policy: Final = policy
        self.proof_hash: Final = bundle.manifest.proof_hash
        self._context = context
        memory = policy.memory
        self.agent_field: Final = _agent_field(policy)
        self._kinds = {f.name: f.kind for f in policy.fields}
        self._from_runtime = {f.name for f in policy.fields if f.origin == "runtime"}
        self._samples = {} if memory is None else {one.name: one for one in memory.samples}
        self._deadlines: list[tuple[int, str]] = []

    # --- questions -------------------------------------------------------------------------------

    def ask(self, question: Question, now_ms: int) -> Verdict:
        """What would be decided of it now; writes nothing."""
        return strictest((self._asked(question, now_ms), *self._of_chain(question, now_ms)))

    def ask_with(self, question: Question, runtime: Mapping[str, Any], now_ms: int) -> Verdict:
        """The same, with the values of fields `from runtime` that somebody else knows."""
        request = revive(self.policy.fields, question.request)
        outcome = self.policy.decide(request, now_ms=now_ms, runtime=dict(runtime))
        return _verdict(outcome, outcome, runtime, "")

    def read(self, request: dict[str, Any]) -> dict[str, Any]:
        """A request as it was sent, as the policy is asked about it once it is kept: `revive(fields, written(…))`."""
        if is_plain(self._kinds, request):
            return request
        return revive(self.policy.fields, written(request))

    def outcome(self, request: dict[str, Any], agent: str, now_ms: int) -> Outcome:
        """What would be decided of a request (`read`), with nothing approved and by nobody's order; writes nothing.

        The same as `ask` of it, without what only gates and evidence need.
        """
        runtime = self.runtime(Question(request, agent), request)
        found: Outcome = self.policy.decide(request, now_ms=now_ms, runtime=runtime)
        return found

    def commit(self, question: Question, now_ms: int) -> tuple[Verdict, bool]:
        """Decide and remember; whether it was remembered: not if somebody in the chain may not do it."""
        chain = self._of_chain(question, now_ms)
        keep = not chain or strictest(chain).permits
        return strictest((self._asked(question, now_ms, keep=keep), *chain)), keep

    def recommit(
        self, request: Mapping[str, Any], runtime: Mapping[str, Any], agent: str, now_ms: int
    ) -> None:
        """Remember a request once more that was committed at `now_ms`, from its record."""
        fields = self.policy.fields
        outcome = self.policy.commit(
            revive(fields, request), now_ms=now_ms, runtime=revive(fields, runtime)
        )
        self._note(agent, outcome.next_deadline_ms)

    def _of_chain(self, question: Question, now_ms: int) -> tuple[Verdict, ...]:
        others = dict.fromkeys(one for one in question.delegation if one != question.agent)
        if self.agent_field is None:
            return ()
        return tuple(self._asked(question, now_ms, other) for other in others)

    def _asked(
        self, question: Question, now_ms: int, of: str = "", *, keep: bool = False
    ) -> Verdict:
        request = revive(self.policy.fields, question.request)
        if of and self.agent_field is not None:
            request[self.agent_field] = of
        runtime = self.runtime(question, request)
        before = None
        if question.approved:
            bare = {**runtime, "approved": []}
            before = self.policy.decide(request, now_ms=now_ms, runtime=bare)
        ask = self.policy.commit if keep else self.policy.decide
        outcome: Outcome = ask(request, now_ms=now_ms, runtime=runtime)
        if keep:
            self._note(of or question.agent, outcome.next_deadline_ms)
        return _verdict(outcome, before or outcome, runtime, of)

    def runtime(self, question: Question, request: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the fields `from runtime` that the policy declares."""
        if not self._from_runtime:
            return {}
        chain = question.delegation
        known: dict[str, Any] = {
            "approved": list(question.approved),
            "delegator": chain[-1] if chain else None,
            "origin": chain[0] if chain else question.agent,
            "depth": len(chain),
        }
        known |= {f"{RESERVED}_{n}": question.reserved.get(n, "0") for n in self.reserved_names}
        known |= self._context(question.agent, request)
        wanted = {n: v for n, v in known.items() if n in self._from_runtime and v is not None}
        return revive(self.policy.fields, wanted)

    # --- what happens ----------------------------------------------------------------------------

    def knows(self, event: str) -> bool:
        """Whether the policy declares an event or a signal of that name."""
        return event in self._samples

    @property
    def reserved_names(self) -> tuple[str, ...]:
        """The fields of which the policy reads `reserved(x)`."""
        sample = self._samples.get(RESERVED)
        return () if sample is None else tuple(one.name for one in sample.fields)

    def fields_of(self, event: str) -> tuple[str, ...]:
        """The fields that an event carries beside its key."""
        return tuple(one.name for one in self._samples[event].fields)

    def step(
        self, event: str, agent: str, fields: Mapping[str, Any], now_ms: int
    ) -> dict[str, Any]:
        """A step of a trace that tells of an event; the values of its fields as texts."""
        sample = self._samples[event]
        memory = self.policy.memory
        own = (
            {}
            if sample.is_shared or not (memory and memory.key)
            else {"key": {memory.key_name: agent}}
        )
        return {"at_ms": now_ms, "event": event, **own, "fields": written(dict(fields))}

    def observe(self, step: Mapping[str, Any]) -> int | None:
        """Take in a step; numbers may be texts.  The next time at which something can change by itself.

        Raises:
            TableError: GOV415, GOV417, GOV418 (Policy.observe); nothing has changed then.
        """
        deadline = self.policy.observe(self._revived(step))
        self._note(key_of(step), deadline)
        return deadline

    def _revived(self, step: Mapping[str, Any]) -> dict[str, Any]:
        name = step.get("event", step.get("signal"))
        sample = self._samples.get(name) if isinstance(name, str) else None
        if sample is None:
            return dict(step)
        if "signal" in step:
            return {**step, "value": revive(sample.fields, {name: step["value"]})[name]}
        return {**step, "fields": revive(sample.fields, step.get("fields", {}))}

    # --- deadlines -------------------------------------------------------------------------------

    def _note(self, key: str, deadline_ms: int | None) -> None:
        if deadline_ms is not None:
            heapq.heappush(self._deadlines, (deadline_ms, key))

    @property
    def next_deadline_ms(self) -> int | None:
        """When the next key wants a tick."""
        return self._deadlines[0][0] if self._deadlines else None

    def deadlines(self) -> list[list[Any]]:
        """Every deadline with its key, for whoever goes on from this state."""
        return [[at_ms, key] for at_ms, key in sorted(set(self._deadlines))]

    def take_deadlines(self, kept: list[list[Any]]) -> None:
        """Go on with the deadlines of another judge."""
        self._deadlines = sorted((int(at_ms), str(key)) for at_ms, key in kept)

    def due(self, now_ms: int) -> list[str]:
        """The keys that want a tick now; each is given once."""
        found: dict[str, None] = {}
        while self._deadlines and self._deadlines[0][0] <= now_ms:
            found[heapq.heappop(self._deadlines)[1]] = None
        return list(found)

    def tick(self, key: str, now_ms: int) -> dict[str, Any]:
        """The step of a trace that lets time pass for a key."""
        memory = self.policy.memory
        own = {"key": {memory.key_name: key}} if memory is not None and memory.key and key else {}
        return {"at_ms": now_ms, **own, "tick": True}


def key_of(step: Mapping[str, Any]) -> str:
    """The key that a step is about, empty where it has none."""
    key = step.get("key", "")
    return str(next(iter(key.values()), "")) if isinstance(key, Mapping) else str(key)


def _agent_field(policy: Policy) -> str | None:
    """The field of a request that says whose it is."""
    if policy.memory is not None and policy.memory.key_name is not None:
        return policy.memory.key_name
    names = [f.name for f in policy.fields if f.origin == "request" and f.kind in ("key", "text")]
    keys = [f.name for f in policy.fields if f.origin == "request" and f.kind == "key"]
    return "agent" if "agent" in names else keys[0] if len(keys) == 1 else None


def _verdict(outcome: Outcome, before: Outcome, runtime: Mapping[str, Any], of: str) -> Verdict:
    obligations, matched = outcome.gathered()
    return Verdict(
        decision=outcome.decision,
        rule_id=outcome.rule_id,
        reason=outcome.reason,
        obligations=obligations,
        matched=matched,
        policy_snapshot=outcome.policy_snapshot,
        params_hash=outcome.params_hash,
        before=Decision(before.decision),
        before_rule=before.rule_id,
        of=of,
        deadline_ms=outcome.next_deadline_ms,
        runtime=written(dict(runtime)),
    )


def is_refused_event(error: TableError) -> bool:
    """Whether a step was refused because nothing called for it (GOV417)."""
    return error.code == "GOV417"
