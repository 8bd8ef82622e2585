"""Whole columns: every kind of memory that they come in, and what cannot be a column."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tables

from govlang.compiler import ir
from govlang.compiler.ir import Effect, Field, Kind, Origin, Rounding, Rule
from govlang.native.errors import TableError
from govlang.runtime.batch import BY_DEFAULT, BY_INVALID, BatchOutcome
from govlang.runtime.columns import _native
from govlang.runtime.policy import Policy

SPEED = Field("speed", Kind.NUMBER, 0, 200)
LOAD = Field("load", Kind.NUMBER, 0, 1000, 1, 10)
STEP = Field("step", Kind.NUMBER, -4, 20, 5, 1)
ROUND = Field("round", Kind.NUMBER, 0, 100, 1, 4, rounding=Rounding.NEAREST)
SINCE = Field("since", Kind.TIME, 0, 2**40)
ZONE = Field("zone", Kind.ENUM, 0, 2, members=("urban", "rural", "airport"))
READY = Field("ready", Kind.BOOL, 0, 1)
LABELS = Field("labels", Kind.SET, 0, 7, members=("write", "pii", "pay"))
TOPIC = Field("topic", Kind.TEXT, max_bytes=12)
PATH = Field("path", Kind.PATH, max_bytes=12)
MAYBE = Field("maybe", Kind.NUMBER, 0, 9, optional=True)
NOTE = Field("note", Kind.TEXT, max_bytes=5, optional=True)
AGENT = Field("agent", Kind.KEY, max_bytes=9)
OWNER = Field("owner", Kind.KEY, max_bytes=9)
TICKET = Field("ticket", Kind.BOOL, 0, 1, origin=Origin.RUNTIME)
APPROVED = Field("approved", Kind.SET, 0, 1, members=("atc",), origin=Origin.RUNTIME, implied=0)


def rule(name: str, condition: ir.BoolExpr, effect: Effect = Effect.DENY) -> Rule:
    roles = ("atc",) if effect is Effect.REQUIRE_HUMAN else ()
    return Rule(name, condition, effect, roles=roles)


def literal(field: str, text: str) -> ir.TextTest:
    return ir.TextTest(field, (ir.Pattern(ir.PatternKind.LITERAL, text),))


def over(field: str, lowest: int) -> ir.InRanges:
    return ir.InRanges(field, ((lowest, 10**9),))


def one_field(field: Field, condition: ir.BoolExpr) -> Policy:
    return tables.load(tables.policy_of(field, rules=(rule("hit", condition),)))


def ids(outcome: BatchOutcome) -> list[str]:
    return [outcome.rule_id(row) for row in range(len(outcome))]


def test_numbers_that_lie_at_odd_addresses_are_moved_before_c_reads_them() -> None:
    odd = np.frombuffer(b"\0" + np.array([5, 150, 201]).tobytes(), np.uint8)[1:].view(np.int64)
    assert not odd.flags.aligned
    assert _native(odd).flags.aligned
    policy = one_field(SPEED, over("speed", 100))
    assert ids(policy.decide_batch({"speed": odd})) == [MISS, HIT, BAD]


HIT, MISS, BAD = "hit", "default", "invalid_request"
INTEGERS = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")


@pytest.mark.parametrize("form", INTEGERS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_integers_of_every_width(form: str, order: str) -> None:
    policy = one_field(SPEED, over("speed", 100))
    column = np.array([0, 99, 100, 127], dtype=order + form)
    assert ids(policy.decide_batch({"speed": column})) == [MISS, MISS, HIT, HIT]
    assert ids(policy.decide_batch({"speed": pa.array(column.astype(form))})) == [
        MISS,
        MISS,
        HIT,
        HIT,
    ]


def test_integers_out_of_range_are_invalid_rows() -> None:
    policy = one_field(SPEED, over("speed", 100))
    assert ids(policy.decide_batch({"speed": np.array([-1, 201, 2**63 - 1, -(2**63), 200])})) == [
        BAD, BAD, BAD, BAD, HIT,
    ]  # fmt: skip
    huge = np.array([2**64 - 1, 2**63, 100], dtype="u8")
    assert ids(policy.decide_batch({"speed": huge})) == [BAD, BAD, HIT]


def test_integers_on_other_grids() -> None:
    tenths = one_field(LOAD, over("load", 500))
    assert ids(tenths.decide_batch({"load": np.array([49, 50, 100, 101, -1])})) == [
        MISS, HIT, HIT, BAD, BAD,
    ]  # fmt: skip
    fives = one_field(STEP, over("step", 2))
    assert ids(fives.decide_batch({"step": np.array([5, 10, 12, -20, -21], dtype="i1")})) == [
        MISS, HIT, BAD, MISS, BAD,
    ]  # fmt: skip
    huge = np.array([100, 2**64 - 1], dtype="u8")
    assert ids(fives.decide_batch({"step": huge})) == [HIT, BAD]


@pytest.mark.parametrize("field", [LOAD, STEP, ROUND, SPEED, SINCE])
def test_floats_are_read_like_rows(field: Field) -> None:
    rng = random.Random(5)
    policy = one_field(field, over(field.name, 3))
    values = [float("nan"), float("inf"), -0.0, 0.1 + 0.2, 5e-324, 1e30, 0.25, 0.125, -0.125]
    values += [rng.randint(-50, 2100) / 10 for _ in range(300)]
    values += [rng.uniform(-5, 120) for _ in range(300)]
    outcome = policy.decide_batch({field.name: np.array(values)})
    assert ids(outcome) == [policy.decide({field.name: value}).rule_id for value in values]
    single = np.array(values, dtype="f4")
    expected = [policy.decide({field.name: float(value)}).rule_id for value in single]
    assert ids(policy.decide_batch({field.name: single})) == expected
    assert ids(policy.decide_batch({field.name: pa.array(values)})) == ids(outcome)


def test_bools_of_a_byte_and_of_a_bit() -> None:
    policy = one_field(READY, ir.InRanges("ready", ((1, 1),)))
    values = [True, False, True] * 7
    expected = [HIT if value else MISS for value in values]
    assert ids(policy.decide_batch({"ready": np.array(values)})) == expected
    arrow = pa.array(values)
    assert ids(policy.decide_batch({"ready": arrow})) == expected
    assert ids(policy.decide_batch({"ready": arrow.slice(3, 9)})) == expected[3:12]


ZONES = ["rural", "urban", "sea", "airport", "rural"]
ZONE_IDS = [HIT, MISS, BAD, MISS, HIT]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(ZONES),
        pa.array(ZONES, pa.large_string()),
        pa.array(ZONES, pa.string_view()),
        pa.array(ZONES).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([1, 0, 3, 2, 1], pa.int8()), ["urban", "rural", "airport", "sea"]),
        pa.chunked_array([ZONES[:2], ZONES[2:]]),
        pa.chunked_array([pa.array(ZONES[:2]).dictionary_encode(), pa.array(ZONES[2:]).dictionary_encode()]),
        pa.array(["x", *ZONES, "y"]).slice(1, 5),
        np.array(ZONES),
        (np.array([1, 0, 9, 2, 1], dtype="u2"), ["urban", "rural", "airport"]),
        (np.array([1, 0, -1, 2, 1], dtype="i8"), ["urban", "rural", "airport"]),
    ],
)  # fmt: skip
def test_enumerations_in_every_form(column: Any) -> None:
    policy = one_field(ZONE, ir.InRanges("zone", ((1, 1),)))
    assert ids(policy.decide_batch({"zone": column})) == ZONE_IDS


SETS = [["write"], [], ["pii", "pay"], ["pii", "pii"], ["other"], ["pay", "write"]]
SET_IDS = [MISS, MISS, HIT, BAD, BAD, MISS]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(SETS),
        pa.array(SETS, pa.large_list(pa.large_string())),
        pa.array([["x"], *SETS]).slice(1),
        pa.chunked_array([SETS[:3], SETS[3:]], pa.list_(pa.string())),
    ],
)
def test_sets_as_lists(column: Any) -> None:
    policy = one_field(LABELS, ir.SetTest("labels", ir.SetOp.ANY, 2))
    assert ids(policy.decide_batch({"labels": column})) == SET_IDS


TEXTS = ["infra.delete", "infra", "", "infra.delete.", "é" * 6, "é" * 7, "infra.delete"]
TEXT_IDS = [HIT, MISS, MISS, BAD, MISS, BAD, HIT]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS).dictionary_encode(),
        pa.array(["x", *TEXTS]).slice(1),
        pa.array(["x", *TEXTS]).dictionary_encode().slice(1),
        np.array(TEXTS),
    ],
)
def test_texts_in_every_form(column: Any) -> None:
    policy = one_field(TOPIC, literal("topic", "infra.delete"))
    assert ids(policy.decide_batch({"topic": column})) == TEXT_IDS


def test_bytes_that_are_no_utf8_and_paths_that_escape_are_invalid_rows() -> None:
    policy = one_field(PATH, ir.TextTest("path", (ir.Pattern(ir.PatternKind.UNDER, "src/"),)))
    values = [b"src/a", b"src/\xff", b"a/../b", b"src", b"/src/a", b"src//a", b"src/\\"]
    column = pa.array(values, pa.binary()).view(pa.string())
    assert ids(policy.decide_batch({"path": column})) == [HIT, BAD, BAD, MISS, BAD, BAD, BAD]


def test_a_null_is_no_value_or_an_invalid_row() -> None:
    fired = ir.And((ir.Has("maybe"), ir.InRanges("maybe", ((3, 9),))))
    policy = tables.load(tables.policy_of(SPEED, MAYBE, rules=(rule("hit", fired),)))
    columns = {"speed": pa.array([1, 1, None, 1]), "maybe": pa.array([None, 3, 3, 12])}
    assert ids(policy.decide_batch(columns)) == [MISS, HIT, BAD, BAD]
    floats = {"speed": np.ones(2), "maybe": pa.array([None, 3.0])}
    assert ids(policy.decide_batch(floats)) == [MISS, HIT]
    assert ids(policy.decide_batch({"speed": np.ones(2)})) == [MISS, MISS]
    nothing = {"speed": np.ones(2), "maybe": pa.nulls(2)}
    assert ids(policy.decide_batch(nothing)) == [MISS, MISS]


def test_what_a_mask_hides_is_no_value() -> None:
    fired = ir.And((ir.Has("maybe"), ir.InRanges("maybe", ((3, 9),))))
    policy = tables.load(tables.policy_of(SPEED, MAYBE, rules=(rule("hit", fired),)))
    threes = np.ma.array([3, 3, 3], mask=[True, False, False])
    ones = np.ma.array([1.0, 1.0, 1.0], mask=[False, False, True])
    assert ids(policy.decide_batch({"speed": ones, "maybe": threes})) == [MISS, HIT, BAD]
    zones = np.ma.array(["urban", "urban"], mask=[True, False])
    assert ids(one_field(ZONE, ir.BoolConst(True)).decide_batch({"zone": zones})) == [BAD, HIT]


def test_texts_that_are_equal() -> None:
    policy = tables.load(
        tables.policy_of(AGENT, OWNER, rules=(rule("hit", ir.TextEqual("agent", "owner")),))
    )
    agents, owners = ["a", "b", "", "ab"], ["a", "c", "", "a"]
    expected = [HIT, MISS, HIT, MISS]
    for left in (pa.array(agents), pa.array(agents).dictionary_encode()):
        for right in (pa.array(owners), pa.array(owners, pa.large_string())):
            assert ids(policy.decide_batch({"agent": left, "owner": right})) == expected


def test_the_host_s_columns_stand_apart() -> None:
    rules = (
        rule("asks", over("speed", 100), Effect.REQUIRE_HUMAN),
        rule("no_ticket", ir.InRanges("ticket", ((0, 0),))),
    )
    policy = tables.load(tables.policy_of(SPEED, TICKET, APPROVED, rules=rules))
    asked = {"speed": np.array([50, 150, 150, 150])}
    hosted = {
        "ticket": np.array([True, True, False, True]),
        "approved": pa.array([[], [], ["atc"], ["atc", "cook", "atc"]]),
    }
    outcome = policy.decide_batch(asked, runtime=hosted)
    assert ids(outcome) == ["default", "asks", "no_ticket", "asks"]
    assert [outcome.decision(i).value for i in range(4)] == [
        "allow",
        "require_human",
        "deny",
        "allow",
    ]


def wide_policy(rules: int) -> Policy:
    found = tuple(
        rule(f"r{i}", ir.And((ir.InRanges("speed", ((i % 201, i % 201),)), over("load", i % 900))))
        for i in range(rules)
    )
    return tables.load(tables.policy_of(SPEED, LOAD, rules=found))


@pytest.mark.parametrize("rules", [1, 9, 63, 64, 65, 500])
@pytest.mark.parametrize("rows", [0, 1, 1023, 1024, 1025, 3000])
def test_blocks_and_tables_of_every_size(rules: int, rows: int) -> None:
    rng = np.random.default_rng(rows)
    policy = wide_policy(rules)
    columns = {"speed": rng.integers(-1, 203, rows), "load": rng.integers(0, 101, rows)}
    outcome = policy.decide_batch(columns)
    assert len(outcome) == rows
    assert ("no rows" in repr(outcome)) == (rows == 0)
    for row in range(0, rows, 7):
        request = {name: int(column[row]) for name, column in columns.items()}
        one = policy.decide(request)
        assert (outcome.decision(row), outcome.rule_id(row)) == (one.decision, one.rule_id)


def test_tables_with_very_many_rules_number_them_in_32_bits() -> None:
    columns = {"speed": np.array([200, 0]), "load": np.array([100, 1])}
    few = wide_policy(900).decide_batch(columns)
    assert (few.rules.dtype, few.rules[0]) == ("i2", 200)
    rules = tuple(rule(f"r{i}", ir.InRanges("speed", ((i, i),))) for i in range(33_000))
    wide = Field("speed", Kind.NUMBER, 0, 40_000)
    many = tables.load(tables.policy_of(wide, LOAD, rules=rules))
    outcome = many.decide_batch({"speed": np.array([32_900]), "load": np.array([1])})
    assert (outcome.rules.dtype, outcome.rules.tolist()) == ("i4", [32_900])


def test_the_result_is_columns() -> None:
    policy = one_field(SPEED, over("speed", 100))
    outcome = policy.decide_batch({"speed": np.array([1, 150, 999])})
    assert outcome.decisions.tolist() == [0, 4, 4]
    assert outcome.rules.tolist() == [BY_DEFAULT, 0, BY_INVALID]
    assert outcome.policy_snapshot == policy.snapshot
    assert outcome.params_hash == policy.params_hash
    assert outcome.to_arrow().to_pylist() == [
        {"decision": "allow", "rule_id": "default"},
        {"decision": "deny", "rule_id": "hit"},
        {"decision": "deny", "rule_id": "invalid_request"},
    ]


def test_arrow_tables_and_batches_are_taken() -> None:
    policy = one_field(SPEED, over("speed", 100))
    table = pa.table({"speed": pa.chunked_array([[1], [150, 2]])})
    assert ids(policy.decide_batch(table)) == [MISS, HIT, MISS]
    assert ids(policy.decide_batch(table.combine_chunks().to_batches()[0])) == [MISS, HIT, MISS]
    assert ids(policy.decide_batch(table.slice(1))) == [HIT, MISS]
    assert ids(policy.decide_batch({"speed": np.arange(300)[::150]})) == [MISS, HIT]
    assert ids(policy.decide_batch(table.slice(0, 0))) == []


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({}, "the column `speed` is missing"),
        ({"speed": np.array([1]), "x": np.array([1])}, "`x` is not a field"),
        ({"speed": np.array([1]), "ticket": np.array([True])}, "`ticket` is set by the host"),
        ({"speed": np.array([1]), "load": np.array([1, 2])}, "different lengths"),
        ({"speed": np.array(["a"])}, "must hold integers or floats"),
        ({"speed": np.array([1 + 2j])}, "must hold integers or floats"),
        ({"speed": np.array([[1, 2]])}, "2 dimensions"),
        ({"speed": [1, 2]}, "not `list`"),
        ({"speed": pa.array([Decimal(1)])}, "must hold integers or floats"),
        ({"speed": np.array([True])}, "must hold integers or floats"),
        ({"speed": (np.array([1]), ["a"])}, "must hold integers or floats"),
        ({"speed": pa.nulls(1)}, "must hold integers or floats"),
        ({"speed": np.ma.array([[1]])}, "must hold integers or floats"),
        ({"speed": 3}, "must be an Arrow or a NumPy array, not `int`"),
        ({"speed": None}, "must be an Arrow or a NumPy array, not `NoneType`"),
        ({"speed": np.array(3)}, "must be an Arrow or a NumPy array"),
        ({"speed": ()}, "a pair of codes and names has two parts"),
        ([1, 2], "must be an Arrow table or a mapping"),
        (pa.Table.from_arrays([pa.array([1]), pa.array([1])], names=["speed", "speed"]), "same name"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_column_is_a_coded_error(columns: Any, why: str) -> None:
    policy = tables.load(
        tables.policy_of(
            SPEED,
            Field("load", Kind.NUMBER, 0, 9, optional=True),
            Field("ticket", Kind.BOOL, 0, 1, origin=Origin.RUNTIME, optional=True),
        )
    )
    with pytest.raises(TableError, match="GOV412") as caught:
        policy.decide_batch(columns)
    assert why in caught.value.message
    with pytest.raises(TableError, match="GOV412"):
        policy.decide_batch({"speed": np.array([1])}, runtime={"nobody": np.array([1])})


@pytest.mark.parametrize(
    ("field", "column"),
    [
        (ZONE, np.array([1])),
        (ZONE, pa.array([1])),
        (ZONE, (np.array([1.0]), ["urban"])),
        (ZONE, (np.array([0]), 3)),
        (ZONE, (np.ma.array([0], mask=[True]), ["urban"])),
        (READY, np.array([1])),
        (LABELS, pa.array(["write"])),
        (LABELS, pa.array([[1]])),
        (TOPIC, pa.array([b"x"])),
        (TOPIC, np.array([1])),
        (SINCE, pa.array([1], pa.timestamp("s"))),
    ],
)
def test_a_column_of_the_wrong_type_is_named(field: Field, column: Any) -> None:
    with pytest.raises(TableError, match=f"GOV412: the column `{field.name}` must hold"):
        one_field(field, ir.BoolConst(True)).decide_batch({field.name: column})


def test_timestamps_in_milliseconds_are_times() -> None:
    policy = one_field(SINCE, over("since", 1000))
    column = pa.array([5, 1000], pa.timestamp("ms"))
    assert ids(policy.decide_batch({"since": column})) == [MISS, HIT]


def test_what_another_thread_writes_meanwhile_is_checked_or_not_seen() -> None:
    policy = one_field(SPEED, over("speed", 100))
    speed = np.zeros(1 << 18, dtype=np.int64)  # 0 misses, 201 is out of range: nothing may hit
    decided = threading.Event()

    def write() -> None:
        while not decided.is_set():
            speed[:] = 201
            speed[:] = 0

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            found = [policy.decide_batch({"speed": speed}).rules for _ in range(200)]
        finally:
            decided.set()
        writing.result()
    assert {int(rule) for rules in found for rule in np.unique(rules)} <= {BY_DEFAULT, BY_INVALID}
