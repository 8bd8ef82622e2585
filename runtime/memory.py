"""What a policy remembers, from Python: steps that are no request, and the state as bytes.

In: steps of a trace (contract: "A trace step"), blobs of `save`.  Out: what the engine takes; blobs; which
cells start anew when another version of the policy takes a state over.

What always holds: a step or a blob that cannot be used is a coded error, and the state is as it was.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from govlang.native import layout, words
from govlang.native.errors import TableError
from govlang.native.layout import NEVER, STATE_HEAD, TIME_MAX, UNKNOWN, CellFlag
from govlang.native.request import (
    NAME_MAX,
    InvalidFieldError,
    integer,
    legible,
    read_request,
    read_value,
)
from govlang.native.takeover import Kept, kept_cells, starting_anew
from govlang.runtime.trace import kind_of, time_of, unusable

if TYPE_CHECKING:
    from govlang.native.memory import Memory, SampleType
    from govlang.runtime.policy import Policy

CAPACITY: Final = 65_536
"""Keys of each scope that a policy remembers unless it is told otherwise."""
CAPACITY_MAX: Final = (2**32 - 1) // 4
"""The most that the store can count (native/gov_store.c)."""

_TAKEN: Final = 0
_REFUSED: Final = 1
_FULL: Final = -3


def read_capacity(raw: Any) -> int:
    """How many keys there is to be room for.

    Raises:
        TableError: GOV411, it is no number of keys.
    """
    found = integer(raw)
    if found is None or not 1 <= found <= CAPACITY_MAX:
        raise TableError(
            "GOV411",
            f"`capacity` must be a whole number of keys in 1..{CAPACITY_MAX}",
            help="give the number of agents that there are, with some to spare",
        )
    return found


def seeds() -> tuple[int, int]:
    """Two numbers that nobody outside can know."""
    return int.from_bytes(os.urandom(8), "little"), int.from_bytes(os.urandom(8), "little")


def clock_ms() -> int:
    """The host's clock, in ms since 1970."""
    return time.time_ns() // 1_000_000


# --- steps ---------------------------------------------------------------------------------------


def observe(policy: Policy, memory: Memory, step: Mapping[str, Any]) -> int | None:
    """Take in a step; the next time at which something can change without one.

    Raises:
        TableError: GOV415 no such step, or a value that does not fit · GOV417 an event that nothing called for ·
            GOV418 there is no room for the key.
    """
    read = _read_step(policy, memory, step)
    code, deadline = policy._report(*read)  # noqa: SLF001  # the part of it in C
    if code != _TAKEN:
        raise not_taken(step, code)
    return None if deadline == UNKNOWN else deadline


def not_taken(step: Mapping[str, Any], code: int) -> TableError:
    """Why the engine has not taken in a step that could be read."""
    named = next((f"`{step[kind]}`" for kind in ("event", "signal") if kind in step), "the tick")
    if code == _REFUSED:
        return TableError(
            "GOV417",
            f"{named} comes after nothing that calls for it",
            help="report what must come before it first; each of those permits one",
        )
    if code == _FULL:
        return TableError(
            "GOV418",
            f"{named} is about a key for which there is no room",
            help="load the policy with a larger `capacity`",
        )
    return unusable(f"{named} cannot be taken in")


_Read = tuple[int, int | None, tuple[tuple[int, int], ...], tuple[bytes | None, ...]]


def _read_step(policy: Policy, memory: Memory, step: Mapping[str, Any]) -> _Read:
    """What the engine asks of a step: its kind, its time, its words, its keys."""
    what, at_ms = kind_of(step), time_of(step)
    key = _key(memory, step.get("key"))
    if what == "request":
        raise unusable("a request is no step that is observed", "give it to `commit`")
    if what == "tick":
        return layout.TICK, at_ms, (), _keys(policy, memory, {memory.key_name: key})
    name, is_signal = step[what], what == "signal"
    kind, own = _sample(memory, name, key, is_signal=is_signal)
    values = {name: step["value"]} if is_signal else step.get("fields", {})
    if not isinstance(values, Mapping):
        raise unusable(f"the fields of `{name}` must be an object")
    try:
        read = read_request(own.fields, values, None)
    except InvalidFieldError as error:
        raise unusable(str(error), _carries(own)) from None
    carried = {one.name: read[one.name] for one in own.fields}
    words = tuple(
        (one.column, _word(int(carried[one.name]))) for one in own.fields if one.column is not None
    )
    texts: dict[str | None, str | None] = {memory.key_name: key}
    texts |= {name: text for name, text in carried.items() if isinstance(text, str)}
    return kind, at_ms, words, _keys(policy, memory, texts)


def _word(value: int) -> int:
    """A value as the int64 that it is (a set of 64 members)."""
    return words.signed(value) if value > 0 else value


def _key(memory: Memory, key: Any) -> str | None:
    if isinstance(key, Mapping):
        if set(key) != {memory.key_name}:
            raise unusable(f"the key must name `{memory.key_name}` and nothing else")
        key = key[memory.key_name]
    if key is not None and (not isinstance(key, str) or memory.key == 0):
        raise unusable("the key must be a text" if memory.key else "this policy has no key")
    return key


def _sample(
    memory: Memory, name: str, key: str | None, *, is_signal: bool
) -> tuple[int, SampleType]:
    """The event or signal of a name, and its kind; one that is not declared, or not with such a key, is refused."""
    for number, one in enumerate(memory.samples):
        if one.name != name:
            continue
        if one.is_signal is not is_signal:
            kind = "a signal" if one.is_signal else "an event"
            raise unusable(f"`{name}` is {kind}", f"write `{kind.split()[1]}`")
        if (memory.key != 0 and not one.is_shared) != (key is not None):
            if key is None:
                raise unusable(
                    f"`{name}` lacks its key", f"write whose it is: `key`, of `{memory.key_name}`"
                )
            raise unusable(f"`{name}` is shared and has no key", "leave out `key`")
        return layout.FIRST_KIND + number, one
    known = [one.name for one in memory.samples]
    near = get_close_matches(name, known, 1)
    help_line = f"did you mean `{near[0]}`?" if near else f"the policy declares {_quoted(known)}"
    raise unusable(f"`{legible(name, NAME_MAX)}` is no event or signal of this policy", help_line)


def _carries(own: SampleType) -> str:
    """The help line of a report whose values do not fit."""
    if own.is_signal:
        return f"write the `value` that `{own.name}` may have"
    names = [one.name for one in own.fields]
    return f"`{own.name}` carries in `fields`: {_quoted(names)}"


def _quoted(names: list[str]) -> str:
    """Names as a message lists them."""
    return ", ".join(f"`{one}`" for one in names) or "none"


def _keys(
    policy: Policy, memory: Memory, texts: Mapping[str | None, str | None]
) -> tuple[bytes | None, ...]:
    """The keys of the scopes that a step addresses, by scope."""
    found: list[bytes | None] = []
    for scope in memory.scopes:
        text = texts.get(scope.name)
        if scope.field is None or text is None:
            found.append(b"" if scope.field is None else None)
            continue
        try:
            read = read_value(policy.fields[scope.field], text)
        except InvalidFieldError as error:
            raise unusable(f"the key {error}") from None
        found.append(str(read).encode())
    return tuple(found)


# --- the state as bytes --------------------------------------------------------------------------

MAGIC: Final = b"govstate"
MAJOR: Final = 1
MINOR: Final = 0
_INSTANCE: Final = struct.Struct("<IIq")
_LENGTH: Final = struct.Struct("<I")


def save(policy: Policy, memory: Memory | None, now_ms: int | None) -> bytes:
    """The whole state; see docs/formats.md.  Where nothing is remembered it has no scopes, so that a version that
    remembers can go on from it.
    """
    head = {
        "policy": policy.name,
        "snapshot": policy.snapshot,
        "saved_at_ms": clock_ms() if now_ms is None else whole(now_ms, "now_ms", -TIME_MAX),
        "scopes": [] if memory is None else _scopes(memory),
    }
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    parts = [_LENGTH.pack(len(text)), text]
    kept = sorted(policy._save()) if memory else ()  # noqa: SLF001  # the part of it in C; one state, one text
    for scope, key, state in kept:
        at = int.from_bytes(state[:STATE_HEAD], "little", signed=True)
        parts += [_INSTANCE.pack(scope, len(key), at), key, state[STATE_HEAD:]]
    body = b"".join(parts)
    return layout.checked(
        layout.HEADER.pack(MAGIC, MAJOR, MINOR, 0, layout.HEADER.size + len(body)) + body
    )


def _scopes(memory: Memory) -> list[dict[str, Any]]:
    return [
        {
            "name": scope.name,
            "bytes": scope.bytes,
            "cells": [
                [cell.name, f"{cell.definition:016x}", cell.offset, cell.bytes]
                for cell in (memory.cells[i] for i in scope.cells)
                if cell.bytes
            ],
        }
        for scope in memory.scopes
    ]


def restore(
    policy: Policy, memory: Memory | None, blob: bytes, downtime_ms: int | None, now_ms: int | None
) -> tuple[str, ...]:
    """Take a saved state over; the names of the cells that start anew.

    Raises:
        TableError: GOV419, it is no state of this policy, or does not add up; nothing has changed then.
    """
    try:
        now = clock_ms() if now_ms is None else whole(now_ms, "now_ms", -TIME_MAX)
        down = None if downtime_ms is None else whole(downtime_ms, "downtime_ms", 0)
        saved = _Saved(policy.name, memoryview(blob).tobytes())
        if memory is None:
            return ()
        moved = _Moved(memory, saved, down, now)
        instances = list(moved.instances())
        policy._restore((instances, policy.capacity, *seeds()))  # noqa: SLF001  # the part of it in C
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
        struct.error,
    ) as error:
        raise TableError(
            "GOV419",
            f"the state cannot be restored: {error}",
            help="give the bytes of `save` of this policy, whole",
        ) from None
    return moved.anew


def whole(value: Any, name: str, least: int) -> int:
    """A time or a length of time that the host gives with a state.

    Raises:
        TableError: GOV419, it is no whole number, or out of reach.
    """
    found = integer(value)
    if found is None or not least <= found <= TIME_MAX:
        raise TableError(
            "GOV419",
            f"`{name}` must be a whole number of milliseconds from {least} on",
            help="give the host's clock in ms since 1970, and how long it did not decide",
        )
    return found


@dataclass(frozen=True, slots=True)
class _Old:
    """A cell of the saved state."""

    scope: int
    definition: int
    offset: int
    bytes: int


class _Saved:
    """A blob, taken apart."""

    def __init__(self, policy: str, blob: bytes) -> None:
        if len(blob) < layout.HEADER.size or not blob.startswith(MAGIC):
            raise ValueError("it is no saved state")
        _, major, minor, _, size = layout.HEADER.unpack_from(blob)
        if (major, minor) != (MAJOR, MINOR):
            raise ValueError("it has another version of the format")
        if size != len(blob) or layout.checked(blob) != blob:
            raise ValueError("it is cut off or damaged")
        (length,) = _LENGTH.unpack_from(blob, layout.HEADER.size)
        start = layout.HEADER.size + _LENGTH.size
        if start + length > len(blob):
            raise ValueError("its head is cut off")
        head = json.loads(blob[start : start + length])
        if head["policy"] != policy:
            raise ValueError(f"it is the state of `{head['policy']}`")
        self.saved_at_ms = int(head["saved_at_ms"])
        self.scopes: list[tuple[str, int]] = [
            (str(s["name"]), int(s["bytes"])) for s in head["scopes"]
        ]
        self.cells = {
            str(name): _Old(number, int(definition, 16), int(offset), int(size))
            for number, scope in enumerate(head["scopes"])
            for name, definition, offset, size in scope["cells"]
        }
        self.kept = {
            name: Kept(self.scopes[cell.scope][0], cell.definition, cell.bytes)
            for name, cell in self.cells.items()
        }
        self.body = blob[start + length :]

    def instances(self) -> Iterator[tuple[int, bytes, int, bytes]]:
        """Scope, key, time, and the bytes of an instance with room for its time."""
        at = 0
        while at < len(self.body):
            scope, key_size, time_ms = _INSTANCE.unpack_from(self.body, at)
            at += _INSTANCE.size
            end = at + key_size + self.scopes[scope][1] - STATE_HEAD
            if end > len(self.body):
                raise ValueError("an instance is cut off")
            yield (
                scope,
                self.body[at : at + key_size],
                time_ms,
                bytes(STATE_HEAD) + self.body[at + key_size : end],
            )
            at = end


class _Moved:
    """A saved state in the cells of a policy that may be another version of the one that saved it."""

    def __init__(self, memory: Memory, saved: _Saved, downtime_ms: int | None, now_ms: int) -> None:
        self.memory = memory
        self.saved = saved
        self.scopes = {scope.name: number for number, scope in enumerate(memory.scopes)}
        self.is_known = downtime_ms is not None
        self.shift = now_ms - saved.saved_at_ms - (downtime_ms or 0)
        self.anew = tuple(starting_anew(saved.kept, memory))
        self.kept = kept_cells(memory).keys() - set(self.anew)

    def instances(self) -> Iterator[tuple[int, bytes, bytes]]:
        """The instances that the engine puts in its store."""
        for scope, key, at_ms, state in self.saved.instances():
            number = self.scopes.get(self.saved.scopes[scope][0])
            if number is not None:
                time_ms = self._time(at_ms).to_bytes(STATE_HEAD, "little", signed=True)
                yield number, key, time_ms + b"".join(self._cells(number, state))

    def _time(self, at_ms: int) -> int:
        """When the last sample was on the clock of now; unknown where nobody knows how long it is ago."""
        if at_ms in (NEVER, UNKNOWN):
            return at_ms
        if not self.is_known:
            return UNKNOWN
        if abs(at_ms + self.shift) > TIME_MAX:
            raise ValueError("a time lies beyond what can be counted")
        return at_ms + self.shift

    def _cells(self, scope: int, state: bytes) -> Iterator[bytes]:
        for cell in (self.memory.cells[i] for i in self.memory.scopes[scope].cells):
            if not cell.bytes:
                continue
            value = cell.initial.to_bytes(cell.bytes, "little", signed=cell.lo < 0)
            if cell.name in self.kept:
                old = self.saved.cells[cell.name]
                value = state[old.offset : old.offset + old.bytes]
            if not self.is_known and CellFlag.FRESHNESS in cell.flags:
                value = cell.cap.to_bytes(cell.bytes, "little", signed=cell.lo < 0)
            yield value
