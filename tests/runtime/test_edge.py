from __future__ import annotations

import json
import random
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import tables
import wasmtime
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from host_cases import ODD, cases_of, distinct, said, told
from odd_trees import exchanged
from schema_sections import schema_of, section, with_schema, with_section
from wasm_policies import Module

import govlang
from govlang.compiler import ir
from govlang.compiler.bundle import Contents, bundle_bytes
from govlang.compiler.core import core_json
from govlang.compiler.frontend import compile_file
from govlang.compiler.interpret import default_params
from govlang.native.digest import digest
from govlang.native.errors import ArtefactError, BundleError, CodedError, TableError
from govlang.runtime.bundle import read_bundle
from govlang.runtime.decision import as_json
from govlang.runtime.edge import EdgeOutcome, EdgePolicy

ROOT = Path(__file__).resolve().parents[2]


# --- one policy, looked at closely -----------------------------------------------------------------

DRONE = compile_file(ROOT / "examples" / "stateless" / "drone_fleet.gov").policy
CORE = core_json(DRONE)
WASM = Module(DRONE, digest(CORE)).data
REQUEST = {"drone": "d7", "battery": 18, "payload": 2, "zone": "urban", "cpu_load": 95}
HOST = {"restarted": False, "sensor_fault": True}
TABLE = tables.load(DRONE)


@pytest.fixture(scope="module")
def drone() -> EdgePolicy:
    return EdgePolicy(WASM)


def test_an_outcome_reads_like_that_of_the_table(drone: EdgePolicy) -> None:
    found = drone.decide(REQUEST, runtime=HOST).to_dict()
    expected = TABLE.decide(REQUEST, runtime=HOST).to_dict()
    for name in ("decision", "rule_id", "reason", "obligations"):
        assert found[name] == expected[name]
    assert found["obligations"][0] == {"do": "isolate"}
    assert found["policy_snapshot"] == digest(CORE)
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("request_", "runtime", "now_ms"),
    [
        ([], HOST, None),
        (None, HOST, None),
        ("battery", HOST, None),
        (REQUEST, [], None),
        (REQUEST, HOST | {"battery": 3}, None),
        (REQUEST | {"restarted": True}, HOST, None),
        (REQUEST | {"speed": 3}, HOST, None),
        (REQUEST | {"battery": 100.1}, HOST, None),
        (REQUEST | {"battery": 18.05}, HOST, None),
        (REQUEST | {"drone": "\ud800"}, HOST, None),
        (REQUEST | {"drone": "d" * 300}, HOST, None),
        (REQUEST | {"drone": b"d7"}, HOST, None),
        (REQUEST | {"zone": "sea"}, HOST, None),
        (REQUEST | {"battery": 4.9}, HOST, None),
        ({}, {}, None),
        ({1: "urban"}, HOST, None),
        (REQUEST, None, "soon"),
    ],
)
def test_what_is_no_request_is_denied_with_the_table_s_words(
    drone: EdgePolicy, request_: Any, runtime: Any, now_ms: Any
) -> None:
    found = drone.decide(request_, runtime=runtime, now_ms=now_ms)
    expected = TABLE.decide(request_, runtime=runtime, now_ms=now_ms)
    assert (found.decision, found.rule_id) == (expected.decision, expected.rule_id)
    assert found.reason == expected.reason
    assert found.decision == "deny"


def test_a_request_in_json_is_read_as_the_table_reads_it(drone: EdgePolicy) -> None:
    good = json.dumps(REQUEST)
    exact = good.replace(f'"battery": {REQUEST["battery"]}', '"battery": 18.00000000000000000001')
    twice = good.replace("{", '{"battery": 20, ', 1)
    for text in (good, exact, twice, "[]", "0e99999999", good.encode()):
        found = drone.decide_json(text, runtime=HOST)
        expected = TABLE.decide_json(text, runtime=HOST)
        assert (found.rule_id, found.reason) == (expected.rule_id, expected.reason)
    assert "given twice" in drone.decide_json(twice, runtime=HOST).reason
    with pytest.raises(CodedError, match="GOV413"):
        drone.decide_json(b"", runtime=HOST)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_any_value_in_any_field_is_read_as_the_table_reads_it(drone: EdgePolicy, odd: Any) -> None:
    for name in (*REQUEST, *HOST, "approved"):
        request, runtime = dict(REQUEST), dict(HOST)
        (request if name in request else runtime)[name] = odd
        found, expected = (one.decide(request, runtime=runtime) for one in (drone, TABLE))
        assert (found.rule_id, found.reason) == (expected.rule_id, expected.reason)
        assert distinct(found.obligations) == distinct(expected.obligations)


def test_the_clock_is_read_in_the_policy_s_zone() -> None:
    closed = tables.policy_of(
        ir.Field("minute_of_day", ir.Kind.NUMBER, 0, 1439, origin=ir.Origin.CLOCK),
        rules=(ir.Rule("late", ir.InRanges("minute_of_day", ((90, 91),)), ir.Effect.DENY),),
        time_zone="Europe/Berlin",
    )
    edge = EdgePolicy(Module(closed).data)
    friday = 1_767_313_800_000  # 2026-01-02 01:30 in Berlin
    assert edge.decide({}, now_ms=friday).rule_id == "late"
    assert edge.decide({}, now_ms=friday + 120_000).rule_id == "default"
    assert edge.decide({}, runtime={"minute_of_day": 91}).rule_id == "late"
    table = tables.load(closed)
    for now_ms in (None, 10**20, "x", 1.5, True):
        found, expected = (one.decide({}, now_ms=now_ms) for one in (edge, table))
        assert (found.rule_id, found.reason) == (expected.rule_id, expected.reason)
        assert found.rule_id == "invalid_request"


def test_threads_share_a_policy(drone: EdgePolicy) -> None:
    cases = list(cases_of(DRONE, default_params(DRONE), random.Random(3), 60))
    wrong: list[Any] = []

    def ask(start: int) -> None:
        for case in cases[start:] + cases[:start]:
            found = told(drone.decide(case.request, runtime=case.runtime))
            if found != said(case.expected):
                wrong.append(case)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=ask, args=(start,)) for start in (0, 15, 30, 45)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []


def test_a_text_of_the_last_request_does_not_leak_into_the_next() -> None:
    pair = tables.policy_of(
        ir.Field("a", ir.Kind.TEXT, max_bytes=8, optional=True),
        ir.Field("b", ir.Kind.TEXT, max_bytes=8),
        rules=(ir.Rule("twin", ir.And((ir.Has("a"), ir.TextEqual("a", "b"))), ir.Effect.DENY),),
    )
    edge = EdgePolicy(Module(pair).data)
    assert edge.decide({"a": "x", "b": "x"}).rule_id == "twin"
    assert edge.decide({"b": "x"}).rule_id == "default"
    assert edge.decide({"a": "y", "b": "x"}).rule_id == "default"
    assert edge.decide({"a": "x" * 9, "b": "x"}).rule_id == "invalid_request"
    assert edge.decide({"a": "y", "b": "y"}).rule_id == "twin"


# --- parameters ------------------------------------------------------------------------------------


def test_parameters_are_numbers_in_their_unit() -> None:
    load = {**REQUEST, "payload": 0.9}
    assert EdgePolicy(WASM, {"heavy": 0.8}).decide(load, runtime=HOST).rule_id == "payload_cap"
    assert EdgePolicy(WASM, {}).decide(load, runtime=HOST).rule_id != "payload_cap"


@pytest.mark.parametrize(
    "params", [{"heavy": 6}, {"heavy": "2"}, {"heavy": 0.55}, {"heavy": None}, {"tip": 1}]
)
def test_parameters_that_do_not_fit_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(TableError, match="GOV411"):
        EdgePolicy.load(WASM, params=params)


# --- modules that are none -------------------------------------------------------------------------


def changed(**members: Any) -> bytes:
    return with_schema(WASM, schema_of(WASM) | members)


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (b"\0asm", "offset 0x0: is no WebAssembly module of version 1"),
        (b"\0asm\2\0\0\0", "version 1"),
        (b"\0asm\1\0\0\0", "gov.schema: is missing"),
        (b"\0asm\1\0\0\0\0", "documented form"),
        (with_section(WASM, b""), "documented form"),
        (with_section(WASM, b"{"), "documented form"),
        (with_section(WASM, b"\xff"), "documented form"),
        (with_section(WASM, b"[" * 100_000), "documented form"),
        (changed(schema=2), "is of version 2, not 1"),
        (changed(fields=[]), "documented form"),
        (changed(params=[]), "`param.heavy`: is nothing that the schema speaks of"),
        (changed(params=[{"name": "x"}]), "`param.x`: is not in its place as an i32"),
        (changed(fields=None), "documented form"),
        (changed(time_zone="Mars/Olympus"), "names the time zone `Mars/Olympus`"),
        (changed(time_zone="../etc/passwd"), "names the time zone"),
        (changed(limits=["nothing"]), "documented form"),
        (changed(limits=[]), "`out.limited.0`: is nothing that the schema speaks of"),
        (changed(dos=[{"do": "isolate"}] * 33), "`out.dos.1`: is not there as an i32"),
    ],
)
def test_a_module_without_a_sound_schema_is_refused(module: bytes, why: str) -> None:
    with pytest.raises(ArtefactError) as caught:
        EdgePolicy.load(module)
    assert caught.value.code == "GOV416"
    assert why in caught.value.message


def test_a_module_that_is_cut_off_is_refused() -> None:
    for size in range(4, len(WASM), 7):
        with pytest.raises(ArtefactError, match="GOV416"):
            EdgePolicy.load(WASM[:size])


def test_a_schema_with_any_value_exchanged_is_refused_or_decides() -> None:
    refused = 0
    for tree in exchanged(schema_of(WASM)):
        try:
            outcome = EdgePolicy(with_schema(WASM, tree)).decide(REQUEST, runtime=HOST)
        except CodedError:
            refused += 1
        else:
            assert as_json(outcome.to_dict())
    assert refused > 100


def wat(text: str) -> bytes:
    """A module from its text, with the schema of a policy without fields but one."""
    plain = {
        "schema": 1, "policy": "p", "version": "1", "snapshot": "s", "rules": [],
        "fields": [{"name": "x", "hi": 9}, {"name": "t", "kind": "text", "max": 9, "classes": 1}],
    }  # fmt: skip
    return bytes(wasmtime.wat2wasm(f"(module {text})")) + section(json.dumps(plain).encode())


GLOBALS = "".join(
    f'(global (export "{name}") (mut i32) (i32.const {value}))'
    for name, value in (
        ("x", 10), ("class.t.0", 1), ("out.decision", 4), ("out.rule", 0), ("out.invalid", -1),
    )
) + '(global (export "text") i32 (i32.const 100))'  # fmt: skip
MEMORY = '(memory (export "memory") 1 1)'
CLASSIFY = '(func (export "classify.t") (param i32 i32) (result i32) (i32.const 0))'
DECIDE = '(func (export "decide") (result i32) (i32.const 0))'


def test_a_module_that_is_what_its_schema_says_decides() -> None:
    outcome = EdgePolicy(wat(MEMORY + GLOBALS + CLASSIFY + DECIDE)).decide({"x": 1, "t": "a"})
    assert (outcome.decision, outcome.rule_id) == ("deny", "default")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('(import "a" "b" (func))', "module: "),
        ("(func $f unreachable) (start $f)", "module: "),
        (GLOBALS + CLASSIFY + DECIDE, "memory: has no room"),
        (MEMORY + GLOBALS + DECIDE, "`classify.t`: is not there"),
        (MEMORY + GLOBALS + CLASSIFY, "`decide`: is not there"),
        (MEMORY + CLASSIFY + DECIDE, "`x`: is not in its place as an i32"),
        (MEMORY + GLOBALS.replace('"x"', '"y"') + CLASSIFY + DECIDE, "`x`: is not in its place"),
        (MEMORY + GLOBALS.replace("out.rule", "out.rules") + CLASSIFY + DECIDE, "`out.rule`"),
        (MEMORY + GLOBALS.replace("(mut i32)", "i32") + CLASSIFY + DECIDE, "`x`: cannot be written"),
        (
            MEMORY + GLOBALS.replace("const 100", "const 65530") + CLASSIFY + DECIDE,
            "memory: has no room",
        ),
        (
            MEMORY + GLOBALS.replace("const 100", "const -1") + CLASSIFY + DECIDE,
            "memory: has no room",
        ),
        (
            MEMORY + GLOBALS + CLASSIFY + DECIDE.replace("(result i32)", "(result i64)").replace(
                "i32.const", "i64.const"
            ),
            "`decide`: is not there in the documented form",
        ),
    ],
)  # fmt: skip
def test_a_module_that_is_not_what_its_schema_says_is_refused(text: str, why: str) -> None:
    with pytest.raises(ArtefactError, match="GOV416") as caught:
        EdgePolicy(wat(text))
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("decide", "why"),
    [
        ("unreachable", "function `decide`: "),
        ("(global.set 2 (i32.const 5)) (i32.const 0)", "gave decision 5"),
        ("(global.set 3 (i32.const -1)) (i32.const 0)", "by rule -1"),
        ("(global.set 3 (i32.const 2)) (i32.const 0)", "by rule 2"),
    ],
)
def test_an_answer_that_no_policy_gives_is_an_error_not_a_decision(decide: str, why: str) -> None:
    text = MEMORY + GLOBALS + CLASSIFY + DECIDE.replace("(i32.const 0)", decide)
    with pytest.raises(ArtefactError, match="GOV416") as caught:
        EdgePolicy(wat(text)).decide({"x": 1, "t": "a"})
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("invalid", "reason"),
    [(0, "`x` is not valid"), (1, "`class.t.0` is not valid"), (2, "cannot be read")],
)
def test_a_refusal_of_the_module_is_an_outcome(invalid: int, reason: str) -> None:
    refusing = DECIDE.replace(
        "(i32.const 0)", f"(global.set 4 (i32.const {invalid})) (i32.const -1)"
    )
    outcome = EdgePolicy(wat(MEMORY + GLOBALS + CLASSIFY + refusing)).decide({"x": 1, "t": "a"})
    assert (outcome.rule_id, outcome.reason) == ("invalid_request", reason)


# --- bundles ---------------------------------------------------------------------------------------


def bundle(module: bytes | None, key: bytes | None = None) -> bytes:
    others = {} if module is None else {"policy.wasm": module}
    contents = Contents(
        DRONE, CORE, b"language 1\n", tables.table_bytes(DRONE), "1.0", others=others
    )
    return bundle_bytes(contents, key)


def test_a_bundle_s_module_decides(tmp_path: Path, drone: EdgePolicy) -> None:
    data = bundle(WASM)
    path = tmp_path / "drone.govb"
    path.write_bytes(data)
    bare = tmp_path / "policy.wasm"
    bare.write_bytes(WASM)
    expected = drone.decide(REQUEST, runtime=HOST)
    for source in (data, path, str(path), bare, str(bare), read_bundle(data), WASM):
        assert EdgePolicy.load(source).decide(REQUEST, runtime=HOST) == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (bundle(None), "`policy.wasm`: is not in this bundle"),
        (bundle(Module(DRONE).data), "`policy.wasm`: is the module of another policy or version"),
        (bundle(WASM)[:-1], "GOV401"),
        (bundle(WASM).replace(b"gov.schema", b"gov.schemb"), "GOV40"),
        (b"", "GOV401"),
    ],
)
def test_a_bundle_without_its_module_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BundleError) as caught:
        EdgePolicy.load(data)
    assert why in str(caught.value)


def test_a_signature_is_demanded_of_modules_too() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = bundle(WASM, private)
    assert EdgePolicy.load(signed, public_key=public).schema.policy == "drone_fleet"
    assert EdgePolicy.load(read_bundle(signed), public_key=public)
    for unsigned in (bundle(WASM), read_bundle(bundle(WASM)), WASM):
        with pytest.raises(CodedError, match=r"GOV40[15]"):
            EdgePolicy.load(unsigned, public_key=public)


def test_a_file_that_is_not_there_is_a_coded_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.wasm", tmp_path):
        with pytest.raises(CodedError, match="GOV400"):
            EdgePolicy.load(path)


def test_without_wasmtime_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        EdgePolicy(WASM)
    assert caught.value.name == "wasmtime"


def test_the_package_offers_the_host() -> None:
    assert govlang.EdgePolicy is EdgePolicy
    assert govlang.EdgeOutcome is EdgeOutcome
