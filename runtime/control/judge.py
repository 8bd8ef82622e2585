"""The policy that gates ask: questions in, verdicts out; and what it remembers, fed with what happens to jobs.

What always holds: of a job that others handed on, each of them is asked for as well, and the strictest answer counts;
only `commit` and `observe` write, both at a time that never goes back; fields from the runtime are set here and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from govlang.native.memory import SampleType
from govlang.native.request import InvalidFieldError, read_request
from govlang.runtime.bundle import Bundle
from govlang.runtime.control.answer import Lasting
from govlang.runtime.control.deadlines import Deadlines
from govlang.runtime.control.fields import fault_of
from govlang.runtime.control.hostvalues import Context, no_context, of_host
from govlang.runtime.control.influence import Influence
from govlang.runtime.control.values import number_of, revive
from govlang.runtime.control.verdict import Verdict, strictest
from govlang.runtime.decision import Decision, Outcome
from govlang.runtime.evidence.record import written
from govlang.runtime.policy import Policy

TOLD_MAX: Final = 1024
"""So many answers are kept as they are written; others are written each time."""

RESERVED: Final = "reserved"
SETTLED: Final = "settled"
RELEASED: Final = "released"
DISPATCHED: Final = "dispatched"

RUNTIME_EVENTS: Final = frozenset(
    {"dispatched", "allowed", "success", "failure", "cancelled", "reserved", "settled", "released"}
)
"""Events that only the runtime tells: a caller that could would lift limits."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a gate asks: a request as `Policy` takes it, whose it is, and what the service knows of it."""

    request: Mapping[str, Any]
    agent: str
    delegation: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()
    reserved: Mapping[str, str] = field(default_factory=dict)
    undo: Mapping[str, Any] | None = None
    """The request of its undo, where a check elsewhere is to be asked about that, too."""


class Judge:
    """An active policy, the hash of its proofs, and the deadlines of its keys."""

    def __init__(
        self, bundle: Bundle, policy: Policy, context: Context = no_context, bundle_hash: str = ""
    ) -> None:
        self.bundle: Final = bundle
        self.bundle_hash: Final = bundle_hash
        self.policy: Final = policy
        self.proof_hash: Final = bundle.manifest.proof_hash
        self.context: Final = context
        memory = policy.memory
        self.agent_field: Final = agent_field(policy)
        self._from_runtime = {f.name for f in policy.fields if f.origin == "runtime"}
        self._samples = {} if memory is None else {one.name: one for one in memory.samples}
        self.deadlines: Final = Deadlines()
        self._plain = self._declared(self._known(Question({}, "")))
        self._told: dict[bytes, Lasting] = {}
        self.influence: Final = None if memory is None else Influence(bundle.core)
        self.changes = 0
        """How often something happened that can change a decision."""

    # --- questions -------------------------------------------------------------------------------

    def ask(self, question: Question, now_ms: int) -> Verdict:
        """What would be decided of it now; writes nothing."""
        return strictest((self._asked(question, now_ms), *self._of_chain(question, now_ms)))

    def denial(self, question: Question, now_ms: int) -> Verdict | None:
        """What `ask` would answer if it denies; None: it does not.  That is known sooner than the whole answer."""
        others = () if self.agent_field is None else question.delegation
        for of in ("", *dict.fromkeys(one for one in others if one != question.agent)):
            request, known = self._put(question, of)
            runtime = self.runtime(known, request)
            found = self.policy.decide(request, now_ms=now_ms, runtime=runtime)
            if found.decision is Decision.DENY:
                return self.ask(question, now_ms)
        return None

    def ask_with(self, question: Question, runtime: Mapping[str, Any], now_ms: int) -> Verdict:
        """The same, with the values of fields `from runtime` that somebody else knows."""
        outcome = self.policy.decide(dict(question.request), now_ms=now_ms, runtime=dict(runtime))
        return self._verdict(outcome, outcome, question.request, runtime, "", now_ms)

    def outcome(self, request: dict[str, Any], agent: str, now_ms: int) -> Outcome:
        """What would be decided of a request, with nothing approved and by nobody's order; writes nothing.

        The same as `ask` of it, without what only gates and evidence need.
        """
        runtime = self._plain
        if self.context is not no_context or "origin" in runtime:
            runtime = self.runtime(Question(request, agent), request)
        found: Outcome = self.policy.decide(request, now_ms=now_ms, runtime=runtime)
        return found

    def told(self, outcome: Outcome) -> dict[str, Any]:
        """An outcome as JSON has it; where nothing of the request goes into it, the same object each time."""
        mark = outcome.fixed_by
        if mark is None:
            return outcome.to_dict()
        found = self._told.get(mark)
        if found is None:
            found = Lasting(outcome.to_dict())
            if len(self._told) < TOLD_MAX:
                self._told[mark] = found
        return found

    def commit(self, question: Question, now_ms: int) -> tuple[Verdict, bool]:
        """Decide and remember; whether it was remembered: not if somebody in the chain may not do it."""
        chain = self._of_chain(question, now_ms)
        keep = not chain or strictest(chain).permits
        self.changes += 1
        own = self._asked(question, now_ms, keep=keep)
        # What was remembered is the request as its own agent's, so that is what its record must hold.
        return replace(strictest((own, *chain)), runtime=own.runtime), keep

    def recommit(
        self, request: Mapping[str, Any], runtime: Mapping[str, Any], agent: str, now_ms: int
    ) -> None:
        """Remember a request once more that was committed at `now_ms`, from its record."""
        fields = self.policy.fields
        self.changes += 1
        outcome = self.policy.commit(
            revive(fields, request), now_ms=now_ms, runtime=revive(fields, runtime)
        )
        self.deadlines.note(agent, outcome.next_deadline_ms)

    def _of_chain(self, question: Question, now_ms: int) -> tuple[Verdict, ...]:
        others = dict.fromkeys(one for one in question.delegation if one != question.agent)
        if self.agent_field is None:
            return ()
        return tuple(self._asked(question, now_ms, other) for other in others)

    def _asked(
        self, question: Question, now_ms: int, of: str = "", *, keep: bool = False
    ) -> Verdict:
        request, question = self._put(question, of)
        runtime = self.runtime(question, request)
        before = None
        if question.approved:
            bare = {**runtime, "approved": []}
            before = self.policy.decide(request, now_ms=now_ms, runtime=bare)
        ask = self.policy.commit if keep else self.policy.decide
        outcome: Outcome = ask(request, now_ms=now_ms, runtime=runtime)
        if keep:
            self.deadlines.note(of or question.agent, outcome.next_deadline_ms)
        return self._verdict(outcome, before or outcome, request, runtime, of, now_ms)

    def _verdict(
        self,
        outcome: Outcome,
        before: Outcome,
        request: Mapping[str, Any],
        runtime: Mapping[str, Any],
        of: str,
        now_ms: int,
    ) -> Verdict:
        found = _verdict(outcome, before, runtime, of)
        if not found.is_invalid:
            return found
        error = self.policy.fault_of(request, runtime, now_ms)
        return replace(found, fault=fault_of(error, self.policy.fields, request))

    def _put(self, question: Question, of: str) -> tuple[dict[str, Any], Question]:
        """A question as it is put for somebody of its chain; empty: for its own agent."""
        request = dict(question.request)
        if not of or self.agent_field is None:
            return request, question
        request[self.agent_field] = of
        return request, replace(
            question, reserved={}
        )  # the job's own agent reserved it, nobody else

    def runtime(self, question: Question, request: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the fields `from runtime` that the policy declares."""
        if not self._from_runtime:
            return {}
        host = of_host(self.context, question.agent, request)
        return self._declared({**self._known(question), **host})

    def _known(self, question: Question) -> dict[str, Any]:
        chain = question.delegation
        known: dict[str, Any] = {
            "approved": list(question.approved),
            "delegator": chain[-1] if chain else None,
            "origin": chain[0] if chain else question.agent,
            "depth": len(chain),
        }
        for name in self.reserved_names:
            known[f"{RESERVED}_{name}"] = number_of(question.reserved.get(name, "0"))
        return known

    def _declared(self, known: Mapping[str, Any]) -> dict[str, Any]:
        return {n: v for n, v in known.items() if n in self._from_runtime and v is not None}

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

    def fault_of(self, event: str, fields: Mapping[str, Any]) -> InvalidFieldError | None:
        """What is wrong with the fields of an event, None: nothing."""
        columns = self._samples[event].fields
        try:
            read_request(columns, revive(columns, fields), None)
        except InvalidFieldError as error:
            return error
        return None

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
        """Take in a step as records have it, its numbers as texts; as `take`."""
        return self.take(revived_step(self._samples, step))

    def take(self, step: Mapping[str, Any]) -> int | None:
        """Take in a step as somebody told it; the next time at which something can change by itself.

        Raises:
            TableError: GOV415, GOV417, GOV418 (Policy.observe); nothing has changed then.
        """
        name = step.get("event", step.get("signal"))
        self.changes += not isinstance(name, str) or bool(self.reach((name,)))
        deadline = self.policy.observe(dict(step))
        self.deadlines.note(key_of(step), deadline)
        return deadline

    def reach(self, events: Iterable[str]) -> frozenset[str]:
        """The scopes through which some events or signals can change whether work is denied (influence.py)."""
        if self.influence is None:
            return frozenset()
        known = (self.influence.of(name) for name in events if self.knows(name))
        return frozenset().union(*known)

    # --- ticks -----------------------------------------------------------------------------------

    def tick(self, key: str, now_ms: int) -> dict[str, Any]:
        """The step of a trace that lets time pass for a key."""
        memory = self.policy.memory
        own = {"key": {memory.key_name: key}} if memory is not None and memory.key and key else {}
        return {"at_ms": now_ms, **own, "tick": True}


def revived_step(samples: Mapping[str, SampleType], step: Mapping[str, Any]) -> dict[str, Any]:
    """A step as it was kept, with the texts of its numbers as numbers; `samples` are the policy's, by name."""
    name = step.get("event", step.get("signal"))
    sample = samples.get(name) if isinstance(name, str) else None
    if sample is None:
        return dict(step)
    if "signal" in step:
        return {**step, "value": revive(sample.fields, {name: step["value"]})[name]}
    return {**step, "fields": revive(sample.fields, step.get("fields", {}))}


def key_of(step: Mapping[str, Any]) -> str:
    """The key that a step is about, empty where it has none."""
    key = step.get("key", "")
    return str(next(iter(key.values()), "")) if isinstance(key, Mapping) else str(key)


def agent_field(policy: Policy) -> str | None:
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
