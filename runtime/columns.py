"""One column on its way to the engine: NumPy and Arrow memory as it lies there.

In: a field and a NumPy array, an Arrow array, or a pair (codes, names).  Out: `Input`, the addresses and types that
`gov_batch.h` asks for, and what must stay alive while they are used.

What always holds: nothing is copied that the engine can read in place, and nothing runs once a row in Python; a column
whose type its field cannot take is an error that names both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from govlang.native._table import ffi, lib
from govlang.native.errors import TableError
from govlang.native.request import APPROVED

if TYPE_CHECKING:
    from govlang.native.schema import Field

Array = npt.NDArray[Any]

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


@dataclass(slots=True)
class Input:
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


def unfit(message: str, way_out: str | None = None) -> TableError:
    """The error of columns that cannot be decided as they are."""
    return TableError("GOV412", message, way_out)


def read_column(one: Field, given: dict[str, Any], hosted: dict[str, Any]) -> Input:
    """The column of a field, among the caller's or the host's; or that there is none."""
    source = given if one.origin == "request" else hosted
    if one.name not in source:
        return Input(lib.GOV_MISSING)
    column = source[one.name]
    if isinstance(column, tuple):
        return _coded(one, *column)
    if isinstance(column, np.ma.MaskedArray):
        column = _unmasked(one, column)
    if isinstance(column, np.ndarray) and column.dtype.kind not in "UOT":
        return _from_numpy(one, column)
    return _from_arrow(one, _one_array(one, column))


def packed(one: Input) -> dict[str, Any]:
    """The fields of a `gov_input`."""
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
    return unfit(f"the column `{one.name}` must hold {expected}, not `{found}`")


def _fits(one: Field, name: str) -> bool:
    match one.kind:
        case "number" | "time" | "duration":
            return name in _NUMBERS
        case "bool":
            return name == "bool"
        case _:
            return False


# --- NumPy -----------------------------------------------------------------------------------------


def _from_numpy(one: Field, column: Array) -> Input:
    name = column.dtype.name
    if column.ndim != 1 or not _fits(one, name):
        raise _wrong_type(one, f"{name}, {column.ndim} dimensions" if column.ndim != 1 else name)
    plain = _native(column)
    return Input(_NUMPY[name], values=_pointer(plain), alive=[plain])


def _unmasked(one: Field, column: Any) -> Any:
    """A masked array as an Arrow array: what is masked is no value."""
    import pyarrow as pa

    try:
        return pa.array(column)
    except pa.ArrowException:
        raise _wrong_type(one, f"masked {column.dtype.name}") from None


def _native(column: Array) -> Array:
    """The same numbers, one after another, where C may read them, in this machine's byte order."""
    return np.require(column, column.dtype.newbyteorder("="), ("C_CONTIGUOUS", "ALIGNED"))


def _pointer(array: Array) -> Any:
    return ffi.cast("void *", array.ctypes.data)


def _coded(one: Field, codes: Any, names: Any) -> Input:
    """An enumeration as codes and the names that they stand for."""
    if one.kind != "enum":
        raise _wrong_type(one, "a pair")
    if isinstance(codes, np.ma.MaskedArray):
        raise _wrong_type(one, "masked codes")
    if not isinstance(names, Iterable):
        raise _wrong_type(one, f"names in a {type(names).__name__}")
    plain = _native(np.asarray(codes))
    if plain.dtype.name not in _CODES or plain.ndim != 1:
        raise _wrong_type(one, f"codes of {plain.dtype.name}")
    remap = _remap(one, list(names))
    return Input(
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


def _from_arrow(one: Field, column: Any) -> Input:
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


def _nothing(one: Field, column: Any) -> Input:
    """A column of nulls only."""
    if one.optional:
        return Input(lib.GOV_MISSING)
    raise _wrong_type(one, column.type)


def _address(buffer: Any, skip: int = 0) -> Any:
    return ffi.NULL if buffer is None else ffi.cast("void *", buffer.address + skip)


def _valid(column: Any) -> Any:
    """The bitmap of a column that has nulls."""
    return _address(column.buffers()[0]) if column.null_count else ffi.NULL


def _from_primitive(one: Field, column: Any) -> Input:
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
    return Input(
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


def _from_dictionary(one: Field, column: Any) -> Input:
    codes = column.indices
    name = str(codes.type)
    remap = _remap(one, column.dictionary.to_pylist())
    return Input(
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


def _from_texts(one: Field, column: Any) -> Input:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        coded = _as_dictionary(one, column)
        strings = _strings(one, coded.dictionary)
        codes = coded.indices
        name = str(codes.type)
        return Input(
            _NUMPY[name],
            values=_address(codes.buffers()[1], codes.offset * np.dtype(name).itemsize),
            valid=_valid(codes),
            first=codes.offset,
            alive=[coded, codes, strings],
            **_spread(strings),
        )
    strings = _strings(one, column)
    return Input(
        lib.GOV_TEXTS,
        valid=_valid(strings),
        first=strings.offset,
        alive=[strings],
        **_spread(strings),
    )


def _from_lists(one: Field, column: Any) -> Input:
    import pyarrow as pa

    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise _wrong_type(one, column.type)
    coded = _as_dictionary(one, column.values)
    codes = np.ascontiguousarray(
        coded.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
    )
    remap = _remap(one, coded.dictionary.to_pylist())
    wide = bool(pa.types.is_large_list(column.type))
    return Input(
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
