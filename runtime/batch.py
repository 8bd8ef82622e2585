"""Whole columns in, whole columns out: `Policy.decide_batch`.

In: an Arrow table or record batch, or a mapping from field names to Arrow arrays, NumPy arrays, or pairs
(codes, names) for enumerations; the host's fields the same way in `runtime`.  Out: `BatchOutcome`.

What always holds: values are read by the rule of `native/request.py`, in C, without Python a row; a row
that cannot be read is decided deny by `invalid_request`; what is wrong with a column as a whole is an error.
A null in an optional field is no value; a null elsewhere makes its row invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from govlang.native._table import ffi, lib
from govlang.native.errors import TableError
from govlang.native.request import APPROVED
from govlang.runtime.clock import clock_fields
from govlang.runtime.decision import DECISIONS, Decision

if TYPE_CHECKING:
    from govlang.native.schema import Field
    from govlang.runtime.policy import Policy

Columns = Any
"""An Arrow table or record batch, or a mapping from names to columns."""

BY_DEFAULT: Final = -1
BY_INVALID: Final = -2

NARROW_RULES: Final = 1 << 15
"""Below it rules are int16: the pages of the result are a good part of the time."""

_NUMPY: Final = {
    "int8": lib.GOV_I8,
    "int16": lib.GOV_I16,
    "int32": lib.GOV_I32,
    "int64": lib.GOV_I64,
    "uint8": lib.GOV_U8,
    "uint16": lib.GOV_U16,
    "uint32": lib.GOV_U32,
    "uint64": lib.GOV_U64,
    "float32": lib.GOV_F32,
    "float64": lib.GOV_F64,
    "bool": lib.GOV_B8,
}
_CODES: Final = frozenset(name for name in _NUMPY if "int" in name)
_NUMBERS: Final = _CODES | {"float32", "float64"}
_ARROW: Final = {"double": "float64", "float": "float32", "bool": "bool"}


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


Array = npt.NDArray[Any]


@dataclass(slots=True)
class _Input:
    """One column on its way to C, with what must stay alive until it is decided."""

    type: int
    values: Any = ffi.NULL
    valid: Any = ffi.NULL
    first: int = 0
    wide: bool = False
    offsets: Any = ffi.NULL
    entries: int = 0
    items: Any = ffi.NULL
    items_size: int = 0
    remap: Any = ffi.NULL
    remap_size: int = 0
    alive: list[Any] = field(default_factory=list)


def decide_columns(
    policy: Policy, columns: Columns, runtime: Columns | None, now_ms: int
) -> BatchOutcome:
    """Decide every row; see `Policy.decide_batch`."""
    given, hosted = _by_name(columns), _by_name(runtime or {})
    _refuse_unknown(policy, given, hosted)
    rows = _row_count([*given.values(), *hosted.values()])
    clock = clock_fields(policy.fields, policy.time_zone, now_ms) if policy.time_zone else {}
    hosted = {name: _constant(value, rows) for name, value in clock.items()} | hosted
    inputs = [_input(one, given, hosted) for one in policy.fields]
    packed = ffi.new("gov_input[]", [_packed(one) for one in inputs] or 1)
    decisions = np.empty(rows, dtype=np.uint8)
    narrow = len(policy.rule_ids) < NARROW_RULES
    rules = np.empty(rows, dtype=np.int16 if narrow else np.int32)
    status = lib.gov_decide_columns(
        policy.table.pointer,
        packed,
        rows,
        ffi.from_buffer("uint8_t[]", decisions, require_writable=True),
        ffi.from_buffer("char[]", rules, require_writable=True),
        int(narrow),
    )
    if status != 0:
        raise MemoryError
    return BatchOutcome(policy, decisions, rules)


def _by_name(columns: Columns) -> dict[str, Any]:
    if isinstance(columns, Mapping):
        return dict(columns)
    names = getattr(columns, "column_names", None)
    if names is None:
        names = getattr(getattr(columns, "schema", None), "names", None)
    if names is None:
        raise _unfit("the columns must be an Arrow table or a mapping from names to columns")
    if len(set(names)) != len(names):
        raise _unfit("two columns have the same name")
    return {name: columns.column(i) for i, name in enumerate(names)}


def _unfit(message: str, way_out: str | None = None) -> TableError:
    return TableError("GOV412", message, way_out)


def _refuse_unknown(policy: Policy, given: dict[str, Any], hosted: dict[str, Any]) -> None:
    from_caller = {one.name for one in policy.fields if one.origin == "request"}
    from_host = {one.name for one in policy.fields} - from_caller
    for name in given:
        if name in from_host:
            raise _unfit(f"`{name}` is set by the host", "give it in `runtime`, not in the columns")
        if name not in from_caller:
            raise _unfit(f"`{name}` is not a field of this policy")
    for name in hosted:
        if name not in from_host and name != APPROVED:
            raise _unfit(f"`{name}` is not a runtime field of this policy")
    for one in policy.fields:
        source = given if one.origin == "request" else hosted
        needed = not one.optional and one.implied is None and one.origin != "clock"
        if needed and one.name not in source:
            raise _unfit(f"the column `{one.name}` is missing")


def _row_count(columns: list[Any]) -> int:
    sizes = {len(one[0]) if isinstance(one, tuple) else len(one) for one in columns}
    if len(sizes) > 1:
        raise _unfit(f"the columns have different lengths: {sorted(sizes)}")
    return sizes.pop() if sizes else 0


def _constant(value: Any, rows: int) -> Any:
    if isinstance(value, str):
        return np.zeros(rows, dtype=np.int8), [value]
    return np.full(rows, value, dtype=np.int64)


def _input(one: Field, given: dict[str, Any], hosted: dict[str, Any]) -> _Input:
    source = given if one.origin == "request" else hosted
    if one.name not in source:
        return _Input(lib.GOV_MISSING)
    column = source[one.name]
    if isinstance(column, tuple):
        return _coded(one, *column)
    if isinstance(column, np.ndarray) and column.dtype.kind not in "UOT":
        return _from_numpy(one, column)
    return _from_arrow(one, _one_array(one, column))


def _packed(one: _Input) -> dict[str, Any]:
    return {
        "type": one.type,
        "wide": int(one.wide),
        "values": one.values,
        "valid": one.valid,
        "first": one.first,
        "offsets": one.offsets,
        "entries": one.entries,
        "items": one.items,
        "items_size": one.items_size,
        "remap": one.remap,
        "remap_size": one.remap_size,
    }


def _wrong_type(one: Field, found: object) -> TableError:
    expected = {
        "bool": "bools",
        "enum": "a dictionary or texts (or a pair: codes, names)",
        "set": "lists of texts",
    }.get(one.kind, "texts" if one.kind in ("text", "path", "key") else "integers or floats")
    return _unfit(f"the column `{one.name}` must hold {expected}, not `{found}`")


def _fits(one: Field, name: str) -> bool:
    match one.kind:
        case "number" | "time" | "duration":
            return name in _NUMBERS
        case "bool":
            return name == "bool"
        case _:
            return False


# --- NumPy -----------------------------------------------------------------------------------------


def _from_numpy(one: Field, column: Array) -> _Input:
    name = column.dtype.name
    if column.ndim != 1 or not _fits(one, name):
        raise _wrong_type(one, f"{name}, {column.ndim} dimensions" if column.ndim != 1 else name)
    plain = _native(column)
    return _Input(_NUMPY[name], values=_pointer(plain), alive=[plain])


def _native(column: Array) -> Array:
    """The same numbers, one after another, in this machine's byte order."""
    return np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("="))


def _pointer(array: Array) -> Any:
    return ffi.cast("void *", array.ctypes.data)


def _coded(one: Field, codes: Any, names: Any) -> _Input:
    """An enumeration as codes and the names that they stand for."""
    if one.kind != "enum":
        raise _wrong_type(one, "a pair")
    plain = _native(np.asarray(codes))
    if plain.dtype.name not in _CODES or plain.ndim != 1:
        raise _wrong_type(one, f"codes of {plain.dtype.name}")
    remap = _remap(one, list(names))
    return _Input(
        _NUMPY[plain.dtype.name],
        values=_pointer(plain),
        remap=_pointer(remap),
        remap_size=len(remap),
        alive=[plain, remap],
    )


def _remap(one: Field, names: list[Any]) -> Array:
    """The position of each name among the members."""
    places = {member: i for i, member in enumerate(one.members)}
    unknown = lib.GOV_CODE_IGNORE if one.name == APPROVED else lib.GOV_CODE_NONE
    found = [places.get(name, unknown if isinstance(name, str) else -1) for name in names]
    return np.array(found, dtype=np.int64)


# --- Arrow -----------------------------------------------------------------------------------------


def _one_array(one: Field, column: Any) -> Any:
    """An Arrow array without chunks."""
    import pyarrow as pa

    if isinstance(column, np.ndarray) and column.dtype.kind in "UT":
        return pa.array(column)
    if isinstance(column, pa.ChunkedArray):
        # one chunk is taken as it is: `combine_chunks` would copy it
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # several dictionaries, or no chunk at all
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([])
    if not isinstance(column, pa.Array):
        raise _wrong_type(one, type(column).__name__)
    return column


def _from_arrow(one: Field, column: Any) -> _Input:
    import pyarrow as pa

    if pa.types.is_null(column.type):
        return _nothing(one, column)
    match one.kind:
        case "enum":
            return _from_dictionary(one, _as_dictionary(one, column))
        case "set":
            return _from_lists(one, column)
        case "text" | "path" | "key":
            return _from_texts(one, column)
        case _:
            return _from_primitive(one, column)


def _nothing(one: Field, column: Any) -> _Input:
    """A column of nulls only."""
    if one.optional:
        return _Input(lib.GOV_MISSING)
    raise _wrong_type(one, column.type)


def _address(buffer: Any, skip: int = 0) -> Any:
    return ffi.NULL if buffer is None else ffi.cast("void *", buffer.address + skip)


def _valid(column: Any) -> Any:
    """The bitmap of a column that has nulls."""
    return _address(column.buffers()[0]) if column.null_count else ffi.NULL


def _from_primitive(one: Field, column: Any) -> _Input:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        name = "int64" if kind.unit == "ms" and one.kind in ("time", "duration") else ""
    else:
        name = _ARROW.get(str(kind), str(kind))
    if not _fits(one, name):
        raise _wrong_type(one, kind)
    bits = name == "bool"
    skip = 0 if bits else column.offset * np.dtype(name).itemsize
    return _Input(
        lib.GOV_B1 if bits else _NUMPY[name],
        values=_address(column.buffers()[1], skip),
        valid=_valid(column),
        first=column.offset,
        alive=[column],
    )


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _as_dictionary(one: Field, column: Any) -> Any:
    import pyarrow as pa

    if _is_text(column.type):
        return column.dictionary_encode()
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        raise _wrong_type(one, column.type)
    if column.dictionary.null_count:
        return column.dictionary_decode().dictionary_encode()
    return column


def _from_dictionary(one: Field, column: Any) -> _Input:
    codes = column.indices
    name = str(codes.type)
    remap = _remap(one, column.dictionary.to_pylist())
    return _Input(
        _NUMPY[name],
        values=_address(codes.buffers()[1], codes.offset * np.dtype(name).itemsize),
        valid=_valid(codes),
        first=codes.offset,
        remap=_pointer(remap),
        remap_size=len(remap),
        alive=[column, codes, remap],
    )


def _strings(one: Field, column: Any) -> Any:
    import pyarrow as pa

    if not _is_text(column.type):
        raise _wrong_type(one, column.type)
    return column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column


def _spread(strings: Any) -> dict[str, Any]:
    """Offsets and bytes of an array of texts."""
    import pyarrow as pa

    wide = bool(pa.types.is_large_string(strings.type))
    _, offsets, data = strings.buffers()
    return {
        "wide": wide,
        "offsets": _address(offsets, strings.offset * (8 if wide else 4)),
        "entries": len(strings),
        "items": _address(data),
        "items_size": 0 if data is None else data.size,
    }


def _from_texts(one: Field, column: Any) -> _Input:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        coded = _as_dictionary(one, column)
        strings = _strings(one, coded.dictionary)
        codes = coded.indices
        name = str(codes.type)
        return _Input(
            _NUMPY[name],
            values=_address(codes.buffers()[1], codes.offset * np.dtype(name).itemsize),
            valid=_valid(codes),
            first=codes.offset,
            alive=[coded, codes, strings],
            **_spread(strings),
        )
    strings = _strings(one, column)
    return _Input(
        lib.GOV_TEXTS,
        valid=_valid(strings),
        first=strings.offset,
        alive=[strings],
        **_spread(strings),
    )


def _from_lists(one: Field, column: Any) -> _Input:
    import pyarrow as pa

    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise _wrong_type(one, column.type)
    coded = _as_dictionary(one, column.values)
    codes = np.ascontiguousarray(
        coded.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    )
    remap = _remap(one, coded.dictionary.to_pylist())
    wide = bool(pa.types.is_large_list(column.type))
    return _Input(
        lib.GOV_LISTS,
        valid=_valid(column),
        first=column.offset,
        wide=wide,
        offsets=_address(column.buffers()[1], column.offset * (8 if wide else 4)),
        entries=len(column),
        items=_pointer(codes),
        items_size=len(codes),
        remap=_pointer(remap),
        remap_size=len(remap),
        alive=[column, codes, remap],
    )
