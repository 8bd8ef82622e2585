"""What a table makes of a sample, by its documented step rule: slow, for witnesses only.

In: a decoded table, a state and a sample as the reference step takes them.  Out: the next state and the outcome,
to be held against the reference's.  Written from `native/gov_time.h`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from govlang.compiler import ir
from govlang.compiler.interpret import Outcome
from govlang.compiler.ir import Effect
from govlang.compiler.step import CLOCK_FAULT_RULE, Instance, Report, Request, State, Tick
from govlang.native.layout import CLOSE, FIRST_KIND, REQUEST, TICK, TIME_MAX, CellFlag, MemoryFlag
from govlang.verifier.translation.code import run_program
from govlang.verifier.translation.outcome import TableEnvironment, TableReader
from govlang.verifier.translation.source import DECISION
from govlang.verifier.translation.time_decode import Cell, Memory, Update

Sample = Request | Report | Tick
Stepped = tuple[State, Outcome | None]


@dataclass(frozen=True, slots=True)
class TimeReader:
    """A decoded table that remembers."""

    table: TableReader
    memory: Memory

    def take(self, params: Sequence[int], state: State, sample: Sample) -> Stepped:
        """The state behind a sample, and the outcome if it was a request."""
        values = sample.values if isinstance(sample, Request) else {}
        env = self.table.environment(values, params)
        return _Taking(self, env, state, sample, self._keys(sample)).run()

    def _keys(self, sample: Sample) -> dict[int, str]:
        """The scopes whose instances a sample addresses, with their keys."""
        key = self.memory.scopes[self.memory.key].field
        carried: dict[str | None, object] = {}
        match sample:
            case Request(values=values):
                carried.update(values)
            case Report(name=name, values=values):
                carried.update((n.removeprefix(f"${name}."), v) for n, v in values.items())
                carried[key] = sample.key
            case Tick():
                carried[key] = sample.key
        named = enumerate(scope.field for scope in self.memory.scopes)
        texts = {number: carried.get(field) for number, field in named if field is not None}
        return {0: ""} | {n: text for n, text in texts.items() if isinstance(text, str)}


@dataclass(slots=True)
class _Taking:
    """One sample; `env.words` are the words as they are so far."""

    reader: TimeReader
    env: TableEnvironment
    state: State
    sample: Sample
    keys: Mapping[int, str]

    def run(self) -> Stepped:
        self._grow()
        self._say()
        if self._is_refused():
            return self.state, None
        asked = isinstance(self.sample, Request)
        broken = self.reader.table.broken(self.env) if asked else None
        if broken is not None:
            return self.state, broken
        self._update(lambda stage: stage < CLOSE)
        outcome = self._decided() if asked else None
        if outcome is not None:
            self._set(DECISION, int(outcome.decision))
            self._update(lambda stage: stage == CLOSE)
        return self._kept(), outcome

    def _set(self, name: str, word: int) -> None:
        memory = self.reader.memory
        column = next(number for number, known in memory.columns.items() if known == name)
        self.env.words[column] = word

    def _instance(self, scope: int) -> Instance | None:
        name = self.reader.memory.scopes[scope].field or ir.SHARED
        return self.state.instances.get((name, self.keys[scope])) if scope in self.keys else None

    def _grow(self) -> None:
        for cell in self.reader.memory.cells:
            instance = self._instance(cell.scope)
            word = cell.initial
            if instance is not None and CellFlag.BRIEF not in cell.flags:
                word = instance.cells[cell.name]
                if cell.cap is not None and word >= 0:
                    word = min(cell.cap, word + max(0, self.sample.at_ms - instance.at_ms))
            self.env.words[cell.column] = word

    def _say(self) -> None:
        memory, now = self.reader.memory, self.sample.at_ms
        own = self._instance(memory.key)
        known = [one for one in (self._instance(0), own) if one is not None]
        self._set(ir.SAMPLE, self._kind())
        self._set(ir.CLOCK_FAULT, int(any(now < one.at_ms for one in known)))
        self._set(ir.GAP, TIME_MAX if own is None else min(TIME_MAX, max(0, now - own.at_ms)))
        self._set(DECISION, 0)
        if isinstance(self.sample, Report):
            for name, value in self.sample.values.items():
                if isinstance(value, int):
                    self._set(name, value if value < 1 << 63 else value - (1 << 64))

    def _kind(self) -> int:
        match self.sample:
            case Request():
                return REQUEST
            case Tick():
                return TICK
            case Report(name=name):
                names = [one.name for one in self.reader.memory.samples]
                return FIRST_KIND + names.index(name)

    def _is_refused(self) -> bool:
        if not isinstance(self.sample, Report):
            return False
        permit = self.reader.memory.samples[self._kind() - FIRST_KIND].permit
        return permit is not None and not self.env.words[self.reader.memory.cells[permit].column]

    def _update(self, is_due: Callable[[int], bool]) -> None:
        memory, words = self.reader.memory, self.env.words
        due = (one for one in memory.updates if is_due(one.stage))
        for _, updates in groupby(due, lambda one: one.stage):
            new: dict[int, int] = {}
            for one in updates:
                cell = memory.cells[one.cell]
                if one.cell not in new and cell.scope in self.keys and self._applies(one):
                    value = run_program(self.env.programs[one.value], words)
                    new[one.cell] = max(cell.lo, min(cell.hi, value))
            for number, word in new.items():
                words[memory.cells[number].column] = word

    def _applies(self, one: Update) -> bool:
        if one.kind is not None and one.kind != self._kind():
            return False
        if one.condition is None:
            return True
        return run_program(self.env.programs[one.condition], self.env.words) != 0

    def _decided(self) -> Outcome:
        outcome = self.reader.table.combined(self.env)
        memory = self.reader.memory
        fault = next(number for number, name in memory.columns.items() if name == ir.CLOCK_FAULT)
        if self.env.words[fault] and MemoryFlag.READS_FAULT not in memory.flags:
            return Outcome(Effect.DENY, CLOCK_FAULT_RULE, "the clock went back")
        return outcome

    def _kept(self) -> State:
        instances = dict(self.state.instances)
        for scope, key in self.keys.items():
            cells = {one.name: self.env.words[one.column] for one in self._cells(scope)}
            name = self.reader.memory.scopes[scope].field or ir.SHARED
            instances[name, key] = Instance(self.sample.at_ms, cells)
        return replace(self.state, instances=instances)

    def _cells(self, scope: int) -> Iterator[Cell]:
        for cell in self.reader.memory.cells:
            if cell.scope == scope and CellFlag.BRIEF not in cell.flags:
                yield cell
