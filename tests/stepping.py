"""The engine's step on instances that the caller owns, as a host in C takes it.

In: a loaded table, words, instances as bytearrays.  Out: what became of a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from govlang.native._table import ffi, lib
from govlang.native.layout import UNKNOWN
from govlang.native.table import Decision

if TYPE_CHECKING:
    from govlang.native.table import Table

States = Sequence[bytearray | None]
"""An instance for every scope; None where a sample does not address it."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a sample: a `gov_taken`, the outcome if it was a request, and the words as rules saw them."""

    code: int
    decision: Decision
    words: tuple[int, ...]


def start(table: Table, scope: int) -> bytearray:
    """An instance that has had no sample."""
    state = bytearray(lib.gov_state_bytes(table.pointer, scope))
    lib.gov_state_start(table.pointer, scope, ffi.from_buffer("uint8_t[]", state))
    return state


def take(
    table: Table, kind: int, at_ms: int, words: Sequence[int], states: States, *, keep: bool = True
) -> Taken:
    """Take a sample in; `words` as `Table.empty_words` with what the sample brings."""
    sample = ffi.new("gov_sample *", {"at_ms": at_ms, "kind": kind, "keep": int(keep)})
    outcome = ffi.new("gov_outcome *")
    own = ffi.new("int64_t[]", [*words, 0])
    held = _held(states)
    code = lib.gov_take(table.pointer, sample, own, held.pointers, table.scratch(), outcome)
    return Taken(
        code,
        Decision(outcome.decision, outcome.rule, outcome.culprit),
        tuple(int(word) for word in own[0 : len(words)]),
    )


def deadline(table: Table, states: States, now_ms: int) -> int | None:
    """The next time at which something can change without a sample."""
    found = int(lib.gov_deadline(table.pointer, _held(states).pointers, now_ms))
    return None if found == UNKNOWN else found


@dataclass(frozen=True, slots=True)
class _Held:
    """Pointers to instances, and what keeps them."""

    pointers: Any
    owners: tuple[Any, ...]


def _held(states: States) -> _Held:
    owners = tuple(
        ffi.NULL if state is None else ffi.from_buffer("uint8_t[]", state, require_writable=True)
        for state in states
    )
    return _Held(ffi.new("uint8_t *[]", list(owners)), owners)
