"""What a module remembers, from Python: steps that are no request, and the state as bytes.

In: steps of a trace (contract: "A trace step"), blobs of `save`.  Out: a function of the module with its variables;
blobs of docs/edge.md, which the C of the policy writes and reads too.

What always holds: a step or a blob that cannot be used is a coded error, and the state is as it was.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from govlang.native.errors import TableError
from govlang.native.layout import NEVER, TIME_MAX, UNKNOWN
from govlang.native.request import Declared, InvalidFieldError, read_request, read_value
from govlang.runtime.edge_schema_time import STATE_HEAD, EdgeSample, EdgeTime
from govlang.runtime.memory import whole
from govlang.runtime.trace import kind_of, time_of, undeclared, unusable

if TYPE_CHECKING:
    from govlang.runtime.edge_engine import Engine

NOW: Final = "clock.now"
DEADLINE: Final = "out.deadline"

TAKEN, INVALID, DAMAGED, UNCALLED = 0, -1, -3, -4
"""What a function of a module answers."""

MAGIC: Final = b"govboard"
MAJOR: Final = 1
_HEAD: Final = struct.Struct("<8sHHIQq")
_SUMMED_FROM: Final = 16


# --- steps ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """A step as the module takes it: the function, its variables, the time and whose it is."""

    function: str
    variables: Mapping[str, int]
    at_ms: int | None
    key: str | None


def read_step(time: EdgeTime, step: Mapping[str, Any]) -> Reading:
    """A step of a trace.

    Raises:
        TableError: GOV415, no such step, or a value that does not fit.
    """
    kind, at_ms = kind_of(step), time_of(step)
    key = _key(time, step.get("key"))
    if kind == "request":
        raise unusable("a request is no step that is observed")
    if kind == "tick":
        return Reading("tick", {}, at_ms, key)
    sample = _sample(time, step[kind], is_event=kind == "event")
    values = step.get("fields", {}) if kind == "event" else {sample.name: step["value"]}
    if (time.key is not None and not sample.is_shared) != (key is not None):
        raise unusable(f"`{sample.name}` " + ("lacks its key" if key is None else "has no key"))
    if not isinstance(values, Mapping):
        raise unusable(f"the fields of `{sample.name}` must be an object")
    try:
        read = read_request(sample.fields, values, None)
    except InvalidFieldError as error:
        raise unusable(str(error)) from None
    carried = {
        sample.variable(one): int(read[one.name])
        for one in sample.fields
        if not isinstance(read[one.name], str)
    }
    return Reading(sample.function, carried, at_ms, key)


def _key(time: EdgeTime, key: Any) -> str | None:
    if isinstance(key, Mapping):
        if set(key) != {time.key}:
            raise unusable(f"the key must name `{time.key}` and nothing else")
        key = key[time.key]
    if key is not None and (not isinstance(key, str) or time.key is None):
        raise unusable("the key must be a text" if time.key else "the policy has no key")
    return key


def why_no_key(time: EdgeTime, fields: Sequence[Declared], key: str | None) -> str | None:
    """Why no request could have a key; None if one could."""
    if key is None:
        return None
    column = next(one for one in fields if one.name == time.key)
    try:
        read_value(column, key)
    except InvalidFieldError as error:
        return f"the key {error}"
    return None


def no_room(named: str) -> TableError:
    """Something is about another key than that whose state the module keeps."""
    return TableError(
        "GOV418",
        f"{named} is about a key for which there is no room",
        "a module keeps one key: load one for each",
    )


def _sample(time: EdgeTime, name: str, *, is_event: bool) -> EdgeSample:
    for one in time.samples:
        if one.name == name and one.is_event is is_event:
            return one
    raise undeclared("event" if is_event else "signal", name)


# --- the state as bytes --------------------------------------------------------------------------


def check_owner(time: EdgeTime, fields: Sequence[Declared], key: Any) -> None:
    """Refuse a saved state that is not said to be somebody's: its bytes hold no key.

    Raises:
        TableError: GOV419, no key is given or none that a request could have, or the policy has none.
    """
    wrong: str | None
    if time.key is None:
        wrong = None if key is None else "the policy has no key"
    elif key is None:
        wrong = f"its bytes do not say whose it is, give the `{time.key}` that it was saved for as `key`"
    else:
        wrong = why_no_key(time, fields, key) if isinstance(key, str) else "the key must be a text"
    if wrong is not None:
        raise _useless(wrong)


def _useless(why: object) -> TableError:
    return TableError(
        "GOV419",
        f"the saved state cannot be used: {why}",
        "go on without it, or from another one",
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A variable of the state among the bytes; `freshness` is the cap of the age of a signal's last sample."""

    name: str
    bytes: int
    lo: int
    hi: int
    is_time: bool = False
    freshness: int | None = None


def places(time: EdgeTime) -> Iterator[Place]:
    """Every variable of the state, in order."""
    for scope in time.scopes:
        yield Place(f"clock.{scope}", STATE_HEAD, -TIME_MAX, TIME_MAX, is_time=True)
        for cell in time.cells:
            if cell.scope == scope:
                cap = cell.cap if cell.freshness else None
                yield Place(cell.name, cell.bytes, cell.field.lo, cell.field.hi, freshness=cap)


def save(time: EdgeTime, engine: Engine, now_ms: int) -> bytes:
    """The state that the module holds.

    Raises:
        TableError: GOV419, `now_ms` is no time.
    """
    now_ms = whole(now_ms, "now_ms", -TIME_MAX)
    body = b"".join(
        engine.read(one.name).to_bytes(one.bytes, "little", signed=one.lo < 0)
        for one in places(time)
    )
    head = _HEAD.pack(MAGIC, MAJOR, 0, 0, int(time.definition, 16), now_ms)
    blob = head + body
    summed = zlib.crc32(blob[_SUMMED_FROM:]).to_bytes(4, "little")
    return blob[: _SUMMED_FROM - 4] + summed + blob[_SUMMED_FROM:]


def restored(time: EdgeTime, blob: bytes, now_ms: int, downtime_ms: int | None) -> dict[str, int]:
    """The variables of a saved state, on the clock of now.

    Raises:
        TableError: GOV419, it is the state of another policy or does not add up; a time is none.
    """
    now_ms = whole(now_ms, "now_ms", -TIME_MAX)
    if downtime_ms is not None:
        downtime_ms = whole(downtime_ms, "downtime_ms", 0)
    try:
        return _restored(time, memoryview(blob).tobytes(), now_ms, downtime_ms)
    except (ValueError, TypeError) as error:
        raise _useless(error) from None


def _restored(time: EdgeTime, blob: bytes, now_ms: int, downtime_ms: int | None) -> dict[str, int]:
    if len(blob) != _HEAD.size + time.state_bytes:
        raise ValueError("it is cut off, or the state of another policy")
    magic, major, _, summed, definition, saved_ms = _HEAD.unpack_from(blob)
    if magic != MAGIC:
        raise ValueError("it is no saved state of a board")
    if major != MAJOR:
        raise ValueError("it has another major version of the format")
    if summed != zlib.crc32(blob[_SUMMED_FROM:]):
        raise ValueError("it is damaged")
    if definition != int(time.definition, 16):
        raise ValueError("its cells mean something else than those of this policy")
    if abs(saved_ms) > TIME_MAX:
        raise ValueError("it was saved at no time")
    found: dict[str, int] = {}
    at = _HEAD.size
    for one in places(time):
        value = int.from_bytes(blob[at : at + one.bytes], "little", signed=one.lo < 0)
        at += one.bytes
        if one.is_time:
            value = _moved(value, now_ms - saved_ms, downtime_ms)
        elif not one.lo <= value <= one.hi:
            raise ValueError(f"`{one.name}` is out of range")
        elif one.freshness is not None and downtime_ms is None:
            value = one.freshness
        found[one.name] = value
    return found


def _moved(at_ms: int, shift: int, downtime_ms: int | None) -> int:
    """When the last sample was on the clock of now; unknown where nobody knows how long it is ago."""
    if at_ms in (NEVER, UNKNOWN):
        return at_ms
    if abs(at_ms) > TIME_MAX:
        raise ValueError("a time lies beyond what can be counted")
    if downtime_ms is None:
        return UNKNOWN
    moved = at_ms + shift - downtime_ms
    if abs(moved) > TIME_MAX:
        raise ValueError("a time lies beyond what can be counted")
    return moved
