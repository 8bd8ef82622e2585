"""Whole columns in, whole columns out: `Policy.decide_batch`.

In: an Arrow table or record batch, or a mapping from field names to Arrow arrays, NumPy arrays, or pairs
(codes, names) for enumerations; the host's fields the same way in `runtime`.  Out: `BatchOutcome`.

What always holds: values are read by the rule of `native/request.py`, in C, without Python a row; a row
that cannot be read is decided deny by `invalid_request`; what is wrong with a column as a whole is an error.
A null in an optional field is no value; a null elsewhere makes its row invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from govlang.native._table import ffi, lib
from govlang.native.errors import TableError
from govlang.native.request import APPROVED, integer
from govlang.runtime.clock import clock_fields
from govlang.runtime.columns import Array, packed, read_column, unfit
from govlang.runtime.decision import DECISIONS, Decision

if TYPE_CHECKING:
    from govlang.runtime.policy import Policy

Columns = Any
"""An Arrow table or record batch, or a mapping from names to columns."""

BY_DEFAULT: Final = -1
BY_INVALID: Final = -2

NARROW_RULES: Final = 1 << 15
"""Below it rules are int16: the pages of the result are a good part of the time."""


class BatchOutcome:
    """The outcomes of many requests, a row each.

    `decisions` are positions in `Decision`, `rules` positions in `rule_ids`, -1 for the default, -2 for an
    invalid request.
    """

    __slots__ = ("__dict__", "decisions", "params_hash", "policy_snapshot", "rule_ids", "rules")

    def __init__(self, policy: Policy, decisions: Array, rules: Array) -> None:
        self.decisions: Final = decisions
        self.rules: Final = rules
        self.rule_ids: Final = policy.rule_ids
        self.policy_snapshot: Final = policy.snapshot
        self.params_hash: Final = policy.params_hash

    def __len__(self) -> int:
        return len(self.decisions)

    def __repr__(self) -> str:
        counts = np.bincount(self.decisions, minlength=len(DECISIONS)).tolist()
        told = [f"{n} {one.value}" for n, one in zip(counts, DECISIONS, strict=True) if n]
        return f"BatchOutcome({', '.join(told) or 'no rows'})"

    def decision(self, row: int) -> Decision:
        """The decision of one row."""
        return DECISIONS[int(self.decisions[row])]

    def rule_id(self, row: int) -> str:
        """The rule that decided one row."""
        return self._names[int(self.rules[row])]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Names of rules, those of -2 and -1 at the end."""
        return (*self.rule_ids, "invalid_request", "default")

    def to_arrow(self) -> Any:
        """An Arrow table with the dictionary columns `decision` and `rule_id`."""
        import pyarrow as pa

        rules = self.rules.astype(np.int32)
        rules[rules < 0] += len(self._names)
        words = pa.array([one.value for one in DECISIONS])
        columns = {
            "decision": pa.DictionaryArray.from_arrays(self.decisions.astype(np.int8), words),
            "rule_id": pa.DictionaryArray.from_arrays(rules, pa.array(self._names)),
        }
        return pa.table(columns)


def decide_columns(
    policy: Policy, columns: Columns, runtime: Columns | None, now_ms: int | None
) -> BatchOutcome:
    """Decide every row; see `Policy.decide_batch`."""
    if policy.table.schema.memory is not None:
        raise TableError(
            "GOV412",
            "the policy remembers, and rows of columns have no history",
            help="ask for each request with `decide`",
        )
    given, hosted = _by_name(columns), _by_name(runtime or {})
    _refuse_unknown(policy, given, hosted)
    rows = _row_count([*given.values(), *hosted.values()])
    clock = {}
    if policy.time_zone is not None and now_ms is not None:
        clock = clock_fields(policy.fields, policy.time_zone, _time(now_ms))
    hosted = {name: _constant(value, rows) for name, value in clock.items()} | hosted
    inputs = [read_column(one, given, hosted) for one in policy.fields]
    structs = ffi.new("gov_input[]", [packed(one) for one in inputs] or 1)
    decisions = np.empty(rows, dtype=np.uint8)
    narrow = len(policy.rule_ids) < NARROW_RULES
    rules = np.empty(rows, dtype=np.int16 if narrow else np.int32)
    status = lib.gov_decide_columns(
        policy.table.pointer,
        structs,
        rows,
        ffi.from_buffer("uint8_t[]", decisions, require_writable=True),
        ffi.from_buffer("char[]", rules, require_writable=True),
        int(narrow),
    )
    if status != 0:
        raise MemoryError
    return BatchOutcome(policy, decisions, rules)


def _time(now_ms: Any) -> int:
    at_ms = integer(now_ms)
    if at_ms is not None:
        return at_ms
    raise TableError(
        "GOV412",
        "`now_ms` must be a whole number of milliseconds since 1970",
        help="give one time for all rows",
    )


def _by_name(columns: Columns) -> dict[str, Any]:
    if isinstance(columns, Mapping):
        return dict(columns)
    names = getattr(columns, "column_names", None)
    if names is None:
        names = getattr(getattr(columns, "schema", None), "names", None)
    if names is None:
        raise unfit("the columns must be an Arrow table or a mapping from names to columns")
    if len(set(names)) != len(names):
        raise unfit("two columns have the same name")
    return {name: columns.column(i) for i, name in enumerate(names)}


def _refuse_unknown(policy: Policy, given: dict[str, Any], hosted: dict[str, Any]) -> None:
    from_caller = {one.name for one in policy.fields if one.origin == "request"}
    from_host = {one.name for one in policy.fields} - from_caller
    for name in given:
        if name in from_host:
            raise unfit(f"`{name}` is set by the host", "give it in `runtime`, not in the columns")
        if name not in from_caller:
            raise unfit(f"`{name}` is not a field of this policy")
    for name in hosted:
        if name not in from_host and name != APPROVED:
            raise unfit(f"`{name}` is not a runtime field of this policy")
    for one in policy.fields:
        source = given if one.origin == "request" else hosted
        needed = not one.optional and one.implied is None and one.origin != "clock"
        if needed and one.name not in source:
            raise unfit(f"the column `{one.name}` is missing")


def _row_count(columns: list[Any]) -> int:
    sizes = {_length(one) for one in columns}
    if len(sizes) > 1:
        raise unfit(f"the columns have different lengths: {sorted(sizes)}")
    return sizes.pop() if sizes else 0


def _length(column: Any) -> int:
    """The rows of a column, of a pair those of its codes."""
    if isinstance(column, tuple) and len(column) != 2:
        raise unfit("a pair of codes and names has two parts", "give `(codes, names)`")
    values = column[0] if isinstance(column, tuple) else column
    try:
        return len(values)
    except TypeError:
        found = type(values).__name__
        raise unfit(f"a column must be an Arrow or a NumPy array, not `{found}`") from None


def _constant(value: Any, rows: int) -> Any:
    if isinstance(value, str):
        return np.zeros(rows, dtype=np.int8), [value]
    return np.full(rows, value, dtype=np.int64)
