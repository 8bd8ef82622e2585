"""What a policy remembers means what language.md says: reference step and table against whole histories.

Random policies over time are compiled and run sample by sample, by the reference step and by the C engine on
the table; the naive evaluator reads the syntax tree and everything that has happened.  Every outcome, the truth
of every rule, the state of every machine and whether a report was taken must agree, between step and engine
also every cell of every key.  A verdict is the truth of one rule, whose condition is an operator, at one
request; the states of machines, one for each instance behind each sample, are counted apart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from naive import Outcome as NaiveOutcome
from naive_machines import NaiveTime
from naive_past import Sample
from tables import table_bytes
from time_engine import kept_cells
from time_histories import RESOURCES, Told, history
from time_operators import OPERATORS
from time_policies import Remembering, write_remembering

from govlang.compiler import interpret, ir
from govlang.compiler.frontend import compile_source
from govlang.compiler.imports import gather
from govlang.compiler.requests import read_report, read_sample
from govlang.compiler.step import InvalidRequest, State, Tick, step
from govlang.dsl import ast
from govlang.dsl.source import Source
from govlang.native.errors import TableError
from govlang.native.request import InvalidFieldError
from govlang.runtime.policy import Policy

SAMPLES = 60


@dataclass
class Tally:
    """How often operators were true and false, in how many policies they were tried, and what else was met."""

    states: int = 0
    policies: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    said: Counter[tuple[str, bool]] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)


class Trial:
    """One policy on all sides."""

    def __init__(self, written: Remembering, rng: Random) -> None:
        self.written = written
        source = Source("p.gov", written.text)
        self.policy = compile_source(source).policy
        program = gather(source, None)
        self.params = {"most": rng.randint(0, 4)}
        self.naive = NaiveTime(ast.Policy(program.header, program.declarations), self.params)
        self.table = Policy(table_bytes(self.policy), self.params)
        self.state = State()
        assert self.policy.time is not None
        self.time = self.policy.time
        self.naive.past.kept = {cell.scope for cell in self.time.cells} | {self.time.key or ""}

    def take(self, told: Told, tally: Tally) -> None:
        """One sample on all sides."""
        if told.request is not None:
            self._asked(told, tally)
        else:
            self._reported(told, tally)
        self._machines(told, tally)
        assert kept_cells(self.table) == cells_of(self.state), told

    def _asked(self, told: Told, tally: Tally) -> None:
        assert told.request is not None
        runtime = {k: v for k, v in told.runtime.items() if k != "approved" or self._approves()}
        sample = read_sample(self.policy, told.request, runtime, told.at_ms)
        before = self.state
        self.state, outcome = step(self.policy, self.params, before, sample)
        assert outcome is not None
        self._compiled(told, runtime, outcome)
        if isinstance(sample, InvalidRequest):
            tally.met["invalid request"] += 1
            assert self.state is before
            return
        wanted = self.naive.commit(told.at_ms, told.request | runtime)
        if wanted is None:
            tally.met["broken assumption"] += 1
            assert outcome.rule_id == interpret.INVALID_REQUEST
            return
        tally.met[
            outcome.rule_id if outcome.rule_id == "clock_fault" else outcome.decision.word
        ] += 1
        assert shown(outcome) == shown_naively(wanted), (told, outcome, wanted)
        if outcome.rule_id == "clock_fault":
            return
        for rule, tried in self.written.probes.items():
            tally.said[tried, rule in outcome.matched] += 1

    def _compiled(self, told: Told, runtime: dict[str, Any], wanted: interpret.Outcome) -> None:
        """A question and a commit on the table."""
        assert told.request is not None
        for ask in (self.table.decide, self.table.commit):
            found = ask(told.request, now_ms=told.at_ms, runtime=runtime)
            assert (found.decision.value, found.rule_id) == (wanted.decision.word, wanted.rule_id)
            assert found.matched == wanted.matched, (told, found, wanted)
            assert normal(found.obligations) == normal(wanted.obligations), told
            if wanted.rule_id != interpret.INVALID_REQUEST:
                assert found.reason == wanted.reason, told

    def _approves(self) -> bool:
        return any(one.name == ir.APPROVED for one in self.policy.fields)

    def _reported(self, told: Told, tally: Tally) -> None:
        before = self.state
        report: Any = Tick(told.at_ms, told.key)
        if told.name is not None:
            try:
                report = read_report(self.policy, told.name, told.key, told.values, told.at_ms)
            except InvalidFieldError:
                tally.met["unknown"] += 1
                assert observed(self.table, self.time, told) == "GOV415"
                return
        self.state, _ = step(self.policy, self.params, before, report)
        refusal = observed(self.table, self.time, told)
        assert refusal == (None if self.state is not before else "GOV417"), told
        taken = self.naive.report(Sample(told.at_ms, told.name, values=told.values, key=told.key))
        assert taken == (self.state is not before), told
        tally.met["taken" if taken else "refused"] += 1

    def _machines(self, told: Told, tally: Tally) -> None:
        keys = {"": [""], "resource": list(RESOURCES), "agent": ["a1", "a2", "a3"]}
        for name, machine in self.naive.machines.items():
            cell = self.time.cell(name)
            for key in keys[machine.home]:
                instance = self.state.instances.get((cell.scope, key))
                found = cell.initial if instance is None else instance.cells[name]
                wanted = self.naive.moves(name, (machine.home, key)).state(10**9)
                assert cell.field.members[found] == wanted, (name, key, told)
                tally.states += 1


def observed(table: Policy, time: ir.Time, told: Told) -> str | None:
    """Report a sample to the table; the code of its refusal, None if it was taken in."""
    said: dict[str, Any] = {"at_ms": told.at_ms, "tick": True}
    signals = {one.name for one in time.samples if one.kind is ir.SampleKind.SIGNAL}
    if told.name in signals:
        said = {"at_ms": told.at_ms, "signal": told.name, "value": told.values[told.name]}
    elif told.name is not None:
        said = {"at_ms": told.at_ms, "event": told.name, "fields": told.values}
    try:
        table.observe(said if told.key is None else said | {"key": told.key})
    except TableError as error:
        return error.code
    return None


def cells_of(state: State) -> Any:
    """The time and the cells of every instance."""
    return {address: (one.at_ms, dict(one.cells)) for address, one in state.instances.items()}


def shown(outcome: interpret.Outcome) -> Any:
    return (
        outcome.decision.word,
        outcome.rule_id,
        list(outcome.matched),
        normal(outcome.obligations),
    )


def shown_naively(outcome: NaiveOutcome) -> Any:
    return outcome.decision, outcome.rule_id, list(outcome.matched), normal(outcome.obligations)


def normal(value: Any) -> Any:
    """Numbers as rationals, roles as sets, so that both sides compare."""
    match value:
        case bool() | str() | None:
            return value
        case int() | float() | Fraction():
            return Fraction(value)
        case dict():
            return {k: sorted(v) if k == "require" else normal(v) for k, v in value.items()}
        case set():
            return sorted(value)
        case _:
            return [normal(one) for one in value]


def hold_together(seed: str, tally: Tally) -> None:
    """A policy and a history, on all sides."""
    rng = Random(seed)
    written = write_remembering(rng)
    trial = Trial(written, rng)
    tally.policies += 1
    tally.tried.update(set(written.probes.values()))
    for told in history(rng, written, SAMPLES):
        trial.take(told, tally)


def test_every_operator_says_what_its_definition_says() -> None:
    tally = Tally()
    for seed in range(240):
        hold_together(f"time {seed}", tally)
    assert tally.said.total() >= 50_000, tally.said.total()
    for name in OPERATORS:
        assert tally.tried[name] >= tally.policies / 100, name
        assert tally.said[name, True] >= 50, name
        assert tally.said[name, False] >= 50, name
    assert min(tally.met[kind] for kind in ("invalid request", "refused", "clock_fault")) >= 20
    assert min(tally.met[effect.word] for effect in ir.Effect) >= 50, tally.met
    assert tally.states >= 20_000, tally.states


@pytest.mark.long
@pytest.mark.parametrize("batch", range(20))
def test_every_operator_says_what_its_definition_says_at_length(batch: int) -> None:
    tally = Tally()
    while tally.said.total() < 50_000:
        hold_together(f"time at length {batch} {tally.policies}", tally)
    assert tally.said.total() >= 50_000
