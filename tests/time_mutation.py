"""Mutants of tables that remember: one 32-bit word of what is remembered changed, the checksum as it should be.

In: a policy over time and its table.  Out: for each mutant what became of it: refused at load, refuted by the proof
(and the refutation replayed on the engine), or proved, with the engine asked on random histories whether it is so.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import tables
from ir_requests import Requests, random_params
from table_mutation import Fates, judged, mutants_of, word_at
from time_engine import Engine
from time_ir_policies import KEY, Histories

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome, default_params
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import Instance, Report, Request, State, Tick, initial_state, step
from govlang.native.errors import CodedError
from govlang.native.layout import (
    HEADER,
    PLAIN_SECTIONS,
    RECORDS,
    SPAN,
    WORD,
    ColumnKind,
    Section,
    checked,
)
from govlang.native.table import Table
from govlang.verifier.translation.proof import Refutation
from govlang.verifier.translation.table import Verdict, prove_table

REMEMBERED = (ColumnKind.CELL, ColumnKind.SAMPLE, ColumnKind.CARRIED)
SAMPLES = 30


def places(data: bytes) -> list[int]:
    """The words of what is remembered: its sections, its columns, the programs of its updates."""
    table = Table(data)
    found: list[int] = []

    def add(section: Section, start: int, size: int) -> None:
        first = SPAN.unpack_from(data, HEADER.size + SPAN.size * section)[0] * WORD
        found.extend(range(first + start, first + start + size, 4))

    for section in list(Section)[PLAIN_SECTIONS:]:
        add(section, 0, table.schema.count(section) * RECORDS[section].size)
    column = RECORDS[Section.COLUMNS].size
    for number, row in enumerate(table.schema.rows(Section.COLUMNS)):
        if row["kind"] in REMEMBERED:
            add(Section.COLUMNS, number * column, column)
    programs = table.schema.rows(Section.PROGRAMS)
    used = {u[name] for u in table.schema.rows(Section.UPDATES) for name in ("condition", "value")}
    for number in used & {*range(len(programs))}:
        add(Section.CODE, programs[number]["first"] * WORD, programs[number]["words"] * WORD)
    return sorted(found)


def with_row(data: bytes, section: Section, number: int, **changes: int) -> bytes:
    """A table with other values in one record, its checksum as it should be."""
    record = RECORDS[section]
    first = SPAN.unpack_from(data, HEADER.size + SPAN.size * section)[0] * WORD
    at = first + number * record.size
    row = {**record.unpack(data, at), **changes}
    return checked(data[:at] + record.pack(**row) + data[at + record.size :])


def mutants(
    data: bytes, rng: random.Random, share: float, ways: int
) -> Iterator[tuple[str, bytes]]:
    """Mutants of a share of the words of what is remembered, `ways` of each."""
    words = places(data)
    for at in words:
        if rng.random() >= share:
            continue
        likely = {word_at(data, at) ^ 1 << rng.randrange(32), word_at(data, rng.choice(words))}
        yield from mutants_of(data, at, likely, rng, ways)


def judge_mutants(policy: ir.Policy, rng: random.Random, *, share: float, ways: int) -> Fates:
    """What became of the mutants of a policy's table."""
    data = tables.table_bytes(policy)
    return judged(mutants(data, rng, share, ways), lambda one: fate_of(policy, data, one, rng))


def fate_of(policy: ir.Policy, data: bytes, mutant: bytes, rng: random.Random) -> tuple[str, str]:
    """What became of one mutant, and what is wrong with that."""
    try:
        Table(mutant)
    except CodedError:
        return "refused", ""
    proof = prove_table(policy, mutant, snapshot=tables.SNAPSHOT, timeout_s=5)
    match proof.verdict:
        case Verdict.REFUTED:
            assert proof.refutation is not None
            return refuted(policy, data, mutant, proof.refutation)
        case Verdict.PROVED:
            return "equal", seen_difference(policy, data, mutant, rng)
        case Verdict.UNDECIDED:
            return "undecided", ""


# --- refuted -------------------------------------------------------------------------------------


def refuted(
    policy: ir.Policy, data: bytes, mutant: bytes, refutation: Refutation
) -> tuple[str, str]:
    """A refutation by a sample shows on the engine; one without is told by the records."""
    if refutation.step is None:
        same = remembered(data) == remembered(mutant)
        return "refuted by its records", refutation.what if same else ""
    ours = taken(policy, data, refutation)
    theirs = taken(policy, mutant, refutation)
    expected = reference(policy, refutation)
    nameless = refutation.found is None and refutation.expected is not None  # no host can read it
    same_told = nameless or told(refutation.expected) == told(refutation.found)
    if same_told and theirs == expected:
        same = refutation.expected == refutation.found
        return "refuted by its obligations", f"no difference on {refutation}" if same else ""
    if ours != expected:
        return "refuted by a sample", f"the table itself differs: {ours}, {expected}, {refutation}"
    return "refuted by a sample", "" if theirs != expected else f"no difference on {refutation}"


def remembered(data: bytes) -> list[Any]:
    """What a table says of what is remembered, programs aside."""
    schema = Table(data).schema
    sections = [*list(Section)[PLAIN_SECTIONS:], Section.COLUMNS]
    return [[schema.rows(section) for section in sections], schema.memory]


def sample_of(policy: ir.Policy, told: dict[str, Any]) -> Request | Report | Tick:
    """The sample that a step is."""
    key = next(iter(told.get("key", {}).values()), None)
    match told:
        case {"request": request, "runtime": runtime}:
            found = read_sample(policy, request, runtime, told["at_ms"])
            assert isinstance(found, Request)
            return found
        case {"event": name, "fields": fields}:
            return read_report(policy, name, key, fields, told["at_ms"])
        case {"signal": name, "value": value}:
            return read_report(policy, name, key, {name: value}, told["at_ms"])
        case _:
            return Tick(told["at_ms"], key)


def before(refutation: Refutation) -> State:
    """The state from which a refutation starts."""
    found = {}
    for name, cells in refutation.before.items():
        scope, _, key = name.partition("=")
        own = {cell: value for cell, value in cells.items() if cell != "at_ms"}
        address = ("", "") if name == "shared" else (scope, key)
        found[address] = Instance(cells["at_ms"], own)
    return State(found)


def taken(policy: ir.Policy, data: bytes, refutation: Refutation) -> Any:
    """What the engine makes of a refutation's sample: the answer and the instances."""
    assert refutation.step is not None
    engine = Engine(policy, refutation.params, data)
    engine.put(before(refutation))
    told = engine.take(sample_of(policy, refutation.step))
    return told, engine.cells()


def reference(policy: ir.Policy, refutation: Refutation) -> Any:
    """The same of the reference step."""
    assert refutation.step is not None
    sample = sample_of(policy, refutation.step)
    state, outcome = step(policy, refutation.params, before(refutation), sample)
    return told(outcome), {
        address: (one.at_ms, dict(one.cells)) for address, one in state.instances.items()
    }


def told(outcome: Outcome | None) -> tuple[str, str] | None:
    """The part of an outcome that the engine's step gives by itself."""
    return None if outcome is None else (outcome.decision.word, outcome.rule_id)


# --- proved --------------------------------------------------------------------------------------


def seen_difference(policy: ir.Policy, data: bytes, mutant: bytes, rng: random.Random) -> str:
    """A difference that a random history shows of a mutant that is said to be equal; its deadlines may come early."""
    params = random_params(rng, policy) if rng.random() < 0.5 else default_params(policy)
    engine, other = Engine(policy, params, data), Engine(policy, params, mutant)
    state = initial_state(policy)
    source = Histories(policy, rng) if KEY in policy.fields else AnyHistory(policy, rng)
    for sample in source.history(SAMPLES):
        state, _ = step(policy, params, state, sample)
        if engine.take(sample) != other.take(sample) or engine.cells() != other.cells():
            return f"{sample} behind {state}"
        if isinstance(sample, Request):
            first, until = other.take(sample, keep=False), other.deadline(sample)
            end = sample.at_ms + 2**35 if until is None else until - 1
            if other.take(replace(sample, at_ms=end), keep=False) != first:
                return f"{sample} is answered otherwise before {until}"
    return ""


class AnyHistory:
    """Samples of any policy that remembers, at times that its windows are about."""

    def __init__(self, policy: ir.Policy, rng: random.Random) -> None:
        assert policy.time is not None
        self.policy, self.time, self.rng = policy, policy.time, rng
        columns = replace(policy, fields=(*policy.fields, *policy.columns), time=None)
        self.values = Requests(columns)
        points = self.values.points
        ends = {p for cell in self.time.cells for p in (cell.cap or 0, *points[cell.name])}
        self.waits = [0, 0, 1, *(p + d for p in sorted(ends) for d in (-1, 0, 1) if p > 0)]

    def history(self, length: int) -> Iterator[Request | Report | Tick]:
        """Samples with equal times, and times just before and behind the ends of windows."""
        at = 0
        for _ in range(length):
            at += self.rng.choice(self.waits) if self.rng.random() < 0.95 else -1
            yield self.sample(at)

    def sample(self, at: int) -> Request | Report | Tick:
        """A sample of any kind."""
        rng, key = self.rng, self.rng.choice("ab") if self.time.key else None
        values = self.values.request(rng)
        kind = rng.randrange(-2, ir.FIRST_KIND + len(self.time.samples))
        if kind <= ir.REQUEST:
            own = {one.name: values[one.name] for one in self.policy.fields if one.name in values}
            keys = {cell.scope for cell in self.time.cells} - {ir.SHARED}
            return Request(own | {name: rng.choice("ab") for name in keys}, at)
        if kind == ir.TICK:
            return Tick(at, key)
        one = self.time.samples[kind - ir.FIRST_KIND]
        carried = {f.name: rng.choice("ab") if f.is_text else values[f.name] for f in one.fields}
        return Report(one.name, carried, at, None if one.shared else key)
