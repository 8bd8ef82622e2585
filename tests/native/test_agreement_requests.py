"""The C encoder reads every value as `request.py` does: the same are valid, with the same steps."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import numpy as np
import tables
from hypothesis import example, given, settings
from hypothesis import strategies as st

from govlang.compiler.ir import Field, Kind, Origin, Rounding
from govlang.native.request import InvalidFieldError, read_request
from govlang.runtime.policy import Policy

GRIDS = ((1, 1), (1, 10), (1, 100), (1, 1000), (5, 1), (1, 4), (3, 10), (25, 2), (1, 3))
SPANS = (
    (0, 100),
    (-50, 1000),
    (-(10**6), 10**9),
    (-(2**53) - 3, 2**53 + 3),
    (-(2**63), 2**63 - 1),
    (2**62, 2**63 - 1),
)
BIG_GRIDS = ((1, 10**15), (10**15, 1), (2**61 + 1, 1), (1, 2**61 + 1), (10**17 + 1, 10**16 + 3))


class Weight(int):
    pass


class Name(str):
    __slots__ = ()


class Zone(enum.StrEnum):
    RURAL = "rural"


class Load(float):
    pass


numbers = st.builds(
    lambda kind, span, grid, rounding: Field("x", kind, *span, *grid, "kg", rounding=rounding),
    st.sampled_from([Kind.NUMBER, Kind.NUMBER, Kind.NUMBER, Kind.TIME, Kind.DURATION]),
    st.sampled_from(SPANS),
    st.sampled_from(GRIDS + BIG_GRIDS),
    st.sampled_from(list(Rounding)),
)
names = st.sampled_from(["urban", "rural", "sea", "", "é", "\udc80", Name("rural"), Zone.RURAL])


class Index:
    """An object that stands for an integer, as NumPy's."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


junk = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.lists(st.integers(), max_size=2),
    st.just({}), st.just(b"1"), st.just(1j), st.just(object), names,
)  # fmt: skip


def near(field: Field, steps: int, kind: str) -> Any:
    """A number at or beside a step of the field."""
    top = steps * field.step_num
    match kind:
        case "float":
            return top / field.step_den if abs(top) < 10**300 else 0.0
        case "above":
            return math.nextafter(top / field.step_den, math.inf)
        case "below":
            return math.nextafter(top / field.step_den, -math.inf)
        case "sum":
            return top / field.step_den + 0.1
        case "decimal":
            return Decimal(top) / Decimal(field.step_den)
        case "half":
            return Decimal(2 * top + field.step_num) / Decimal(2 * field.step_den)
        case "half float":
            return (2 * top + field.step_num) / (2 * field.step_den)
        case "int":
            return top // field.step_den
        case "weight":
            return Weight(top // field.step_den)
        case _:
            return Load(top / field.step_den)


KINDS = (
    "float", "above", "below", "sum", "decimal", "half", "half float", "int", "weight", "load"
)  # fmt: skip


@st.composite
def number_cases(draw: st.DrawFn) -> tuple[Field, Any]:
    field = draw(numbers)
    steps = draw(
        st.one_of(
            st.integers(field.lo - 3, field.lo + 3),
            st.integers(field.hi - 3, field.hi + 3),
            st.integers(field.lo, field.hi),
        )
    )
    raw = draw(
        st.one_of(
            st.sampled_from(KINDS).map(lambda kind: near(field, steps, kind)),
            st.floats(),
            st.integers(-(2**70), 2**70),
            st.decimals(),
            st.integers(-(2**63), 2**63 - 1).map(np.int64),
            st.integers(-(2**70), 2**70).map(Index),
            st.sampled_from(
                [10**400, -(10**400), 1e400, -0.0, Decimal("1e400"), Decimal("NaN"), 5e-324]
            ),
            junk,
        )
    )
    return field, raw


def rounding_example(rounding: Rounding, raw: Any) -> tuple[Field, Any]:
    return Field("x", Kind.NUMBER, -1000, 1000, 1, 10, rounding=rounding), raw


def read_by_python(fields: tuple[Field, ...], request: Any, runtime: Any) -> dict[str, Any] | None:
    try:
        return dict(read_request(fields, request, runtime))
    except InvalidFieldError:
        return None


def read_by_c(loaded: Policy, request: Any, runtime: Any) -> dict[str, Any] | None:
    """What the words say, by field; None if the request is invalid."""
    outcome = loaded.decide(request, runtime=runtime)
    assert outcome.reason != "cannot be read"
    if not outcome._is_valid:
        assert outcome.decision == "deny"
        assert outcome.rule_id == "invalid_request"
        return None
    data = outcome._words
    words = [int.from_bytes(data[i : i + 8], "little", signed=True) for i in range(0, len(data), 8)]
    found = {}
    for field in loaded.fields:
        if field.has_column is not None and not words[field.has_column]:
            continue
        if field.column is not None:
            word = words[field.column]
            found[field.name] = word % 2**64 if field.kind == "set" else word
        else:
            found[field.name] = request[field.name]
    return found


def agree(fields: tuple[Field, ...], request: Any, runtime: Any = None) -> None:
    loaded = tables.load(tables.policy_of(*fields))
    expected = read_by_python(fields, request, runtime)
    assert read_by_c(loaded, request, runtime) == expected


@settings(max_examples=3000)
@given(number_cases())
@example(rounding_example(Rounding.UP, -0.05))
@example(rounding_example(Rounding.DOWN, -1e-300))
@example(rounding_example(Rounding.NEAREST, -5e-324))
@example(rounding_example(Rounding.NEAREST, 0.05))
@example(rounding_example(Rounding.NEAREST, -0.25))
@example((Field("x", Kind.NUMBER, 0, 2**63 - 1, 1, 1), 2.0**63))
@example((Field("x", Kind.NUMBER, 0, 2**63 - 1, 1, 1), 9223372036854774784.0))
@example((Field("x", Kind.NUMBER, 0, 10**6, 2**61 + 1, 1), (2**61 + 1) * 3))
def test_numbers_are_read_alike(case: tuple[Field, Any]) -> None:
    field, raw = case
    agree((field,), {"x": raw})


ENUM = Field("zone", Kind.ENUM, 0, 1, members=("urban", "rural"))
MANY = Field("many", Kind.ENUM, 0, 19, members=(*(f"m{i}" for i in range(18)), "rural", "é"))
LABELS = Field("labels", Kind.SET, 0, 2**64 - 1, members=("rural", *(f"m{i}" for i in range(63))))
APPROVED = Field(
    "approved", Kind.SET, 0, 3, members=("sre", "urban"), origin=Origin.RUNTIME, implied=0
)
FLAG = Field("ok", Kind.BOOL, 0, 1)

member_lists = st.one_of(
    st.lists(st.one_of(names, st.sampled_from(["m0", "m62", "sre"]), junk), max_size=4),
    st.lists(names, max_size=3).map(tuple),
    st.sets(st.sampled_from(["rural", "m3", "m62"])),
    st.frozensets(st.sampled_from(["rural", "m3"])),
)


@settings(max_examples=1500)
@given(
    st.sampled_from([ENUM, MANY, LABELS, FLAG]),
    st.one_of(names, junk, member_lists, st.integers(), st.floats()),
)
def test_members_sets_and_bools_are_read_alike(field: Field, raw: Any) -> None:
    agree((field,), {field.name: raw})


@given(st.one_of(member_lists, junk, st.just(["sre", "sre", "nobody"])))
def test_approved_roles_are_read_alike(raw: Any) -> None:
    agree((APPROVED, ENUM), {"zone": "urban"}, {"approved": raw})


texts = st.one_of(
    st.text(max_size=8),
    st.text(alphabet="a./\\é\0", max_size=8),
    st.sampled_from(
        ["\ud800", "a" * 13, "é" * 6, "é" * 7, Name("a/b"), "a//b", "/a", "a/", "..", "a/../b"]
    ),
    junk,
)


@settings(max_examples=1500)
@given(st.sampled_from([Kind.TEXT, Kind.PATH, Kind.KEY]), texts)
def test_texts_are_read_alike(kind: Kind, raw: Any) -> None:
    agree((Field("t", kind, max_bytes=12),), {"t": raw})


SEVERAL = (
    ENUM,
    Field("x", Kind.NUMBER, 0, 10, optional=True),
    Field("t", Kind.TEXT, max_bytes=12, optional=True),
    Field("ok", Kind.BOOL, 0, 1, origin=Origin.RUNTIME),
    APPROVED,
)
keys = st.sampled_from(["zone", "x", "t", "ok", "approved", "other", "", 3, None])
values = st.sampled_from(["urban", 3, True, "abc", ["sre"], None, 99])
dicts = st.dictionaries(keys, values, max_size=5)
likely = st.fixed_dictionaries(
    {"zone": st.just("urban")}, optional={"x": st.just(1), "t": st.just("a")}
)


@settings(max_examples=1500)
@given(
    st.one_of(dicts, likely, dicts.map(OrderedDict)),
    st.one_of(
        st.none(),
        dicts,
        st.fixed_dictionaries({"ok": st.just(True)}, optional={"approved": st.just(["sre"])}),
    ),
)
def test_whole_requests_are_read_alike(request: Any, runtime: Any) -> None:
    agree(SEVERAL, request, runtime)


@given(st.one_of(junk, st.integers(), st.floats()))
def test_a_request_that_is_no_object_is_an_outcome(raw: Any) -> None:
    if raw == {} and isinstance(raw, dict):
        return
    loaded = tables.load(tables.policy_of(*SEVERAL))
    outcome = loaded.decide(raw)
    assert (outcome.decision, outcome.rule_id) == ("deny", "invalid_request")
    assert "must be an object" in outcome.reason
