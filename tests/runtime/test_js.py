from __future__ import annotations

import math
import random
import struct
from pathlib import Path
from typing import Any

import js_host
import pytest
import tables
from host_cases import ODD
from odd_trees import exchanged
from schema_sections import bare_module, schema_of, with_schema
from wasm_policies import Module

from govlang.compiler import ir
from govlang.compiler.edge_schema import _field
from govlang.compiler.frontend import compile_file
from govlang.compiler.ir import Field, Kind, Origin, Rounding
from govlang.native.request import InvalidFieldError, read_value
from govlang.runtime.clock import clock_fields

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = {"schema": 1, "policy": "p", "version": "1", "snapshot": "s", "rules": []}


# --- the one written rule --------------------------------------------------------------------------

STEPS = (
    (1, 1),
    (1, 10),
    (1, 100),
    (1, 1000),
    (5, 1),
    (1, 4),
    (3, 10),
    (7, 1),
    (9, 1000),
    (1, 10**9),
)
ENDS = ((0, 100), (-50, 1000), (-(10**6), 10**6), (-(2**53), 2**53), (-(2**63), 2**63 - 1))
MEMBERS = ("write", "pii", "üñ", "x" * 45)


def columns(rng: random.Random) -> list[Field]:
    """Fields of every kind; numbers with every rounding."""
    listed = [
        Field("one", Kind.ENUM, 0, 3, members=MEMBERS),
        Field("some", Kind.SET, 0, 15, members=MEMBERS),
        Field("many", Kind.SET, 0, 2**64 - 1, members=tuple(f"m{i}" for i in range(64))),
        Field("approved", Kind.SET, 0, 15, members=MEMBERS, origin=Origin.RUNTIME, implied=0),
        Field("flag", Kind.BOOL, 0, 1),
        Field("at", Kind.TIME, 0, 2**53, unit="ms"),
        Field("age", Kind.DURATION, -5, 90_000),
        Field("words", Kind.TEXT, max_bytes=9),
        Field("place", Kind.PATH, max_bytes=20),
        Field("who", Kind.KEY, max_bytes=64),
    ]
    numbers = [
        Field(f"n{i}", Kind.NUMBER, *rng.choice(ENDS), *rng.choice(STEPS), unit, rounding=rounding)
        for i in range(8)
        for rounding, unit in zip(Rounding, ("kg", "", "%", "m/s"), strict=True)
    ]
    return listed + numbers


def near(rng: random.Random, one: Field) -> float | int:
    """A number close to a step, to half a step, to an end, or far from all."""
    steps = rng.choice(
        (one.lo, one.hi, rng.randint(one.lo, one.hi), rng.randint(-20, 20), one.lo - 1, one.hi + 1)
    )
    exact = steps * one.step_num / one.step_den
    match rng.randrange(7):
        case 0:
            return math.nextafter(exact, rng.choice((-math.inf, math.inf)))
        case 1:
            return (steps + 0.5) * one.step_num / one.step_den
        case 2:
            return exact * rng.choice((0.1, 1.1, 3.3, 1e9, 1e-9))
        case 3:
            return rng.choice((1, -1)) * rng.getrandbits(rng.randint(1, 90))
        case 4:
            return float(struct.unpack(">d", rng.randbytes(8))[0])
        case _:
            return exact


def odd_value(rng: random.Random, one: Field) -> Any:
    if one.kind is Kind.NUMBER and rng.random() < 0.85:
        return near(rng, one)
    match rng.randrange(4):
        case 0:
            return rng.choice(ODD)
        case 1:
            return rng.choice((list, set))(rng.choices((*MEMBERS, "m7"), k=rng.randint(0, 4)))
        case 2:
            letters = "ab/.\\\0é日\ud83d😀\u202e\u00a0 \n"
            return "".join(rng.choices(letters, k=rng.choice((1, 3, 5, 39, 41))))
        case _:
            return rng.choice((*MEMBERS, "a/b", "d7", True, rng.randint(-9, 99), 2**40 + 0.5))


def as_javascript(value: Any) -> Any:
    """A double that is whole as the integer that JavaScript takes it for."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_python(one: Field, value: Any) -> Any:
    try:
        steps = read_value(one, value)
    except InvalidFieldError as error:
        return {"field": error.field, "why": error.why}
    return {"value": steps}


@pytest.mark.parametrize("seed", range(4))
def test_values_are_read_or_refused_as_python_reads_them(seed: int) -> None:
    rng = random.Random(seed)
    fields = columns(rng)
    asked = [
        (n, as_javascript(odd_value(rng, one))) for n, one in enumerate(fields) for _ in range(150)
    ]
    schema = SCHEMA | {"fields": [_field(one) for one in fields]}
    module = js_host.text(bare_module(schema))
    (found,) = js_host.ask([{"module": module, "read": [[n, js_host.wire(v)] for n, v in asked]}])
    expected = [as_python(fields[n], value) for n, value in asked]
    differ = [
        (fields[n], value, a, b)
        for (n, value), a, b in zip(asked, found, expected, strict=True)
        if a != b
    ]
    assert differ == []
    assert 0.2 < sum("value" in one for one in expected) / len(expected) < 0.8


def test_quotients_are_rounded_to_the_nearest_double_as_python_rounds_them() -> None:
    rng = random.Random(7)
    pairs = [(rng.getrandbits(rng.randint(1, 90)), rng.randint(1, 10**9)) for _ in range(2000)]
    for _ in range(500):  # close to the middle between two doubles, from either side, and on it
        middle, bottom = rng.getrandbits(53) | 1 << 53 | 1, rng.randint(1, 2**40)
        pairs += [(middle * bottom + off, bottom * 2) for off in (-1, 0, 1)]
    pairs += [(-top, bottom) for top, bottom in pairs]
    (found,) = js_host.ask([{"divide": js_host.wire(pairs)}])
    assert [float(one) for one in found] == [top / bottom for top, bottom in pairs]


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CLOCK = (
    Field("weekday", Kind.ENUM, 0, 6, members=WEEKDAYS, origin=Origin.CLOCK),
    Field("minute_of_day", Kind.NUMBER, 0, 1439, origin=Origin.CLOCK),
)


@pytest.mark.parametrize("zone", ZONES)
def test_the_clock_is_read_as_python_reads_it(zone: str) -> None:
    rng = random.Random(zone)
    times = [rng.randrange(2**31) * 1000 + rng.randrange(1000) for _ in range(400)]
    times += [1_774_746_000_000 + s * 600_000 for s in range(-9, 9)]  # spring 2026 in Berlin
    times += [0, -1, 253_402_300_800_000, -62_135_596_800_001, 10**20, -(10**30)]
    schema = SCHEMA | {"time_zone": zone, "fields": [_field(one) for one in CLOCK]}
    module = js_host.text(bare_module(schema))
    (found,) = js_host.ask([{"module": module, "clock": [js_host.wire(t) for t in times]}])
    assert found == [clock_fields(CLOCK, zone, at) for at in times]


# --- bad input -------------------------------------------------------------------------------------

DRONE = compile_file(ROOT / "examples" / "stateless" / "drone_fleet.gov").policy
REQUEST = {"drone": "d7", "battery": 18, "payload": 2, "zone": "urban", "cpu_load": 95}
HOST = {"restarted": False, "sensor_fault": True}
CLOSED = tables.policy_of(
    *CLOCK,
    rules=(ir.Rule("late", ir.InRanges("minute_of_day", ((90, 91),)), ir.Effect.DENY),),
    time_zone="Europe/Berlin",
)


def decide(policy: ir.Policy, *cases: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    job = {"module": js_host.text(Module(policy).data), "params": params, "decide": cases}
    (found,) = js_host.ask([job])
    return list(found)


def test_what_is_no_request_is_denied_with_the_table_s_words() -> None:
    given: list[tuple[Any, Any]] = [
        *(
            ([], HOST),
            (None, HOST),
            (3, HOST),
            ("x", HOST),
            (REQUEST, []),
            (REQUEST, "x"),
            ({}, {}),
        ),
        (REQUEST, None),
    ]
    cases = [{"request": request, "runtime": runtime} for request, runtime in given]
    table = tables.load(DRONE)
    for (request, runtime), found in zip(given, decide(DRONE, *cases), strict=True):
        expected = table.decide(request, runtime=runtime)
        assert (found["rule_id"], found["reason"]) == (expected.rule_id, expected.reason)
    (found,) = decide(DRONE, {"request": REQUEST | {"battery": {"$": "u"}}, "runtime": HOST})
    assert found["reason"].endswith("is missing") or "not undefined" in found["reason"]


def test_a_request_that_throws_when_it_is_read_is_denied() -> None:
    throwing = {"$": "g"}
    found = decide(
        DRONE,
        {"request": throwing, "runtime": HOST},
        {"request": REQUEST, "runtime": throwing},
        {"request": REQUEST | {"battery": throwing}, "runtime": HOST},
        {"request": REQUEST, "runtime": HOST},
    )
    assert [one["rule_id"] == "invalid_request" for one in found] == [True, True, True, False]
    assert [one["reason"] for one in found[:2]] == ["cannot be read"] * 2


def test_the_clock_decides_and_no_time_is_never_taken_for_1970() -> None:
    friday = 1_767_313_800_000  # 2026-01-02 01:30 in Berlin
    late, later, by_hand, *wrong = decide(
        CLOSED,
        {"request": {}, "nowMs": friday},
        {"request": {}, "nowMs": {"$": f"n{friday + 120_000}"}},
        {"request": {}, "runtime": {"weekday": "friday", "minute_of_day": 91}},
        {"request": {}},
        {"request": {}, "nowMs": 10**20},
        {"request": {}, "nowMs": None},
        {"request": {}, "nowMs": "x"},
        {"request": {}, "nowMs": 1.5},
        {"request": {}, "nowMs": True},
        {"request": {"weekday": "friday"}, "nowMs": friday},
    )
    assert [late["rule_id"], later["rule_id"], by_hand["rule_id"]] == ["late", "default", "late"]
    assert {one["rule_id"] for one in wrong} == {"invalid_request"}
    assert all("no usable `nowMs`" in one["reason"] for one in wrong[:3])
    assert all("whole number of milliseconds" in one["reason"] for one in wrong[3:6])
    assert "set by the host" in wrong[6]["reason"]


def test_parameters_are_numbers_in_their_unit() -> None:
    case = {"request": REQUEST | {"payload": 0.9}, "runtime": HOST}
    (heavy,), (light,) = decide(DRONE, case, heavy=0.8), decide(DRONE, case)
    assert (heavy["rule_id"], light["rule_id"]) == ("payload_cap", "cooldown")


def test_a_module_that_is_none_is_refused_with_its_reason() -> None:
    module = Module(DRONE).data
    schema = {
        "fields": [],
        "rules": [],
        "schema": 1,
        "policy": "p",
        "version": "1",
        "snapshot": "s",
    }
    bad: list[tuple[bytes, str]] = [
        (b"", "no WebAssembly module"),
        (b"\0asm\2\0\0\0", "no WebAssembly module"),
        (b"\0asm\1\0\0\0", "no section `gov.schema`"),
        (module[: len(module) // 2], "no WebAssembly module"),
        (bare_module(schema), "the module exports no i32 `out.decision`"),
        (bare_module(schema | {"schema": 2}), "gov.schema is of version 2, not 1"),
        (bare_module(schema | {"fields": 3}), "not of the documented form"),
        (bare_module(schema | {"limits": ["x"]}), "not of the documented form"),
        (bare_module(schema | {"time_zone": 1}), "not of the documented form"),
        (module.replace(b'"zone"', b'"zonf"'), "the export `zonf` is not in its place"),
        (module.replace(b'"speed"', b'"spead"'), "`out.lo.spead`"),
    ]
    found = js_host.ask([{"load": js_host.text(data)} for data, _ in bad])
    for (_, why), error in zip(bad, found, strict=True):
        assert error["isModuleError"]
        assert why in error["message"]
        assert "build the policy again with `gov build`" in error["message"]


def test_a_module_that_is_cut_off_is_refused() -> None:
    module = Module(DRONE).data
    found = js_host.ask([{"load": js_host.text(module[:n])} for n in range(0, len(module), 5)])
    assert all(error["isModuleError"] for error in found)
    assert js_host.ask([{"load": js_host.text(module)}]) == [{"decision": "deny"}]


def test_a_schema_with_any_value_exchanged_is_refused_or_decides() -> None:
    module = Module(DRONE).data
    trees = list(exchanged(schema_of(module)))
    asked = {"request": REQUEST, "runtime": HOST}
    found = js_host.ask(
        [{"load": js_host.text(with_schema(module, tree)), **asked} for tree in trees]
    )
    assert all(one.get("isModuleError", "decision" in one) for one in found)
    assert 100 < sum("isModuleError" in one for one in found) < len(found)
