"""The proof that a table remembers what its policy does."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import tables
from time_ir_policies import random_time_policy
from time_mutation import with_row

from govlang.compiler import ir
from govlang.compiler.frontend import compile_file, compile_source
from govlang.dsl.source import Source
from govlang.native.layout import CLOSE, NONE, Section
from govlang.native.table import Table
from govlang.verifier.translation.table import TableProof, Verdict, prove_table

OBLIGATIONS = {"memory", "updates", "ranges", "deadlines", "forgetting"}


def prove(policy: ir.Policy, data: bytes | None = None) -> TableProof:
    data = tables.table_bytes(policy) if data is None else data
    return prove_table(policy, data, snapshot=tables.SNAPSHOT, timeout_s=5)


@pytest.mark.parametrize("batch", range(6))
def test_tables_of_random_policies_that_remember_are_proved(batch: int) -> None:
    for seed in range(batch * 20, (batch + 1) * 20):
        proof = prove(random_time_policy(random.Random(seed)))
        assert proof.verdict is Verdict.PROVED, (seed, proof)
        assert {one.name for one in proof.obligations} >= OBLIGATIONS


def test_the_tables_of_the_policies_with_faults_are_proved(root: Path) -> None:
    paths = sorted((root / "examples/faulty_time").rglob("*.gov"))
    assert len(paths) >= 40
    for path in paths:
        proof = prove(compile_file(path).policy)
        assert proof.verdict is Verdict.PROVED, (path, proof)


# --- one fault each ------------------------------------------------------------------------------

GATE = """language 1
policy gate version "1.0.0"
combine most_restrictive
default allow

input {
  agent : key
  other : key
  load  : number in 0..100
}
event start
event stop after start
event fault { size : number in 0..9 }
shared event storm
signal heat : number in 0..90

machine door {
  start shut
  shut -> open on fault
  open -> shut after 30 s
}

rule tripped when count(fault) in 1 min >= 2 deny
rule stormy  when storm within 10 s throttle retry 10 s
rule blind   when stale(heat, 5 s) throttle
rule open    when door is open deny
rule silent  when gap > 1 h throttle
rule large   when sum(fault.size) in 10 s by 1 s > 20 deny
"""


Gate = tuple[ir.Policy, bytes]


@pytest.fixture(scope="module")
def gate() -> Gate:
    policy = compile_source(Source("gate.gov", GATE)).policy
    return policy, tables.table_bytes(policy)


def cell(data: bytes, name: str) -> int:
    memory = Table(data).schema.memory
    assert memory is not None
    return next(number for number, one in enumerate(memory.cells) if one.name == name)


def update(data: bytes, name: str, nth: int = 0) -> int:
    rows = enumerate(Table(data).schema.rows(Section.UPDATES))
    return [number for number, row in rows if row["cell"] == cell(data, name)][nth]


def kind(data: bytes, name: str) -> int:
    memory = Table(data).schema.memory
    assert memory is not None
    return next(number for number, one in enumerate(memory.samples) if one.name == name)


def zero(_data: bytes, _name: str) -> int:
    return 0


def one(_data: bytes, _name: str) -> int:
    return 1


def changed(data: bytes, number: int, changes: dict[str, int]) -> bytes:
    """A table with another update; one of the last stage stands behind all others."""
    rows = Table(data).schema.rows(Section.UPDATES)
    own = [*rows[:number], *rows[number + 1 :]]
    own.insert(len(own) if changes.get("stage") == CLOSE else number, rows[number] | changes)
    for place, row in enumerate(own):
        data = with_row(data, Section.UPDATES, place, **row)
    return data


def test_the_gate_is_proved(gate: Gate) -> None:
    assert prove(*gate).verdict is Verdict.PROVED


RECORDS = {
    "another start": (Section.CELLS, cell, "storm.age", {"initial": 0}, "the start of cell"),
    "slower growth": (Section.CELLS, cell, "fault.age", {"cap": 20_000}, "the growth of cell"),
    "another meaning": (Section.CELLS, cell, "storm.age", {"definition": 7}, "the definition of"),
    "stale": (Section.CELLS, cell, "heat.sample.age", {"flags": 2}, "the freshness of cell"),
    "fresh": (Section.CELLS, cell, "storm.age", {"flags": 6}, "the freshness of cell"),
    "a signal": (Section.SAMPLES, kind, "storm", {"flags": 0}, "the kind of `storm`"),
    "no permit": (Section.SAMPLES, kind, "stop", {"permit": NONE}, "the permit of `stop`"),
    "another permit": (Section.SAMPLES, kind, "stop", {"permit": 1}, "the permit of `stop`"),
    "another key": (Section.MEMORY, zero, "", {"key": 0}, "the key"),
    "a clock that rules read": (Section.MEMORY, zero, "", {"flags": 1}, "the clock fault"),
    "a longer window": (Section.MEMORY, zero, "", {"longest_ms": 1}, "the longest window"),
    "keys of another field": (Section.SCOPES, one, "", {"field": 1}, "the key"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_differs_refutes_by_itself(gate: Gate, name: str) -> None:
    section, find, of, changes, what = RECORDS[name]
    policy, data = gate
    proof = prove(policy, with_row(data, section, find(data, of), **changes))
    assert proof.verdict is Verdict.REFUTED, proof
    assert proof.refutation is not None
    assert what in proof.refutation.what
    assert proof.refutation.step is None


UPDATES = {
    "at every sample": ("storm.age", 0, {"kind": NONE}, "`storm.age` becomes"),
    "at another event": ("fault.age", 0, {"kind": 2}, "`fault.age` becomes"),
    "whatever holds": ("door", 0, {"condition": NONE}, "the update of cell `door`"),
    "seldom": ("door", 0, {"kind": 3}, "the update of cell `door`"),
    "something else": ("fault.age.2", 0, {"value": 2}, "`fault.age.2` becomes"),
    "before the rules see it": ("heat", 0, {"stage": CLOSE}, "`heat` becomes"),
}


@pytest.mark.parametrize("name", UPDATES)
def test_an_update_that_differs_is_refuted_by_a_sample(gate: Gate, name: str) -> None:
    of, nth, changes, what = UPDATES[name]
    policy, data = gate
    proof = prove(policy, changed(data, update(data, of, nth), changes))
    assert proof.verdict is Verdict.REFUTED, proof
    assert proof.refutation is not None
    assert proof.refutation.step is not None
    assert what in proof.refutation.what


def test_a_point_too_late_is_refuted(gate: Gate) -> None:
    policy, data = gate
    points = [row["value"] for row in Table(data).schema.rows(Section.POINTS)]
    for number, row in enumerate(Table(data).schema.rows(Section.CELLS)):
        for place in range(row["first_point"], row["first_point"] + row["points"]):
            late = points[place] + 1
            if late > row["cap"] or late in points[place + 1 : place + 2]:
                continue
            proof = prove(policy, with_row(data, Section.POINTS, place, value=late))
            name = Table(data).schema.memory.cells[number].name
            assert proof.verdict is Verdict.REFUTED, (name, late)
            assert proof.refutation is not None
            assert proof.refutation.what == f"the points of cell `{name}`"


def test_a_point_of_the_gap_too_early_is_refuted(gate: Gate) -> None:
    policy, data = gate
    proof = prove(policy, with_row(data, Section.POINTS, 0, value=3_600_000))
    assert proof.verdict is Verdict.REFUTED
    assert proof.refutation is not None
    assert proof.refutation.what == "the points of the gap"
    failed = {one.name for one in proof.obligations if one.verdict is not Verdict.PROVED}
    assert failed == {"deadlines", "forgetting"}


def test_a_point_too_early_is_no_fault(gate: Gate) -> None:
    """A deadline that comes early makes a host look once more than it must."""
    policy, data = gate
    whole = with_row(data, Section.CELLS, cell(data, "storm.age"), flags=2 | 8)
    assert prove(policy, whole).verdict is Verdict.PROVED


# --- faults of a policy --------------------------------------------------------------------------


def with_updates(policy: ir.Policy, *more: ir.Update) -> ir.Policy:
    assert policy.time is not None
    return replace(policy, time=replace(policy.time, updates=(*policy.time.updates, *more)))


def open_obligations(policy: ir.Policy) -> dict[str, tuple[str, ...]]:
    """The obligations that the policy's own table leaves open."""
    return {
        one.name: one.failed
        for one in prove(policy).obligations
        if one.verdict is not Verdict.PROVED
    }


def test_a_value_that_leaves_the_range_of_its_cell_is_not_proved(gate: Gate) -> None:
    far = ir.Arith(ir.ArithOp.ADD, ir.FieldValue("door"), ir.IntConst(1))
    policy = with_updates(gate[0], ir.Update(ir.Stage.HOLD, "door", ir.TRUE, far))
    assert open_obligations(policy) == {"ranges": ("the range of cell `door` in stage 10",)}


def test_a_value_that_its_condition_keeps_in_range_is_proved(gate: Gate) -> None:
    far = ir.Arith(ir.ArithOp.ADD, ir.FieldValue("door"), ir.IntConst(1))
    shut = ir.InRanges("door", ((0, 0),))
    policy = with_updates(gate[0], ir.Update(ir.Stage.HOLD, "door", shut, far))
    assert open_obligations(policy) == {}


def test_what_turns_over_at_a_sample_may_not_be_forgotten(gate: Gate) -> None:
    asked = ir.InRanges(ir.SAMPLE, ((ir.REQUEST, ir.REQUEST),))
    policy = with_updates(gate[0], ir.Update(ir.Stage.TURN, "door", asked, ir.IntConst(0)))
    assert open_obligations(policy) == {"forgetting": ("what turns cell `door` over",)}


def test_what_turns_over_from_the_start_may_not_be_forgotten(gate: Gate) -> None:
    shut = ir.InRanges("door", ((0, 0),))
    policy = with_updates(gate[0], ir.Update(ir.Stage.TURN, "door", shut, ir.IntConst(1)))
    assert open_obligations(policy) == {"forgetting": ("the start of cell `door`",)}


def test_an_assumption_about_what_is_remembered_is_not_proved(gate: Gate) -> None:
    calm = ir.Assumption("calm", ir.InRanges("storm.age", ((1, 10_001),)))
    policy = replace(gate[0], assumptions=(calm,))
    failed = ("the assumption `calm`, which reads what is remembered",)
    assert open_obligations(policy) == {"updates": failed}


def test_an_age_that_is_kept_as_a_number_has_no_deadline(gate: Gate) -> None:
    """What is copied out of a growing cell goes on, and no point says when."""
    asked = ir.InRanges(ir.SAMPLE, ((ir.REQUEST, ir.REQUEST),))
    small = ir.Arith(ir.ArithOp.LEAST, ir.FieldValue("storm.age"), ir.IntConst(90))
    policy = with_updates(gate[0], ir.Update(ir.Stage.HOLD, "heat", asked, small))
    assert open_obligations(policy) == {"deadlines": ("the points of cell `storm.age`",)}


def test_a_table_that_remembers_is_no_table_of_a_policy_that_does_not(gate: Gate) -> None:
    policy, data = gate
    for ours, theirs in (
        (replace(policy, time=None, rules=()), data),
        (policy, tables.table_bytes(replace(policy, time=None, rules=()))),
    ):
        proof = prove(ours, theirs)
        assert proof.verdict is Verdict.REFUTED
        assert proof.refutation is not None
        assert "memory" in {one.name for one in proof.obligations}
