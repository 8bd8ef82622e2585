"""`EdgePolicy`: a policy as its WebAssembly module decides, in a Python host on wasmtime.

In: the bytes of `policy.wasm` (or a bundle that holds it), parameters; then requests as dicts.  Out:
outcomes like those of `Policy`, but for `matched`, which modules do not tell.  This is how a board or a
browser sees a policy.  A service is better served by `Policy`: a decision here takes about 0.2 ms, nearly
all of it in wasmtime's Python layer, which sets one global after the other.

What always holds: an invalid request is an outcome (deny by `invalid_request`), never an exception; what
the module is given was read by `native/request.py`, and the module checks it again.  A module keeps the
request in its globals, so one decision at a time is taken under a lock: threads share a policy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from govlang.native.errors import ArtefactError, TableError
from govlang.native.layout import TIME_MAX, UNKNOWN
from govlang.native.request import InvalidFieldError, integer, read_request
from govlang.runtime.bundle import Bundle
from govlang.runtime.clock import clock_fields, why_unread
from govlang.runtime.decision import DECISIONS, Decision, as_json
from govlang.runtime.edge_engine import Engine, export_name, scanned
from govlang.runtime.edge_memory import (
    DEADLINE,
    NOW,
    TAKEN,
    UNCALLED,
    check_owner,
    no_room,
    read_step,
    restored,
    save,
    why_no_key,
)
from govlang.runtime.edge_outcome import Answer, gather
from govlang.runtime.edge_schema import TEXT_KINDS, EdgeSchema, read_schema
from govlang.runtime.edge_schema_time import EdgeTime
from govlang.runtime.edge_source import PART, module_of, opened
from govlang.runtime.json_request import DuplicateKeyError, read_json
from govlang.runtime.memory import clock_ms
from govlang.runtime.obligations import Obligation
from govlang.runtime.opening import named
from govlang.runtime.parameters import read_params
from govlang.runtime.trace import unusable

_DEFAULT: Final = "default"
_INVALID: Final = "invalid_request"
_CLOCK: Final = "clock_fault"
_FULL: Final = "state_full"
_CULPRIT: Final = "out.invalid"


@dataclass(frozen=True, slots=True)
class EdgeOutcome:
    """A decision with everything that follows from it."""

    decision: Decision
    rule_id: str
    reason: str
    obligations: tuple[Obligation, ...]
    policy_snapshot: str
    next_deadline_ms: int | None = None
    """Of a `commit` over time: when something can change without a sample; None: never."""

    def to_dict(self) -> dict[str, Any]:
        """The outcome as `Outcome.to_dict` has it, without what a module does not tell."""
        return {
            "decision": self.decision.value,
            "rule_id": self.rule_id,
            "reason": self.reason,
            "obligations": [as_json(one) for one in self.obligations],
            "policy_snapshot": self.policy_snapshot,
        }


class EdgePolicy:
    """A policy that decides as its WebAssembly module does."""

    def __init__(
        self, module: bytes, params: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> None:
        """Load a module; `key`: whose state it keeps, without it that of the first sample it takes in.

        Raises:
            ArtefactError: GOV416 it is no module that `gov build` writes.
            TableError: GOV411 a parameter is unknown or out of range.
            ModuleNotFoundError: wasmtime, of the extra `edge`, is not installed.
        """
        self.schema: Final[EdgeSchema] = read_schema(module)
        _check_zone(self.schema.time_zone)
        self._engine: Final = Engine(module, self.schema)
        self._scanned: Final = scanned(self.schema)
        self._lock: Final = threading.Lock()
        self._key = key
        declared = {one.name: one for one in self.schema.params}
        for name, steps in read_params(declared, params or {}).items():
            self._engine.write(f"param.{name}", steps)

    @classmethod
    def load(
        cls,
        source: str | Path | bytes | Bundle,
        *,
        params: Mapping[str, Any] | None = None,
        public_key: bytes | None = None,
        key: str | None = None,
    ) -> Self:
        """A policy from a bundle or a bare module: a path, the bytes, or a bundle that is open already.

        `params` are numbers in the declared units; what is left out has its default.  With
        `public_key` (PEM) only a bundle that is signed by it is taken.  `key` is whose state the module keeps.

        Raises:
            CodedError: the file cannot be read or does not add up.
        """
        found = opened(source, public_key)
        where = named(source) if isinstance(source, str | Path) else nullcontext()
        with where:
            return cls._of(found, params, key)

    @classmethod
    def _of(cls, found: Bundle | bytes, params: Mapping[str, Any] | None, key: str | None) -> Self:
        if not isinstance(found, Bundle):
            return cls(found, params, key=key)
        policy = cls(module_of(found), params, key=key)
        schema = policy.schema
        found.check_part(PART, "module", (schema.policy, schema.version, schema.snapshot))
        return policy

    def decide(
        self,
        request: Mapping[str, Any],
        *,
        now_ms: int | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> EdgeOutcome:
        """The outcome of a request, a question; `runtime` is the host's part of it.

        Without `now_ms` a policy over time is asked by the host's clock.
        """
        return self._asked("decide", request, now_ms, runtime)

    def commit(
        self,
        request: Mapping[str, Any],
        *,
        now_ms: int | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> EdgeOutcome:
        """The outcome of a request that is carried out if it may: a policy over time remembers it."""
        return self._asked("commit", request, now_ms, runtime)

    def _asked(self, function: str, request: Any, now_ms: int | None, runtime: Any) -> EdgeOutcome:
        over_time = self.schema.time is not None
        reads_clock = over_time or self.schema.time_zone is not None
        at_ms = integer(now_ms)
        is_time = not reads_clock or now_ms is None or at_ms is not None
        wrong = _misgiven(request, runtime, is_time=is_time)
        if wrong is not None:
            return self._refused(wrong)
        with self._lock:
            now = clock_ms() if over_time and at_ms is None else at_ms
            if over_time and now is not None and abs(now) > TIME_MAX:
                return self._refused("`now_ms` lies beyond what can be counted")
            given = dict(runtime or {})
            if self.schema.time_zone is not None and now is not None:
                given = clock_fields(self.schema.fields, self.schema.time_zone, now) | given
            try:
                values = read_request(self.schema.fields, request, given)
            except InvalidFieldError as error:
                return self._refused(why_unread(error, self.schema.fields))
            if self.schema.time is None:
                return self._decided("decide", values)
            assert now is not None
            return self._decided_over_time(self.schema.time, function, values, now)

    # --- over time -------------------------------------------------------------------------------

    def _decided_over_time(
        self, time: EdgeTime, function: str, values: Mapping[str, int | str], now_ms: int
    ) -> EdgeOutcome:
        key = None if time.key is None else str(values[time.key])
        if self._is_other(key):
            return self._closed(_FULL, "there is no room to remember another key")
        self._engine.write(NOW, now_ms)
        outcome = self._decided(function, values)
        if function != "commit" or outcome.rule_id == _INVALID:
            return outcome
        self._key = self._key if key is None else key
        return replace(outcome, next_deadline_ms=self._deadline())

    def observe(self, step: Mapping[str, Any]) -> int | None:
        """Take in a step of a trace that is no request; without `at_ms` it is of now.

        Returns the next time, in ms, at which something can change without a sample; None: never.

        Raises:
            TableError: GOV415 the policy declares no such event or signal, or a value does not fit · GOV417 an event
                that must come after another, of which there was none · GOV418 it is about another key.
        """
        time = self.schema.time
        if time is None:
            raise unusable("the policy remembers nothing")
        read = read_step(time, step)
        wrong = why_no_key(time, self.schema.fields, read.key)
        if wrong is not None:
            raise unusable(wrong)
        with self._lock:
            if self._is_other(read.key):
                raise no_room(f"`{read.function.partition('.')[2] or 'tick'}`")
            for name, value in read.variables.items():
                self._engine.write(name, value)
            self._engine.write(NOW, clock_ms() if read.at_ms is None else read.at_ms)
            answer = self._engine.run(read.function)
            if answer == TAKEN:
                self._key = self._key if read.key is None else read.key
                return self._deadline()
        if answer == UNCALLED:
            raise TableError(
                "GOV417",
                f"`{read.function.partition('.')[2]}` comes after nothing that calls for it",
                "report what must come before it first; each of those permits one",
            )
        raise unusable(f"the step cannot be taken in: {self._why(self._engine.read(_CULPRIT))}")

    def save(self, *, now_ms: int | None = None) -> bytes:
        """What the module remembers, as bytes that the C of the policy reads too (docs/edge.md)."""
        with self._lock:
            now = clock_ms() if now_ms is None else now_ms
            return save(self.schema.time, self._engine, now) if self.schema.time else b""

    def restore(
        self,
        blob: bytes,
        *,
        key: str | None = None,
        downtime_ms: int | None = None,
        now_ms: int | None = None,
    ) -> None:
        """Go on from what `save` gave, of this policy or of a version whose cells mean the same.

        `key`: whose state it is, which the bytes do not say; from now on the module is that key's.  It must be given
        where the policy has a key.  `downtime_ms`: how long ago that was.  Where nobody knows, the next sample is a
        clock fault and no signal is fresh.

        Raises:
            TableError: GOV418 the module keeps the state of another key · GOV419 it is the state of another policy or
                does not add up, or nobody says whose it is.  Nothing has changed then.
        """
        if self.schema.time is None:
            return
        check_owner(self.schema.time, self.schema.fields, key)
        with self._lock:
            if self._is_other(key):
                raise no_room("the saved state")
            now = clock_ms() if now_ms is None else now_ms
            for name, value in restored(self.schema.time, blob, now, downtime_ms).items():
                self._engine.write(name, value)
            self._key = key

    def _is_other(self, key: str | None) -> bool:
        """Whether a sample is about another key than that whose state the module keeps."""
        return key is not None and self._key is not None and key != self._key

    def _deadline(self) -> int | None:
        """The next deadline behind a sample; the lock is held."""
        if self._engine.run("next_deadline") != TAKEN:
            raise ArtefactError("function `next_deadline`", "refuses a state that it was given")
        found = self._engine.read(DEADLINE)
        return None if found == UNKNOWN else found

    def decide_json(
        self,
        request: str | bytes | bytearray | memoryview,
        *,
        now_ms: int | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> EdgeOutcome:
        """The outcome of a request in JSON, a question; decimals are taken exactly, a key given twice is invalid.

        Raises:
            JsonError: GOV413, the text is not JSON.
        """
        return self._asked_in_json("decide", request, now_ms, runtime)

    def commit_json(
        self,
        request: str | bytes | bytearray | memoryview,
        *,
        now_ms: int | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> EdgeOutcome:
        """The same of a request that is carried out if it may: a policy over time remembers it.

        Raises:
            JsonError: GOV413, the text is not JSON; nothing has changed then.
        """
        return self._asked_in_json("commit", request, now_ms, runtime)

    def _asked_in_json(
        self, function: str, request: Any, now_ms: int | None, runtime: Any
    ) -> EdgeOutcome:
        try:
            read = read_json(request)
        except DuplicateKeyError as error:
            return self._refused(str(error))
        return self._asked(function, read, now_ms, runtime)

    def _decided(self, function: str, values: Mapping[str, int | str]) -> EdgeOutcome:
        """The module's answer; the lock is held."""
        for name, value in self._variables(values):
            self._engine.write(name, value)
        for one in self._scanned:
            if one.name not in values:
                continue
            if self._engine.classify(one.name, str(values[one.name]).encode()) != 0:
                return self._refused(f"`{one.name}` is not valid")
        if self._engine.run(function) != TAKEN:
            return self._refused(self._why(self._engine.read(_CULPRIT)))
        return self._answered(values)

    def _variables(self, values: Mapping[str, int | str]) -> Iterator[tuple[str, int]]:
        """The variables that a request sets, those of absent fields among them; texts set their own."""
        for one in self.schema.fields:
            if one.optional:
                yield f"has.{one.name}", int(one.name in values)
            if one.kind not in TEXT_KINDS:
                value = values.get(one.name, one.lo)
                assert isinstance(value, int)
                yield export_name(self.schema, one.name), value

    def _answered(self, values: Mapping[str, int | str]) -> EdgeOutcome:
        effect, number = self._engine.read("out.decision"), self._engine.read("out.rule")
        rules = self.schema.rules
        if number == len(rules) + 2 and self.schema.time is not None:
            return self._closed(_CLOCK, "the clock went back")
        if not (0 <= effect < len(DECISIONS) and 0 <= number <= len(rules)):
            raise ArtefactError("function `decide`", f"gave decision {effect} by rule {number}")
        name, reason = rules[number] if number < len(rules) else (_DEFAULT, "")
        texts = {name: value for name, value in values.items() if isinstance(value, str)}
        obligations = gather(Answer(self.schema, self._engine.read, texts), effect)
        return EdgeOutcome(DECISIONS[effect], name, reason, obligations, self.schema.snapshot)

    def _why(self, number: int) -> str:
        """What the module found: the variable of this number, or an assumption behind them."""
        names, assumptions = self._engine.variables, self.schema.assumptions
        if 0 <= number < len(names):
            return f"`{names[number]}` is not valid"
        if number < len(names) + len(assumptions):
            return f"breaks the assumption `{assumptions[number - len(names)]}`"
        return "cannot be read"

    def _refused(self, reason: str) -> EdgeOutcome:
        return self._closed(_INVALID, reason)

    def _closed(self, rule_id: str, reason: str) -> EdgeOutcome:
        return EdgeOutcome(Decision.DENY, rule_id, reason, (), self.schema.snapshot)


def _misgiven(request: Any, runtime: Any, *, is_time: bool) -> str | None:
    """What is wrong with what a host gives, before a field of it is read."""
    if not isinstance(request, Mapping):
        return "the request must be an object"
    if runtime is not None and not isinstance(runtime, Mapping):
        return "the host's part must be an object"
    if not is_time:
        return "`now_ms` must be a whole number of milliseconds since 1970"
    return None


def _check_zone(name: str | None) -> None:
    try:
        if name is not None:
            ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ArtefactError("gov.schema", f"names the time zone `{name}`") from None
