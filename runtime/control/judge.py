"""The policy that gates ask: questions in, verdicts out; and what it remembers, fed with what happens to jobs.

What always holds: of a job that others handed on, each of them is asked for as well, and the strictest answer counts;
only
`commit` and `observe` write, both at a time that never goes back; fields from the runtime are set here and nowhere
else.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from govlang.native.memory import SampleType
from govlang.native.request import InvalidFieldError, read_request
from govlang.runtime.bundle import Bundle
from govlang.runtime.control.answer import Lasting
from govlang.runtime.control.values import number_of, revive
from govlang.runtime.control.verdict import CheckUnavailableError, Verdict, strictest
from govlang.runtime.decision import Decision, Outcome
from govlang.runtime.evidence.record import written
from govlang.runtime.policy import Policy

log: Final = logging.getLogger("govlang.control")

Context = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""What else the host knows of an agent's request: values of the policy's fields `from runtime`."""

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

STALE_MAX: Final = 1000
"""So many deadlines that were overtaken are kept, beside as many as count, before they are dropped."""


def no_context(agent: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """A host that knows nothing else."""
    del agent, request
    return {}


@dataclass(frozen=True, slots=True)
class Question:
    """What a gate asks: a request as `Policy` takes it, whose it is, and what the service knows of it."""

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
        self.agent_field: Final = agent_field(policy)
        self._from_runtime = {f.name for f in policy.fields if f.origin == "runtime"}
        self._samples = {} if memory is None else {one.name: one for one in memory.samples}
        self._ticks: dict[str, int] = {}
        self._queue: list[tuple[int, str]] = []
        self._plain = self._declared(self._known(Question({}, "")))
        self._told: dict[bytes, Lasting] = {}

    # --- questions -------------------------------------------------------------------------------

    def ask(self, question: Question, now_ms: int) -> Verdict:
        """What would be decided of it now; writes nothing."""
        return strictest((self._asked(question, now_ms), *self._of_chain(question, now_ms)))

    def ask_with(self, question: Question, runtime: Mapping[str, Any], now_ms: int) -> Verdict:
        """The same, with the values of fields `from runtime` that somebody else knows."""
        outcome = self.policy.decide(dict(question.request), now_ms=now_ms, runtime=dict(runtime))
        return _verdict(outcome, outcome, runtime, "")

    def outcome(self, request: dict[str, Any], agent: str, now_ms: int) -> Outcome:
        """What would be decided of a request, with nothing approved and by nobody's order; writes nothing.

        The same as `ask` of it, without what only gates and evidence need.
        """
        runtime = self._plain
        if self._context is not no_context or "origin" in runtime:
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
        own = self._asked(question, now_ms, keep=keep)
        # What was remembered is the request as its own agent's, so that is what its record must hold.
        return replace(strictest((own, *chain)), runtime=own.runtime), keep

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
        request = dict(question.request)
        if of and self.agent_field is not None:
            request[self.agent_field] = of
            question = replace(
                question, reserved={}
            )  # the job's own agent reserved it, nobody else
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
        host = self._of_host(question.agent, request)
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

    def _of_host(self, agent: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """What else the host knows.

        Raises:
            CheckUnavailableError: it fails; what is not known permits nothing.
        """
        try:
            return self._context(agent, request)
        except Exception as error:
            log.exception("the host's context failed")
            why = f"lacks what the host knows: its context failed ({type(error).__name__})"
            raise CheckUnavailableError(why) from None

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
        deadline = self.policy.observe(dict(step))
        self._note(key_of(step), deadline)
        return deadline

    # --- deadlines -------------------------------------------------------------------------------

    def _note(self, key: str, deadline_ms: int | None) -> None:
        """The newest sample of a key says when it wants its next tick; what was said before is void."""
        if deadline_ms is None:
            self._ticks.pop(key, None)
        elif self._ticks.get(key) != deadline_ms:
            self._ticks[key] = deadline_ms
            heapq.heappush(self._queue, (deadline_ms, key))
            if len(self._queue) > 2 * len(self._ticks) + STALE_MAX:
                self._queue = sorted((at_ms, one) for one, at_ms in self._ticks.items())

    def deadlines(self) -> list[list[Any]]:
        """When each key wants its next tick, for whoever goes on from this state."""
        return [[at_ms, key] for at_ms, key in sorted((at, key) for key, at in self._ticks.items())]

    def take_deadlines(self, kept: list[list[Any]]) -> None:
        """Go on with the deadlines of another judge."""
        self._ticks = {str(key): int(at_ms) for at_ms, key in kept}
        self._queue = sorted((at_ms, key) for key, at_ms in self._ticks.items())

    def due(self, now_ms: int) -> dict[str, int]:
        """The keys that want a tick now, each with its deadline; they are given once."""
        found: dict[str, int] = {}
        while self._queue and self._queue[0][0] <= now_ms:
            at_ms, key = heapq.heappop(self._queue)
            if self._ticks.get(key) == at_ms:
                del self._ticks[key]
                found[key] = at_ms
        return found

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
