"""`Policy`: a compiled policy in memory, and every way to ask it.

In: a bundle or a bare table.bin, the parameters of the deployment; then requests as dicts, JSON or columns.
Out: outcomes.

What always holds: an invalid request is an outcome (deny by `invalid_request`, the field named), never an
exception; nothing is allowed that the table does not allow; threads share a policy, which
never changes but for what it remembers, one sample at a time.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

import rfc8785

from govlang.native._dict import Decider
from govlang.native.errors import TableError
from govlang.native.layout import TIME_MAX
from govlang.native.request import InvalidFieldError, integer, read_request, read_value
from govlang.native.table import Table
from govlang.runtime.bundle import Bundle, check_signer, read_bundle
from govlang.runtime.clock import clock_fields, why_unread
from govlang.runtime.decision import DECISIONS, Outcome
from govlang.runtime.gathering import Gatherer
from govlang.runtime.json_request import DuplicateKeyError, read_json
from govlang.runtime.memory import (
    CAPACITY,
    clock_ms,
    not_taken,
    observe,
    read_capacity,
    restore,
    save,
    seeds,
)
from govlang.runtime.opening import named, policy_bytes
from govlang.runtime.parameters import read_params
from govlang.runtime.remembered import forget, read_cell, unknown
from govlang.runtime.trace import kind_of, time_of, undeclared, unusable

if TYPE_CHECKING:
    from govlang.native.schema import Field
    from govlang.runtime.batch import BatchOutcome, Columns

MAGIC: Final = b"govtable"
UNREADABLE: Final = "cannot be read"


class Policy(Decider):
    """A policy that decides.

    `decide` and `commit` come from C: they take a dict with the declared fields, and the host's part in
    `runtime`; without temporal rules both are the same.  With them `decide` is a question, which writes nothing,
    and `commit` decides on the very state that it writes; without `now_ms` they read the clock, in ms since 1970,
    when they have looked up the key.

    `observe(step)` comes from C too.  It takes in a step of a trace that is no request (a policy without temporal rules
    knows only `tick`) and returns the next time, in ms, at which something can change without a sample; None: never.
    Without `at_ms` the step is of now.  It raises TableError: GOV415 the policy declares no such event or signal, a
    value does not fit, or a member is none of such a step · GOV417 an event that must come after another, of which
    there was none · GOV418 there is no room for the key.
    """

    def __init__(
        self,
        table: bytes,
        params: Mapping[str, Any] | None = None,
        *,
        capacity: int = CAPACITY,
    ) -> None:
        """Load the bytes of a table.bin.

        `capacity`: how many keys of each kind a policy over time remembers.  When there is no room, a request of
        another key is denied by `state_full`; a key is forgotten only when nothing is remembered of it.

        Raises:
            TableError: GOV410 the table does not add up · GOV411 a parameter is unknown or out of range,
                or `capacity` is no number of keys that there is room for.
        """
        loaded = Table(table)
        steps = _read_params(loaded, params or {})
        loaded.bind(tuple(steps.values()))
        super().__init__(loaded, loaded.address, DECISIONS, Outcome)
        self.table: Final = loaded
        self.gatherer: Final = Gatherer(loaded, self._rule_ids)
        self.params: Final[Mapping[str, int]] = steps
        self.params_hash: Final = hash_params(steps)
        self.snapshot: Final = loaded.schema.snapshot
        self.name: Final = loaded.schema.name
        self.version: Final = loaded.schema.version
        self.time_zone: Final = loaded.schema.time_zone
        self.memory: Final = loaded.schema.memory
        self.capacity: Final = read_capacity(capacity)
        self._clock_lock: Final = threading.Lock()
        if self.memory is not None:
            self._begin()

    def _begin(self) -> None:
        try:
            self._remember(self.capacity, *seeds())
        except MemoryError:
            what = f"there is no memory for a `capacity` of {self.capacity} keys"
            raise TableError("GOV411", what, "give a smaller one") from None

    @classmethod
    def load(
        cls,
        source: str | Path | bytes | Bundle,
        *,
        params: Mapping[str, Any] | None = None,
        public_key: bytes | None = None,
        capacity: int = CAPACITY,
    ) -> Self:
        """A policy from a bundle or a bare table: a path, the bytes, or a bundle that is open already.

        `params` are numbers in the declared units; what is left out has its default.  With
        `public_key` (PEM) only a bundle that is signed by it is taken.

        Raises:
            CodedError: the file cannot be read or does not add up.
        """
        opened = _opened(source, public_key)
        table = opened.table if isinstance(opened, Bundle) else opened
        policy = cls(table, params, capacity=capacity)
        if isinstance(opened, Bundle):
            named = (policy.name, policy.version, policy.snapshot)
            opened.check_part("table.bin", "table", named)
        return policy

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of a request, in order of declaration."""
        return self.table.schema.inputs

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """The rules, in order of precedence."""
        return self._rule_ids

    def decide_json(
        self,
        request: str | bytes | bytearray | memoryview,
        *,
        now_ms: int | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """The outcome of a request in JSON, a question; decimals are taken exactly, a key given twice is invalid.

        A policy over time counts nothing of it: what is carried out goes through `commit_json`.

        Raises:
            JsonError: GOV413, the text is not JSON.
        """
        return self._asked_in_json(self.decide, request, now_ms, runtime)

    def commit_json(
        self,
        request: str | bytes | bytearray | memoryview,
        *,
        now_ms: int | None = None,
        runtime: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """The same of a request that is carried out if it may: a policy over time remembers it, as `commit` does.

        Raises:
            JsonError: GOV413, the text is not JSON; nothing has changed then.
        """
        return self._asked_in_json(self.commit, request, now_ms, runtime)

    def _asked_in_json(
        self, ask: Callable[..., Outcome], request: Any, now_ms: int | None, runtime: Any
    ) -> Outcome:
        try:
            read = read_json(request)
        except DuplicateKeyError as error:
            return self._refused(str(error))
        return ask(read, now_ms=now_ms, runtime=runtime)

    def decide_batch(
        self, columns: Columns, *, runtime: Columns | None = None, now_ms: int | None = None
    ) -> BatchOutcome:
        """Decide whole columns (Arrow table or record batch, or a mapping of Arrow and NumPy columns).

        The columns must not change until it returns: C reads them where they lie, other threads run
        meanwhile.  (Which value counts is open if one does; no number out of range ever does.)
        Without `now_ms` every row of a policy that reads the clock is invalid.

        Raises:
            TableError: GOV412, a column is missing or unknown, of a type that its field cannot take, or of
                another length than the others.
        """
        from govlang.runtime.batch import decide_columns

        return decide_columns(self, columns, runtime, now_ms)

    def remembered(self, cell: str, key: str = "") -> int:
        """What a cell held after the last sample of a key (of the shared instance, where it is shared).

        Raises:
            TableError: GOV420, the policy has no such cell, or no request could have the key.
        """
        if self.memory is None:
            raise unknown("cell", cell)
        return read_cell(self, self.memory, cell, key)

    def forget(self, key: str, of: str | None = None) -> dict[str, int] | None:
        """Take out what is remembered of a key, whatever it is: for an operator, when an agent has left.

        Nothing is forgotten otherwise but what is as if there had never been a sample.  The next sample of the key
        finds the initial state: what was counted, revoked or opened is so no more.  `of`: the field whose
        values are the keys of a `per FIELD`; the policy's own key if it is left out.  Returns the cells
        as they were, for a record of it; None: nothing was remembered.

        Raises:
            TableError: GOV420, the policy keeps nothing by this field, or no request could have the key.
        """
        if self.memory is None:
            raise unknown("key of a field", of)
        return forget(self, self.memory, key, of)

    def save(self, *, now_ms: int | None = None) -> bytes:
        """What the policy remembers, as bytes with version, policy and checksum."""
        return save(self, self.memory, now_ms)

    def restore(
        self, blob: bytes, *, downtime_ms: int | None = None, now_ms: int | None = None
    ) -> tuple[str, ...]:
        """Go on from what `save` of this or another version of the policy gave.

        `downtime_ms`: how long ago that was.  Where nobody knows, the next sample of every key is a clock fault and
        no signal is fresh.  Returns the names of the cells that start anew, because they mean something else than
        when they were saved.

        Raises:
            TableError: GOV419, it is the state of another policy or does not add up; nothing has changed then.
        """
        return restore(self, self.memory, blob, downtime_ms, now_ms)

    def fault_of(
        self,
        request: Mapping[str, Any],
        runtime: Mapping[str, Any] | None = None,
        now_ms: int | None = None,
    ) -> InvalidFieldError | None:
        """What cannot be read of a request that was denied by `invalid_request`; None: it breaks an assumption."""
        given = dict(runtime or {})
        if self.time_zone is not None and now_ms is not None:
            given = clock_fields(self.fields, self.time_zone, now_ms) | given
        try:
            read_request(self.fields, request, given)
        except InvalidFieldError as error:
            return error
        return None

    # --- what the C part asks for ---------------------------------------------------------------

    def _read_slowly(self, field: int, raw: Any) -> int | None:
        """Steps of a number that C leaves to the reference reader; None if it is invalid."""
        try:
            steps = read_value(self.fields[field], raw)
        except InvalidFieldError:
            return None
        assert isinstance(steps, int)
        return steps

    def _explain(
        self, request: Mapping[str, Any], runtime: Mapping[str, Any] | None, assumption: int
    ) -> str:
        """Why a request is invalid."""
        if assumption >= 0:
            return f"breaks the assumption `{self.table.schema.assumption(assumption)}`"
        try:
            read_request(self.fields, request, runtime)
        except InvalidFieldError as error:
            return why_unread(error, self.fields)
        return UNREADABLE

    def _observe_otherwise(self, step: Mapping[str, Any]) -> int | None:
        """Steps that are no plain dicts or that C cannot read, and those of policies without temporal rules."""
        if self.memory is not None:
            return observe(self, self.memory, step)
        kind = kind_of(step)
        time_of(step)
        if kind == "request":
            raise unusable("a request is no step that is observed")
        if kind != "tick":
            raise undeclared(kind, step[kind])
        return None

    def _not_taken(self, step: Mapping[str, Any], code: int) -> NoReturn:
        """Why the engine has not taken in a step."""
        raise not_taken(step, code)

    def _decide_otherwise(self, request: Any, runtime: Any, now_ms: Any, keep: bool) -> Outcome:  # noqa: FBT001  # called from C
        """Requests that are no plain dicts, and policies that read the calendar."""
        if not isinstance(request, Mapping):
            return self._refused("the request must be an object")
        if runtime is not None and not isinstance(runtime, Mapping):
            return self._refused("the host's part must be an object")
        asked, given = dict(request), dict(runtime or {})
        is_read = self.time_zone is not None or self.memory is not None
        at_ms = integer(now_ms)
        if is_read and now_ms is not None and not self._is_time(at_ms):
            return self._refused("`now_ms` must be a whole number of milliseconds since 1970")
        if self.memory is None:
            return self._decided(asked, given, at_ms, keep=keep)
        with (
            self._clock_lock
        ):  # so that of two requests the one that reads the clock first decides first
            now = clock_ms() if at_ms is None else at_ms
            return self._decided(asked, given, now, keep=keep)

    def _is_time(self, at_ms: int | None) -> bool:
        return at_ms is not None and (self.memory is None or abs(at_ms) <= TIME_MAX)

    def _decided(
        self, request: dict[str, Any], given: dict[str, Any], now_ms: int | None, *, keep: bool
    ) -> Outcome:
        if self.time_zone is not None and now_ms is not None:
            given = clock_fields(self.fields, self.time_zone, now_ms) | given
        own = now_ms if self.memory is not None else None
        outcome: Outcome = self._decide_plain(request, given, own, keep)
        return outcome

    def _refused(self, reason: str) -> Outcome:
        outcome: Outcome = self._refuse(reason)
        return outcome


def _opened(source: str | Path | bytes | Bundle, public_key: bytes | None) -> Bundle | bytes:
    """The bundle, or the bytes of a bare table."""
    if isinstance(source, Bundle):
        if public_key is not None:
            check_signer(source.parts, public_key)
        return source
    if isinstance(source, bytes):
        bare = public_key is None and source.startswith(MAGIC)
        return source if bare else read_bundle(source, public_key=public_key)
    data = policy_bytes(source)
    if public_key is None and data.startswith(MAGIC):
        return data
    with named(source):
        return read_bundle(data, public_key=public_key)


def _read_params(table: Table, given: Mapping[str, Any]) -> dict[str, int]:
    """Every parameter in steps, in order of declaration."""
    declared = {param.field.name: param.field for param in table.schema.params}
    steps = read_params(declared, given)
    return {p.field.name: steps.get(p.field.name, p.value) for p in table.schema.params}


def hash_params(steps: Mapping[str, int]) -> str:
    """SHA-256 of the values in steps, canonical JSON; integers beyond 2**53 as text."""
    plain = {name: value if abs(value) < 2**53 else str(value) for name, value in steps.items()}
    return "sha256:" + hashlib.sha256(rfc8785.dumps(plain)).hexdigest()
