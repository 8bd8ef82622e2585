"""Mutants of compiled tables: one 32-bit word changed, the checksum as it should be.

In: a policy and its table.  Out: for each mutant what became of it: refused at load, refuted by the
proof (and the refutation replayed on the engine), or proved, with the engine asked whether it is so.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import tables
from ir_strategies import Requests, random_params

from govlang.compiler import ir
from govlang.compiler.requests import read_sample, write_request
from govlang.compiler.step import Request, initial_state, step
from govlang.native.errors import CodedError, TableError
from govlang.native.layout import CHECKED_FROM, HEADER_SIZE, Section, checked
from govlang.runtime.policy import Policy
from govlang.verifier.translation.table import Refutation, Verdict, prove_table


@dataclass(slots=True)
class Fates:
    """How many mutants went which way, and those that went wrong."""

    count: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def mutants(
    data: bytes, rng: random.Random, share: float, ways: int
) -> Iterator[tuple[str, bytes]]:
    """Mutants of a share of the words behind the checksum, `ways` of each."""
    for at in range(CHECKED_FROM, len(data) - 3, 4):
        if rng.random() >= share:
            continue
        flips = (
            word_at(data, at) ^ 1 << rng.randrange(32),
            word_at(data, at) ^ 1 << 8 * rng.randrange(4),
        )
        other = word_at(data, rng.randrange(HEADER_SIZE, len(data) - 3) & ~3)
        yield from mutants_of(data, at, {*flips, other}, rng, ways)


def word_at(data: bytes, at: int) -> int:
    """The 32 bits at a place."""
    word: int = struct.unpack_from("<I", data, at)[0]
    return word


def mutants_of(
    data: bytes, at: int, likely: set[int], rng: random.Random, ways: int
) -> Iterator[tuple[str, bytes]]:
    """Some of the tables with another word at a place: one of these, one beside it, all bits clear or set."""
    word = word_at(data, at)
    near = {word ^ 1, word + 1 & 0xFFFFFFFF, word - 1 & 0xFFFFFFFF, 0, 0xFFFFFFFF}
    values = (likely | near) - {word}
    for value in sorted(rng.sample(sorted(values), min(ways, len(values)))):
        changed = data[:at] + struct.pack("<I", value) + data[at + 4 :]
        yield f"word at {at}: {word:#x} -> {value:#x}", checked(changed)


def judge_mutants(policy: ir.Policy, rng: random.Random, *, share: float, ways: int) -> Fates:
    """What became of the mutants of a policy's table."""
    data = tables.table_bytes(policy)
    return judged(mutants(data, rng, share, ways), lambda one: _fate(policy, data, one, rng))


def judged(
    mutated: Iterator[tuple[str, bytes]], fate_of: Callable[[bytes], tuple[str, str]]
) -> Fates:
    """What became of mutants."""
    fates = Fates()
    for name, mutant in mutated:
        fate, wrong = fate_of(mutant)
        fates.count[fate] += 1
        if wrong:
            fates.wrong.append(f"{name}: {fate}: {wrong}")
    return fates


def _fate(policy: ir.Policy, data: bytes, mutant: bytes, rng: random.Random) -> tuple[str, str]:
    try:
        proof = prove_table(policy, mutant, snapshot=tables.SNAPSHOT, timeout_s=5)
    except TableError:
        return "refused", "" if _is_refused(mutant) else "the engine loads it"
    if _is_refused(mutant):
        refused = proof.verdict is Verdict.REFUTED
        return "refused", "" if refused else "refused at load, but not by the proof"
    engine = Policy(mutant)
    match proof.verdict:
        case Verdict.REFUTED:
            assert proof.refutation is not None
            return refuted(policy, data, mutant, proof.refutation, rng)
        case Verdict.PROVED:
            return "equal", seen_difference(policy, engine, rng)
        case Verdict.UNDECIDED:
            return "undecided", seen_difference(policy, engine, rng)


def _is_refused(mutant: bytes) -> bool:
    """Whether the engine does not load a table."""
    try:
        Policy(mutant)
    except CodedError:
        return True
    return False


def refuted(
    policy: ir.Policy, data: bytes, mutant: bytes, refutation: Refutation, rng: random.Random
) -> tuple[str, str]:
    """A refutation must show: by its request on the engine, or by what the table says of itself."""
    if refutation.request is None:
        if described(Policy(data)) == described(Policy(mutant)):
            return "refuted by its schema", refutation.what
        fields = Policy(mutant).fields
        # Two inputs, members or actions of one name, and roles in no column, mean nothing that a
        # request shows.
        schema = Policy(mutant).table.schema
        actions = tuple(
            schema.string(schema._row(Section.ACTIONS, i)["name"])
            for i in range(schema.count(Section.ACTIONS))
        )
        lists = [tuple(field.name for field in fields), actions]
        lists += [field.members for field in schema.all_fields]
        odd = any(len(set(names)) < len(names) for names in lists)
        odd = odd or "roles that approved" in refutation.what
        return "refuted by its schema", "" if odd else seen_difference(policy, Policy(mutant), rng)
    try:
        engine = Policy(mutant, tables.written_params(policy, refutation.params))
    except CodedError:
        return "refuted by a request", ""  # it does not even take the parameters
    expected = expected_of(policy, refutation.params, refutation.request, refutation.runtime)
    try:
        found = seen(engine.decide(refutation.request, runtime=refutation.runtime))
    except TableError:
        found = ()  # what it gives has no name
    return "refuted by a request", "" if found != expected else f"no difference on {refutation}"


def described(policy: Policy) -> tuple[Any, ...]:
    """What a table says of itself."""
    schema = policy.table.schema

    def rows(section: Section) -> list[Any]:
        return [schema._row(section, i) for i in range(schema.count(section))]

    strings = [schema.string(i) for i in range(schema.count(Section.STRINGS))]
    return (
        strings,
        [(one.name, one.unit, one.members) for one in schema.all_fields],
        [schema.assumption(i) for i in range(schema.count(Section.ASSUMPTIONS))],
        [schema.rule(i) for i in range(schema.rule_count)],
        [rows(s) for s in (Section.POLICY, Section.FIELDS, Section.PARAMS, Section.ACTIONS)],
        [rows(s) for s in (Section.RULES, Section.OVERRIDES)],
    )


def seen(outcome: Any) -> tuple[Any, ...]:
    """Everything that an outcome shows of a decision."""
    decision = outcome.decision
    word = decision.word if isinstance(decision, ir.Effect) else decision.value
    return word, outcome.rule_id, outcome.reason, outcome.obligations, outcome.matched


def expected_of(
    policy: ir.Policy, params: dict[str, int], request: dict[str, Any], runtime: dict[str, Any]
) -> tuple[Any, ...]:
    """What the interpreter says of a request in its JSON form."""
    _, outcome = step(policy, params, initial_state(policy), read_sample(policy, request, runtime))
    return seen(outcome)


def seen_difference(policy: ir.Policy, engine: Policy, rng: random.Random) -> str:
    """A difference that random requests show of a mutant that is said to be equal."""
    source = Requests(policy)
    params = random_params(rng, policy)
    try:
        bound = Policy(engine.table.data, tables.written_params(policy, params))
    except CodedError:
        return ""  # it takes other parameters: seen before anything is asked
    for _ in range(60):
        values = source.request(rng)
        request, runtime = write_request(policy, values)
        expected = expected_of(policy, params, request, runtime)
        if seen(bound.decide(request, runtime=runtime)) != expected:
            return f"{request} {runtime} {params}"
    assert isinstance(read_sample(policy, request, runtime), Request)
    return ""
