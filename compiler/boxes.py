"""Boxes: per axis of a request a set of allowed words; and the algebra of such sets.

An axis is what one word of a decided request holds: the value of a field, a class of a text,
whether an optional field has a value, whether two texts are equal.  Ranges of numbers are sorted,
disjoint and not touching; sets are cubes.  What always holds of a box: it names only axes that it
restricts, and no axis with nothing allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from govlang.compiler.ir import Ranges


class AxisKind(IntEnum):
    """What the word of an axis holds."""

    VALUE = 0
    SET = 1
    CLASS = 2
    HAS = 3
    EQUAL = 4


class Axis(NamedTuple):
    """One word of a request.

    `name` is its field, `other` the second one of EQUAL, `part` counts the class columns of a text.
    """

    kind: AxisKind
    name: str
    other: str = ""
    part: int = 0


class Clause(NamedTuple):
    """A set has some member of `present`, or lacks some member of `missing`."""

    present: int
    missing: int


@dataclass(frozen=True, slots=True)
class SetCube:
    """A set has all of `require`, none of `forbid`, and satisfies each clause.

    INVARIANT: the clauses have at least two bits, none of them in `require` or `forbid`.
    """

    require: int = 0
    forbid: int = 0
    clauses: frozenset[Clause] = frozenset()


Allowed = Ranges | SetCube
Box = Mapping[Axis, Allowed]


# --- ranges --------------------------------------------------------------------------------------


def ranges_of(values: Iterable[int]) -> Ranges:
    """The ranges that hold exactly these values."""
    found: list[tuple[int, int]] = []
    for value in sorted(set(values)):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return tuple(found)


def intersect_ranges(a: Ranges, b: Ranges) -> Ranges:
    """The values in both."""
    if len(a) == 1 and len(b) == 1:
        lo, hi = max(a[0][0], b[0][0]), min(a[0][1], b[0][1])
        return ((lo, hi),) if lo <= hi else ()
    found = []
    i = j = 0
    while i < len(a) and j < len(b):
        lo, hi = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if lo <= hi:
            found.append((lo, hi))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def join_ranges(a: Ranges, b: Ranges) -> Ranges:
    """The values in either."""
    found: list[tuple[int, int]] = []
    for lo, hi in sorted((*a, *b)):
        if found and lo <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(hi, found[-1][1]))
        else:
            found.append((lo, hi))
    return tuple(found)


def complement_ranges(a: Ranges, lo: int, hi: int) -> Ranges:
    """The values of `lo..hi` that are not in `a`."""
    found = []
    at = lo
    for start, end in a:
        if start > at:
            found.append((at, min(start - 1, hi)))
        at = max(at, end + 1)
    if at <= hi:
        found.append((at, hi))
    return tuple(found)


# --- sets ----------------------------------------------------------------------------------------


def meet_cubes(a: SetCube, b: SetCube) -> SetCube | None:
    """The sets in both; None if there is none that the clauses one by one allow."""
    return make_cube(a.require | b.require, a.forbid | b.forbid, a.clauses | b.clauses)


def make_cube(require: int, forbid: int, clauses: Iterable[Clause]) -> SetCube | None:
    """A cube with its clauses reduced by what is fixed; None if one of them fails."""
    pending = list(clauses)
    while True:
        if require & forbid:
            return None
        kept, fixed = [], False
        for present, missing in pending:
            if present & require or missing & forbid:
                continue
            rest = Clause(present & ~forbid, missing & ~require)
            bits = rest.present.bit_count() + rest.missing.bit_count()
            if bits == 0:
                return None
            if bits == 1:
                require, forbid, fixed = require | rest.present, forbid | rest.missing, True
            else:
                kept.append(rest)
        if not fixed:
            return SetCube(require, forbid, frozenset(kept))
        pending = kept


# --- boxes ---------------------------------------------------------------------------------------


def meet_boxes(a: Box, b: Box) -> Box | None:
    """The requests in both; None if there is none."""
    if not a or not b:
        return a or b
    found = dict(a)
    for axis, allowed in b.items():
        own = found.get(axis)
        both = allowed if own is None else _meet(own, allowed)
        if not both:
            return None
        found[axis] = both
    return found


def _meet(a: Allowed, b: Allowed) -> Allowed | None:
    if isinstance(a, SetCube):
        assert isinstance(b, SetCube)
        return meet_cubes(a, b)
    assert not isinstance(b, SetCube)
    return intersect_ranges(a, b)


def hull(boxes: Sequence[Box]) -> Box:
    """A box around all of these (at least one)."""
    found: dict[Axis, Allowed] = {}
    for axis, first in boxes[0].items():
        others = [box.get(axis) for box in boxes[1:]]
        if isinstance(first, SetCube):
            if all(other == first for other in others):
                found[axis] = first
            continue
        joined = first
        for other in others:
            if other is None:
                break
            assert not isinstance(other, SetCube)
            joined = join_ranges(joined, other)
        else:
            found[axis] = joined
    return found
