"""Modules decide as the interpreter does, in wasmtime and in Node, whatever a host does."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ir_scale
import pytest
import wasmtime
from edge_host import broken, encoded, expected, neutral, said
from ir_strategies import Requests, random_params, random_policy
from program_run import run
from tables import policy_of
from tools import tool
from wasm_policies import (
    SNAPSHOT,
    Answer,
    Call,
    Module,
    Put,
    Step,
    Write,
    run_in_node,
    run_in_wasmtime,
    signed,
)

from govlang.compiler import ir
from govlang.compiler.core import core_json, snapshot
from govlang.compiler.frontend import compile_file
from govlang.compiler.interpret import INVALID_REQUEST, Outcome, decide, default_params
from govlang.compiler.wasm import export_name

EXAMPLES = sorted((Path(__file__).parents[2] / "examples/stateless").glob("*.gov"))
BATCH = 25

Asked = list[tuple[dict[str, Any], Outcome]]


def decisions(steps: list[Step], answers: list[Answer]) -> list[Answer]:
    """The answers of `decide`."""
    calls = [step for step in steps if isinstance(step, Call)]
    return [a for step, a in zip(calls, answers, strict=True) if step.name == "decide"]


def asked(module: Module, rng: random.Random, requests: int) -> tuple[list[Step], Asked]:
    """Random requests, one behind the other on one instance, and what the interpreter says."""
    policy, source = module.policy, Requests(module.policy)
    params = random_params(rng, policy)
    found: list[Step] = []
    wanted: Asked = []
    for _ in range(requests):
        values = source.request(rng)
        found += module.request(values, params)
        wanted.append((values, decide(policy, params, values)))
    return found, wanted


def check(module: Module, wanted: Asked, answers: list[Answer]) -> None:
    """The answers are what the interpreter says."""
    for (values, outcome), answer in zip(wanted, answers, strict=True):
        assert not answer.trap
        cells = module.cells(answer.cells)
        assert said(module.policy, cells, values) == expected(outcome), values
        assert answer.result == (-1 if outcome.rule_id == INVALID_REQUEST else 0)
        assert (cells["out.invalid"] == -1) == (answer.result == 0)


def refusals(module: Module, rng: random.Random) -> Iterator[tuple[int, list[Step]]]:
    """For each variable that a host sets: a request in which it alone is outside its domain."""
    policy, source = module.policy, Requests(module.policy)
    params = default_params(policy)
    for number, one in enumerate(module.program.variables):
        values = {field.name: source.value(rng, field) for field in policy.fields}
        bad = broken(rng, one)
        if bad is not None and not one.name.startswith(("class.", "same.")):
            *puts, last = module.request(values, params)
            yield number, [*puts, Put(export_name(one.name), bad), last]


def refused_texts(module: Module, rng: random.Random) -> Iterator[tuple[int, list[Step]]]:
    """For each text: a request in which it alone is none that the field may hold."""
    policy, source = module.policy, Requests(module.policy)
    params = default_params(policy)
    names = [one.name for one in module.program.variables]
    for scan in module.scans:
        values = {field.name: source.value(rng, field) for field in policy.fields}
        name, most = scan.field.name, scan.field.max_bytes
        first = next(i for i, v in enumerate(names) if name in v.split(".")[1:] and v[0] != "h")
        for bad in (b"\xc0\x80", b"a" * (most + 1), b"\xed\xa0\x80", b"a\xff", b"\xe2\x82"):
            *puts, last = module.request(values, params)
            if len(bad) > most + 1:
                continue
            again = [Write(module.text_at, bad[:most])]
            yield first, [*puts, *again, Call(f"classify.{name}", (module.text_at, len(bad))), last]


@pytest.mark.parametrize("batch", range(2))
def test_a_request_that_is_not_valid_is_refused_by_its_number(batch: int) -> None:
    jobs: list[tuple[bytes, list[Step]]] = []
    wanted: list[tuple[Module, int]] = []
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        rng = random.Random(seed)
        module = Module(random_policy(rng))
        for number, found in (*refusals(module, rng), *refused_texts(module, rng)):
            jobs.append((module.data, found))
            wanted.append((module, number))
    assert len(jobs) > 100
    for (module, number), answers in zip(wanted, run_in_node(jobs), strict=True):
        cells = module.cells(answers[-1].cells)
        assert (answers[-1].result, cells["out.invalid"]) == (-1, number)
        assert (cells["out.decision"], cells["out.rule"]) == (4, len(module.policy.rules) + 1)
        rest = neutral(module.policy, cells)
        assert rest == {c.name: c.neutral for c in module.program.cells if c.name in rest}


LARGE = {
    "indexed": ir_scale.indexed_policy,
    "overlapping": ir_scale.overlapping_policy,
    "stabbing": ir_scale.stabbing_policy,
    "interval": ir_scale.interval_policy,
}


@pytest.mark.parametrize("kind", LARGE)
def test_large_policies_decide_as_the_interpreter(kind: str) -> None:
    module = Module(LARGE[kind](300))
    found, wanted = asked(module, random.Random(1), 60)
    answers = run_in_node([(module.data, found)])[0]
    check(module, wanted, decisions(found, answers))


# --- the module ----------------------------------------------------------------------------------


def test_every_module_is_accepted_and_imports_nothing(tmp_path: Path) -> None:
    validate = tool("wasm-validate")
    policies = [random_policy(random.Random(seed)) for seed in range(40)]
    policies += [compile_file(path).policy for path in EXAMPLES]
    for number, policy in enumerate(policies):
        data = Module(policy).data
        path = tmp_path / f"{number}.wasm"
        path.write_bytes(data)
        features = ["sign-extension", "multi-value", "saturating-float-to-int", "bulk-memory"]
        core = [f"--disable-{feature}" for feature in (*features, "reference-types", "simd")]
        done = subprocess.run(
            [validate, *core, str(path)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), number
        assert not wasmtime.Module(wasmtime.Engine(), data).imports


def test_the_same_policy_gives_the_same_bytes() -> None:
    for seed in range(10):
        policies = [random_policy(random.Random(seed)) for _ in range(2)]
        assert Module(policies[0]).data == Module(policies[1]).data


def test_decide_and_commit_are_one_function() -> None:
    module = Module(policy_of(ir.Field("n", ir.Kind.NUMBER, 0, 9)))
    given = [Put("n", 3), Call("decide"), Put("n", 10), Call("commit")]
    assert [a.result for a in run_in_wasmtime(module.data, given)] == [0, -1]


def test_a_forgotten_field_is_an_invalid_request() -> None:
    kinds = (ir.Field("n", ir.Kind.NUMBER, -5, 9), ir.Field("t", ir.Kind.TEXT, max_bytes=8))
    rule = ir.Rule(
        "r", ir.TextTest("t", (ir.Pattern(ir.PatternKind.LITERAL, "a"),)), ir.Effect.DENY
    )
    module = Module(policy_of(*kinds, rules=(rule,)))
    text = next(module.classified(module.scans[0], b"b")), Call("classify.t", (module.text_at, 1))
    given = [Call("decide"), Put("n", 3), Call("decide"), *text, Call("decide")]
    answers = decisions(given, run_in_wasmtime(module.data, given))
    assert [a.cells["out.invalid"] for a in answers] == [0, 1, -1]


def test_fields_may_be_called_as_the_exports_of_every_module() -> None:
    names = ("commit", "decide", "memory", "text")
    fields = [ir.Field(name, ir.Kind.NUMBER, 0, 9) for name in names]
    fields.append(ir.Field("t", ir.Kind.TEXT, max_bytes=8))
    rule = ir.Rule(
        "r", ir.TextTest("t", (ir.Pattern(ir.PatternKind.LITERAL, "a"),)), ir.Effect.DENY
    )
    module = Module(policy_of(*fields, rules=(rule,)))
    values = dict.fromkeys(names, 1) | {"t": "a"}
    found = list(module.request(values, {}))
    assert Put("field.memory", 1) in found
    check(
        module,
        [(values, decide(module.policy, {}, values))],
        decisions(found, run_in_wasmtime(module.data, found)),
    )


def test_the_outcome_starts_as_a_denial() -> None:
    module = Module(policy_of(ir.Field("n", ir.Kind.NUMBER, 0, 9)))
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, module.data), []).exports(store)
    decision = exports["out.decision"]
    assert isinstance(decision, wasmtime.Global)
    assert decision.value(store) == 4


# --- hostile hosts -------------------------------------------------------------------------------


def compared_texts() -> ir.Policy:
    """Two texts and an optional path; the first two are held against patterns and each other."""
    a = ir.Field("a", ir.Kind.TEXT, max_bytes=16)
    b = ir.Field("b", ir.Kind.TEXT, max_bytes=12)
    path = ir.Field("p", ir.Kind.PATH, max_bytes=32, optional=True)
    globs = tuple(ir.Pattern(ir.PatternKind.GLOB, g) for g in ("x*", "**y", "a.*.c"))
    under = (ir.Pattern(ir.PatternKind.UNDER, "src/"),)
    rules = (
        ir.Rule("same", ir.TextEqual("a", "b"), ir.Effect.DENY),
        ir.Rule("glob", ir.TextTest("a", globs), ir.Effect.THROTTLE),
        ir.Rule("path", ir.conjunction((ir.Has("p"), ir.TextTest("p", under))), ir.Effect.THROTTLE),
    )
    return policy_of(a, b, path, rules=rules)


def wild(rng: random.Random) -> int:
    edges = (0, 1, 15, 16, 17, 255, 4096, 65535, 65536, 65537, 2**31 - 1, 2**31, 2**32 - 1)
    return rng.choice((rng.choice(edges), rng.randrange(70_000), rng.randrange(2**32)))


def hostile(module: Module, rng: random.Random, count: int) -> Iterator[Step]:
    """What no honest host does; at last everything is valid but what is put at random."""
    for _ in range(count):
        at = rng.randrange(65_536 - 64)
        yield Write(at, rng.randbytes(rng.randrange(64)))
        for scan in module.scans:
            yield Call(f"classify.{scan.field.name}", (wild(rng), wild(rng)))
            yield Call(f"classify.{scan.field.name}", (wild(rng) % 65536, rng.randrange(20)))
        yield Call("decide")


def test_no_host_makes_a_module_trap() -> None:
    modules = [Module(random_policy(random.Random(seed))) for seed in range(60)]
    modules = [module for module in modules if module.scans] + [Module(compared_texts())] * 10
    jobs = [(m.data, list(hostile(m, random.Random(i), 60))) for i, m in enumerate(modules)]
    assert len(jobs) > 30
    for answers in run_in_node(jobs):
        assert not [answer.trap for answer in answers if answer.trap]
        refused = [a for a in answers if a.result == -1 and a.cells["out.invalid"] >= 0]
        assert all(answer.cells["out.decision"] == 4 for answer in refused)


def test_whatever_the_globals_hold_the_decision_is_right_or_a_refusal() -> None:
    modules = [Module(random_policy(random.Random(seed))) for seed in range(60)]
    jobs, wanted = [], []
    for seed, module in enumerate(modules):
        rng, held = random.Random(seed), {v.name: v.unset for v in module.program.variables}
        found: list[Step] = []
        for _ in range(40):
            for one in module.program.variables:
                edges = (0, 1, 2, -1, one.lo, one.hi, one.hi + 1, one.lo - 1)
                value = rng.choice((one.absent, one.lo, one.hi, *rng.choices(edges, k=2)))
                value = signed(rng.getrandbits(64) if rng.random() < 0.05 else value, one.width)
                held[one.name] = value & (1 << one.width) - 1 if one.mask else value
                found.append(Put(export_name(one.name), value))
            found.append(Call("decide"))
            wanted.append((module, run(module.program, held)))
        jobs.append((module.data, found))
    answers = [answer for answers in run_in_node(jobs) for answer in answers]
    assert 0.1 < sum(answer.result == 0 for answer in answers) / len(answers) < 0.9
    for (module, cells), answer in zip(wanted, answers, strict=True):
        assert module.cells(answer.cells) == {c.name: cells[c.name] for c in module.program.cells}


def test_a_host_that_scribbles_gets_a_right_decision_or_a_refusal() -> None:
    """Whatever classes a scribbled table gives, the step decides on valid variables only."""
    module = Module(compared_texts())
    rng = random.Random(5)
    for _ in range(30):
        found = [Write(at, rng.randbytes(512)) for at in range(0, 4096, 512)]
        texts = [Call(f"classify.{n}", (module.text_at, rng.randrange(13))) for n in "abp"]
        has = Put("has.p", 1)
        answers = run_in_wasmtime(module.data, [*found, *texts, has, Call("decide")])
        last = answers[-1]
        assert not last.trap
        if last.result == 0:
            assert [a.result for a in answers[:-1]] == [0, 0, 0]
        else:
            assert last.cells["out.decision"] == 4


def test_a_text_that_does_not_end_inside_the_memory_is_refused() -> None:
    module = Module(compared_texts())
    places = [
        (65536 - 4, 4, 0),
        (65536 - 4, 5, -1),
        (65536, 0, 0),
        (65537, 0, -1),
        (2**32 - 1, 1, -1),
        (2**32 - 1, 0, -1),
        (0, 2**32 - 1, -1),
        (module.text_at, 17, -1),
    ]
    steps = [Write(65536 - 4, b"abcd")]
    calls = [Call("classify.a", (at, length)) for at, length, _ in places]
    answers = run_in_wasmtime(module.data, [*steps, *calls])
    assert [a.result for a in answers] == [result for *_, result in places]


def test_long_texts_have_the_pages_that_they_need() -> None:
    fields = [ir.Field(name, ir.Kind.TEXT, max_bytes=200_000) for name in "ab"]
    rule = ir.Rule("same", ir.TextEqual("a", "b"), ir.Effect.DENY)
    module = Module(policy_of(*fields, rules=(rule,)))
    text = "é" * 100_000
    asks: Asked = []
    found: list[Step] = []
    for a, b in ((text, text), (text, text[:-1] + "è"), (text[1:], text), ("", "")):
        values = {"a": a, "b": b}
        found += module.request(values, {})
        asks.append((values, decide(module.policy, {}, values)))
    check(module, asks, decisions(found, run_in_wasmtime(module.data, found)))
    exports = wasmtime.Module(wasmtime.Engine(), module.data).exports
    (memory,) = [e.type for e in exports if isinstance(e.type, wasmtime.MemoryType)]
    assert memory.limits.min == memory.limits.max == 10  # two copies and the text area


def test_a_pair_counts_only_when_both_texts_were_taken_in() -> None:
    only = policy_of(
        ir.Field("a", ir.Kind.TEXT, max_bytes=8),
        ir.Field("b", ir.Kind.TEXT, max_bytes=8),
        rules=(ir.Rule("same", ir.TextEqual("a", "b"), ir.Effect.DENY),),
    )
    module = Module(only)
    put = Write(module.text_at, b"xyz")
    one, other = (Call(f"classify.{n}", (module.text_at, 3)) for n in "ab")
    bad = Call("classify.b", (module.text_at, 9))
    ask = Call("decide")
    shorter = Call("classify.b", (module.text_at, 2))
    found = [put, one, ask, other, ask, bad, ask, one, ask, shorter, ask]
    answers = decisions(found, run_in_wasmtime(module.data, found))
    assert [(a.result, a.cells["out.decision"]) for a in answers] == [
        (-1, 4),  # b is forgotten
        (0, 4),  # equal
        (-1, 4),  # b is refused
        (-1, 4),  # and stays so when a comes again
        (0, 0),  # shorter: another text
    ]


def test_leftovers_of_an_absent_text_do_not_count() -> None:
    module = Module(compared_texts())
    policy, params = module.policy, default_params(compared_texts())
    first = {"a": "q", "b": "r", "p": "src/x"}
    second = {"a": "q", "b": "r"}
    found = [*module.request(first, params), *module.request(second, params)]
    answers = decisions(found, run_in_wasmtime(module.data, found))
    check(module, [(v, decide(policy, params, v)) for v in (first, second)], answers)
    assert encoded(policy, module.classes, second, params)["has.p"] == 0
    assert SNAPSHOT.encode() in module.data


# --- size ----------------------------------------------------------------------------------------


def test_the_drone_policy_takes_at_most_two_kibibytes() -> None:
    path = next(path for path in EXAMPLES if path.stem == "drone_fleet")
    policy = compile_file(path).policy
    assert len(Module(policy, snapshot(core_json(policy))).data) <= 2048
