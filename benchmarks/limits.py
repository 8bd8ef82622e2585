"""The limits in C: the same rules by hand, timed inside C.

Goes in: a workload and a stream of requests. Comes out: nanoseconds a decision and the decisions themselves, to be
compared with everyone else's before any figure counts.
"""

from __future__ import annotations

import ctypes
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.index import OTHER, Layout, layout_of
from benchmarks.model import (
    NO_RULE,
    Between,
    Condition,
    HasAny,
    Labels,
    Request,
    StartsWith,
    SumAtLeast,
    SumAtMost,
    Workload,
    labels,
    number,
    text,
)
from benchmarks.small import ZONES

SOURCE = Path(__file__).parent / "c" / "limits.c"
ROUNDS = 15
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-fPIC", "-shared")
WIDEST = 2**31 - 1

Array = npt.NDArray[Any]
ENTRY = np.dtype(
    [(n, "i4") for n in ("lo", "hi", "rule", "rest", "a_lo", "a_hi", "bound", "unused")]
    + [("mask", "u8")]
)
CELL = np.dtype([("first", "u4"), ("ranges", "u4"), ("loose", "u4")])
REQUEST = np.dtype(
    [(n, "i4") for n in ("key0", "key1", "ranged", "a", "b", "topic")] + [("labels", "u8")]
)
WORD = np.dtype([("hash", "u8"), ("at", "u4"), ("len", "u4"), ("value", "i4"), ("unused", "i4")])
TEXTS = np.dtype([(n, "u4") for n in ("at0", "len0", "at1", "len1")])
REST_NONE, REST_SUM, REST_LABELS, REST_TOPIC = range(4)
# Which request fields stand as `a` and `b` beside the ranged column; the three together are what sums are about.
BESIDE = {"amount": ("cost", "risk"), "y": ("x", "w")}


@dataclass(frozen=True, slots=True)
class Timed:
    """Nanoseconds a decision (the median of the rounds) and the decisions."""

    ns: float
    decisions: list[int]


class CTable(ctypes.Structure):
    """`struct table`."""

    _fields_ = (
        ("cells", ctypes.c_void_p),
        ("entries", ctypes.c_void_p),
        ("second_keys", ctypes.c_int32),
        ("sum_bound", ctypes.c_int32),
        ("forbidden", ctypes.c_uint64),
    )


class CWords(ctypes.Structure):
    """`struct words`."""

    _fields_ = (
        ("slots", ctypes.c_void_p),
        ("bytes", ctypes.c_char_p),
        ("mask", ctypes.c_uint64),
        ("other", ctypes.c_int32),
        ("unused", ctypes.c_int32),
    )


def library(optimise: str) -> ctypes.CDLL:
    """`limits.c` compiled with `-O2`, `-O3` or more."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "limits.so")
        subprocess.run(["gcc", *FLAGS, *optimise.split(), str(SOURCE), "-o", str(path)], check=True)
        loaded = ctypes.CDLL(str(path))
    for name in ("branchy", "branchless", "columns", "indexed", "from_text"):
        getattr(loaded, f"time_{name}").restype = ctypes.c_double
    loaded.text_hash.restype = ctypes.c_uint64
    return loaded


def address(array: Array) -> ctypes.c_void_p:
    """Where the array's data stand."""
    return ctypes.c_void_p(array.ctypes.data)


def rounds(run: Callable[[Array], float], count: int) -> Timed:
    """The median of several passes, the first of which only warms the caches."""
    out = np.full(count, NO_RULE - 1, dtype="i4")
    run(out)
    ns = statistics.median(run(out) / count for _ in range(ROUNDS))
    return Timed(ns, out.tolist())


def c_small(c: ctypes.CDLL, form: str, requests: Sequence[Request]) -> Timed:
    """`branchy` or `branchless` on the eight rules, struct in."""
    names = ("battery", "payload", "cpu_load", "wind", "altitude")
    rows = [[*(number(r, n) for n in names), ZONES.index(text(r, "zone"))] for r in requests]
    data = np.array(rows, dtype="i4")
    timed = getattr(c, f"time_{form}")
    return rounds(lambda out: float(timed(address(data), len(rows), address(out))), len(rows))


def c_columns(c: ctypes.CDLL, columns: Sequence[Array]) -> float:
    """Nanoseconds a row for the eight rules on six columns of int64."""
    count = len(columns[0])
    out = np.empty(count, dtype="u1")
    pointers = (ctypes.c_void_p * 6)(*(column.ctypes.data for column in columns))
    return statistics.median(
        float(c.time_columns(pointers, count, address(out))) / count for _ in range(7)
    )


class CIndex:
    """The hand-written index for a generated workload, with its arrays kept alive."""

    def __init__(self, c: ctypes.CDLL, workload: Workload) -> None:
        self._c = c
        self.layout = layout_of(workload)
        self._members = next(f.members for f in workload.fields if isinstance(f, Labels))
        self._topics = sorted(
            {
                p.prefix
                for r in workload.rules
                for p in r.conditions
                if isinstance(p, StartsWith) and p.field == "topic"
            }
        )
        self._keys = [
            {value: at for at, value in enumerate(values)} for values in self.layout.known
        ]
        self._cells, self._entries = self._arrays(self.layout)
        self._table = self._header(workload)
        self._words, self._alive = self._texts()

    def struct_in(self, requests: Sequence[Request]) -> Timed:
        """Texts already classified."""
        data, n = self._encode(requests), len(requests)
        time, table = self._c.time_indexed, ctypes.byref(self._table)
        return rounds(
            lambda out: float(time(table, address(data), ctypes.c_size_t(n), address(out))), n
        )

    def text_in(self, requests: Sequence[Request]) -> Timed:
        """Texts as bytes, both keys looked up by hash."""
        data, n = self._encode(requests), len(requests)
        places, arena = self._arena(requests)
        time, table = self._c.time_from_text, ctypes.byref(self._table)
        words = ctypes.byref(self._words)
        return rounds(
            lambda out: float(
                time(
                    table,
                    words,
                    address(data),
                    address(places),
                    arena,
                    ctypes.c_size_t(n),
                    address(out),
                )
            ),
            n,
        )

    def key(self, column: int, value: str) -> int:
        """The number of a key's value."""
        known = self._keys[column]
        if value in known:
            return known[value]
        return known.get(value[: value.find(".") + 1], known[OTHER])

    def _header(self, workload: Workload) -> CTable:
        (total,), (mask,) = (rule.conditions for rule in workload.rules[:2])
        if not isinstance(total, SumAtLeast) or not isinstance(mask, HasAny):
            message = "the first two rules of a generated workload must be a sum and a set"
            raise TypeError(message)
        second = len(self.layout.known[1]) if len(self.layout.known) > 1 else 1
        return CTable(
            self._cells.ctypes.data,
            self._entries.ctypes.data,
            second,
            total.bound,
            self._mask(mask.members),
        )

    def _mask(self, members: Sequence[str]) -> int:
        return sum(1 << self._members.index(member) for member in members)

    def _arrays(self, layout: Layout) -> tuple[Array, Array]:
        sizes = [len(values) for values in layout.known] + [1]
        cells = np.zeros(sizes[0] * sizes[1], dtype=CELL)
        entries: list[tuple[int, ...]] = []
        for key, cell in layout.cells.items():
            numbers = [self._keys[column][value] for column, value in enumerate(key)] + [0]
            cells[numbers[0] * sizes[1] + numbers[1]] = (
                len(entries),
                len(cell.ranges),
                len(cell.loose),
            )
            entries += [self._entry(lo, hi, rule, rest) for lo, hi, rule, rest in cell.ranges]
            entries += [self._entry(0, 0, rule, rest) for rule, rest in cell.loose]
        return cells, np.array(entries, dtype=ENTRY)

    def _entry(self, lo: int, hi: int, rule: int, rest: tuple[Condition, ...]) -> tuple[int, ...]:
        kind, bound, mask, a_lo, a_hi = REST_NONE, 0, 0, -WIDEST, WIDEST
        for part in rest:
            match part:
                case Between(_, first, last):
                    a_lo, a_hi = first, last
                case SumAtMost(_, limit):
                    kind, bound = REST_SUM, limit
                case HasAny(_, members):
                    kind, mask = REST_LABELS, self._mask(members)
                case StartsWith(_, prefix):
                    kind, bound = REST_TOPIC, self._topics.index(prefix)
                case _:
                    message = f"no place in the C index for {part}"
                    raise NotImplementedError(message)
        return lo, hi, rule, kind, a_lo, a_hi, bound, 0, mask

    def _encode(self, requests: Sequence[Request]) -> Array:
        plan = self.layout.plan
        a, b = BESIDE[plan.ranged]
        rows = [
            (
                self.key(0, text(r, plan.keys[0])),
                self.key(1, text(r, plan.keys[1])) if len(plan.keys) > 1 else 0,
                number(r, plan.ranged),
                number(r, a),
                number(r, b),
                self._topic(r),
                self._mask(labels(r, "labels")),
            )
            for r in requests
        ]
        return np.array(rows, dtype=REQUEST)

    def _topic(self, request: Request) -> int:
        first = text(request, "topic").split(".")[0] if "topic" in request else ""
        return self._topics.index(first) if first in self._topics else -1

    def _arena(self, requests: Sequence[Request]) -> tuple[Array, bytes]:
        arena, rows = bytearray(), []
        for request in requests:
            row: list[int] = []
            for name in self.layout.plan.keys:
                data = text(request, name).encode()
                row += [len(arena), len(data)]
                arena += data
            rows.append(tuple(row))
        return np.array(rows, dtype=TEXTS) if len(rows[0]) == 4 else np.zeros(0, TEXTS), bytes(
            arena
        )

    def _texts(self) -> tuple[ctypes.Array[CWords], list[Array]]:
        alive, words = [], []
        for values in self._keys:
            slots, data = hash_table(self._c, values)
            alive.append(slots)
            words.append(CWords(slots.ctypes.data, data, len(slots) - 1, values[OTHER], 0))
        return (CWords * len(words))(*words), alive


def hash_table(c: ctypes.CDLL, values: dict[str, int]) -> tuple[Array, bytes]:
    """An open hash, a quarter full, of the known texts."""
    size = 1 << (4 * len(values)).bit_length()
    slots, data = np.zeros(size, dtype=WORD), bytearray()
    for value, at in values.items():
        raw = value.encode()
        code = int(c.text_hash(raw, len(raw)))
        slot = code & (size - 1)
        while slots[slot]["len"]:
            slot = (slot + 1) & (size - 1)
        slots[slot] = (code, len(data), len(raw), at, 0)
        data += raw
    return slots, bytes(data)
